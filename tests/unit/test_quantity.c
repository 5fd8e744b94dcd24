#include "tests/unit/unit.h"

#include "base/quantity.h"

static void amounts_become_bytes(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{"0", 0},
		{"1", 1},
		{"00012", 12},
		{"512Mi", 512ll << 20},
		{"0.5Gi", 512ll << 20},
		{".5Gi", 512ll << 20},
		{"5.", 5},
		{"1500M", 1500000000},
		{"1e9", 1000000000},
		{"1E9", 1000000000},
		{"1e+9", 1000000000},
		{"15e-1", 2},
		{"1E", 1000000000000000000},
		{"2k", 2000},
		{"7Ei", 7ll << 60},
		{"1Pi", 1ll << 50},
		{"1Ti", 1ll << 40},
		{"100m", 1},
		{"1500m", 2},
		{"1u", 1},
		{"1n", 1},
		{"0n", 0},
		{"1.0000000000000000000", 1},
		{"1.0000000000000000001", 2},
		{"0.000000000000000000000000000001", 1},
		{"9223372036854775807", INT64_MAX},
		{"0e999999999999", 0},
		{"1e-999999999999", 1},
		{"100000000000000000000000e-20", 1000},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		int64_t got = -1;
		assert_ok(quantity_to_bytes(&got, cases[i].text, &e), &e);
		assert_int_equal(got, cases[i].want);
	}
}

static void amounts_become_thousandths(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{"2", 2000}, {"250m", 250},   {"0.5", 500},     {"1.0001", 1001},
		{"1u", 1},   {"1k", 1000000}, {"1Ki", 1024000}, {"9223372036854775807m", INT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		int64_t got = -1;
		assert_ok(quantity_to_milli(&got, cases[i].text, &e), &e);
		assert_int_equal(got, cases[i].want);
	}
}

static void refuses_what_is_no_amount_and_keeps_out(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		".",
		"Gi",
		"-1",
		"+1",
		"1 Gi",
		" 1",
		"1gi",
		"1GI",
		"1K",
		"1ki",
		"1Mib",
		"1e",
		"1e+",
		"1ee3",
		"1.2.3",
		"0x10",
		"1,5",
		"1e3Ki",
		"Inf",
		"NaN",
		"1\xc2\xb5",
		/* too large */
		"9000000000Gi",
		"8Ei",
		"9223372036854775808",
		"1e19",
		"1e999999999999",
		"9.3E",
		/* more digits than any amount has */
		"123456789012345678901234567890",
		"1.000000000000000000000000001",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		int64_t got = 7;
		if (quantity_to_bytes(&got, cases[i], &e) == 0)
			fail_msg("accepted %s", cases[i]);
		assert_int_equal(e.code, ERR_INVALID);
		assert_int_equal(got, 7);
	}
}

static void equality_is_by_value(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"1Gi", "1024Mi", true}, {"1", "1000m", true},     {"0.5", "500m", true},
		{"1e3", "1k", true},     {"1", "1.000", true},     {"0", "0Gi", true},
		{"1n", "0.1n", true},    {"1Gi", "1G", false},     {"1", "2", false},
		{"junk", "junk", true},  {"junk", "other", false}, {"1", "junk", false},
		{"8Ei", "8Ei", true},    {"-1", "-1", true},       {"-1", "-1000m", false},
		{"7Ei", "7168Pi", true}, {"", "", true},           {"", "0", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (quantity_equal(cases[i].a, cases[i].b) != cases[i].equal)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
}

static void formatted_for_people(void **state UNUSED)
{
	static const struct {
		int64_t n;
		const char *bytes, *milli;
	} cases[] = {
		{0, "0", "0"},
		{250, "250", "250m"},
		{1000, "1000", "1"},
		{1024, "1Ki", "1.024"},
		{1500, "1.46Ki", "1.5"},
		{102400, "100Ki", "102.4"},
		{3ll << 29, "1.5Gi", "1610612.736"},
		{512ll << 20, "512Mi", "536870.912"},
		{(1ll << 20) - 1, "1Mi", "1048.575"},
		{(1ll << 60) - 1, "1Ei", "1152921504606846.975"},
		{INT64_MAX, "8Ei", "9223372036854775.807"},
		{-2048, "-2Ki", "-2.048"},
		{INT64_MIN, "-8Ei", "-9223372036854775.808"},
	};
	char out[QUANTITY_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		quantity_format_bytes(out, cases[i].n);
		assert_string_equal(out, cases[i].bytes);
		quantity_format_milli(out, cases[i].n);
		assert_string_equal(out, cases[i].milli);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amounts_become_bytes),
		cmocka_unit_test(amounts_become_thousandths),
		cmocka_unit_test(refuses_what_is_no_amount_and_keeps_out),
		cmocka_unit_test(equality_is_by_value),
		cmocka_unit_test(formatted_for_people),
	};

	return RUN(tests);
}
