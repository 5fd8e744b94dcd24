/*
 * proxy.h - HTTP to a Service through the API server: no port-forward, no extra address.
 * /api/v1/namespaces/NS/services/http:NAME:PORT/proxy/... A reply that is a Kubernetes Status comes
 * from the API server itself (503: no ready endpoint: worth a retry); anything else is the service's.
 */
#ifndef K8S_PROXY_H
#define K8S_PROXY_H

#include "k8s/k8s.h"

struct k8s_svc {
	const char *ns, *name;
	int port;
};

/* k8s_proxy_path - the prefix without a slash at the end. Owned. */
char *k8s_proxy_path(const struct k8s_svc *s);
/*
 * k8s_proxy - one request; q->url is the service's own path ("/v1/info"). The API server's own refusals become
 * errors (ERR_UNAVAILABLE, ERR_NOT_FOUND, ERR_DENIED ...); the service's replies of any status are success.
 */
int k8s_proxy(struct http_resp *r, struct k8s *k, const struct k8s_svc *s, const struct http_req *q,
	      struct err *e) MUST_CHECK;

#endif
