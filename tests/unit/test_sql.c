/* test_sql.c - the client protocol against scripted replies over real connections, with what goes wrong in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "presto/sql.h"
#include "tests/fault/faultserver.h"

#define NEXT(path) "\"nextUri\":\"http://coordinator.example:8080/v1/statement/" path "\""
#define QUEUED     "{\"id\":\"q1\"," NEXT("queued/q1/x/1") ",\"stats\":{\"state\":\"QUEUED\"}}"
#define RUNNING                                                                                                                      \
	"{\"id\":\"q1\"," NEXT(                                                                                                      \
		"executing/q1/x/2") ",\"columns\":[{\"name\":\"_col0\",\"type\":\"bigint\"},"                                        \
				    "{\"name\":\"b\",\"type\":\"varchar\"}],\"data\":[[25,\"x\"]],\"stats\":{\"state\":\"RUNNING\"," \
				    "\"totalSplits\":4,\"completedSplits\":1}}"
#define FINISHED                                                                                                       \
	"{\"id\":\"q1\",\"columns\":[{\"name\":\"_col0\",\"type\":\"bigint\"},{\"name\":\"b\",\"type\":\"varchar\"}]," \
	"\"data\":[[26,null]],\"stats\":{\"state\":\"FINISHED\",\"progressPercentage\":100.0}}"
#define VALUE                                                                                    \
	"{\"id\":\"q1\",\"columns\":[{\"name\":\"_col0\",\"type\":\"bigint\"}],\"data\":[[25]]," \
	"\"stats\":{\"state\":\"FINISHED\"}}"

struct bench {
	struct fault *f;
	struct loop *loop;
	struct http *http;
	struct presto_client client;
	char said[1024]; /* what the sink heard */
	size_t stop_at;  /* the sink fails at this row, from 1; 0 never */
	size_t rows;
};

static int over_http(struct http_resp *r, const struct http_req *q, void *arg, struct err *e)
{
	struct bench *b = arg;
	struct http_req full = *q;
	autofree char *url = fault_url_of(b->f, q->url);

	full.url = url;
	return http_do(b->http, &full, r, e);
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	struct err e = ERR_INIT;
	const struct http_opts o = {
		.plain = HTTP_PLAIN_LOOPBACK, .proxy = "", .user_agent = "test"};

	b->f = fault_start(NULL);
	if (loop_new(&b->loop, &e) < 0 || loop_signals(b->loop, &e) < 0 ||
	    http_new(&b->http, b->loop, &o, &e) < 0)
		fail_msg("%s", e.msg);
	b->client = (struct presto_client){
		.transport = over_http, .arg = b, .loop = b->loop, .user = "me"};
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	http_free(b->http);
	loop_free(b->loop);
	fault_stop(b->f);
	free(b);
	return 0;
}

static void say(struct bench *b, const char *text)
{
	size_t len = strlen(b->said);

	snprintf(b->said + len, sizeof(b->said) - len, "%s", text);
}

static int on_columns(const struct sql_column *c, size_t n, void *arg, struct err *e UNUSED)
{
	for (size_t i = 0; i < n; i++) {
		say(arg, c[i].name);
		say(arg, ":");
		say(arg, c[i].type);
		say(arg, " ");
	}
	return 0;
}

static int on_row(const json_t *row, void *arg, struct err *e)
{
	struct bench *b = arg;
	autofree char *text = jx_canonical(row);

	if (++b->rows == b->stop_at)
		return err_set(e, ERR_IO, "the pipe is broken");
	say(b, text);
	return 0;
}

static void on_progress(const char *state, double percent, const json_t *stats UNUSED, void *arg)
{
	autofree char *text = xasprintf("<%s %.0f>", state, percent);

	say(arg, text);
}

static int run(struct bench *b, const char *sql, struct sql_error *se, ns_t timeout, struct err *e)
{
	const struct sql_sink sink = {on_columns, on_row, on_progress, b};

	return presto_sql(&b->client, sql, &sink, se, timeout ? clock_mono() + timeout : 0, e);
}

