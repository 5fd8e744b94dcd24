/* test_http.c - requests that are waited for: base/http.c, base/http_call.c, base/http_parse.c. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/http_fixture.h"

/* --- plain requests --------------------------------------------------------------------------- */

static void ten_requests_go_over_one_connection(void **state)
{
	struct fixture *f = *state;

	fault_always(f->s, "GET", "/x", FAULT_BODY("hello"));
	for (int i = 0; i < 10; i++) {
		get_ok(f, "/x?secret=1");
		assert_int_equal(f->r.status, 200);
		assert_string_equal(buf_str(&f->r.body), "hello");
	}
	assert_int_equal(fault_connections(f->s), 1);
	assert_int_equal(fault_count(f->s), 10);
}

static void any_status_is_success_and_headers_are_lower_case(void **state)
{
	struct fixture *f = *state;
	char value[32];

	fault_script(f->s, "GET", "/x", FAULT_STATUS(418), FAULT_HEADER("X-One:  a b  "),
		     FAULT_HEADER("X-Cut: 0123456789012345678901234567890123456789"),
		     FAULT_BODY("short and stout"));
	get_ok(f, "/x");
	assert_int_equal(f->r.status, 418);
	assert_string_equal(http_header(&f->r, "x-one", value, sizeof(value)), "a b");
	assert_string_equal(http_header(&f->r, "x-cut", value, sizeof(value)),
			    "0123456789012345678901234567890");
	assert_null(http_header(&f->r, "x-on", value, sizeof(value)));
	assert_null(http_header(&f->r, "one", value, sizeof(value)));
	get_ok(f, "/nothing/there");
	assert_int_equal(f->r.status, 404);
}

static void a_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;

	fault_script(f->s, "GET", "/x", FAULT_STATUS(302), FAULT_HEADER("Location: /y"),
		     FAULT_BODY(""));
	get_ok(f, "/x");
	assert_int_equal(f->r.status, 302);
	assert_int_equal(fault_count(f->s), 1);
}

static void headers_of_a_100_continue_are_not_the_replys(void **state)
{
	struct fixture *f = *state;
	char value[32];

	fault_script(f->s, "GET", "/x",
		     FAULT_RAW("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n"
			       "Content-Length: 2\r\n\r\nok"));
	get_ok(f, "/x");
	assert_int_equal(f->r.status, 200);
	assert_null(http_header(&f->r, "link", value, sizeof(value)));
}

static const struct {
	const char *method;
	size_t body;
	bool chunk_free; /* a Content-Length is expected */
} sendings[] = {
	{"PUT", 3, true},  {"PATCH", 3, true},     {"POST", 3, true},       {"DELETE", 3, true},
	{"PUT", 0, true},  {"POST", 0, true},      {"PATCH", 0, true},      {"DELETE", 0, false},
	{"GET", 0, false}, {"PUT", 2000000, true}, {"POST", 2000000, true},
};

static void methods_and_bodies_arrive_as_given(void **state)
{
	struct fixture *f = *state;
	autofree char *body = xmalloc(2000000);

	memset(body, 'b', 2000000);
	for (size_t i = 0; i < ARRAY_LEN(sendings); i++) {
		const struct fault_request *q;
		autofree char *length = NULL, *type = NULL, *expect = NULL;

		fault_clear(f->s);
		fault_always(f->s, NULL, "*", FAULT_BODY("{}"));
		request_ok(f, &(struct http_req){.method = sendings[i].method,
						 .url = url(f, "/x"),
						 .body = {.bytes = body, .len = sendings[i].body}});
		q = fault_request(f->s, 0);
		assert_string_equal(q->method, sendings[i].method);
		assert_int_equal(q->body_len, sendings[i].body);
		assert_memory_equal(q->body, body, sendings[i].body);
		length = fault_request_header(q, "content-length");
		assert_int_equal(length != NULL, sendings[i].chunk_free);
		type = fault_request_header(q, "content-type");
		assert_null(type);
		expect = fault_request_header(q, "expect");
		assert_null(expect);
	}
}

