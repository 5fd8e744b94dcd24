/*
 * faultserver.c - the scripts and the log, and the thread that accepts.
 */
#include "tests/fault/faultserver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/fault/fault_internal.h"

/* A check that stays in every build: a broken test server must not look like a finding. */
#define MUST(condition)                                                                         \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "fault server: %s: %s\n", #condition, strerror(errno)); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* --- matching -----------------------------------------------------------------------------------
 */

static bool query_has(const char *query, const char *term, size_t len)
{
	for (const char *p = query; p && *p; p += strcspn(p, "&"), p += *p == '&') {
		if (strncmp(p, term, len) == 0 && strchr("&=", p[len]))
			return true;
	}
	return false;
}

static bool path_matches(const char *want, size_t want_len, const char *path, size_t len)
{
	if (want_len && want[want_len - 1] == '*')
		return len >= want_len - 1 && strncmp(want, path, want_len - 1) == 0;
	return len == want_len && strncmp(want, path, len) == 0;
}

/* The number of query terms that matched, -1 when the request is another one. */
static int match(const char *method, const char *target, const struct fault_request *r)
{
	size_t want_path = strcspn(target, "?"), path = strcspn(r->target, "?");
	const char *query = r->target[path] ? r->target + path + 1 : "";
	const char *term = target[want_path] ? target + want_path + 1 : "";
	int terms = 0;

	if (method && strcmp(method, r->method) != 0)
		return -1;
	if (!path_matches(target, want_path, r->target, path))
		return -1;
	while (*term) {
		size_t len = strcspn(term, "&");
		bool absent = *term == '!';

		if (query_has(query, term + absent, len - absent) == absent)
			return -1;
		terms++;
		term += len + (term[len] == '&');
	}
	return terms;
}

static struct fault_script *find(struct fault *f, const struct fault_request *r)
{
	struct fault_script *best = NULL;
	int best_terms = -1;

	for (struct fault_script *s = f->scripts; s; s = s->next) {
		int terms = match(s->method, s->target, r);

		if (terms < 0)
			continue;
		if (terms > best_terms || (terms == best_terms && best->always && !s->always)) {
			best = s;
			best_terms = terms;
		}
	}
	return best;
}

static void use_up(struct fault *f, struct fault_script *s)
{
	struct fault_script **at = &f->scripts;

	if (s->always)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->next = f->used;
	f->used = s;
}

static void log_add(struct fault *f, struct fault_request *r)
{
	f->log = xreallocarray(f->log, f->log_len + 1, sizeof(struct fault_request *));
	f->log[f->log_len++] = r;
}

enum fault_answer fault_take(struct fault *f, struct fault_request *r,
			     const struct fault_act **acts)
{
	static const struct fault_act not_found[] = {{FAULT_K_STATUS, NULL, 0, 404},
						     {FAULT_K_END, NULL, 0, 0}};
	enum fault_answer answer = FAULT_ANSWER_SCRIPT;
	struct fault_script *s;

	pthread_mutex_lock(&f->lock);
	log_add(f, r);
	f->seen++;
	if (f->fail_at && f->seen == f->fail_at)
		answer = f->how == FAULT_HOW_RESET  ? FAULT_ANSWER_RESET
			 : f->how == FAULT_HOW_LOST ? FAULT_ANSWER_CLOSE
						    : FAULT_ANSWER_503;
	s = answer == FAULT_ANSWER_SCRIPT || answer == FAULT_ANSWER_CLOSE ? find(f, r) : NULL;
	if (s)
		use_up(f, s);
	*acts = s ? s->acts : not_found;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return answer;
}

/* --- scripts ------------------------------------------------------------------------------------
 */

void fault_add(struct fault *f, bool always, const char *method, const char *target,
	       const struct fault_act *acts)
{
	struct fault_script *s = xcalloc(1, sizeof(*s)), **at;
	size_t n = 0;

	while (acts[n].kind != FAULT_K_END)
		n++;
	s->always = always;
	s->method = method ? xstrdup(method) : NULL;
	s->target = xstrdup(target);
	s->acts = xcalloc(n + 1, sizeof(*s->acts));
	for (size_t i = 0; i < n; i++) {
		struct fault_act *a = &s->acts[i];
		char *text;

		*a = acts[i];
		if (!a->text)
			continue;
		a->len = a->len ? a->len : strlen(a->text);
		text = xmalloc(a->len + 1);
		memcpy(text, a->text, a->len);
		text[a->len] = '\0';
		a->text = text;
	}
	pthread_mutex_lock(&f->lock);
	for (at = &f->scripts; *at; at = &(*at)->next)
		;
	*at = s;
	pthread_mutex_unlock(&f->lock);
}

