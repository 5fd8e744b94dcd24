/*
 * http_call.c - one transfer. libcurl's callbacks only append and note; advance() runs deferred,
 * outside libcurl, and is the only place that calls the owner, who may then free the call.
 */
#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/http_internal.h"

struct http_call {
	struct http *h;
	CURL *easy; /* NULL once the transfer has ended */
	struct curl_slist *headers, *connect_to;
	char name[256];

	struct http_body body;
	size_t sent, *tell_sent;
	bool once;
	unsigned attempts;

	http_done_fn *fn;
	void *arg;
	bool streaming;
	struct http_stream_cb cb;
	struct buf pending; /* stream bytes not handed out yet */
	size_t scanned;     /* of them known to have no newline */

	struct http_resp resp;
	struct err err;
	struct loop_timer *timer;
	ns_t started, timeout;
	char detail[CURL_ERROR_SIZE];
	bool head;      /* response headers are complete */
	bool head_told; /* ... and the owner knows */
	bool finished;  /* the outcome is in resp and err */
	bool poked;     /* advance() is due */
	bool advancing;
	bool dead; /* freed by its owner while advancing */
};

static void advance(void *arg);

static void poke(struct http_call *c)
{
	if (!c->poked)
		loop_defer(c->h->loop, advance, c);
	c->poked = true;
}

static bool is_success(const struct http_call *c)
{
	return c->resp.status >= 200 && c->resp.status < 300;
}

const char *http_call_name(const struct http_call *c)
{
	return c->name;
}

/* --- called by libcurl ------------------------------------------------------------------------ */

static void end_of_head(struct http_call *c)
{
	char value[64];

	if (c->resp.status < 200) /* 100 Continue and friends: the real ones follow */
		return;
	c->head = true;
	if (http_header(&c->resp, "retry-after", value, sizeof(value)))
		c->resp.retry_after = http_retry_after(value, clock_wall());
	if (c->streaming)
		poke(c);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	long status = 0;

	n *= size;
	if (c->head) /* trailers after a chunked body: nobody asks for them */
		return n;
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		c->resp.status = (int)status;
		buf_clear(&c->resp.headers);
	} else if (n <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		end_of_head(c);
	} else if (http_header_add(&c->resp.headers, line, n, &c->err) < 0) {
		err_wrap(&c->err, "%s: headers of the reply", c->name);
		return 0;
	}
	return n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	int rc;

	n *= size;
	if (c->streaming && !is_success(c)) {
		size_t room = c->resp.body.max - c->resp.body.len;

		rc = buf_add(&c->resp.body, bytes, n < room ? n : room, &c->err);
	} else if (c->streaming) {
		rc = buf_add(&c->pending, bytes, n, &c->err);
		poke(c);
	} else {
		rc = buf_add(&c->resp.body, bytes, n, &c->err);
	}
	if (rc < 0) {
		err_wrap(&c->err, "%s: reply", c->name);
		return 0;
	}
	return n;
}

static size_t on_send(char *out, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	size_t left = c->body.len - c->sent;
	ssize_t got;

	n *= size;
	if (n > left)
		n = left;
	if (n == 0)
		return 0;
	if (c->body.bytes) {
		memcpy(out, (const char *)c->body.bytes + c->sent, n);
	} else {
		got = pread(c->body.fd, out, n, c->body.offset + (off_t)c->sent);
		if (got <= 0)
			return CURL_READFUNC_ABORT;
		n = (size_t)got;
	}
	c->sent += n;
	if (c->tell_sent)
		*c->tell_sent = c->sent;
	return n;
}

/*
 * libcurl repeats a request by itself when a kept connection turns out to be closed without a
 * reply. Right for all that can be repeated; a POST might have been carried out, so its owner
 * decides.
 */
static int on_request(void *arg, char *to UNUSED, char *from UNUSED, int to_port UNUSED,
		      int from_port UNUSED)
{
	struct http_call *c = arg;

	if (c->once && c->attempts > 0)
		return CURL_PREREQFUNC_ABORT;
	c->attempts++;
	c->sent = 0;
	return CURL_PREREQFUNC_OK;
}

static int on_rewind(void *arg, curl_off_t offset, int origin)
{
	struct http_call *c = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > c->body.len)
		return CURL_SEEKFUNC_FAIL;
	c->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* --- the end of a transfer -------------------------------------------------------------------- */

static void detach(struct http_call *c)
{
	loop_timer_stop(c->timer);
	if (c->easy) {
		curl_multi_remove_handle(c->h->multi, c->easy);
		curl_easy_cleanup(c->easy);
		if (c->streaming)
			loop_curl_streams(c->h->loop, -1);
	}
	c->easy = NULL;
	for (struct curl_slist *s = c->headers; s; s = s->next)
		mem_wipe(s->data, strlen(s->data));
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	c->headers = c->connect_to = NULL;
}