static void a_body_is_streamed_from_a_descriptor(void **state)
{
	struct fixture *f = *state;
	FILE *file = tmpfile();
	const struct fault_request *q;

	assert_non_null(file);
	for (int i = 0; i < 100000; i++)
		fprintf(file, "%07d\n", i);
	fflush(file);
	fault_script(f->s, "PUT", "/x", FAULT_STATUS(201));
	request_ok(f, &(struct http_req){
			      .method = "PUT",
			      .url = url(f, "/x"),
			      .body = {.fd = fileno(file), .len = 800000 - 16, .offset = 8}});
	fclose(file);
	assert_int_equal(f->r.status, 201);
	q = fault_request(f->s, 0);
	assert_int_equal(q->body_len, 800000 - 16);
	assert_memory_equal(q->body, "0000001\n", 8);
	assert_memory_equal(q->body + q->body_len - 8, "0099998\n", 8);
}

static void a_header_with_a_newline_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *headers[] = {"Accept: a/b", "Authorization: Bearer hush\r\nX: y", NULL};

	request_fails(f,
		      &(struct http_req){.method = "GET", .url = url(f, "/x"), .headers = headers},
		      ERR_INVALID);
	assert_null(strstr(f->e.msg, "hush"));
	assert_int_equal(fault_count(f->s), 0);
}

static void gzip_is_asked_for_and_unpacked(void **state)
{
	static const char packed[] =
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07"
		"\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
	struct fixture *f = *state;
	autofree char *accepted = NULL;

	fault_script(f->s, "GET", "/x", FAULT_HEADER("Content-Encoding: gzip"),
		     FAULT_BODY_BYTES(packed, sizeof(packed) - 1));
	get_ok(f, "/x");
	assert_string_equal(buf_str(&f->r.body), "hello");
	accepted = fault_request_header(fault_request(f->s, 0), "accept-encoding");
	assert_string_equal(accepted, "gzip");
}

static const struct {
	const char *value;
	ns_t delay;
} retries[] = {
	{"7", 7 * NS_SEC},
	{"0", 0},
	{"99999999999999999999", 24 * 3600 * NS_SEC},
	{"-5", 0},
	{"soon", 0},
	{"Thu, 01 Aug 2019 10:20:42 GMT", 12 * NS_SEC},
	{"Thu, 01 Aug 2019 10:20:00 GMT", 0},
};

static void retry_after_is_read_in_both_forms(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(retries); i++) {
		autofree char *line = xasprintf("Retry-After: %s", retries[i].value);

		fault_script(f->s, "GET", "/x", FAULT_STATUS(429), FAULT_HEADER(line));
		clock_fake(clock_mono(), 1564654830 * NS_SEC); /* 2019-08-01T10:20:30Z */
		get_ok(f, "/x");
		clock_fake(-1, -1);
		assert_int_equal(f->r.retry_after, retries[i].delay);
	}
}

/* --- limits ----------------------------------------------------------------------------------- */

static void a_body_over_its_limit_is_invalid_with_or_without_a_length(void **state)
{
	struct fixture *f = *state;

	fault_script(f->s, "GET", "/x", FAULT_BODY("0123456789"));
	fault_script(f->s, "GET", "/x", FAULT_CHUNK("01234"), FAULT_CHUNK("56789"));
	for (int i = 0; i < 2; i++) {
		request_fails(
			f, &(struct http_req){.method = "GET", .url = url(f, "/x"), .max_body = 9},
			ERR_INVALID);
		assert_has(f->e.msg, "/x: reply: ");
		err_clear(&f->e);
	}
	fault_script(f->s, "GET", "/x", FAULT_CHUNK("01234"), FAULT_CHUNK("56789"));
	request_ok(f, &(struct http_req){.method = "GET", .url = url(f, "/x"), .max_body = 10});
}

static void headers_over_64_kib_are_invalid(void **state)
{
	struct fixture *f = *state;
	autofree char *line = xmalloc(40002);

	memset(line, 'h', 40001);
	memcpy(line, "X-Long: ", 8);
	line[40001] = '\0';
	fault_script(f->s, "GET", "/x", FAULT_HEADER(line), FAULT_HEADER(line), FAULT_BODY("x"));
	request_fails(f, &(struct http_req){.method = "GET", .url = url(f, "/x")}, ERR_INVALID);
	assert_has(f->e.msg, "headers");
}

static void a_reply_must_end_within_the_timeout(void **state)
{
	struct fixture *f = *state;
	ns_t start = clock_mono();

	fault_script(f->s, "GET", "/silent", FAULT_HOLD);
	fault_script(f->s, "GET", "/slow",
		     FAULT_DRIP("0123456789012345678901234567890123456789", 50));
	request_fails(f,
		      &(struct http_req){.method = "GET",
					 .url = url(f, "/silent?token=hush"),
					 .timeout = 100 * NS_MS},
		      ERR_TIMEOUT);
	assert_has(f->e.msg, "/silent: no reply within 100ms");
	assert_null(strstr(f->e.msg, "hush"));
	err_clear(&f->e);
	request_fails(
		f,
		&(struct http_req){.method = "GET", .url = url(f, "/slow"), .timeout = 300 * NS_MS},
		ERR_TIMEOUT);
	assert_has(f->e.msg, "/slow: no complete reply within 300ms");
	assert_true(clock_mono() - start < 3 * NS_SEC);
}

