/*
 * http.h - HTTP/1.1 over libcurl's multi interface.
 * One struct http per TLS identity; all share the loop's CURLM and so its connection cache.
 * No redirects, no cookies, gzip accepted, https only (plain http only where the identity allows
 * it), certificates as blobs in memory. Nothing here retries: that is decided once per API, above.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/buf.h"
#include "base/loop.h"

#define HTTP_MAX_BODY (16u << 20)

struct http;
struct http_call;

enum http_plain {
	HTTP_PLAIN_NEVER,
	HTTP_PLAIN_LOOPBACK, /* http:// to 127.0.0.0/8, ::1, localhost, unix socket only */
	HTTP_PLAIN_ANY, /* in-cluster Presto, the metadata server, a source named by the user's file
			 */
};

struct http_opts {
	const char *ca_pem; /* NULL: the system's (SSL_CERT_FILE, SSL_CERT_DIR, CURL_CA_BUNDLE
			       honoured) */
	const char *cert_pem, *key_pem;
	const char *server_name; /* TLS name to check instead of the URL's host; NULL: the host */
	bool insecure;           /* a kubeconfig's insecure-skip-tls-verify */
	const char *proxy;       /* NULL: environment (HTTPS_PROXY, NO_PROXY); "": none */
	const char *unix_socket; /* connect here instead of the URL's host; NULL: not */
	enum http_plain plain;
	const char *user_agent;
};

/* http_new copies what it needs; keys are wiped on free. */
int http_new(struct http **out, struct loop *l, const struct http_opts *o,
	     struct err *e) MUST_CHECK;
void http_free(struct http *h); /* its calls must be gone (asserted) */
void http_freep(struct http **h);
struct loop *http_loop(const struct http *h);

struct http_body {
	const void *bytes; /* borrowed until the call ends */
	size_t len;
	int fd; /* > 0 with bytes NULL: stream len bytes from offset of this descriptor */
	int64_t offset;
};

struct http_req {
	const char *method; /* "GET", "PUT", ... */
	const char *url;
	const char *const *headers; /* NULL-terminated "Name: value"; values are never logged */
	struct http_body body;
	ns_t timeout;    /* whole call; 0: 30 s. For streams: until the response headers */
	size_t max_body; /* 0: HTTP_MAX_BODY */
	size_t *sent;    /* NULL, or: how much of the body has gone out by now */
	bool once;       /* never sent again over a new connection when a kept one was closed; so is
			    every POST */
};

struct http_resp {
	int status;
	struct buf headers; /* "name: value\n" lines, names in lower case; at most 64 KiB */
	struct buf body;
	ns_t retry_after; /* Retry-After in ns (seconds or HTTP date), 0 when absent */
	ns_t time_total;
};

/* http_header - a borrowed value (first of that name, lower-case name), valid until release; NULL
 * if absent. */
const char *http_header(const struct http_resp *r, const char *name, char *out, size_t size);
/* http_date - when it was sent, by the server's clock, in seconds since 1970; false: it does not say. */
bool http_date(int64_t *seconds, const struct http_resp *r);
void http_resp_release(struct http_resp *r);

/*
 * http_do - one request, waiting. A reply of any status is success here: 0 with r filled.
 * Returns -1 with ERR_TIMEOUT, ERR_UNAVAILABLE (connection, reset, half a body), ERR_INVALID (body
 * over the maximum, scheme not allowed), ERR_DENIED (TLS verification), ERR_CANCELLED.
 * Messages name method and host:port and path, never the query string or headers.
 */
int http_do(struct http *h, const struct http_req *q, struct http_resp *r,
	    struct err *e) MUST_CHECK;
/*
 * http_do_all - n requests side by side, at most max_parallel at a time (0: 4). errs[i] tells each
 * outcome; returns the number of failed ones. A signal cancels what is still running.
 */
size_t http_do_all(struct http *h, const struct http_req *q, struct http_resp *r, struct err *errs,
		   size_t n, size_t max_parallel);

/* http_start - the same without waiting: fn runs once from the loop; r and e are the call's,
 * borrowed. */
typedef void http_done_fn(struct http_resp *r, struct err *e, void *arg);
int http_start(struct http_call **out, struct http *h, const struct http_req *q, http_done_fn *fn,
	       void *arg, struct err *e) MUST_CHECK;

/*
 * http_stream - a response that goes on: head once (any status), then lines without their newline
 * as they arrive (each at most max_line bytes, 0: 4 MiB; a longer one ends the call), then end
 * once. A non-2xx status: no lines, the body (up to 64 KiB) is in end's r. Data callbacks run after
 * curl_multi_perform has returned, so they may free the call.
 */
struct http_stream_cb {
	void (*head)(int status, void *arg); /* NULL is fine */
	void (*line)(const char *line, size_t len, void *arg);
	void (*end)(struct http_resp *r, struct err *e,
		    void *arg); /* e->code ERR_OK: a clean end */
	void *arg;
	size_t max_line;
	/* raw bytes instead of lines when set (log following, UI proxy): */
	void (*data)(const char *bytes, size_t len, void *arg);
};
int http_stream(struct http_call **out, struct http *h, const struct http_req *q,
		const struct http_stream_cb *cb, struct err *e) MUST_CHECK;
void http_call_free(struct http_call *c); /* cancels if running, without a callback; NULL is fine */

/*
 * http_refused - the peer's host is there and nobody listens on the port ("connection refused"):
 * true for an error of this module, also after wrapping.
 */
bool http_refused(const struct err *e);

/* http_url_escape - percent-encode one path segment or query value. Owned. */
char *http_url_escape(const char *s);

#endif