static void rows_come_from_every_page_and_columns_once(void **state)
{
	struct bench *b = *state;
	struct sql_error se;
	struct err e = ERR_INIT;

	b->client.catalog = "tpch";
	b->client.schema = "tiny";
	b->client.source = "prestoctl";
	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(QUEUED));
	fault_script(b->f, "GET", "/v1/statement/queued/q1/x/1", FAULT_BODY(RUNNING));
	fault_script(b->f, "GET", "/v1/statement/executing/q1/x/2", FAULT_BODY(FINISHED));
	if (run(b, "select 1", &se, 0, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(
		b->said,
		"<QUEUED 0><RUNNING 25>_col0:bigint b:varchar [25,\"x\"]<FINISHED 100>[26,null]");
	assert_string_equal(fault_request(b->f, 0)->body, "select 1");
	for (size_t i = 0; i < 3; i++) {
		autofree char *user = fault_request_header(fault_request(b->f, i), "x-presto-user");
		autofree char *schema = fault_request_header(fault_request(b->f, i),
							     "x-presto-schema");

		assert_string_equal(user, "me");
		assert_string_equal(schema, "tiny");
	}
	assert_int_equal(fault_count(b->f), 3);
}

static void an_error_of_the_engine_comes_with_its_position(void **state)
{
	struct bench *b = *state;
	struct sql_error se;
	struct err e = ERR_INIT;

	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(QUEUED));
	fault_script(
		b->f, "GET", "/v1/statement/queued/*",
		FAULT_BODY(
			"{\"id\":\"q1\",\"stats\":{\"state\":\"FAILED\"},\"error\":{\"message\":\"line 1:15: Catalog "
			"'nope' does not exist\",\"errorCode\":44,\"errorName\":\"CATALOG_NOT_FOUND\",\"errorType\":"
			"\"USER_ERROR\",\"errorLocation\":{\"lineNumber\":1,\"columnNumber\":15}}}"));
	assert_int_equal(run(b, "select * from nope.a.b", &se, 0, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.msg, "line 1:15: Catalog 'nope' does not exist");
	assert_string_equal(se.name, "CATALOG_NOT_FOUND");
	assert_string_equal(se.type, "USER_ERROR");
	assert_int_equal(se.code, 44);
	assert_int_equal(se.line, 1);
	assert_int_equal(se.column, 15);
	assert_int_equal(fault_count_of(b->f, "DELETE", "*"), 0);
}

static void a_page_that_cannot_be_had_for_a_moment_is_asked_for_again(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(QUEUED));
	fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_STATUS(503),
		     FAULT_BODY("no endpoints"));
	fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_RESET);
	fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_LENGTH(1000),
		     FAULT_RAW("{\"id\""), FAULT_CLOSE);
	fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_BODY(FINISHED));
	if (run(b, "select 1", NULL, 0, &e) < 0)
		fail_msg("%s", e.msg);
	assert_non_null(strstr(b->said, "[26,null]"));
	assert_int_equal(fault_count_of(b->f, "POST", "*"), 1);
}

static void a_statement_is_never_sent_twice(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	fault_script(b->f, "POST", "/v1/statement", FAULT_CLOSE);
	fault_always(b->f, "POST", "/v1/statement", FAULT_BODY(FINISHED));
	assert_int_equal(run(b, "insert into t values 1", NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_int_equal(fault_count_of(b->f, "POST", "*"), 1);
}

static void a_coordinator_that_forgot_the_query_is_said_so(void **state)
{
	static const int gone[] = {404, 410};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		struct err e = ERR_INIT;

		fault_clear(b->f);
		fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(QUEUED));
		fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_STATUS(gone[i]),
			     FAULT_BODY(""));
		assert_int_equal(run(b, "select 1", NULL, 0, &e), -1);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
		assert_non_null(strstr(e.msg, "the query is gone"));
		assert_int_equal(fault_count(b->f), 2);
	}
}