/* --- failures --------------------------------------------------------------------------------- */

static void nobody_listening_is_recognised_as_refused(void **state)
{
	struct fixture *f = *state;
	autofree char *where = xasprintf("http://127.0.0.1:%d/x?hush", fault_free_port());

	request_fails(f, &(struct http_req){.method = "GET", .url = where}, ERR_UNAVAILABLE);
	assert_has(f->e.msg, "/x: connection refused");
	err_wrap(&f->e, "list pods");
	assert_true(http_refused(&f->e));
}

static void broken_replies_are_unavailable_and_not_refused(void **state)
{
	struct fixture *f = *state;
	const char *targets[] = {"/reset", "/gone", "/half", "/chunk", "/length"};

	fault_always(f->s, "GET", "/reset", FAULT_RESET);
	fault_always(f->s, "GET", "/gone", FAULT_CLOSE);
	fault_always(f->s, "GET", "/half", FAULT_RAW("HTTP/1.1 200 OK\r\nContent-"), FAULT_CLOSE);
	fault_always(f->s, "GET", "/chunk", FAULT_CHUNK("{"), FAULT_RAW("10\r\nabc"), FAULT_CLOSE);
	fault_always(f->s, "GET", "/length", FAULT_LENGTH(10), FAULT_RAW("12345"), FAULT_CLOSE);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		request_fails(f, &(struct http_req){.method = "GET", .url = url(f, targets[i])},
			      ERR_UNAVAILABLE);
		assert_false(http_refused(&f->e));
		err_clear(&f->e);
	}
}

static void what_is_not_http_is_a_protocol_error(void **state)
{
	struct fixture *f = *state;

	fault_script(f->s, "GET", "/x", FAULT_RAW("SSH-2.0-OpenSSH_9.2\r\n"));
	request_fails(f, &(struct http_req){.method = "GET", .url = url(f, "/x")}, ERR_PROTOCOL);
}

static void a_kept_connection_that_was_closed_costs_a_get_nothing_but_a_post_is_not_repeated(
	void **state)
{
	struct fixture *f = *state;
	const char *methods[] = {"GET", "PUT", "POST"};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct http_req q = {.method = methods[i], .url = url(f, "/y")};

		if (i > 0)
			q.body = (struct http_body){.bytes = "body", .len = 4};
		fault_clear(f->s);
		fault_script(f->s, NULL, "/x", FAULT_BODY("1"));
		fault_script(f->s, NULL, "/y", FAULT_CLOSE);
		fault_script(f->s, NULL, "/y", FAULT_BODY("3"));
		get_ok(f, "/x");
		if (i == 2) {
			request_fails(f, &q, ERR_UNAVAILABLE);
			assert_int_equal(fault_count_of(f->s, "POST", "/y"), 1);
		} else {
			request_ok(f, &q);
			assert_string_equal(buf_str(&f->r.body), "3");
			assert_int_equal(fault_count_of(f->s, methods[i], "/y"), 2);
			assert_int_equal(fault_request(f->s, 2)->body_len, i > 0 ? 4 : 0);
		}
	}
}

static void a_put_that_is_sent_once_is_not_repeated_either(void **state)
{
	struct fixture *f = *state;

	fault_script(f->s, "GET", "/x", FAULT_BODY("1"));
	fault_always(f->s, "PUT", "/y", FAULT_CLOSE);
	get_ok(f, "/x");
	request_fails(f,
		      &(struct http_req){.method = "PUT",
					 .url = url(f, "/y"),
					 .body = {.bytes = "body", .len = 4},
					 .once = true},
		      ERR_UNAVAILABLE);
	assert_int_equal(fault_count_of(f->s, "PUT", "/y"), 1);
}