static void finish(struct http_call *c)
{
	detach(c);
	c->resp.time_total = clock_mono() - c->started;
	c->finished = true;
	if (c->err.code)
		log_debug(NULL, "%s", c->err.msg);
	else
		log_debug(NULL, "%s: %d in %lld ms", c->name, c->resp.status,
			  (long long)(c->resp.time_total / NS_MS));
	poke(c);
}

static void on_curl_done(void *easy, int code)
{
	struct http_call *c;
	char *private = NULL;
	long os_errno = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
	c = (void *)private;
	if (code != CURLE_OK && c->err.code == ERR_OK)
		http_err_curl(&c->err, c->name, code, (int)os_errno, c->detail);
	else if (code == CURLE_OK && !c->head) /* libcurl is content with half of the headers */
		err_set(&c->err, ERR_UNAVAILABLE,
			"%s: the connection ended in the headers of the reply", c->name);
	finish(c);
}

static void on_timeout(void *arg)
{
	struct http_call *c = arg;
	char text[DURATION_SIZE];

	duration_format(text, c->timeout);
	err_set(&c->err, ERR_TIMEOUT, "%s: no %s within %s", c->name,
		c->head ? "complete reply" : "reply", text);
	finish(c);
}

/* --- handing out ------------------------------------------------------------------------------ */

static void fail_stream(struct http_call *c)
{
	err_clear(&c->err); /* of the transfer, when that has ended: this came first */
	err_set(&c->err, ERR_INVALID, "%s: a line is longer than %zu bytes", c->name,
		c->cb.max_line);
	buf_release(&c->pending);
	c->scanned = 0;
	if (!c->finished)
		finish(c);
}

static void drop_pending(struct http_call *c, size_t n)
{
	buf_drop(&c->pending, n);
	/* A burst must not leave its memory with every watch for ever. */
	if (c->pending.len == 0 && c->pending.cap > (32u << 10))
		buf_release(&c->pending);
}

static void hand_out_lines(struct http_call *c)
{
	size_t start = 0, from = c->scanned;
	char *nl;

	while (c->pending.len > from &&
	       (nl = memchr(c->pending.data + from, '\n', c->pending.len - from))) {
		char *line = c->pending.data + start;
		size_t len = (size_t)(nl - line);

		if (len > c->cb.max_line)
			break;
		*nl = '\0';
		start = from = start + len + 1;
		c->cb.line(line, len, c->cb.arg);
		if (c->dead)
			return;
	}
	drop_pending(c, start);
	nl = c->pending.len ? memchr(c->pending.data, '\n', c->pending.len) : NULL;
	c->scanned = nl ? 0 : c->pending.len;
	if (nl || c->pending.len > c->cb.max_line)
		fail_stream(c);
}

static void hand_out(struct http_call *c)
{
	if (!c->head_told && c->head) {
		c->head_told = true;
		if (is_success(c))
			loop_timer_stop(c->timer);
		if (c->cb.head)
			c->cb.head(c->resp.status, c->cb.arg);
	}
	if (c->dead || c->pending.len == 0)
		return;
	if (c->cb.data) {
		struct buf bytes = c->pending;

		c->pending = (struct buf)BUF_INIT(bytes.max);
		c->cb.data(bytes.data, bytes.len, c->cb.arg);
		buf_release(&bytes);
	} else {
		hand_out_lines(c);
	}
}

static void hand_out_end(struct http_call *c)
{
	/* A last line without a newline counts when the peer ended on purpose; else it is half a
	 * line. */
	if (c->streaming && !c->cb.data && c->pending.len && c->err.code == ERR_OK)
		c->cb.line(c->pending.data, c->pending.len, c->cb.arg);
	if (c->dead)
		return;
	if (c->streaming)
		c->cb.end(&c->resp, &c->err, c->cb.arg);
	else
		c->fn(&c->resp, &c->err, c->arg);
}

static void destroy(struct http_call *c)
{
	detach(c);
	loop_timer_free(c->timer);
	if (c->poked)
		loop_defer_cancel(c->h->loop, advance, c);
	c->h->calls--;
	buf_release(&c->pending);
	http_resp_release(&c->resp);
	free(c);
}

static void advance(void *arg)
{
	struct http_call *c = arg;
	bool last = c->finished;

	c->poked = false;
	c->advancing = true;
	if (c->streaming)
		hand_out(c);
	if (!c->dead && last)
		hand_out_end(c);
	c->advancing = false;
	if (c->dead)
		destroy(c);
}

