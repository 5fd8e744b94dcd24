/* test_names.c - names are promises: each of these is a golden one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "presto/names.h"

#define TEN(c) c c c c c c c c c c

static void a_cluster_is_named_after_its_override_or_name_and_uid(void **state UNUSED)
{
	static const struct {
		const char *cluster, *uid, *override, *want;
	} cases[] = {
		{"example", "5c0f4f9e-3a58-4f6b-8b5e-0c6f9a1d2b3c", "", "example-3j6hq3439l"},
		{"example", "5c0f4f9e-3a58-4f6b-8b5e-0c6f9a1d2b3c", NULL, "example-3j6hq3439l"},
		{"a", "00000000-0000-0000-0000-000000000000", "", "a-gssmuyosjc"},
		{"example", "5c0f4f9e-3a58-4f6b-8b5e-0c6f9a1d2b3c", "static", "static"},
		{TEN("c") TEN("c") TEN("c") TEN("c") TEN("c") TEN("c"), "u", "",
		 "cccccccccccccccccccccccccccccccccccccccccccccccccccc-3eyvga2lua"},
	};
	char got[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		name_of(got, cases[i].cluster, cases[i].uid, cases[i].override);
		assert_string_equal(got, cases[i].want);
	}
}

static void a_child_is_cut_to_63_characters_with_a_hash_of_the_whole(void **state UNUSED)
{
	static const struct {
		const char *prefix, *name, *want;
	} cases[] = {
		{"presto-worker", "example-1", "presto-worker-example-1"},
		{"presto-coordinator", TEN("n") TEN("n") TEN("n") TEN("n") "nnnn",
		 "presto-coordinator-" TEN("n") TEN("n") TEN("n") TEN("n") "nnnn"}, /* 63 */
		{"presto-coordinator", TEN("n") TEN("n") TEN("n") TEN("n") TEN("n") TEN("n") "nnn",
		 "presto-coordinator-nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn-4oofxoiwgl"},
		{"presto-worker", TEN("a") TEN("a") TEN("a") "aaaaaaa-" TEN("b") TEN("b"),
		 "presto-worker-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-6cmciz7uwf"},
	};
	char got[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		name_child(got, cases[i].prefix, cases[i].name);
		assert_string_equal(got, cases[i].want);
	}
}

static void two_long_names_stay_two(void **state UNUSED)
{
	char a[NAME_SIZE], b[NAME_SIZE];

	name_child(a, "presto-worker", TEN("x") TEN("x") TEN("x") TEN("x") TEN("x") TEN("x") "a");
	name_child(b, "presto-worker", TEN("x") TEN("x") TEN("x") TEN("x") TEN("x") TEN("x") "b");
	assert_int_equal(strlen(a), NAME_MAX_LEN);
	assert_string_not_equal(a, b);
}

static void environment_keeps_only_what_the_engine_allows(void **state UNUSED)
{
	static const struct {
		const char *environment, *name, *want;
	} cases[] = {
		{"production", "example-1", "production"},
		{"", "example-99u5jplkjz", "example99u5jplkjz"},
		{NULL, "a-b-c", "abc"},
	};
	char got[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		name_environment(got, cases[i].environment, cases[i].name);
		assert_string_equal(got, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_is_named_after_its_override_or_name_and_uid),
		cmocka_unit_test(a_child_is_cut_to_63_characters_with_a_hash_of_the_whole),
		cmocka_unit_test(two_long_names_stay_two),
		cmocka_unit_test(environment_keeps_only_what_the_engine_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