static const struct {
	const char *url;
	enum http_plain plain;
	bool allowed;
} schemes[] = {
	{"http://127.0.0.1:1/", HTTP_PLAIN_NEVER, false},
	{"http://127.0.0.1:1/", HTTP_PLAIN_LOOPBACK, true},
	{"http://localhost:1/", HTTP_PLAIN_LOOPBACK, true},
	{"http://[::1]:1/", HTTP_PLAIN_LOOPBACK, true},
	{"http://127.0.0.1.example.invalid:1/", HTTP_PLAIN_LOOPBACK, false},
	{"http://192.0.2.1/", HTTP_PLAIN_LOOPBACK, false},
	{"http://0x7f000001:1/", HTTP_PLAIN_ANY, true},
	{"HTTP://127.0.0.1:1/", HTTP_PLAIN_NEVER, false},
	{"https://127.0.0.1:1/", HTTP_PLAIN_NEVER, true},
	{"ftp://127.0.0.1:1/", HTTP_PLAIN_ANY, false},
	{"file:///etc/passwd", HTTP_PLAIN_ANY, false},
	{"gopher://127.0.0.1:1/", HTTP_PLAIN_ANY, false},
	{"127.0.0.1:1/", HTTP_PLAIN_ANY, false},
	{"https://user:hush@127.0.0.1:1/", HTTP_PLAIN_ANY, false},
	{"https://127.0.0.1:1/a b\r\nX: y", HTTP_PLAIN_ANY, false},
	{"https://127.0.0.1:99999/", HTTP_PLAIN_ANY, false},
	{"", HTTP_PLAIN_ANY, false},
};

static void only_https_is_spoken_except_where_plain_http_is_allowed(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		AUTO(http_freep) struct http *h = NULL;
		struct http_req q = {.method = "GET", .url = schemes[i].url};

		assert_ok(http_new(&h, f->l, &(struct http_opts){.plain = schemes[i].plain}, &f->e),
			  &f->e);
		assert_int_equal(http_do(h, &q, &f->r, &f->e), -1);
		if ((f->e.code == ERR_UNAVAILABLE) != schemes[i].allowed ||
		    (f->e.code == ERR_INVALID) == schemes[i].allowed || strstr(f->e.msg, "hush"))
			fail_msg("%s: %s: %s", schemes[i].url, err_name(f->e.code), f->e.msg);
		err_clear(&f->e);
	}
}

static void a_unix_socket_carries_plain_http(void **state)
{
	struct fixture *f = *state;
	AUTO(http_freep) struct http *h = NULL;
	autofree char *path = xasprintf("/tmp/test_http-%d.sock", (int)getpid());
	struct fault *s = fault_start(&(struct fault_opts){.unix_socket = path});

	fault_script(s, "GET", "/x", FAULT_BODY("by socket"));
	assert_ok(http_new(&h, f->l,
			   &(struct http_opts){.unix_socket = path, .plain = HTTP_PLAIN_LOOPBACK},
			   &f->e),
		  &f->e);
	assert_ok(http_do(h, &(struct http_req){.method = "GET", .url = "http://any.name/x"}, &f->r,
			  &f->e),
		  &f->e);
	assert_string_equal(buf_str(&f->r.body), "by socket");
	fault_stop(s);
}

