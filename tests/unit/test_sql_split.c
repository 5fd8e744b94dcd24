/* test_sql_split.c - a script is cut where a statement ends, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "presto/sql.h"

static void statements_end_at_semicolons_outside_quotes_and_comments(void **state UNUSED)
{
	static const struct {
		const char *script, *want[4];
	} cases[] = {
		{"", {NULL}},
		{" ;; \n ; ", {NULL}},
		{"-- nothing\n/* at; all */ ;", {NULL}},
		{"select 1", {"select 1"}},
		{"select 1;", {"select 1"}},
		{" select 1 ;\n select 2 ", {"select 1", "select 2"}},
		{"select 'a;b';select 2", {"select 'a;b'", "select 2"}},
		{"select 'it''s; fine';select 2", {"select 'it''s; fine'", "select 2"}},
		{"select \"a;\"\";b\" from t;", {"select \"a;\"\";b\" from t"}},
		{"select 1 -- one; or two\n, 2;", {"select 1 -- one; or two\n, 2"}},
		{"select 1 /* ' ; */; select 2", {"select 1 /* ' ; */", "select 2"}},
		{"select 4 - -1; select 4/2", {"select 4 - -1", "select 4/2"}},
		{"select '--';select '/*';", {"select '--'", "select '/*'"}},
		{"select 1 --", {"select 1 --"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char **got;
		size_t n = 0;
		struct err e = ERR_INIT;

		if (sql_split(&got, cases[i].script, &e) < 0)
			fail_msg("\"%s\": %s", cases[i].script, e.msg);
		for (; got[n]; n++) {
			assert_non_null(cases[i].want[n]);
			assert_string_equal(got[n], cases[i].want[n]);
		}
		assert_null(cases[i].want[n]);
		sql_split_free(got);
	}
}

static void what_has_no_end_is_refused_with_its_line(void **state UNUSED)
{
	static const struct {
		const char *script, *says;
	} cases[] = {
		{"select 'a", "line 1: a quote without an end"},
		{"select 1;\nselect \"a", "line 2: a quote without an end"},
		{"select 1\n\n/* open", "line 3: a comment without an end"},
		{"/*/", "line 1: a comment without an end"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char **got = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(sql_split(&got, cases[i].script, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		assert_string_equal(e.msg, cases[i].says);
		assert_null(got);
	}
}

static void a_script_of_too_many_statements_is_refused(void **state UNUSED)
{
	autofree char *script = xcalloc(1, 2 * 10001 + 1);
	char **got = NULL;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < 10001; i++)
		script[2 * i] = i % 2 ? '2' : '1', script[2 * i + 1] = ';';
	assert_int_equal(sql_split(&got, script, &e), -1);
	assert_string_equal(e.msg, "more than 10000 statements");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_end_at_semicolons_outside_quotes_and_comments),
		cmocka_unit_test(what_has_no_end_is_refused_with_its_line),
		cmocka_unit_test(a_script_of_too_many_statements_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
