/* httpd.c - libmicrohttpd on our loop: its epoll descriptor is one more descriptor, its time-out
 * one more timer. */
#include "base/httpd.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <microhttpd.h>

#define DEFAULT_BODY        (64u << 10)
#define DEFAULT_CONNECTIONS 32
#define IDLE_SECONDS        60u
#define MAX_PATH            8192

struct httpd_call {
	struct httpd *server;
	struct MHD_Connection *connection;
	char *method, *path;
	struct buf body;
	bool too_large, handed_out, suspended;
	struct MHD_Response *response;
	int status;
	struct httpd_call *next; /* the server's open calls */
};

struct httpd {
	struct httpd_opts opts;
	struct MHD_Daemon *daemon;
	struct loop_fd *fd;
	struct loop_timer *timer;
	struct loop *loop;
	int port;
	struct httpd_call *calls;
};

static void turn(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
		loop_timer_after(h->timer, (ns_t)ms * NS_MS);
	else
		loop_timer_stop(h->timer);
}

static void on_fd(unsigned events UNUSED, void *arg)
{
	turn(arg);
}

static void on_timer(void *arg)
{
	turn(arg);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct httpd_call *c = xcalloc(1, sizeof(*c));

	c->server = cls;
	c->connection = connection;
	c->path = xstrndup(uri, MAX_PATH);
	c->body.max = c->server->opts.max_body;
	c->next = c->server->calls;
	c->server->calls = c;
	return c;
}

static void on_completed(void *cls UNUSED, struct MHD_Connection *connection UNUSED, void **con_cls,
			 enum MHD_RequestTerminationCode code UNUSED)
{
	struct httpd_call *c = *con_cls;

	if (!c)
		return;
	for (struct httpd_call **at = &c->server->calls; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	if (c->response)
		MHD_destroy_response(c->response);
	buf_release(&c->body);
	free(c->method);
	free(c->path);
	free(c);
	*con_cls = NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
				  const char *url UNUSED, const char *method,
				  const char *version UNUSED, const char *data, size_t *size,
				  void **con_cls)
{
	struct httpd *h = cls;
	struct httpd_call *c = *con_cls;
	struct err e = ERR_INIT;

	if (!c->method) {
		c->method = xstrdup(method);
		return MHD_YES;
	}
	if (*size) {
		if (!c->too_large && buf_add(&c->body, data, *size, &e) < 0)
			c->too_large = true;
		*size = 0;
		return MHD_YES;
	}
	if (c->too_large && !c->response)
		httpd_reply_text(c, 413, "the request is larger than %zu bytes\n",
				 h->opts.max_body);
	if (!c->response && !c->handed_out) {
		c->handed_out = true;
		h->opts.fn(c, h->opts.arg);
	}
	if (c->response)
		return MHD_queue_response(connection, (unsigned)c->status, c->response);
	c->suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

const char *httpd_method(const struct httpd_call *c)
{
	return c->method;
}

const char *httpd_path(const struct httpd_call *c)
{
	return c->path;
}

const char *httpd_header(const struct httpd_call *c, const char *name)
{
	return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

const void *httpd_body(const struct httpd_call *c, size_t *len)
{
	*len = c->body.len;
	return buf_str(&c->body);
}

static void add_header(struct MHD_Response *r, const char *line)
{
	autofree char *name = xstrdup(line);
	char *colon = strchr(name, ':');

	if (!colon)
		return;
	*colon = '\0';
	MHD_add_response_header(r, name, colon + 1 + strspn(colon + 1, " "));
}

void httpd_reply(struct httpd_call *c, int status, const char *content_type, const void *bytes,
		 size_t len, const char *const *headers)
{
	void *copy = xmalloc(len + 1);

	memcpy(copy, len ? bytes : "", len);
	c->response = MHD_create_response_from_buffer(len, copy, MHD_RESPMEM_MUST_FREE);
	c->status = status;
	if (content_type)
		MHD_add_response_header(c->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (; headers && *headers; headers++)
		add_header(c->response, *headers);
	if (c->suspended) {
		c->suspended = false;
		MHD_resume_connection(c->connection);
		/* not MHD_run: this may be inside a callback of something that the next request
		 * would use */
		loop_timer_after(c->server->timer, 0);
	}
}

void httpd_reply_text(struct httpd_call *c, int status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	httpd_reply(c, status, "text/plain; charset=utf-8", text, strlen(text), NULL);
}

/* --- life cycle ---------------------------------------------------------------------------------
 */

static int listen_on(const char *address, struct err *e)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	autofree char *host = xstrdup(address);
	char *colon = strrchr(host, ':');
	struct addrinfo *found = NULL;
	AUTO(closep) int fd = -1;
	int one = 1, rc = 0;

	if (!colon)
		return err_set(e, ERR_INVALID, "\"%s\" is not ADDRESS:PORT", address);
	*colon = '\0';
	if (*host == '[' && colon > host + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	if (getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found) != 0)
		return err_set(e, ERR_INVALID, "\"%s\" is not ADDRESS:PORT", address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 64) < 0)
		rc = err_set(e, errno == EADDRINUSE ? ERR_EXISTS : err_errno(errno),
			     "listening on %s: %s", address, strerror(errno));
	freeaddrinfo(found);
	return rc < 0 ? -1 : ({
		int taken = fd;
		fd = -1;
		taken;
	});
}

static int port_of(int fd)
{
	struct sockaddr_storage s = {0};
	socklen_t size = sizeof(s);
	char port[8] = "0";

	if (getsockname(fd, (struct sockaddr *)&s, &size) == 0)
		getnameinfo((struct sockaddr *)&s, size, NULL, 0, port, sizeof(port),
			    NI_NUMERICSERV);
	return (int)strtol(port, NULL, 10);
}

int httpd_new(struct httpd **out, struct loop *l, const struct httpd_opts *o, struct err *e)
{
	AUTO(closep) int fd = listen_on(o->address, e);
	struct httpd *h;
	const union MHD_DaemonInfo *info;

	if (fd < 0)
		return -1;
	h = xcalloc(1, sizeof(*h));
	h->opts = *o;
	h->loop = l;
	h->opts.max_body = o->max_body ? o->max_body : DEFAULT_BODY;
	h->port = port_of(fd);
	h->timer = loop_timer_new(l, on_timer, h);
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, h,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
		o->max_connections ? o->max_connections : DEFAULT_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
	info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		err_set(e, ERR_INTERNAL, "the HTTP server did not start on %s", o->address);
		httpd_free(h);
		return -1;
	}
	fd = -1; /* the daemon closes it */
	if (loop_fd_add(&h->fd, l, info->epoll_fd, LOOP_READ, on_fd, h, e) < 0) {
		httpd_free(h);
		return -1;
	}
	*out = h;
	return 0;
}

int httpd_port(const struct httpd *h)
{
	return h->port;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	loop_fd_del(h->fd);
	loop_timer_free(h->timer);
	/* a suspended connection would make MHD_stop_daemon abort */
	for (struct httpd_call *c = h->calls; c; c = c->next) {
		if (c->suspended)
			MHD_resume_connection(c->connection);
	}
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	free(h);
}
