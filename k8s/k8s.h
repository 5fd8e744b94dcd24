/*
 * k8s.h - a client of one API server: verbs as straight-line calls that wait on the loop.
 * Retries live here and only here: GET, apply and DELETE are asked again on connection failure,
 * 429 and 5xx up to 3 times with backoff and Retry-After; create (POST) only when the request
 * surely had no effect (connection refused, 429). A 401 reloads the token and asks once more.
 * A time-out is not repeated.
 * Errors: NOT_FOUND 404, EXISTS 409 AlreadyExists, CONFLICT 409, GONE 410, INVALID 400/422 with
 * the server's causes, DENIED 401/403, THROTTLED 429, UNAVAILABLE 5xx; msg is the Status message.
 */
#ifndef K8S_K8S_H
#define K8S_K8S_H

#include "base/http.h"
#include "k8s/kubeconfig.h"
#include "k8s/obj.h"
#include "k8s/res.h"

struct k8s;

struct k8s_opts {
	const char *user_agent; /* "prestoctl/0.1.0" */
	ns_t timeout;           /* per request; 0: 10 s (a page of a list: 60 s) */
	ns_t retry_for;         /* 0: at most 3 retries; else retries go on for so long */
	/* called before each wait of a retry; NULL is fine */
	void (*on_retry)(const struct err *e, ns_t wait, void *arg);
	void *arg;
};

/* k8s_new - takes the config over (it is emptied). No request is made. */
int k8s_new(struct k8s **out, struct loop *l, struct k8s_config *c, const struct k8s_opts *o,
	    struct err *e) MUST_CHECK;
/* k8s_retry_for - from now on as the option of that name; 0: at most 3 retries. */
void k8s_retry_for(struct k8s *k, ns_t retry_for);
void k8s_free(struct k8s *k);
void k8s_freep(struct k8s **k);
const struct k8s_config *k8s_config_of(const struct k8s *k);
struct loop *k8s_loop(const struct k8s *k);

int k8s_get(json_t **out, struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
	    struct err *e) MUST_CHECK;

struct k8s_list_opts {
	const char *label_selector, *field_selector; /* NULL: all */
	size_t limit;                                /* per page; 0: 500 */
};
/* k8s_list - every page; *out is an array of objects (kind and apiVersion filled in). At most 100,000 items.
 * A list that the server forgets half way (410) is asked for once more as a whole. */
int k8s_list(json_t **out, struct k8s *k, const struct k8s_res *r, const char *ns,
	     const struct k8s_list_opts *o, struct err *e) MUST_CHECK;
int k8s_create(json_t **out, struct k8s *k, const json_t *obj, struct err *e) MUST_CHECK;

struct k8s_apply_opts {
	const char *field_manager; /* mandatory */
	const char *subresource;   /* NULL or "status" */
	bool no_force; /* leave conflicts to the caller (ERR_CONFLICT names the managers) */
	bool dry_run;
};
/* k8s_apply - server-side apply of a whole intent (apiVersion, kind, name and ours fields). @out may be NULL. */
int k8s_apply(json_t **out, struct k8s *k, const json_t *obj, const struct k8s_apply_opts *o,
	      struct err *e) MUST_CHECK;
/* k8s_apply_all - n applies side by side, four at a time; returns the number that failed. outs may be NULL. */
size_t k8s_apply_all(json_t **outs, struct k8s *k, const json_t *const *objs,
		     const struct k8s_apply_opts *o, struct err *errs, size_t n);
/* k8s_merge_patch - RFC 7386; with metadata.resourceVersion inside it is conditional. */
int k8s_merge_patch(json_t **out, struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
		    const char *subresource, const json_t *patch, struct err *e) MUST_CHECK;

struct k8s_delete_opts {
	const char *uid, *resource_version; /* preconditions; NULL: none */
	const char *propagation;            /* "Background" (NULL), "Foreground", "Orphan" */
	int grace_seconds; /* -1 or 0-initialised with grace_set false: the server's default */
	bool grace_set;
};
/* k8s_delete - 404 is success. */
int k8s_delete(struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
	       const struct k8s_delete_opts *o, struct err *e) MUST_CHECK;

/* k8s_served - is this kind's group/version served here? 0 with *yes, or -1. */
int k8s_served(bool *yes, struct k8s *k, const struct k8s_res *r, struct err *e) MUST_CHECK;

struct k8s_access { /* one question of a SelfSubjectAccessReview */
	const char *group, *resource, *subresource, *verb, *ns; /* subresource, ns may be NULL */
	bool allowed;                                           /* answer */
	char *reason;                                           /* answer, owned, may be NULL */
};
/* k8s_can - asks all, four at a time. */
int k8s_can(struct k8s *k, struct k8s_access *q, size_t n, struct err *e) MUST_CHECK;

/*
 * k8s_raw - any path, for proxies and probes. @path begins with '/'; the token is added. No retry,
 * except once after a 401. A reply of any status is success.
 */
int k8s_raw(struct http_resp *r, struct k8s *k, const struct http_req *q, struct err *e) MUST_CHECK;
/* k8s_stream - the same as a stream (watches, logs, UI). The request's url is a path here too.
 * The token must be fresh: k8s_token_refresh (which waits) comes first where a plugin is in play. */
int k8s_stream(struct http_call **out, struct k8s *k, const struct http_req *q,
	       const struct http_stream_cb *cb, struct err *e) MUST_CHECK;
/* k8s_start - one request without waiting (operator polls); same rules as k8s_stream. */
int k8s_start(struct http_call **out, struct k8s *k, const struct http_req *q, http_done_fn *fn,
	      void *arg, struct err *e) MUST_CHECK;
int k8s_token_refresh(struct k8s *k, bool refused, struct err *e) MUST_CHECK;
/* k8s_token_reread - after a 401 in a callback, where waiting is not allowed: a token file is read again
 * at once; a plugin's token is marked refused, and the next verb or k8s_token_refresh runs the plugin. */
void k8s_token_reread(struct k8s *k);
/* k8s_status_err - turn a non-2xx reply into an error, as the verbs do. Returns -1. */
int k8s_status_err(const struct http_resp *r, struct err *e);
/* k8s_status_too_new - a list or watch was refused because the server has not reached the asked
 * resourceVersion yet (504 or 400 with the cause ResourceVersionTooLarge). */
bool k8s_status_too_new(const struct http_resp *r);

/* k8s_pod_log - the last lines of a container's log; previous: of the container before a restart. Owned text, at most 256 KiB. */
int k8s_pod_log(char **out, struct k8s *k, const struct k8s_ref *pod, const char *container,
		int tail_lines, bool previous, struct err *e) MUST_CHECK;

#endif
