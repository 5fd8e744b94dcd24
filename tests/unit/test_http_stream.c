/* test_http_stream.c - responses that go on, and calls that are freed in all places. */
#include "tests/unit/http_fixture.h"

#include "base/clock.h"

struct watch {
	struct fixture *f;
	struct http_call *call;
	char text[512]; /* "H200 [line] ... E" */
	size_t lines, bytes;
	char free_at; /* 'H', 'L', 'E': free the call in that callback */
	bool done;
	struct err e;
	struct http_resp r;
};

static void say(struct watch *w, const char *text)
{
	size_t n = strlen(w->text);

	snprintf(w->text + n, sizeof(w->text) - n, "%s", text);
}

static void maybe_free(struct watch *w, char where)
{
	if (w->free_at != where)
		return;
	http_call_free(TAKE(w->call));
	w->done = true;
}

static void on_head(int status, void *arg)
{
	struct watch *w = arg;
	char text[16];

	snprintf(text, sizeof(text), "H%d", status);
	say(w, text);
	maybe_free(w, 'H');
}

static void on_line(const char *line, size_t len, void *arg)
{
	struct watch *w = arg;

	assert_int_equal(strlen(line), len);
	w->lines++;
	w->bytes += len;
	if (len < 40) {
		say(w, " ");
		say(w, line);
	}
	maybe_free(w, 'L');
}

static void on_data(const char *bytes, size_t len, void *arg)
{
	struct watch *w = arg;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)len, bytes);
	say(w, text);
	w->bytes += len;
	maybe_free(w, 'L');
}

static void on_end(struct http_resp *r, struct err *e, void *arg)
{
	struct watch *w = arg;

	say(w, " E");
	w->r = *r;
	*r = (struct http_resp){0};
	w->e = *e;
	w->done = true;
	maybe_free(w, 'E');
}

static void start_watch(struct watch *w, const char *target, ns_t timeout, size_t max_line)
{
	struct http_stream_cb cb = {
		.head = on_head, .line = on_line, .end = on_end, .arg = w, .max_line = max_line};
	struct http_req q = {.method = "GET", .url = url(w->f, target), .timeout = timeout};

	assert_ok(http_stream(&w->call, w->f->h, &q, &cb, &w->f->e), &w->f->e);
}

static void wait_watch(struct watch *w)
{
	assert_ok(loop_wait(w->f->l, &w->done, clock_mono() + 5 * NS_SEC, &w->f->e), &w->f->e);
}

static void end_watch(struct watch *w)
{
	http_call_free(TAKE(w->call));
	http_resp_release(&w->r);
}

/* --- lines ------------------------------------------------------------------------------------ */

static const struct {
	const char *parts[5];
	enum { END, CLOSE, RESET } how;
	const char *said;
	enum err_code code;
} deliveries[] = {
	{{"one\ntwo\n"}, END, "H200 one two E", ERR_OK},
	{{"o", "ne\nt", "wo", "\n"}, END, "H200 one two E", ERR_OK},
	{{"one\n", "half"}, END, "H200 one half E", ERR_OK},
	{{"one\n", "half"}, CLOSE, "H200 one E", ERR_UNAVAILABLE},
	{{"one\n", "half"}, RESET, "H200 one E", ERR_UNAVAILABLE},
	{{"\n\nx\n"}, END, "H200   x E", ERR_OK},
	{{""}, END, "H200 E", ERR_OK},
};

static void lines_come_whole_however_they_were_cut(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(deliveries); i++) {
		struct watch w = {.f = f};
		struct fault_act acts[16] = {{0}};
		size_t n = 0;

		for (size_t j = 0; j < 5 && deliveries[i].parts[j]; j++) {
			acts[n++] = FAULT_CHUNK(deliveries[i].parts[j]);
			acts[n++] = FAULT_DELAY(5);
		}
		if (deliveries[i].how == CLOSE)
			acts[n++] = FAULT_CLOSE;
		else if (deliveries[i].how == RESET)
			acts[n++] = FAULT_RESET;
		fault_add(f->s, false, "GET", "/w", acts);
		start_watch(&w, "/w", 0, 0);
		wait_watch(&w);
		assert_string_equal(w.text, deliveries[i].said);
		if (w.e.code != deliveries[i].code)
			fail_msg("case %zu: %s: %s", i, err_name(w.e.code), w.e.msg);
		end_watch(&w);
	}
}

