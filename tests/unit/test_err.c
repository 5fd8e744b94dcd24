#include "tests/unit/unit.h"

#include <errno.h>

static void set_fills_everything_and_returns_minus_one(void **state UNUSED)
{
	struct err e = ERR_INIT;

	assert_int_equal(err_set(&e, ERR_DENIED, "%s: %d", "x", 7), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_string_equal(e.msg, "x: 7");
	assert_string_equal(e.hint, "");
}

static void wrap_puts_context_in_front_and_keeps_the_rest(void **state UNUSED)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_THROTTLED, "inner");
	e.http = 429;
	e.retry_after = NS_SEC;
	err_hint(&e, "wait");
	assert_int_equal(err_wrap(&e, "outer %d", 1), -1);
	assert_string_equal(e.msg, "outer 1: inner");
	assert_int_equal(e.http, 429);
	assert_int_equal(e.retry_after, NS_SEC);
	assert_string_equal(e.hint, "wait");
}

static void the_first_hint_stays(void **state UNUSED)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_IO, "x");
	err_hint(&e, "first");
	err_hint(&e, "second");
	assert_string_equal(e.hint, "first");
}

static void wrapping_without_room_keeps_the_cause(void **state UNUSED)
{
	struct err e = ERR_INIT;
	char longer[600];

	memset(longer, 'o', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&e, ERR_IO, "the cause");
	for (int i = 0; i < 5; i++)
		err_wrap(&e, "%s", longer);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_true(ends_with(e.msg, "oo: the cause"));
}

static void a_cut_message_ends_at_a_character(void **state UNUSED)
{
	struct err e = ERR_INIT;
	char text[600] = "";

	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xF0\x9F\x98\x80", 5);
		err_clear(&e);
		err_set(&e, ERR_IO, "%s", text);
		assert_in_range(strlen(e.msg), sizeof(e.msg) - 4, sizeof(e.msg) - 1);
		assert_int_equal((strlen(e.msg) - shift) % 4, 0);
		err_clear(&e);
		err_set(&e, ERR_IO, "in");
		err_wrap(&e, "%s", text);
		assert_true(ends_with(e.msg, "\xF0\x9F\x98\x80: in"));
	}
}

static void messages_are_one_line_of_utf8_whatever_went_in(void **state UNUSED)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_IO, "%s", "a\nb\x1b[31m\xff\xc3/\xc3\xa9");
	assert_string_equal(e.msg, "a b [31m?"
				   "?/\xc3\xa9");
}

static void every_code_has_a_name(void **state UNUSED)
{
	for (int c = ERR_OK; c <= ERR_INTERNAL; c++)
		assert_string_not_equal(err_name((enum err_code)c), "unknown");
	assert_string_equal(err_name((enum err_code)99), "unknown");
}

static void errno_becomes_a_code(void **state UNUSED)
{
	static const struct {
		int errnum;
		enum err_code code;
	} cases[] = {
		{ENOENT, ERR_NOT_FOUND},  {EACCES, ERR_DENIED}, {EEXIST, ERR_EXISTS},
		{ETIMEDOUT, ERR_TIMEOUT}, {ENOSPC, ERR_QUOTA},  {ECONNREFUSED, ERR_UNAVAILABLE},
		{EISDIR, ERR_INVALID},    {EIO, ERR_IO},        {12345, ERR_IO},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(err_errno(cases[i].errnum), cases[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_everything_and_returns_minus_one),
		cmocka_unit_test(wrap_puts_context_in_front_and_keeps_the_rest),
		cmocka_unit_test(the_first_hint_stays),
		cmocka_unit_test(wrapping_without_room_keeps_the_cause),
		cmocka_unit_test(a_cut_message_ends_at_a_character),
		cmocka_unit_test(messages_are_one_line_of_utf8_whatever_went_in),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(errno_becomes_a_code),
	};

	return RUN(tests);
}