static void a_signal_ends_a_request_as_cancelled(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *t = loop_timer_new(f->l, send_int, NULL);

	assert_ok(loop_signals(f->l, &f->e), &f->e);
	fault_always(f->s, "GET", "/x", FAULT_HOLD);
	loop_timer_after(t, 30 * NS_MS);
	request_fails(f, &(struct http_req){.method = "GET", .url = url(f, "/x")}, ERR_CANCELLED);
	assert_has(f->e.msg, "/x: interrupted");
	loop_timer_free(t);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void a_batch_runs_four_at_a_time_and_tells_each_outcome(void **state)
{
	struct fixture *f = *state;
	struct http_req q[12];
	struct http_resp r[12];
	struct err errs[12];

	for (size_t i = 0; i < 12; i++)
		q[i] = (struct http_req){
			.method = "GET", .url = url(f, "/x"), .timeout = 2 * NS_SEC};
	q[3].url = url(f, "/reset");
	q[5].url = "ftp://127.0.0.1/";
	fault_always(f->s, "GET", "/x", FAULT_DELAY(20), FAULT_BODY("x"));
	fault_always(f->s, "GET", "/reset", FAULT_RESET);
	assert_int_equal(http_do_all(f->h, q, r, errs, 12, 0), 2);
	for (size_t i = 0; i < 12; i++) {
		if (i == 3)
			assert_int_equal(errs[i].code, ERR_UNAVAILABLE);
		else if (i == 5)
			assert_int_equal(errs[i].code, ERR_INVALID);
		else
			assert_int_equal(r[i].status, 200);
		http_resp_release(&r[i]);
	}
	assert_true(fault_connections(f->s) <= 5);
	assert_int_equal(http_do_all(f->h, q, r, errs, 0, 0), 0);
}

static void a_signal_cancels_the_rest_of_a_batch(void **state)
{
	struct fixture *f = *state;
	struct http_req q[6];
	struct http_resp r[6];
	struct err errs[6];
	struct loop_timer *t = loop_timer_new(f->l, send_int, NULL);

	assert_ok(loop_signals(f->l, &f->e), &f->e);
	for (size_t i = 0; i < 6; i++)
		q[i] = (struct http_req){.method = "GET", .url = url(f, i ? "/hold" : "/x")};
	fault_always(f->s, "GET", "/x", FAULT_BODY("x"));
	fault_always(f->s, "GET", "/hold", FAULT_HOLD);
	loop_timer_after(t, 100 * NS_MS);
	assert_int_equal(http_do_all(f->h, q, r, errs, 6, 2), 5);
	assert_int_equal(errs[0].code, ERR_OK);
	for (size_t i = 0; i < 6; i++) {
		if (i)
			assert_int_equal(errs[i].code, ERR_CANCELLED);
		http_resp_release(&r[i]);
	}
	loop_timer_free(t);
}

/* --- TLS -------------------------------------------------------------------------------------- */

struct identity {
	enum { RIGHT_CA, NO_CA, OTHER_CA } ca;
	bool cert, insecure;
	const char *server_name;
	enum err_code code; /* ERR_OK: it works */
};

static const struct identity identities[] = {
	{RIGHT_CA, true, false, NULL, ERR_OK},
	{RIGHT_CA, true, false, "localhost", ERR_OK},
	{RIGHT_CA, true, false, "other.example", ERR_DENIED},
	{OTHER_CA, true, false, NULL, ERR_DENIED},
	{NO_CA, true, false, NULL, ERR_DENIED},
	{OTHER_CA, true, true, NULL, ERR_OK},
	{RIGHT_CA, false, false, NULL, ERR_DENIED},
};

static void tls_checks_both_sides(void **state)
{
	struct fixture *f = *state;
	struct fault *s = fault_start(&(struct fault_opts){.tls = true, .client_cert = true});
	struct fault *other = fault_start(&(struct fault_opts){.tls = true});
	autofree char *where = fault_url_of(s, "/x");

	fault_always(s, "GET", "/x", FAULT_BODY("safe"));
	for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
		const struct identity *id = &identities[i];
		AUTO(http_freep) struct http *h = NULL;
		struct http_opts o = {
			.ca_pem = id->ca == NO_CA ? NULL : fault_ca(id->ca == OTHER_CA ? other : s),
			.cert_pem = id->cert ? fault_client_cert(s) : NULL,
			.key_pem = id->cert ? fault_client_key(s) : NULL,
			.server_name = id->server_name,
			.insecure = id->insecure,
		};

		assert_ok(http_new(&h, f->l, &o, &f->e), &f->e);
		http_resp_release(&f->r);
		err_clear(&f->e);
		if (http_do(h, &(struct http_req){.method = "GET", .url = where}, &f->r, &f->e) ==
		    0)
			assert_string_equal(buf_str(&f->r.body), "safe");
		if (f->e.code != id->code)
			fail_msg("case %zu: %s: %s", i, err_name(f->e.code), f->e.msg);
		assert_true(!f->e.code == !f->e.hint[0]);
		err_clear(&f->e);
	}
	assert_string_equal(fault_request(s, 0)->client, "test-client");
	/* A wrong CA must not be helped by a connection that another identity has open. */
	assert_true(fault_connections(s) >= ARRAY_LEN(identities));
	fault_stop(s);
	fault_stop(other);
}

static void a_tls_server_name_does_not_change_the_host_header(void **state)
{
	struct fixture *f = *state;
	struct fault *s = fault_start(&(struct fault_opts){.tls = true});
	autofree char *where = fault_url_of(s, "/x");
	autofree char *host = NULL;
	AUTO(http_freep) struct http *h = NULL;
	struct http_opts o = {.ca_pem = fault_ca(s), .server_name = "localhost"};

	assert_ok(http_new(&h, f->l, &o, &f->e), &f->e);
	assert_ok(http_do(h, &(struct http_req){.method = "GET", .url = where}, &f->r, &f->e),
		  &f->e);
	host = fault_request_header(fault_request(s, 0), "host");
	assert_string_equal(host, fault_url(s) + strlen("https://"));
	fault_stop(s);
}