static void a_line_over_its_limit_ends_the_call_after_the_lines_before_it(void **state)
{
	struct fixture *f = *state;
	const char *tails[] = {"0123456789x", "0123456789x\nmore\n"};

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		struct watch w = {.f = f};

		fault_script(f->s, "GET", "/w", FAULT_CHUNK("0123456789\n"), FAULT_CHUNK(tails[i]),
			     FAULT_HOLD);
		start_watch(&w, "/w", 0, 10);
		wait_watch(&w);
		assert_string_equal(w.text, "H200 0123456789 E");
		assert_int_equal(w.e.code, ERR_INVALID);
		assert_has(w.e.msg, "/w: a line is longer than 10 bytes");
		end_watch(&w);
	}
}

static void megabytes_of_lines_arrive_complete(void **state)
{
	struct fixture *f = *state;
	struct watch w = {.f = f};
	size_t n = 3u << 20;
	autofree char *big = xmalloc(n + 2);

	memset(big, 'z', n);
	big[n] = '\n';
	big[n + 1] = '\0';
	fault_script(f->s, "GET", "/w", FAULT_CHUNK(big), FAULT_CHUNK("small\n"), FAULT_CHUNK(big));
	start_watch(&w, "/w", 0, 0);
	wait_watch(&w);
	assert_int_equal(w.e.code, ERR_OK);
	assert_int_equal(w.lines, 3);
	assert_int_equal(w.bytes, 2 * n + 5);
	end_watch(&w);
}

static void raw_bytes_come_as_they_are(void **state)
{
	struct fixture *f = *state;
	struct watch w = {.f = f};
	struct http_stream_cb cb = {.head = on_head, .data = on_data, .end = on_end, .arg = &w};
	struct http_req q = {.method = "GET", .url = url(f, "/w")};

	fault_script(f->s, "GET", "/w", FAULT_CHUNK("a\nb"), FAULT_DELAY(5), FAULT_CHUNK("\nc"));
	assert_ok(http_stream(&w.call, f->h, &q, &cb, &f->e), &f->e);
	wait_watch(&w);
	assert_string_equal(w.text, "H200a\nb\nc E");
	end_watch(&w);
}

static void another_status_gives_the_body_and_no_lines(void **state)
{
	struct fixture *f = *state;
	struct watch w = {.f = f};
	autofree char *big = xmalloc(100001);

	memset(big, 'b', 100000);
	big[100000] = '\0';
	fault_script(f->s, "GET", "/w", FAULT_STATUS(410), FAULT_BODY("{\"kind\":\"Status\"}\n"));
	start_watch(&w, "/w", 0, 0);
	wait_watch(&w);
	assert_string_equal(w.text, "H410 E");
	assert_int_equal(w.e.code, ERR_OK);
	assert_int_equal(w.r.status, 410);
	assert_string_equal(buf_str(&w.r.body), "{\"kind\":\"Status\"}\n");
	end_watch(&w);
	w = (struct watch){.f = f};
	fault_script(f->s, "GET", "/w", FAULT_STATUS(500), FAULT_BODY(big));
	start_watch(&w, "/w", 0, 0);
	wait_watch(&w);
	assert_int_equal(w.r.body.len, 65536);
	end_watch(&w);
}

static void the_timeout_of_a_stream_ends_with_its_headers(void **state)
{
	struct fixture *f = *state;
	struct watch w = {.f = f};

	fault_script(f->s, "GET", "/w", FAULT_CHUNK("a\n"), FAULT_DELAY(300), FAULT_CHUNK("b\n"));
	start_watch(&w, "/w", 100 * NS_MS, 0);
	wait_watch(&w);
	assert_string_equal(w.text, "H200 a b E");
	assert_int_equal(w.e.code, ERR_OK);
	end_watch(&w);
	w = (struct watch){.f = f};
	fault_script(f->s, "GET", "/w", FAULT_HOLD);
	start_watch(&w, "/w", 100 * NS_MS, 0);
	wait_watch(&w);
	assert_string_equal(w.text, " E");
	assert_int_equal(w.e.code, ERR_TIMEOUT);
	end_watch(&w);
}

static void a_refused_stream_only_ends(void **state)
{
	struct fixture *f = *state;
	struct watch w = {.f = f};
	struct http_stream_cb cb = {.head = on_head, .line = on_line, .end = on_end, .arg = &w};
	autofree char *where = xasprintf("http://127.0.0.1:%d/w", fault_free_port());
	struct http_req q = {.method = "GET", .url = where};

	assert_ok(http_stream(&w.call, f->h, &q, &cb, &f->e), &f->e);
	wait_watch(&w);
	assert_string_equal(w.text, " E");
	assert_true(http_refused(&w.e));
	end_watch(&w);
}

/* --- freeing ---------------------------------------------------------------------------------- */

