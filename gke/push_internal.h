/*
 * push_internal.h - shared by push.c (a registry: credentials, requests) and push_image.c (what is
 * sent to it). Nobody else includes it.
 */
#ifndef GKE_PUSH_INTERNAL_H
#define GKE_PUSH_INTERNAL_H

#include "base/http.h"
#include "gke/push.h"

struct push {
	struct loop *loop;
	struct http *http;
	struct auth *google;
	char *host, *base; /* "https://host" */
	char *user, *password;
	char *authorization; /* header line for what scope says, secret */
	char *scope;         /* repositories that it is good for; NULL: all */
	ns_t backoff;
	void (*progress)(const char *digest, int64_t bytes, enum push_how how, void *arg);
	void (*sending)(const char *digest, int64_t sent, int64_t bytes, void *arg);
	void (*on_retry)(const struct err *e, void *arg);
	void *arg;
};

struct push_request {
	const char *method, *url, *type; /* type NULL: no Content-Type */
	const char *scope;
	struct http_body body;
	ns_t timeout;
	size_t *sent; /* as in http_req */
	bool bare;    /* to a host that is not the registry: no credentials */
};

/*
 * push_ask - with credentials when they are asked for, once more when they have ended. Any status
 * is success.
 */
int push_ask(struct http_resp *r, struct push *p, const struct push_request *q,
	     struct err *e) MUST_CHECK;
/* push_refused - a status that is none of those hoped for, in the registry's words. Returns -1. */
int push_refused(const struct push *p, const struct http_resp *r, const char *doing, struct err *e);
/* push_same_host - is a URL the registry's own? */
bool push_same_host(const struct push *p, const char *url);

#endif
