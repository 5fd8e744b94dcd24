/*
 * http_internal.h - shared by http.c (identities, waiting), http_call.c (one transfer from start to
 * end) and http_parse.c (texts from the peer). Nobody else includes it.
 */
#ifndef BASE_HTTP_INTERNAL_H
#define BASE_HTTP_INTERNAL_H

#include "base/http.h"

#define HTTP_MAX_HEADERS   (64u << 10)
#define HTTP_MAX_ERROR     (64u << 10) /* body of a non-2xx reply to a stream */
#define HTTP_CONNECT       (10 * NS_SEC)
#define HTTP_TIMEOUT       (30 * NS_SEC)
#define HTTP_MAX_LINE      (4u << 20)
#define HTTP_RETRY_CEILING (24 * 3600 * NS_SEC)

struct http {
	struct loop *loop;
	void *multi;
	size_t calls;
	char *ca, *cert, *key;
	char *ca_file, *ca_dir; /* from the environment, used when there is no ca */
	char *server_name, *proxy, *unix_socket, *user_agent;
	bool insecure;
	enum http_plain plain;
};

/* http_target - a URL looked at: what libcurl gets, and what people read. Owned strings. */
struct http_target {
	char *url;        /* with the TLS name in place of the host when the identity has one */
	char *host;       /* "Host: ..." header when the URL no longer says it, else NULL */
	char *connect_to; /* CURLOPT_CONNECT_TO rule, or NULL */
	char name[224];   /* "host:port/path", no query */
	bool plain, loopback;
};

int http_target_init(struct http_target *t, const struct http *h, const char *url,
		     struct err *e) MUST_CHECK;
void http_target_release(struct http_target *t);

/*
 * http_header_add - one header line as it came ("Name: value\\r\\n") as "name: value\\n". Lines
 * that are none are left out. ERR_INVALID when headers->max is passed.
 */
int http_header_add(struct buf *headers, const char *line, size_t len, struct err *e) MUST_CHECK;
/* http_retry_after - seconds or an HTTP date, seen at wall; 0 when it is neither, at most a day. */
ns_t http_retry_after(const char *value, ns_t wall);
/* http_err_curl - a CURLcode as an error: "name: cause". detail is libcurl's text, may be empty. */
int http_err_curl(struct err *e, const char *name, int code, int os_errno, const char *detail);

/* http_call_name - "GET host:port/path" for messages. */
const char *http_call_name(const struct http_call *c);

#endif
