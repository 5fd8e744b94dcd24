/*
 * fault_serve.c - one connection of the fault server, blocking, in a thread of its own.
 */
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/fault/fault_internal.h"

#define MAX_REQUEST (64u << 20)

static ssize_t conn_read(struct fault_conn *c, void *out, size_t n)
{
	return c->ssl ? SSL_read(c->ssl, out, (int)n) : recv(c->fd, out, n, 0);
}

static bool conn_write(struct fault_conn *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = c->ssl ? SSL_write(c->ssl, bytes, (int)n)
				      : send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* --- requests -----------------------------------------------------------------------------------
 */

/* Reads until the buffer has n bytes (or, with n = 0, a whole head: its length goes to *head). */
static bool fill(struct fault_conn *c, struct buf *in, size_t n, size_t *head)
{
	struct err e = ERR_INIT;
	char bytes[16384];

	for (;;) {
		const char *end = n ? NULL : strstr(buf_str(in), "\r\n\r\n");
		ssize_t got;

		if (end)
			*head = (size_t)(end - in->data) + 4;
		if (end || (n && in->len >= n))
			return true;
		got = conn_read(c, bytes, sizeof(bytes));
		if (got <= 0 || buf_add(in, bytes, (size_t)got, &e) < 0)
			return false;
	}
}

static char *client_name(struct fault_conn *c)
{
	X509 *cert = c->ssl ? SSL_get0_peer_certificate(c->ssl) : NULL;
	char name[128] = "";

	if (!cert)
		return NULL;
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
	return xstrdup(name);
}

static struct fault_request *read_request(struct fault_conn *c, struct buf *in)
{
	struct fault_request *r;
	autofree char *length = NULL;
	size_t head = 0, line, method, target;

	if (!fill(c, in, 0, &head))
		return NULL;
	line = strcspn(in->data, "\r");
	method = strcspn(in->data, " ");
	target = method < line ? strcspn(in->data + method + 1, " ") : 0;
	r = xcalloc(1, sizeof(*r));
	r->method = xstrndup(in->data, method);
	r->target = xstrndup(in->data + method + 1, target);
	r->headers = xstrndup(in->data + line + 2, head - line - 4);
	length = fault_request_header(r, "content-length");
	r->body_len = length ? strtoul(length, NULL, 10) : 0;
	r->connection = c->number;
	r->client = client_name(c);
	if (!fill(c, in, head + r->body_len, NULL)) {
		free(r->method);
		free(r->target);
		free(r->headers);
		free(r->client);
		free(r);
		return NULL;
	}
	r->body = xmalloc(r->body_len + 1);
	memcpy(r->body, in->data + head, r->body_len);
	r->body[r->body_len] = '\0';
	buf_drop(in, head + r->body_len);
	return r;
}

/* --- replies ------------------------------------------------------------------------------------
 */

struct reply {
	struct fault_conn *c;
	int status;
	struct buf headers;
	bool headed, chunked, raw;
};

static bool send_head(struct reply *p, long length)
{
	struct buf out = BUF_INIT(1u << 20);
	bool ok;

	if (p->headed)
		return true;
	p->headed = true;
	p->chunked = length < 0;
	buf_fit(&out, "HTTP/1.1 %d Scripted\r\n%s", p->status, buf_str(&p->headers));
	if (p->chunked)
		buf_fit(&out, "Transfer-Encoding: chunked\r\n\r\n");
	else if (p->status == 204 || p->status == 304)
		buf_fit(&out, "\r\n");
	else
		buf_fit(&out, "Content-Length: %ld\r\n\r\n", length);
	ok = conn_write(p->c, out.data, out.len);
	buf_release(&out);
	return ok;
}

static bool send_chunk(struct reply *p, const char *text, size_t len)
{
	char size[32];

	if (!send_head(p, -1))
		return false;
	if (len == 0)
		return true;
	snprintf(size, sizeof(size), "%zx\r\n", len);
	return conn_write(p->c, size, strlen(size)) && conn_write(p->c, text, len) &&
	       conn_write(p->c, "\r\n", 2);
}

static bool send_drip(struct reply *p, const struct fault_act *a)
{
	if (!send_head(p, (long)a->len))
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (!conn_write(p->c, a->text + i, 1) || !fault_pause(p->c->f, a->n, 0))
			return false;
	return true;
}

static void hold(struct fault_conn *c)
{
	struct pollfd fd = {.fd = c->fd, .events = POLLRDHUP};

	while (poll(&fd, 1, -1) < 0)
		;
}

/* False: the connection ends here. */
static bool act(struct reply *p, const struct fault_act *a)
{
	switch (a->kind) {
	case FAULT_K_STATUS:
		p->status = (int)a->n;
		return true;
	case FAULT_K_HEADER:
		buf_fit(&p->headers, "%s\r\n", a->text);
		return true;
	case FAULT_K_BODY:
		return send_head(p, (long)a->len) && conn_write(p->c, a->text, a->len);
	case FAULT_K_DRIP:
		return send_drip(p, a);
	case FAULT_K_LENGTH:
		return send_head(p, a->n);
	case FAULT_K_CHUNK:
		return send_chunk(p, a->text, a->len);
	case FAULT_K_RAW:
		p->raw = p->raw || !p->headed;
		p->headed = true;
		return conn_write(p->c, a->text, a->len);
	case FAULT_K_DELAY:
		return fault_pause(p->c->f, a->n, 0);
	case FAULT_K_GATE:
		return fault_pause(p->c->f, -1, (unsigned)a->n);
	case FAULT_K_RESET:
		p->c->reset = true;
		return false;
	case FAULT_K_HOLD:
		hold(p->c);
		return false;
	default:
		return false;
	}
}

static bool answer(struct fault_conn *c, const struct fault_act *acts)
{
	struct reply p = {.c = c, .status = 200, .headers = BUF_INIT(1u << 19)};
	bool ok = true;

	for (; ok && acts->kind != FAULT_K_END; acts++)
		ok = act(&p, acts);
	if (ok && !p.headed)
		ok = send_head(&p, 0);
	else if (ok && p.chunked)
		ok = conn_write(c, "0\r\n\r\n", 5);
	buf_release(&p.headers);
	return ok && !p.raw;
}

static bool serve_one(struct fault_conn *c, struct buf *in)
{
	static const char unavailable[] = "HTTP/1.1 503 Scripted\r\nContent-Length: 0\r\n\r\n";
	struct fault_request *r = read_request(c, in);
	const struct fault_act *acts;

	if (!r)
		return false;
	switch (fault_take(c->f, r, &acts)) {
	case FAULT_ANSWER_SCRIPT:
		return answer(c, acts);
	case FAULT_ANSWER_503:
		return conn_write(c, unavailable, sizeof(unavailable) - 1);
	case FAULT_ANSWER_RESET:
		c->reset = true;
		return false;
	default:
		return false;
	}
}

/* Closing with bytes unread is a reset, which would overtake the alert that says why. */
static void linger_after_refusal(struct fault_conn *c)
{
	char bytes[4096];

	shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, bytes, sizeof(bytes), 0) > 0)
		;
}

void *fault_conn_main(void *arg)
{
	struct fault_conn *c = arg;
	struct fault *f = c->f;
	struct buf in = BUF_INIT(MAX_REQUEST);
	bool ok = true;

	if (f->tls.ctx) {
		c->ssl = SSL_new(f->tls.ctx);
		ok = c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_accept(c->ssl) == 1;
		if (!ok)
			linger_after_refusal(c);
	}
	while (ok)
		ok = serve_one(c, &in);
	buf_release(&in);
	SSL_free(c->ssl);
	if (c->reset) {
		struct linger now = {.l_onoff = 1};

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	pthread_mutex_lock(&f->lock);
	c->closed = true;
	close(c->fd);
	f->open--;
	pthread_mutex_unlock(&f->lock);
	return NULL;
}