static void script_free(struct fault_script *s)
{
	for (struct fault_act *a = s->acts; a->kind != FAULT_K_END; a++) {
		union {
			const char *in;
			char *out;
		} text = {a->text};

		free(text.out);
	}
	free(s->acts);
	free(s->method);
	free(s->target);
	free(s);
}

static void scripts_free(struct fault_script *s)
{
	while (s) {
		struct fault_script *next = s->next;

		script_free(s);
		s = next;
	}
}

static void log_free(struct fault *f)
{
	for (size_t i = 0; i < f->log_len; i++) {
		struct fault_request *r = f->log[i];

		free(r->method);
		free(r->target);
		free(r->headers);
		free(r->body);
		free(r->client);
		free(r);
	}
	free(f->log);
	f->log = NULL;
	f->log_len = 0;
}

size_t fault_unused(struct fault *f)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (struct fault_script *s = f->scripts; s; s = s->next)
		n += !s->always;
	pthread_mutex_unlock(&f->lock);
	return n;
}

void fault_open(struct fault *f, unsigned gate)
{
	assert(gate < 64);
	pthread_mutex_lock(&f->lock);
	f->gates |= UINT64_C(1) << gate;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

bool fault_pause(struct fault *f, long ms, unsigned gate)
{
	struct timespec until;
	bool stopping;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&f->lock);
	while (!f->stopping && rc != ETIMEDOUT) {
		if (ms >= 0)
			rc = pthread_cond_timedwait(&f->changed, &f->lock, &until);
		else if (f->gates & UINT64_C(1) << gate)
			break;
		else
			pthread_cond_wait(&f->changed, &f->lock);
	}
	stopping = f->stopping;
	pthread_mutex_unlock(&f->lock);
	return !stopping;
}

void fault_reset_connections(struct fault *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	f->resets = n;
	pthread_mutex_unlock(&f->lock);
}

/* --- what came ----------------------------------------------------------------------------------
 */

size_t fault_count(struct fault *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->log_len;
	pthread_mutex_unlock(&f->lock);
	return n;
}

const struct fault_request *fault_request(struct fault *f, size_t i)
{
	const struct fault_request *r = NULL;

	pthread_mutex_lock(&f->lock);
	if (i < f->log_len)
		r = f->log[i];
	pthread_mutex_unlock(&f->lock);
	return r;
}

size_t fault_count_of(struct fault *f, const char *method, const char *target)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->log_len; i++)
		n += match(method, target, f->log[i]) >= 0;
	pthread_mutex_unlock(&f->lock);
	return n;
}

char *fault_request_header(const struct fault_request *r, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = r->headers; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *value = p + len + 1;

		if (strncasecmp(p, name, len) != 0 || p[len] != ':')
			continue;
		value += strspn(value, " ");
		return xstrndup(value, strcspn(value, "\r\n"));
	}
	return NULL;
}

unsigned fault_connections(struct fault *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->accepted;
	pthread_mutex_unlock(&f->lock);
	return n;
}

unsigned fault_connections_open(struct fault *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->open;
	pthread_mutex_unlock(&f->lock);
	return n;
}

void fault_clear(struct fault *f)
{
	struct fault_script **at;

	pthread_mutex_lock(&f->lock);
	/* A thread may be in the middle of any script: they are kept, unused, until fault_stop. */
	for (at = &f->used; *at; at = &(*at)->next)
		;
	*at = f->scripts;
	f->scripts = NULL;
	log_free(f);
	f->gates = 0;
	f->resets = 0;
	f->fail_at = f->seen = 0;
	pthread_mutex_unlock(&f->lock);
}

/* --- torture ------------------------------------------------------------------------------------
 */

