/* http_fixture.h - what test_http.c and test_http_stream.c share: a loop, a server, an identity. */
#ifndef TESTS_UNIT_HTTP_FIXTURE_H
#define TESTS_UNIT_HTTP_FIXTURE_H

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "base/http.h"
#include "tests/fault/faultserver.h"
#include "tests/unit/unit.h"

struct fixture {
	struct loop *l;
	struct http *h;
	struct fault *s;
	struct http_resp r;
	struct err e;
	char *urls[32];
	size_t n_urls, fds;
};

static inline size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline int http_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	f->fds = open_fds();
	f->s = fault_start(NULL);
	if (loop_new(&f->l, &f->e) < 0)
		return -1;
	return http_new(&f->h, f->l,
			&(struct http_opts){.plain = HTTP_PLAIN_LOOPBACK, .user_agent = "test/1"},
			&f->e);
}

static inline int http_teardown(void **state)
{
	struct fixture *f = *state;
	size_t fds;

	http_resp_release(&f->r);
	http_free(f->h);
	loop_free(f->l);
	fault_stop(f->s);
	for (size_t i = 0; i < f->n_urls; i++)
		free(f->urls[i]);
	fds = open_fds() - f->fds;
	if (fds)
		print_error("%zu descriptors were left open\n", fds);
	free(f);
	return fds ? -1 : 0;
}

/* The server's URL of a target; lives as long as the fixture. */
static inline const char *url(struct fixture *f, const char *target)
{
	assert_true(f->n_urls < ARRAY_LEN(f->urls));
	return f->urls[f->n_urls++] = fault_url_of(f->s, target);
}

static inline void request_ok(struct fixture *f, const struct http_req *q)
{
	http_resp_release(&f->r);
	if (http_do(f->h, q, &f->r, &f->e) < 0)
		fail_msg("%s", f->e.msg);
}

static inline void request_fails(struct fixture *f, const struct http_req *q, enum err_code code)
{
	http_resp_release(&f->r);
	assert_int_equal(http_do(f->h, q, &f->r, &f->e), -1);
	if (f->e.code != code)
		fail_msg("%s, not %s: %s", err_name(f->e.code), err_name(code), f->e.msg);
}

static inline void get_ok(struct fixture *f, const char *target)
{
	request_ok(f, &(struct http_req){.method = "GET", .url = url(f, target)});
}

static inline void send_int(void *arg UNUSED)
{
	kill(getpid(), SIGINT);
}

#endif