static void a_stream_may_be_freed_in_each_of_its_callbacks(void **state)
{
	static const struct {
		char where;
		const char *said;
	} cases[] = {{'H', "H200"}, {'L', "H200 a"}, {'E', "H200 a b c E"}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct watch w = {.f = f, .free_at = cases[i].where};

		fault_script(f->s, "GET", "/w", FAULT_CHUNK("a\nb\nc"));
		start_watch(&w, "/w", 0, 0);
		wait_watch(&w);
		assert_ok(loop_sleep(f->l, 20 * NS_MS, &f->e), &f->e);
		assert_string_equal(w.text, cases[i].said);
		assert_null(w.call);
		http_resp_release(&w.r);
	}
}

struct pair {
	struct watch a, b;
};

static void no_head(int status UNUSED, void *arg UNUSED)
{
}

static void free_both(const char *line UNUSED, size_t len UNUSED, void *arg)
{
	struct pair *p = arg;

	http_call_free(TAKE(p->a.call));
	http_call_free(TAKE(p->b.call));
	p->a.done = true;
}

static void a_callback_may_free_another_call_that_has_something_to_say(void **state)
{
	struct fixture *f = *state;
	struct pair p = {.a.f = f, .b.f = f};
	struct http_stream_cb cb = {.head = no_head, .line = free_both, .end = on_end, .arg = &p};
	struct http_req q = {.method = "GET", .url = url(f, "/w")};

	for (int i = 0; i < 2; i++)
		fault_script(f->s, "GET", "/w", FAULT_GATE(1), FAULT_CHUNK("a\n"));
	assert_ok(http_stream(&p.a.call, f->h, &q, &cb, &f->e), &f->e);
	assert_ok(http_stream(&p.b.call, f->h, &q, &cb, &f->e), &f->e);
	fault_open(f->s, 1);
	wait_watch(&p.a);
	assert_ok(loop_sleep(f->l, 20 * NS_MS, &f->e), &f->e);
}

static void never_called(struct http_resp *r UNUSED, struct err *e UNUSED, void *arg UNUSED)
{
	fail_msg("the callback of a freed call ran");
}

static void a_running_call_can_be_freed_without_its_callback(void **state)
{
	struct fixture *f = *state;
	struct http_call *c = NULL;
	struct http_req q = {.method = "GET", .url = url(f, "/hold")};

	fault_always(f->s, "GET", "/hold", FAULT_HOLD);
	for (ns_t delay = 0; delay <= 20 * NS_MS; delay += 4 * NS_MS) {
		assert_ok(http_start(&c, f->h, &q, never_called, NULL, &f->e), &f->e);
		if (delay)
			assert_ok(loop_sleep(f->l, delay, &f->e), &f->e);
		http_call_free(c);
	}
	assert_ok(loop_sleep(f->l, 20 * NS_MS, &f->e), &f->e);
}

/* The thread of the resolver is left to itself: freeing must not join it. */
static void a_call_can_be_freed_while_its_host_is_looked_up(void **state)
{
	struct fixture *f = *state;
	struct http_call *c = NULL;
	struct http_req q = {.method = "GET", .url = "https://localhost:1/"};
	ns_t start;

	assert_ok(http_start(&c, f->h, &q, never_called, NULL, &f->e), &f->e);
	assert_ok(loop_sleep(f->l, 0, &f->e), &f->e);
	start = clock_mono();
	http_call_free(c);
	assert_true(clock_mono() - start < NS_SEC);
	usleep(100000); /* it holds a socket pair until it is through */
}

struct again {
	struct fixture *f;
	struct http_call *call;
	int left;
	bool done;
};

static void start_again(struct http_resp *r, struct err *e, void *arg)
{
	struct again *a = arg;
	struct http_req q = {.method = "GET", .url = a->f->urls[0]};

	assert_int_equal(e->code, ERR_OK);
	assert_int_equal(r->status, 200);
	http_call_free(TAKE(a->call));
	if (a->left-- > 0)
		assert_ok(http_start(&a->call, a->f->h, &q, start_again, a, &a->f->e), &a->f->e);
	else
		a->done = true;
}

static void a_callback_may_start_the_next_call(void **state)
{
	struct fixture *f = *state;
	struct again a = {.f = f, .left = 20};
	struct http_req q = {.method = "GET", .url = url(f, "/x")};

	fault_always(f->s, "GET", "/x", FAULT_BODY("x"));
	assert_ok(http_start(&a.call, f->h, &q, start_again, &a, &f->e), &f->e);
	assert_ok(loop_wait(f->l, &a.done, clock_mono() + 5 * NS_SEC, &f->e), &f->e);
	assert_int_equal(fault_count(f->s), 21);
	assert_int_equal(fault_connections(f->s), 1);
}

/* --- side by side ----------------------------------------------------------------------------- */

