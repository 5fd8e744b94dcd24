/* proxy.c - HTTP to a Service through the API server. */
#include "k8s/proxy.h"

#include <string.h>
#include <strings.h>

char *k8s_proxy_path(const struct k8s_svc *s)
{
	autofree char *ns = http_url_escape(s->ns), *name = http_url_escape(s->name);

	return xasprintf("/api/v1/namespaces/%s/services/http:%s:%d/proxy", ns, name, s->port);
}

/* Did the API server itself write this reply? It does so when it cannot hand the request on. */
static bool is_own(const struct http_resp *r)
{
	struct err ignored = ERR_INIT;
	autojson json_t *doc = NULL;
	const char *body = buf_str(&r->body);

	if (r->status < 300)
		return false;
	if (r->status >= 500 && starts_with(body, "error trying to reach service"))
		return true;
	if (r->body.len > (64u << 10) || !strstr(body, "\"Status\""))
		return false;
	if (jx_parse(&doc, body, r->body.len, "reply", &ignored) < 0)
		return false;
	return streq(jx_str(doc, "kind"), "Status") && streq(jx_str(doc, "apiVersion"), "v1");
}

int k8s_proxy(struct http_resp *r, struct k8s *k, const struct k8s_svc *s, const struct http_req *q,
	      struct err *e)
{
	autofree char *prefix = k8s_proxy_path(s);
	autofree char *path = xasprintf("%s%s%s", prefix, *q->url == '/' ? "" : "/", q->url);
	struct http_resp got = {0};
	struct http_req mine = *q;

	mine.url = path;
	if (k8s_raw(&got, k, &mine, e) < 0)
		return err_wrap(e, "service %s/%s", s->ns, s->name);
	if (is_own(&got)) {
		k8s_status_err(&got, e);
		http_resp_release(&got);
		return err_wrap(e, "service %s/%s", s->ns, s->name);
	}
	*r = got;
	return 0;
}
