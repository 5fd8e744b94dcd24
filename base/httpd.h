/*
 * httpd.h - a small HTTP server on the loop (libmicrohttpd inside, in its external epoll mode): for
 * health, metrics and local proxies. Requests arrive whole; the answer may be given later.
 */
#ifndef BASE_HTTPD_H
#define BASE_HTTPD_H

#include "base/buf.h"
#include "base/loop.h"

struct httpd;
struct httpd_call;

struct httpd_opts {
	const char
		*address; /* "127.0.0.1:0", "0.0.0.0:8081", "[::1]:8080", ":8081" (all addresses) */
	size_t max_body;  /* 0: 64 KiB; larger gets 413 */
	unsigned max_connections; /* 0: 32 */
	/* Called from the loop for every request; it, or somebody later, calls httpd_reply exactly
	 * once. */
	void (*fn)(struct httpd_call *c, void *arg);
	void *arg;
};

/* httpd_new - ERR_INVALID (address), ERR_EXISTS (port in use), ERR_DENIED. */
int httpd_new(struct httpd **out, struct loop *l, const struct httpd_opts *o,
	      struct err *e) MUST_CHECK;
int httpd_port(const struct httpd *h);
void httpd_free(struct httpd *h); /* open calls are cut off; their handles must not be used after */

const char *httpd_method(const struct httpd_call *c);
const char *httpd_path(
	const struct httpd_call *c); /* as sent, with the query string if any, at most 8 KiB */
const char *httpd_header(const struct httpd_call *c, const char *name); /* NULL if absent */
const void *httpd_body(const struct httpd_call *c, size_t *len);

/* httpd_reply - bytes are copied. @headers: NULL, or NULL-terminated "Name: value" besides
 * Content-Type. */
void httpd_reply(struct httpd_call *c, int status, const char *content_type, const void *bytes,
		 size_t len, const char *const *headers);
void httpd_reply_text(struct httpd_call *c, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
