#include "tests/unit/unit.h"

#include "base/buf.h"

static void appends_grow_and_end_in_nul(void **state UNUSED)
{
	AUTO(buf_release) struct buf b = BUF_INIT(100000);
	struct err e = ERR_INIT;

	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		assert_ok(buf_addf(&b, &e, "%04d,", i), &e);
	assert_int_equal(b.len, 5000);
	assert_int_equal(b.data[b.len], '\0');
	assert_true(starts_with(buf_str(&b), "0000,0001,"));
	assert_true(ends_with(buf_str(&b), "0999,"));
}

static void an_append_over_the_limit_changes_nothing(void **state UNUSED)
{
	AUTO(buf_release) struct buf b = BUF_INIT(5);
	struct err e = ERR_INIT;

	assert_ok(buf_adds(&b, "12345", &e), &e);
	assert_int_equal(buf_add(&b, "6", 1, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_has(e.msg, "5 bytes");
	err_clear(&e);
	assert_fails(buf_addf(&b, &e, "%d", 6), &e, ERR_INVALID);
	assert_string_equal(buf_str(&b), "12345");
	assert_ok(buf_add(&b, "", 0, &e), &e);
}

static void a_limit_of_zero_takes_only_nothing(void **state UNUSED)
{
	AUTO(buf_release) struct buf b = BUF_INIT(0);
	struct err e = ERR_INIT;

	assert_ok(buf_adds(&b, "", &e), &e);
	assert_fails(buf_adds(&b, "x", &e), &e, ERR_INVALID);
}

static void dropping_moves_the_rest_to_the_front(void **state UNUSED)
{
	AUTO(buf_release) struct buf b = BUF_INIT(10);

	buf_fit(&b, "abcdef");
	buf_drop(&b, 0);
	buf_drop(&b, 4);
	assert_string_equal(buf_str(&b), "ef");
	buf_drop(&b, 2);
	assert_string_equal(buf_str(&b), "");
}

static void taking_hands_the_text_over(void **state UNUSED)
{
	AUTO(buf_release) struct buf b = BUF_INIT(10);
	autofree char *empty = buf_take(&b);

	buf_fit(&b, "%s", "abc");
	autofree char *text = buf_take(&b);
	assert_string_equal(empty, "");
	assert_string_equal(text, "abc");
	assert_int_equal(b.len, 0);
	buf_fit(&b, "again");
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
}

static void zero_bytes_are_content(void **state UNUSED)
{
	AUTO(buf_release) struct buf b = BUF_INIT(10);
	struct err e = ERR_INIT;

	assert_ok(buf_add(&b, "a\0b", 3, &e), &e);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_grow_and_end_in_nul),
		cmocka_unit_test(an_append_over_the_limit_changes_nothing),
		cmocka_unit_test(a_limit_of_zero_takes_only_nothing),
		cmocka_unit_test(dropping_moves_the_rest_to_the_front),
		cmocka_unit_test(taking_hands_the_text_over),
		cmocka_unit_test(zero_bytes_are_content),
	};

	return RUN(tests);
}
