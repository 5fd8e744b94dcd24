/*
 * client_internal.h - shared by client.c (identity, sending, retries), verbs.c and batch users
 * inside k8s/. Nobody else includes it.
 */
#ifndef K8S_CLIENT_INTERNAL_H
#define K8S_CLIENT_INTERNAL_H

#include "k8s/cred.h"
#include "k8s/k8s.h"

#define K8S_TIMEOUT      (10 * NS_SEC)
#define K8S_LIST_TIMEOUT (60 * NS_SEC)
#define K8S_LIST_BODY    (64u << 20)
#define K8S_PAGE         500
#define K8S_MAX_ITEMS    100000

/* One request with its outcome: r is a 2xx reply when e is ERR_OK. */
struct k8s_call {
	const char *method;
	char *path;               /* owned, with the query */
	const char *content_type; /* NULL: no body */
	char *body;               /* owned */
	ns_t timeout;             /* 0: the client's */
	size_t max_body;
	bool once; /* repeat only when it surely had no effect */
	struct http_resp r;
	struct err e;
	bool settled;
};

/* k8s_send - all calls, four at a time, with retries as k8s.h promises. Returns the number that failed. */
size_t k8s_send(struct k8s *k, struct k8s_call *calls, size_t n);
void k8s_call_release(struct k8s_call *c);
/* k8s_send_one - one call; *out (may be NULL) is the parsed body. Releases the call. */
int k8s_send_one(json_t **out, struct k8s *k, struct k8s_call *c, struct err *e) MUST_CHECK;
/* k8s_url_add - append "?key=value" or "&key=value", escaped. A NULL value adds nothing. */
void k8s_url_add(char **url, const char *key, const char *value);
/* k8s_status_json - the same as k8s_status_err for a Status that came inside a stream. Returns -1. */
int k8s_status_json(const json_t *status, struct err *e);
/* k8s_ref_check - names that would change the path they are put into are refused. */
int k8s_ref_check(const struct k8s_res *r, const struct k8s_ref *ref, struct err *e) MUST_CHECK;

#endif
