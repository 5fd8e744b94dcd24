#include "tests/unit/unit.h"

static void take_leaves_null_behind(void **state UNUSED)
{
	autofree char *s = xstrdup("x");
	char *mine = TAKE(s);

	assert_null(s);
	assert_string_equal(mine, "x");
	free(mine);
}

static void zero_sizes_give_memory(void **state UNUSED)
{
	autofree void *a = xmalloc(0);
	autofree void *b = xcalloc(0, 8);
	autofree void *c = xreallocarray(NULL, 0, 8);

	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
}

static void texts_are_copied_and_formatted(void **state UNUSED)
{
	autofree char *a = xstrndup("abcdef", 3);
	autofree char *b = xstrndup("ab", 9);
	autofree char *c = xasprintf("%s-%d", "x", 5);

	assert_string_equal(a, "abc");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "x-5");
}

static void wiping_clears_every_byte(void **state UNUSED)
{
	char secret[] = "secret", zero[sizeof(secret)] = {0};

	mem_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zero, sizeof(secret));
	mem_wipe(NULL, 5);
}

static void prefixes_and_suffixes(void **state UNUSED)
{
	assert_true(starts_with("abc", "ab"));
	assert_true(starts_with("abc", ""));
	assert_false(starts_with("ab", "abc"));
	assert_true(ends_with("abc", "bc"));
	assert_false(ends_with("bc", "abc"));
	assert_true(streq(NULL, NULL));
	assert_false(streq(NULL, "a"));
}

static void utf8_characters_are_measured(void **state UNUSED)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{"a", 1},
		{"\xc3\xa9", 2},
		{"\xe2\x82\xac", 3},
		{"\xf0\x9f\x98\x80", 4},
		{"\xc0\x80", 0},         /* overlong */
		{"\xe0\x80\x80", 0},     /* overlong */
		{"\xed\xa0\x80", 0},     /* surrogate */
		{"\xf4\x90\x80\x80", 0}, /* beyond Unicode */
		{"\xf0\x80\x80\x80", 0}, /* overlong */
		{"\xff", 0},
		{"\x80", 0},
		{"\xe2\x82", 0}, /* cut */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(utf8_char(cases[i].text), cases[i].n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_leaves_null_behind),
		cmocka_unit_test(zero_sizes_give_memory),
		cmocka_unit_test(texts_are_copied_and_formatted),
		cmocka_unit_test(wiping_clears_every_byte),
		cmocka_unit_test(prefixes_and_suffixes),
		cmocka_unit_test(utf8_characters_are_measured),
	};

	return RUN(tests);
}