void http_call_free(struct http_call *c)
{
	if (!c)
		return;
	assert(!c->dead);
	if (c->advancing)
		c->dead = true;
	else
		destroy(c);
}

/* --- the start of a transfer ------------------------------------------------------------------ */

#define OPT(c, option, value)                                                        \
	do {                                                                         \
		CURLcode _rc = curl_easy_setopt((c)->easy, CURLOPT_##option, value); \
		if (_rc != CURLE_OK && (c)->err.code == ERR_OK)                      \
			err_set(&(c)->err, ERR_INTERNAL, "libcurl: " #option ": %s", \
				curl_easy_strerror(_rc));                            \
	} while (0)

static struct curl_blob blob(char *s)
{
	return (struct curl_blob){.data = s, .len = strlen(s), .flags = CURL_BLOB_NOCOPY};
}

static void set_tls(struct http_call *c)
{
	struct http *h = c->h;
	struct curl_blob b;

	OPT(c, SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	OPT(c, SSL_SESSIONID_CACHE, 0L); /* it would be one per call: libcurl shares none */
	OPT(c, SSL_VERIFYPEER, h->insecure ? 0L : 1L);
	OPT(c, SSL_VERIFYHOST, h->insecure ? 0L : 2L);
	if (h->ca) {
		b = blob(h->ca);
		OPT(c, CAINFO_BLOB, &b);
	}
	/* With a folder libcurl cannot keep the parsed bundle between connections. */
	if (h->ca || h->ca_file || !h->ca_dir)
		OPT(c, CAPATH, NULL);
	if (h->ca_file)
		OPT(c, CAINFO, h->ca_file);
	if (h->ca_dir)
		OPT(c, CAPATH, h->ca_dir);
	if (h->cert) {
		b = blob(h->cert);
		OPT(c, SSLCERT_BLOB, &b);
		OPT(c, SSLCERTTYPE, "PEM");
		b = blob(h->key);
		OPT(c, SSLKEY_BLOB, &b);
		OPT(c, SSLKEYTYPE, "PEM");
	}
}

static void set_connection(struct http_call *c, const struct http_target *t)
{
	struct http *h = c->h;

	OPT(c, URL, t->url);
	OPT(c, PROTOCOLS_STR, t->plain ? "http" : "https");
	OPT(c, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	OPT(c, NOSIGNAL, 1L);
	OPT(c, QUICK_EXIT, 1L);
	OPT(c, CONNECTTIMEOUT_MS, (long)(HTTP_CONNECT / NS_MS));
	OPT(c, MAXAGE_CONN, 60L); /* servers close idle ones after 90 s and more: be first */
	OPT(c, TCP_KEEPALIVE, 1L);
	OPT(c, TCP_KEEPIDLE, 30L);
	OPT(c, TCP_KEEPINTVL, 10L);
	OPT(c, BUFFERSIZE, c->streaming ? 8192L : 16384L);
	if (t->connect_to) {
		c->connect_to = curl_slist_append(NULL, t->connect_to);
		OPT(c, CONNECT_TO, c->connect_to);
	}
	if (h->unix_socket)
		OPT(c, UNIX_SOCKET_PATH, h->unix_socket);
	if (h->unix_socket || t->loopback)
		OPT(c, PROXY, "");
	else if (h->proxy)
		OPT(c, PROXY, h->proxy);
	OPT(c, SUPPRESS_CONNECT_HEADERS, 1L);
}

static void add_header(struct http_call *c, const char *line)
{
	struct curl_slist *more = curl_slist_append(c->headers, line);

	assert(more); /* out of memory */
	c->headers = more;
}

static int set_headers(struct http_call *c, const struct http_req *q, const char *host,
		       struct err *e)
{
	bool typed = false;

	for (size_t i = 0; q->headers && q->headers[i]; i++) {
		const char *line = q->headers[i];

		/* A token read from a file with a newline in it must not become two headers. */
		if (strpbrk(line, "\r\n") || !strchr(line, ':'))
			return err_set(e, ERR_INVALID, "%s: request header %zu is not one line",
				       c->name, i + 1);
		typed = typed || !strncasecmp(line, "content-type:", 13);
		add_header(c, line);
	}
	if (host)
		add_header(c, host);
	if (!typed)
		add_header(c, "Content-Type:");
	add_header(c, "Expect:");
	OPT(c, HTTPHEADER, c->headers);
	return 0;
}

static void set_method(struct http_call *c, const struct http_req *q)
{
	bool body = c->body.len > 0 && (c->body.bytes || c->body.fd > 0);

	c->once = q->once || streq(q->method, "POST");
	OPT(c, PREREQFUNCTION, on_request);
	OPT(c, PREREQDATA, c);
	if (streq(q->method, "HEAD")) {
		OPT(c, NOBODY, 1L);
		return;
	}
	if (body) {
		OPT(c, UPLOAD, 1L);
		OPT(c, UPLOAD_BUFFERSIZE, c->body.bytes ? 16384L : 65536L);
		OPT(c, INFILESIZE_LARGE, (curl_off_t)c->body.len);
		OPT(c, READFUNCTION, on_send);
		OPT(c, READDATA, c);
		OPT(c, SEEKFUNCTION, on_rewind);
		OPT(c, SEEKDATA, c);
	} else if (streq(q->method, "POST") || streq(q->method, "PUT") ||
		   streq(q->method, "PATCH")) {
		OPT(c, POST, 1L);
		OPT(c, POSTFIELDSIZE, 0L);
		OPT(c, POSTFIELDS, "");
	}
	OPT(c, CUSTOMREQUEST, q->method);
}

static int prepare(struct http_call *c, const struct http_req *q, struct err *e)
{
	AUTO(http_target_release) struct http_target t = {0};

	if (http_target_init(&t, c->h, q->url, e) < 0)
		return err_wrap(e, "%s", q->method);
	snprintf(c->name, sizeof(c->name), "%.16s %s", q->method, t.name);
	c->easy = curl_easy_init();
	if (!c->easy)
		return err_set(e, ERR_INTERNAL, "%s: libcurl does not start", c->name);
	if (c->streaming)
		loop_curl_streams(c->h->loop, 1);
	OPT(c, PRIVATE, c);
	OPT(c, ERRORBUFFER, c->detail);
	OPT(c, HEADERFUNCTION, on_header);
	OPT(c, HEADERDATA, c);
	OPT(c, WRITEFUNCTION, on_body);
	OPT(c, WRITEDATA, c);
	if (!c->streaming)
		OPT(c, ACCEPT_ENCODING, "gzip");
	if (c->h->user_agent)
		OPT(c, USERAGENT, c->h->user_agent);
	set_connection(c, &t);
	set_tls(c);
	set_method(c, q);
	if (set_headers(c, q, t.host, e) < 0)
		return -1;
	if (c->err.code != ERR_OK) {
		*e = c->err;
		return -1;
	}
	return 0;
}

static int start(struct http_call **out, struct http_call *c, const struct http_req *q,
		 struct err *e)
{
	CURLMcode rc;

	c->h->calls++;
	c->body = q->body;
	c->tell_sent = q->sent;
	c->started = clock_mono();
	c->timeout = q->timeout ? q->timeout : HTTP_TIMEOUT;
	c->timer = loop_timer_new(c->h->loop, on_timeout, c);
	c->resp.headers = (struct buf)BUF_INIT(HTTP_MAX_HEADERS);
	if (prepare(c, q, e) < 0) {
		destroy(c);
		return -1;
	}
	loop_curl_done(c->h->loop, on_curl_done);
	rc = curl_multi_add_handle(c->h->multi, c->easy);
	if (rc != CURLM_OK) {
		err_set(e, ERR_INTERNAL, "%s: %s", c->name, curl_multi_strerror(rc));
		destroy(c);
		return -1;
	}
	loop_timer_at(c->timer, c->started + c->timeout);
	*out = c;
	return 0;
}

int http_start(struct http_call **out, struct http *h, const struct http_req *q, http_done_fn *fn,
	       void *arg, struct err *e)
{
	struct http_call *c = xcalloc(1, sizeof(*c));

	c->h = h;
	c->fn = fn;
	c->arg = arg;
	c->resp.body = (struct buf)BUF_INIT(q->max_body ? q->max_body : HTTP_MAX_BODY);
	return start(out, c, q, e);
}

int http_stream(struct http_call **out, struct http *h, const struct http_req *q,
		const struct http_stream_cb *cb, struct err *e)
{
	struct http_call *c = xcalloc(1, sizeof(*c));

	c->h = h;
	c->streaming = true;
	c->cb = *cb;
	if (!c->cb.max_line)
		c->cb.max_line = HTTP_MAX_LINE;
	c->resp.body = (struct buf)BUF_INIT(HTTP_MAX_ERROR);
	/* libcurl may deliver some hundred buffers before we get to look. */
	c->pending = (struct buf)BUF_INIT(c->cb.max_line + HTTP_MAX_LINE);
	return start(out, c, q, e);
}