static void refusals_are_told_apart(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_code code;
		const char *says;
	} cases[] = {
		{400, "User must be set", ERR_INVALID, "User must be set"},
		{401, "Basic authentication", ERR_DENIED, "401"},
		{403, "", ERR_DENIED, "403"},
		{404, "", ERR_UNAVAILABLE, "404"},
		{503, "<html>\nlong", ERR_UNAVAILABLE, "503: <html>"},
		{302, "", ERR_PROTOCOL, "302"},
		{200, "not json", ERR_PROTOCOL, "reply of the coordinator"},
		{200, "{}", ERR_PROTOCOL, "not about a query"},
		{200, "{\"id\":\"a\",\"nextUri\":\"http://elsewhere/steal\"}", ERR_PROTOCOL,
		 "nextUri"},
		{200, "{\"id\":\"a\",\"nextUri\":\"http://h/v1/statement/../../api\"}",
		 ERR_PROTOCOL, "nextUri"},
		{200, "{\"id\":\"a\",\"nextUri\":\"http://h/v1/statement/a b\"}", ERR_PROTOCOL,
		 "nextUri"},
		{200, "{\"id\":\"a\",\"nextUri\":7}", ERR_PROTOCOL, "nextUri"},
		{200, "{\"id\":\"a\",\"data\":[[1]]}", ERR_PROTOCOL, "without columns"},
		{200, "{\"id\":\"a\",\"columns\":[{\"name\":\"a\"}]}", ERR_PROTOCOL,
		 "without name or type"},
		{200, "{\"id\":\"a\",\"columns\":[],\"data\":[[1]]}", ERR_PROTOCOL, "not as wide"},
		{200,
		 "{\"id\":\"a\",\"error\":{\"errorName\":\"SERVER_STARTING_UP\",\"message\":\"starting\"}}",
		 ERR_UNAVAILABLE, "starting"},
		{200,
		 "{\"id\":\"a\",\"error\":{\"failureInfo\":{\"type\":\"java.lang.NullPointerException\"}}}",
		 ERR_INVALID, "NullPointerException"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;

		fault_clear(b->f);
		fault_script(b->f, "POST", "/v1/statement", FAULT_STATUS(cases[i].status),
			     FAULT_BODY(cases[i].body));
		assert_int_equal(run(b, "select 1", NULL, 0, &e), -1);
		if (e.code != cases[i].code || !strstr(e.msg, cases[i].says))
			fail_msg("case %zu: %s: %s", i, err_name(e.code), e.msg);
	}
}

