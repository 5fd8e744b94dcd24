#include "tests/unit/unit.h"

#include "base/suggest.h"

static void the_nearest_word_or_none(void **state UNUSED)
{
	static const char *const words[] = {
		"worker", "workers", "coordinator", "additionalCatalogs", "up", ""};
	static const struct {
		const char *got, *want;
	} cases[] = {
		{"wroker", "worker"},
		{"WORKER", "worker"},
		{"workerz", "worker"},
		{"workers", "workers"},
		{"cordinator", "coordinator"},
		{"additionalCatalog", "additionalCatalogs"},
		{"ip", "up"},
		{"pu", "up"},
		{"banana", NULL},
		{"coord", NULL},
		{"xyz", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *found = suggest(cases[i].got, words, ARRAY_LEN(words));
		if (!streq(found, cases[i].want))
			fail_msg("%s: %s", cases[i].got, found ? found : "none");
	}
	assert_null(suggest("x", NULL, 0));
}

static void very_long_words_are_left_alone(void **state UNUSED)
{
	char longer[500];
	const char *words[] = {longer, "ab"};

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(suggest(longer, words, 2));
	assert_string_equal(suggest("ac", words, 2), "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_word_or_none),
		cmocka_unit_test(very_long_words_are_left_alone),
	};

	return RUN(tests);
}
