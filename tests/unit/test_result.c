/* test_result.c - results as people and programs read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "provision/result.h"
#include "provision/text_width.h"

static char *print(enum result_format format, const char *rows)
{
	static const struct sql_column columns[] = {{"id", "bigint"}, {"name", "varchar(25)"}};
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t size = 0, i;
	FILE *to = open_memstream(&text, &size);
	struct result *r = result_new(format, to);
	struct sql_sink sink = result_sink(r);
	autojson json_t *list = json_loads(rows, JSON_DECODE_ANY, NULL);
	const json_t *row;

	assert_int_equal(sink.columns(columns, 2, sink.arg, &e), 0);
	json_array_foreach (list, i, row)
		assert_int_equal(sink.row(row, sink.arg, &e), 0);
	assert_int_equal(result_end(r, &e), 0);
	assert_int_equal(result_rows(r), json_array_size(list));
	result_free(r);
	fclose(to);
	return text;
}

static void table_aligns_numbers_right_and_texts_left(void **state UNUSED)
{
	autofree char *text = print(RESULT_TABLE, "[[1,\"ALGERIA\"],[10,\"日本\"],[2,null]]");

	assert_string_equal(text, " id | name\n"
				  "----+--------\n"
				  "  1 | ALGERIA\n"
				  " 10 | 日本\n"
				  "  2 | \n"
				  "(3 rows)\n");
}

static void table_without_rows_still_has_a_head(void **state UNUSED)
{
	autofree char *text = print(RESULT_TABLE, "[]");

	assert_string_equal(text, " id | name\n----+-----\n(0 rows)\n");
}

static void table_goes_on_after_the_rows_it_measured(void **state UNUSED)
{
	AUTO(buf_release) struct buf rows = BUF_INIT(1 << 20);
	autofree char *text = NULL;
	int lines = 0;

	for (int i = 0; i < 1200; i++)
		buf_fit(&rows, "%c[%d,\"x\"]", i ? ',' : '[', i);
	buf_fit(&rows, "]");
	text = print(RESULT_TABLE, rows.data);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 1200 + 3);
	assert_non_null(strstr(text, "(1200 rows)"));
}

static void table_cells_cannot_command_the_terminal(void **state UNUSED)
{
	autofree char *text = print(RESULT_TABLE, "[[1,\"a\\u001b[2Jb\\nc\"]]");

	assert_non_null(strstr(text, "a\\x1b[2Jb\\nc\n"));
}

static void csv_quotes_what_needs_it_and_tells_null_from_empty(void **state UNUSED)
{
	autofree char *text = print(
		RESULT_CSV, "[[1,\"a,b\"],[2,\"say \\\"hi\\\"\"],[3,null],[4,\"\"],[5,\"x\\ny\"]]");

	assert_string_equal(
		text,
		"id,name\r\n1,\"a,b\"\r\n2,\"say \"\"hi\"\"\"\r\n3,\r\n4,\"\"\r\n5,\"x\ny\"\r\n");
}

static void json_is_one_object_a_line(void **state UNUSED)
{
	autofree char *text = print(RESULT_JSON, "[[1,\"a\\\"b\"],[null,[1,{\"k\":0.1}]]]");

	assert_string_equal(
		text, "{\"id\":1,\"name\":\"a\\\"b\"}\n{\"id\":null,\"name\":[1,{\"k\":0.1}]}\n");
}

static void doubles_are_as_short_as_they_are_exact(void **state UNUSED)
{
	static const struct {
		double value;
		const char *want;
	} cases[] = {{0.1, "0.1"},
		     {1.0, "1.0"},
		     {1e100, "1e100"},
		     {1.0 / 3, "0.3333333333333333"},
		     {0.1 + 0.2, "0.30000000000000004"}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *v = json_real(cases[i].value);
		autofree char *text = result_cell(v);

		assert_string_equal(text, cases[i].want);
	}
}

static void width_is_what_a_terminal_shows(void **state UNUSED)
{
	static const struct {
		const char *text;
		size_t want;
	} cases[] = {{"", 0},     {"abc", 3},      {"é", 1},       {"e\xcc\x81", 1},
		     {"日本", 4}, {"\xff\xfe", 2}, {"\xe6\x97", 2}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(text_width(cases[i].text), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_aligns_numbers_right_and_texts_left),
		cmocka_unit_test(table_without_rows_still_has_a_head),
		cmocka_unit_test(table_goes_on_after_the_rows_it_measured),
		cmocka_unit_test(table_cells_cannot_command_the_terminal),
		cmocka_unit_test(csv_quotes_what_needs_it_and_tells_null_from_empty),
		cmocka_unit_test(json_is_one_object_a_line),
		cmocka_unit_test(doubles_are_as_short_as_they_are_exact),
		cmocka_unit_test(width_is_what_a_terminal_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