static void open_next_gate(const char *line UNUSED, size_t len UNUSED, void *arg)
{
	struct watch *w = arg;

	fault_open(w->f->s, 32 + (unsigned)w->lines++);
}

/* Request i is answered only after line i has been handed out: both while http_do waits. */
static void requests_share_one_connection_while_a_watch_keeps_delivering(void **state)
{
	struct fixture *f = *state;
	struct watch w = {.f = f};
	struct fault_act acts[32] = {{0}};
	struct http_stream_cb cb = {
		.head = on_head, .line = open_next_gate, .end = on_end, .arg = &w};
	struct http_req q = {.method = "GET", .url = url(f, "/w")};

	for (long i = 0; i < 10; i++) {
		acts[2 * i] = FAULT_GATE(i);
		acts[2 * i + 1] = FAULT_CHUNK("{\"type\":\"BOOKMARK\"}\n");
		fault_script(f->s, "GET", "/x", FAULT_GATE(32 + i), FAULT_BODY("x"));
	}
	fault_add(f->s, false, "GET", "/w", acts);
	assert_ok(http_stream(&w.call, f->h, &q, &cb, &f->e), &f->e);
	for (unsigned i = 0; i < 10; i++) {
		fault_open(f->s, i);
		get_ok(f, "/x");
		assert_int_equal(w.lines, i + 1);
	}
	wait_watch(&w);
	assert_int_equal(fault_connections(f->s), 2);
	end_watch(&w);
}

/* libcurl counts the connections of watches among those that it keeps: ours must not crowd out the
 * rest. */
static void twenty_watches_leave_the_request_connection_alive(void **state)
{
	struct fixture *f = *state;
	struct watch w[20];
	struct http_req q = {.method = "GET", .url = url(f, "/x")};

	fault_always(f->s, "GET", "/w", FAULT_CHUNK("a\n"), FAULT_HOLD);
	fault_always(f->s, "GET", "/x", FAULT_BODY("x"));
	for (size_t i = 0; i < 20; i++) {
		w[i] = (struct watch){.f = f};
		start_watch(&w[i], "/w", 0, 0);
	}
	for (int i = 0; i < 20; i++)
		request_ok(f, &q);
	assert_int_equal(fault_connections(f->s), 21);
	for (size_t i = 0; i < 20; i++)
		end_watch(&w[i]);
}

static void a_watch_over_tls_survives_requests_beside_it(void **state)
{
	struct fixture *f = *state;
	struct fault *s = fault_start(&(struct fault_opts){.tls = true});
	struct watch w = {.f = f};
	AUTO(http_freep) struct http *h = NULL;
	autofree char *watch_url = fault_url_of(s, "/w"), *get_url = fault_url_of(s, "/x");
	struct http_stream_cb cb = {.head = on_head, .line = on_line, .end = on_end, .arg = &w};
	struct http_req q = {.method = "GET", .url = watch_url};

	fault_script(s, "GET", "/w", FAULT_CHUNK("a\n"), FAULT_GATE(1), FAULT_CHUNK("b\n"));
	fault_always(s, "GET", "/x", FAULT_BODY("x"));
	assert_ok(http_new(&h, f->l, &(struct http_opts){.ca_pem = fault_ca(s)}, &f->e), &f->e);
	assert_ok(http_stream(&w.call, h, &q, &cb, &f->e), &f->e);
	q.url = get_url;
	for (int i = 0; i < 10; i++) {
		http_resp_release(&f->r);
		assert_ok(http_do(h, &q, &f->r, &f->e), &f->e);
	}
	assert_int_equal(fault_connections(s), 2);
	fault_open(s, 1);
	wait_watch(&w);
	assert_string_equal(w.text, "H200 a b E");
	end_watch(&w);
	fault_stop(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_setup, http_teardown)
	const struct CMUnitTest tests[] = {
		T(lines_come_whole_however_they_were_cut),
		T(a_line_over_its_limit_ends_the_call_after_the_lines_before_it),
		T(megabytes_of_lines_arrive_complete),
		T(raw_bytes_come_as_they_are),
		T(another_status_gives_the_body_and_no_lines),
		T(the_timeout_of_a_stream_ends_with_its_headers),
		T(a_refused_stream_only_ends),
		T(a_stream_may_be_freed_in_each_of_its_callbacks),
		T(a_callback_may_free_another_call_that_has_something_to_say),
		T(a_running_call_can_be_freed_without_its_callback),
		T(a_call_can_be_freed_while_its_host_is_looked_up),
		T(a_callback_may_start_the_next_call),
		T(requests_share_one_connection_while_a_watch_keeps_delivering),
		T(twenty_watches_leave_the_request_connection_alive),
		T(a_watch_over_tls_survives_requests_beside_it),
	};

	return RUN(tests);
}
