/* test_agent.c - the pure parts of presto-agent; the process itself is tested in
 * tests/integration/test_agent.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "operator/agent/agent.h"

static void property_finds_the_last_of_a_key(void **state UNUSED)
{
	static const struct {
		const char *text, *key, *want;
	} cases[] = {
		{"a=1\nb=2\n", "b", "2"},
		{"a=1\na=2\n", "a", "2"},
		{"  a  =  x y  \r\n", "a", "x y"},
		{"a: 1", "a", "1"},
		{"#a=1\nab=2\n", "a", NULL},
		{"a\n", "a", NULL},
		{"", "a", NULL},
		{"a=", "a", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char value[32] = "untouched";
		bool found = etc_property(value, sizeof(value), cases[i].text, cases[i].key);

		assert_int_equal(found, cases[i].want != NULL);
		assert_string_equal(value, cases[i].want ? cases[i].want : "untouched");
	}
}

static void property_is_cut_to_the_room_there_is(void **state UNUSED)
{
	char value[4];

	assert_true(etc_property(value, sizeof(value), "k=abcdef", "k"));
	assert_string_equal(value, "abc");
}

/* Computed with Python's hashlib: a change of this value would roll every living cluster. */
static void checksum_never_changes(void **state UNUSED)
{
	char path[2][16] = {"etc/a", "catalog/b"}, bytes[2][16] = {"x=1\n", ""};
	struct agent_file list[] = {{path[0], bytes[0], 4}, {path[1], bytes[1], 0}};
	const struct agent_files files = {list, 2};
	char hex[SHA256_HEX_SIZE];

	files_checksum(&files, hex);
	assert_string_equal(hex,
			    "94c89ac662c24f2eedf029d20abf9475d1254285b0247908818c7eaa4d7c7d0f");
}

static void checksum_tells_where_a_file_ends(void **state UNUSED)
{
	char path[16] = "etc/a", one[16] = "1", two[16] = "12";
	struct agent_file list[] = {{path, one, 1}}, other[] = {{path, two, 2}};
	char hex[2][SHA256_HEX_SIZE];

	files_checksum(&(const struct agent_files){list, 1}, hex[0]);
	files_checksum(&(const struct agent_files){other, 1}, hex[1]);
	assert_string_not_equal(hex[0], hex[1]);
}

static void node_total_is_a_machine(void **state UNUSED)
{
	assert_true(etc_node_total() > 64 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_finds_the_last_of_a_key),
		cmocka_unit_test(property_is_cut_to_the_room_there_is),
		cmocka_unit_test(checksum_never_changes),
		cmocka_unit_test(checksum_tells_where_a_file_ends),
		cmocka_unit_test(node_total_is_a_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