void fault_fail_at(struct fault *f, size_t k, enum fault_how how)
{
	pthread_mutex_lock(&f->lock);
	f->fail_at = k;
	f->seen = 0;
	f->how = how;
	pthread_mutex_unlock(&f->lock);
}

size_t fault_torture(struct fault *f, enum fault_how how,
		     void (*scenario)(struct fault *f, size_t failing, void *arg), void *arg)
{
	size_t n;

	fault_clear(f);
	scenario(f, 0, arg);
	n = fault_count(f);
	for (size_t k = 1; k <= n; k++) {
		fault_clear(f);
		fault_fail_at(f, k, how);
		scenario(f, k, arg);
	}
	fault_clear(f);
	return n;
}

/* --- life ---------------------------------------------------------------------------------------
 */

/* Threads whose connection has ended are joined here and at the stop. */
static void reap(struct fault *f, bool all)
{
	struct fault_conn **at = &f->conns;

	while (*at) {
		struct fault_conn *c = *at;

		if (!c->closed && !all) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		pthread_mutex_unlock(&f->lock);
		pthread_join(c->thread, NULL);
		free(c);
		pthread_mutex_lock(&f->lock);
		at = &f->conns;
	}
}

static void *accept_all(void *arg)
{
	struct fault *f = arg;
	int fd;

	while ((fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR) {
		struct fault_conn *c;

		if (fd < 0)
			continue;
		pthread_mutex_lock(&f->lock);
		reap(f, false);
		f->accepted++;
		if (f->resets > 0 || f->stopping) {
			struct linger now = {.l_onoff = 1};

			if (f->resets)
				f->resets--;
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
			close(fd);
		} else {
			c = xcalloc(1, sizeof(*c));
			*c = (struct fault_conn){.f = f, .fd = fd, .number = f->accepted};
			c->next = f->conns;
			f->conns = c;
			f->open++;
			MUST(pthread_create(&c->thread, NULL, fault_conn_main, c) == 0);
		}
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

static int listen_tcp(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	MUST(listen(fd, 64) == 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && strlen(path) < sizeof(a.sun_path));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	MUST(listen(fd, 64) == 0);
	return fd;
}

struct fault *fault_start(const struct fault_opts *o)
{
	struct fault *f = xcalloc(1, sizeof(*f));
	sigset_t all, before;
	int port;

	f->opts = o ? *o : (struct fault_opts){0};
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	if (f->opts.tls)
		fault_tls_init(&f->tls, f->opts.client_cert);
	if (f->opts.unix_socket) {
		f->socket_path = xstrdup(f->opts.unix_socket);
		f->listener = listen_unix(f->socket_path);
		f->url = xasprintf("%s://localhost", f->opts.tls ? "https" : "http");
	} else {
		f->listener = listen_tcp(&port);
		f->url = xasprintf("%s://127.0.0.1:%d", f->opts.tls ? "https" : "http", port);
	}
	/* The signals of the test are the test's: no thread of ours takes them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	MUST(pthread_create(&f->acceptor, NULL, accept_all, f) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return f;
}

void fault_stop(struct fault *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_broadcast(&f->changed);
	for (struct fault_conn *c = f->conns; c; c = c->next)
		if (!c->closed)
			shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&f->lock);
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->acceptor, NULL);
	pthread_mutex_lock(&f->lock);
	reap(f, true);
	pthread_mutex_unlock(&f->lock);
	close(f->listener);
	if (f->socket_path)
		unlink(f->socket_path);
	scripts_free(f->scripts);
	scripts_free(f->used);
	log_free(f);
	fault_tls_release(&f->tls);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
	free(f->socket_path);
	free(f->url);
	free(f);
}

const char *fault_url(const struct fault *f)
{
	return f->url;
}

char *fault_url_of(const struct fault *f, const char *target)
{
	return xasprintf("%s%s", f->url, target);
}

const char *fault_ca(const struct fault *f)
{
	return f->tls.ca;
}

const char *fault_client_cert(const struct fault *f)
{
	return f->tls.client_cert;
}

const char *fault_client_key(const struct fault *f)
{
	return f->tls.client_key;
}

int fault_free_port(void)
{
	int port;

	close(listen_tcp(&port));
	return port;
}