static void a_query_that_nobody_waits_for_is_cancelled_on_the_server(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(QUEUED));
	fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_HOLD);
	fault_always(b->f, "DELETE", "*", FAULT_STATUS(204), FAULT_BODY(""));
	assert_int_equal(run(b, "select 1", NULL, 200 * NS_MS, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(fault_count_of(b->f, "DELETE", "/v1/statement/queued/q1/x/1"), 1);
}

static void a_sink_that_fails_ends_the_query(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	b->stop_at = 1;
	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(RUNNING));
	fault_always(b->f, "DELETE", "*", FAULT_STATUS(204), FAULT_BODY(""));
	assert_int_equal(run(b, "select 1", NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_int_equal(fault_count_of(b->f, "DELETE", "/v1/statement/executing/q1/x/2"), 1);
}

static void ctrl_c(void *arg UNUSED)
{
	kill(getpid(), SIGINT);
}

static void ctrl_c_cancels_the_query_on_the_server(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	struct loop_timer *t = loop_timer_new(b->loop, ctrl_c, NULL);

	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(QUEUED));
	fault_script(b->f, "GET", "/v1/statement/queued/*", FAULT_HOLD);
	fault_always(b->f, "DELETE", "*", FAULT_STATUS(204), FAULT_BODY(""));
	loop_timer_after(t, 100 * NS_MS);
	assert_int_equal(run(b, "select 1", NULL, 0, &e), -1);
	loop_timer_free(t);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(fault_count_of(b->f, "DELETE", "/v1/statement/queued/q1/x/1"), 1);
	assert_int_equal(loop_signalled(b->loop), SIGINT);
}

static void a_header_cannot_be_smuggled_in(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	b->client.user = "me\r\nX-Presto-Role: admin";
	assert_int_equal(run(b, "select 1", NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	err_clear(&e);
	b->client.user = "";
	assert_int_equal(run(b, "select 1", NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(fault_count(b->f), 0);
}

static void one_value_is_one_value(void **state)
{
	static const struct {
		const char *body, *says;
	} wrong[] = {
		{"{\"id\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"bigint\"}],\"data\":[[1],[2]]}",
		 "more than the one"},
		{"{\"id\":\"a\",\"columns\":[{\"name\":\"a\",\"type\":\"bigint\"},{\"name\":\"b\",\"type\":\"bigint\"}],"
		 "\"data\":[[1,2]]}",
		 "more than the one"},
		{"{\"id\":\"a\"}", "no row"},
	};
	struct bench *b = *state;
	struct err e = ERR_INIT;
	json_t *value = NULL;

	fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(VALUE));
	assert_int_equal(presto_sql_value(&value, &b->client, "select 25", 0, &e), 0);
	assert_int_equal(json_integer_value(value), 25);
	json_decref(value);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		fault_script(b->f, "POST", "/v1/statement", FAULT_BODY(wrong[i].body));
		assert_int_equal(presto_sql_value(&value, &b->client, "select", 0, &e), -1);
		assert_non_null(strstr(e.msg, wrong[i].says));
		err_clear(&e);
	}
}

static void info_and_cluster_are_read(void **state)
{
	struct bench *b = *state;
	struct presto_info info;
	struct presto_cluster cluster;
	struct err e = ERR_INIT;

	fault_always(
		b->f, "GET", "/v1/info",
		FAULT_BODY(
			"{\"nodeVersion\":{\"version\":\"312\"},\"environment\":\"lab\",\"coordinator\":true,"
			"\"starting\":false,\"uptime\":\"7.37s\"}"));
	fault_script(
		b->f, "GET", "/v1/cluster",
		FAULT_BODY(
			"{\"runningQueries\":1,\"blockedQueries\":3,\"queuedQueries\":2,\"activeWorkers\":4,"
			"\"reservedMemory\":0.0}"));
	assert_int_equal(presto_info_get(&info, &b->client, &e), 0);
	assert_string_equal(info.version, "312");
	assert_string_equal(info.environment, "lab");
	assert_true(info.coordinator && !info.starting);
	assert_int_equal(presto_cluster_get(&cluster, &b->client, &e), 0);
	assert_memory_equal(&cluster, (&(struct presto_cluster){4, 1, 2, 3}), sizeof(cluster));
	assert_int_equal(presto_cluster_get(&cluster, &b->client, &e), -1); /* 404 */
	assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static int too_late(struct http_resp *r UNUSED, const struct http_req *q UNUSED, void *arg UNUSED,
		    struct err *e)
{
	return err_set(e, ERR_TIMEOUT, "no reply within 5s");
}

static void a_coordinator_too_busy_to_answer_is_worth_another_try(void **state UNUSED)
{
	const struct presto_client c = {.transport = too_late, .user = "me"};
	struct presto_cluster cluster;
	struct err e = ERR_INIT;

	assert_int_equal(presto_cluster_get(&cluster, &c, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static void replies_of_something_else_are_not_taken_for_a_coordinators(void **state UNUSED)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"\"ACTIVE\"",
		"{\"nodeVersion\":{\"version\":7}}",
		"{\"nodeVersion\":{\"version\":\"312\"},\"environment\":\"a\",\"coordinator\":1,\"starting\":false}",
		"{\"activeWorkers\":-1,\"runningQueries\":0,\"queuedQueries\":0,\"blockedQueries\":0}",
		"{\"activeWorkers\":99999999999,\"runningQueries\":0,\"queuedQueries\":0,\"blockedQueries\":0}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct presto_info info;
		struct presto_cluster cluster;
		struct err e = ERR_INIT;

		assert_int_equal(presto_info_decode(&info, texts[i], strlen(texts[i]), &e), -1);
		assert_int_equal(e.code, ERR_PROTOCOL);
		err_clear(&e);
		assert_int_equal(presto_cluster_decode(&cluster, texts[i], strlen(texts[i]), &e),
				 -1);
		assert_int_equal(e.code, ERR_PROTOCOL);
	}
}

#define SQL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SQL_TEST(rows_come_from_every_page_and_columns_once),
		SQL_TEST(an_error_of_the_engine_comes_with_its_position),
		SQL_TEST(a_page_that_cannot_be_had_for_a_moment_is_asked_for_again),
		SQL_TEST(a_statement_is_never_sent_twice),
		SQL_TEST(a_coordinator_that_forgot_the_query_is_said_so),
		SQL_TEST(refusals_are_told_apart),
		SQL_TEST(a_query_that_nobody_waits_for_is_cancelled_on_the_server),
		SQL_TEST(a_sink_that_fails_ends_the_query),
		SQL_TEST(ctrl_c_cancels_the_query_on_the_server),
		SQL_TEST(a_header_cannot_be_smuggled_in),
		SQL_TEST(one_value_is_one_value),
		SQL_TEST(info_and_cluster_are_read),
		cmocka_unit_test(a_coordinator_too_busy_to_answer_is_worth_another_try),
		cmocka_unit_test(replies_of_something_else_are_not_taken_for_a_coordinators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
