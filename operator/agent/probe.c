/* probe.c - asks a Presto over plain HTTP/1.1: for the exec probes, the graceful stop and the
 * drain. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "operator/agent/agent.h"

#define MAX_ANSWER (64u << 10)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t deadline, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left = deadline - now_ms();
	int n = poll(&p, 1, left > 0 ? (int)left : 0);

	if (n < 0 && errno != EINTR)
		return err_set(e, ERR_IO, "poll: %s", strerror(errno));
	return n > 0 ? 0 : err_set(e, ERR_TIMEOUT, "no answer in time");
}

static int dial(int *out, const char *host, const char *port, int64_t deadline, struct err *e)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, port, &hints, &list);

	if (rc)
		return err_set(e, ERR_UNAVAILABLE, "%s", gai_strerror(rc));
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		AUTO(closep)
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int problem = 0;
		socklen_t size = sizeof(problem);

		err_clear(e);
		if (fd < 0 ||
		    (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)) {
			err_set(e, ERR_UNAVAILABLE, "%s", strerror(errno));
			continue;
		}
		if (wait_for(fd, POLLOUT, deadline, e) < 0)
			continue;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
		if (problem) {
			err_set(e, ERR_UNAVAILABLE, "%s", strerror(problem));
			continue;
		}
		*out = fd;
		fd = -1;
		break;
	}
	freeaddrinfo(list);
	if (e->code || *out < 0)
		return e->code ? -1 : err_set(e, ERR_UNAVAILABLE, "no address");
	return 0;
}

static int talk(struct buf *answer, int fd, const struct buf *request, int64_t deadline,
		struct err *e)
{
	char block[4096];

	for (size_t done = 0; done < request->len;) {
		ssize_t n = send(fd, request->data + done, request->len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, ERR_UNAVAILABLE, "%s", strerror(errno));
		done += n > 0 ? (size_t)n : 0;
		if (n < 0 && wait_for(fd, POLLOUT, deadline, e) < 0)
			return -1;
	}
	/* HTTP/1.0 and "close": the answer ends with the connection, and is never chunked. */
	for (;;) {
		ssize_t n = recv(fd, block, sizeof(block), 0);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, ERR_UNAVAILABLE, "%s", strerror(errno));
		if (n > 0 && buf_add(answer, block, (size_t)n, e) < 0)
			return -1;
		if (n < 0 && wait_for(fd, POLLIN, deadline, e) < 0)
			return -1;
	}
}

int http_ask(int *status, struct buf *body, const char *host, const char *port, const char *method,
	     const char *path, const char *content, int timeout_ms, struct err *e)
{
	int64_t deadline = now_ms() + timeout_ms;
	AUTO(closep) int fd = -1;
	AUTO(buf_release) struct buf request = BUF_INIT(4096), answer = BUF_INIT(MAX_ANSWER);
	const char *text, *end;

	if (buf_addf(&request, e,
		     "%s %s HTTP/1.0\r\nHost: %s:%s\r\nX-Presto-User: presto-agent\r\nUser-Agent: "
		     "presto-agent\r\n"
		     "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: "
		     "close\r\n\r\n%s",
		     method, path, host, port, content ? strlen(content) : 0,
		     content ? content : "") < 0)
		return -1;
	if (dial(&fd, host, port, deadline, e) < 0 || talk(&answer, fd, &request, deadline, e) < 0)
		return err_wrap(e, "%s %s:%s%s", method, host, port, path);
	text = buf_str(&answer);
	end = strstr(text, "\r\n\r\n");
	if (strncmp(text, "HTTP/1.", 7) != 0 || strlen(text) < 12 || !end)
		return err_set(e, ERR_PROTOCOL, "%s %s:%s%s: not an HTTP answer", method, host,
			       port, path);
	*status = (int)strtol(text + 9, NULL, 10);
	return body ? buf_adds(body, end + 4, e) : 0;
}

int probe_run(const char *what, const char *port, struct err *e)
{
	AUTO(buf_release) struct buf info = BUF_INIT(MAX_ANSWER), state = BUF_INIT(MAX_ANSWER);
	int status = 0;

	if (http_ask(&status, &info, "127.0.0.1", port, "GET", "/v1/info", NULL, 10000, e) < 0)
		return -1;
	if (status != 200)
		return err_set(e, ERR_UNAVAILABLE, "GET /v1/info: status %d", status);
	if (streq(what, "live"))
		return 0;
	if (!strstr(buf_str(&info), "\"starting\":false"))
		return err_set(e, ERR_UNAVAILABLE, "Presto is still starting");
	if (http_ask(&status, &state, "127.0.0.1", port, "GET", "/v1/info/state", NULL, 10000, e) <
	    0)
		return -1;
	if (status == 200 && !strstr(buf_str(&state), "\"ACTIVE\""))
		return err_set(e, ERR_UNAVAILABLE, "Presto is in state %.60s", buf_str(&state));
	return 0;
}

void agent_port(char out[8], const char *data_dir)
{
	autofree char *path = xasprintf("%s/run/etc/config.properties", data_dir);
	AUTO(fclosep) FILE *f = fopen(path, "re");
	autofree char *text = xcalloc(1, AGENT_MAX_FILE + 1);
	char value[64] = "";
	long port;

	if (f)
		text[fread(text, 1, AGENT_MAX_FILE, f)] = '\0';
	etc_property(value, sizeof(value), text, "http-server.http.port");
	port = strtol(value, NULL, 10);
	snprintf(out, 8, "%hu", (unsigned short)(port > 0 && port < 65536 ? port : 8080));
}
