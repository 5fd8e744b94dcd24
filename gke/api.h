/*
 * api.h - one account at Google's REST APIs: endpoints, the bearer token, and the only place with
 * retries.
 */
#ifndef GKE_API_H
#define GKE_API_H

#include "gke/auth.h"
#include "gke/endpoint.h"
#include "gke/error.h"

struct gke;

struct gke_opts {
	struct gke_env env;
	const char *ca_pem, *user_agent; /* as in auth_opts */
	ns_t timeout;                    /* of one request; 0: 60 s */
	ns_t retry_for;                  /* of one request with all its repetitions; 0: 120 s */
	ns_t backoff;                    /* first pause; 0: 500 ms */
	void (*on_retry)(const struct err *e, ns_t wait, void *arg); /* NULL: silence */
	void *arg;
};

/* gke_new - the auth is borrowed and must live longer. ERR_INVALID: an endpoint that is none. */
int gke_new(struct gke **out, struct loop *l, struct auth *a, const struct gke_opts *o,
	    struct err *e) MUST_CHECK;
void gke_free(struct gke *g);
void gke_freep(struct gke **g);
struct loop *gke_loop(const struct gke *g);
struct auth *gke_auth(const struct gke *g);
/* gke_ahead - how far this machine's clock was ahead of Google's at the last reply; 0 when that is not known. */
ns_t gke_ahead(const struct gke *g);
const char *gke_base(const struct gke *g, enum gke_api api); /* borrowed */

struct gke_req {
	enum gke_api api;
	const char *method;
	const char *path; /* after the base, escaped, with its query: "/projects/p/..." */
	const json_t *body;
	bool repeatable;       /* a POST, PUT or PATCH that may be sent twice without harm */
	ns_t timeout;          /* 0: the client's */
	struct gke_error *why; /* receives what was refused and why; NULL: not asked for */
	struct buf *detail;    /* lines for people are appended; NULL: not asked for */
};

/*
 * gke_call - one request. GET and DELETE are repeated on 5xx, lost connections and time-outs; other
 * methods only when they surely had no effect (connection refused, 401, rate limits) unless
 * repeatable. A 401 is answered with a new token, once. Retry-After and RetryInfo are honoured.
 * *out (may be NULL) is the parsed body, {} when that is empty. Errors as gke_error_set; lost
 * replies are ERR_UNAVAILABLE or ERR_TIMEOUT with why->lost.
 */
int gke_call(json_t **out, struct gke *g, const struct gke_req *q, struct err *e) MUST_CHECK;

/*
 * gke_list - all pages of a list that has nextPageToken; items is the name of its array. *out is one
 * array, owned. At most 20,000 items.
 */
int gke_list(json_t **out, struct gke *g, enum gke_api api, const char *path, const char *items,
	     struct err *e) MUST_CHECK;

/* gke_path - printf where every %s is one escaped path segment or query value. Owned. */
char *gke_path(const char *fmt, ...) PRINTF_LIKE(1, 2) NEVER_NULL;

#endif
