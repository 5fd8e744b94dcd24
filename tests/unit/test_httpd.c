/* test_httpd.c - the small server, asked by our own client on the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/httpd.h"

struct fixture {
	struct loop *loop;
	struct http *http;
	struct httpd *server;
	struct loop_timer *later;
	struct httpd_call *waiting;
};

static void answer_later(void *arg)
{
	struct fixture *f = arg;
	struct httpd_call *c = f->waiting;

	f->waiting = NULL;
	httpd_reply_text(c, 202, "late");
}

static void on_request(struct httpd_call *c, void *arg)
{
	static const char *const headers[] = {"X-Test: yes", NULL};
	struct fixture *f = arg;
	size_t len;
	const void *body = httpd_body(c, &len);

	if (starts_with(httpd_path(c), "/later")) {
		f->waiting = c;
		loop_timer_after(f->later, 30 * NS_MS);
	} else if (starts_with(httpd_path(c), "/never")) {
		f->waiting = c;
	} else if (len) {
		httpd_reply(c, 200, "application/octet-stream", body, len, headers);
	} else {
		httpd_reply_text(c, 200, "%s %s %s", httpd_method(c), httpd_path(c),
				 httpd_header(c, "X-Question") ? httpd_header(c, "X-Question")
							       : "-");
	}
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err e = ERR_INIT;
	const struct http_opts client = {.plain = HTTP_PLAIN_LOOPBACK, .proxy = ""};
	const struct httpd_opts server = {
		.address = "127.0.0.1:0", .max_body = 1000, .fn = on_request, .arg = f};

	assert_int_equal(loop_new(&f->loop, &e), 0);
	assert_int_equal(http_new(&f->http, f->loop, &client, &e), 0);
	assert_int_equal(httpd_new(&f->server, f->loop, &server, &e), 0);
	f->later = loop_timer_new(f->loop, answer_later, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	httpd_free(f->server);
	loop_timer_free(f->later);
	http_free(f->http);
	loop_free(f->loop);
	free(f);
	return 0;
}

static int ask(struct fixture *f, const char *path, const char *body, struct http_resp *r,
	       struct err *e)
{
	static const char *const headers[] = {"X-Question: why", NULL};
	autofree char *url = xasprintf("http://127.0.0.1:%d%s", httpd_port(f->server), path);
	const struct http_req q = {.method = body ? "POST" : "GET",
				   .url = url,
				   .headers = headers,
				   .body = {.bytes = body, .len = body ? strlen(body) : 0},
				   .timeout = 300 * NS_MS};

	return http_do(f->http, &q, r, e);
}

static void handler_sees_the_request(void **state)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	struct err e = ERR_INIT;

	assert_int_equal(ask(*state, "/a%20b?x=1&y=2", NULL, &r, &e), 0);
	assert_int_equal(r.status, 200);
	assert_string_equal(buf_str(&r.body), "GET /a%20b?x=1&y=2 why");
}

static void body_comes_whole_and_headers_go_out(void **state)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	struct err e = ERR_INIT;
	char value[16];

	assert_int_equal(ask(*state, "/", "hello", &r, &e), 0);
	assert_string_equal(buf_str(&r.body), "hello");
	assert_string_equal(http_header(&r, "x-test", value, sizeof(value)), "yes");
}

static void body_over_the_limit_is_refused(void **state)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	struct err e = ERR_INIT;
	char body[1200];

	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	assert_int_equal(ask(*state, "/", body, &r, &e), 0);
	assert_int_equal(r.status, 413);
}

static void answer_may_come_later(void **state)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	struct err e = ERR_INIT;

	assert_int_equal(ask(*state, "/later", NULL, &r, &e), 0);
	assert_int_equal(r.status, 202);
	assert_string_equal(buf_str(&r.body), "late");
}

static void server_can_go_while_a_call_is_open(void **state)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	struct err e = ERR_INIT;

	assert_int_equal(ask(*state, "/never", NULL, &r, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
}

static void port_in_use_and_bad_addresses_are_told(void **state)
{
	static const struct {
		const char *address;
		enum err_code code;
	} cases[] = {{"nonsense", ERR_INVALID},
		     {"127.0.0.1:x", ERR_INVALID},
		     {"no.such.name:80", ERR_INVALID}};
	struct fixture *f = *state;
	autofree char *taken = xasprintf("127.0.0.1:%d", httpd_port(f->server));
	struct httpd_opts o = {.address = taken, .fn = on_request};
	struct httpd *h = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(httpd_new(&h, f->loop, &o, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		err_clear(&e);
		o.address = cases[i].address;
		assert_int_equal(httpd_new(&h, f->loop, &o, &e), -1);
		assert_int_equal(e.code, cases[i].code);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handler_sees_the_request),
		TEST(body_comes_whole_and_headers_go_out),
		TEST(body_over_the_limit_is_refused),
		TEST(answer_may_come_later),
		TEST(server_can_go_while_a_call_is_open),
		TEST(port_in_use_and_bad_addresses_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