static void a_certificate_without_its_key_or_that_is_none_is_invalid(void **state)
{
	struct fixture *f = *state;
	struct http *h = NULL;
	struct http_opts o = {.cert_pem = "x", .key_pem = "y"};

	assert_ok(http_new(&h, f->l, &o, &f->e), &f->e);
	assert_fails(http_do(h, &(struct http_req){.method = "GET", .url = "https://127.0.0.1:1/"},
			     &f->r, &f->e),
		     &f->e, ERR_UNAVAILABLE);
	http_free(h);
	o.key_pem = NULL;
	assert_fails(http_new(&h, f->l, &o, &f->e), &f->e, ERR_INVALID);
}

static void tls_to_a_plain_port_says_so(void **state)
{
	struct fixture *f = *state;
	autofree char *where = xasprintf("https%s/", fault_url(f->s) + strlen("http"));

	assert_int_equal(
		http_do(f->h, &(struct http_req){.method = "GET", .url = where}, &f->r, &f->e), -1);
	assert_int_equal(f->e.code, ERR_UNAVAILABLE);
}

/* --- small things ----------------------------------------------------------------------------- */

static void url_parts_are_escaped(void **state UNUSED)
{
	autofree char *plain = http_url_escape("a-b_c.d~9"), *odd = http_url_escape("a/b?c=d&e f%");
	autofree char *empty = http_url_escape("");

	assert_string_equal(plain, "a-b_c.d~9");
	assert_string_equal(odd, "a%2Fb%3Fc%3Dd%26e%20f%25");
	assert_string_equal(empty, "");
}

static size_t failures_seen;

static void one_get_with_a_retry(struct fault *s, size_t failing, void *arg)
{
	struct fixture *f = arg;

	fault_always(s, "GET", "/x", FAULT_BODY("x"));
	for (int i = 0; i < 3; i++) {
		http_resp_release(&f->r);
		err_clear(&f->e);
		failures_seen += http_do(f->h,
					 &(struct http_req){.method = "GET", .url = url(f, "/x")},
					 &f->r, &f->e) < 0 ||
				 f->r.status != 200;
	}
	assert_true(failing || failures_seen == 0);
}

static void the_torture_helper_fails_every_request_once(void **state)
{
	struct fixture *f = *state;

	failures_seen = 0;
	assert_int_equal(fault_torture(f->s, FAULT_HOW_UNAVAILABLE, one_get_with_a_retry, f), 3);
	assert_int_equal(failures_seen, 3);
	err_clear(&f->e);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_setup, http_teardown)
	const struct CMUnitTest tests[] = {
		T(ten_requests_go_over_one_connection),
		T(any_status_is_success_and_headers_are_lower_case),
		T(a_redirect_is_not_followed),
		T(headers_of_a_100_continue_are_not_the_replys),
		T(methods_and_bodies_arrive_as_given),
		T(a_body_is_streamed_from_a_descriptor),
		T(a_header_with_a_newline_is_refused),
		T(gzip_is_asked_for_and_unpacked),
		T(retry_after_is_read_in_both_forms),
		T(a_body_over_its_limit_is_invalid_with_or_without_a_length),
		T(headers_over_64_kib_are_invalid),
		T(a_reply_must_end_within_the_timeout),
		T(nobody_listening_is_recognised_as_refused),
		T(broken_replies_are_unavailable_and_not_refused),
		T(what_is_not_http_is_a_protocol_error),
		T(a_kept_connection_that_was_closed_costs_a_get_nothing_but_a_post_is_not_repeated),
		T(a_put_that_is_sent_once_is_not_repeated_either),
		T(only_https_is_spoken_except_where_plain_http_is_allowed),
		T(a_unix_socket_carries_plain_http),
		T(a_signal_ends_a_request_as_cancelled),
		T(a_batch_runs_four_at_a_time_and_tells_each_outcome),
		T(a_signal_cancels_the_rest_of_a_batch),
		T(tls_checks_both_sides),
		T(a_tls_server_name_does_not_change_the_host_header),
		T(a_certificate_without_its_key_or_that_is_none_is_invalid),
		T(tls_to_a_plain_port_says_so),
		T(url_parts_are_escaped),
		T(the_torture_helper_fails_every_request_once),
	};

	return RUN(tests);
}
