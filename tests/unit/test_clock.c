#include "tests/unit/unit.h"

#include "base/clock.h"

#define MINUTE (60 * NS_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void clocks_run_and_can_be_faked(void **state UNUSED)
{
	ns_t before = clock_mono();

	assert_true(clock_mono() >= before);
	assert_true(clock_wall() > 1500000000 * NS_SEC);
	clock_fake(5, 7);
	assert_int_equal(clock_mono(), 5);
	assert_int_equal(clock_wall(), 7);
	clock_fake(-1, -1);
	assert_true(clock_mono() >= before);
}

static void times_are_written_in_utc_seconds(void **state UNUSED)
{
	static const struct {
		ns_t wall;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{NS_SEC - 1, "1970-01-01T00:00:00Z"},
		{-1, "1969-12-31T23:59:59Z"},
		{-NS_SEC, "1969-12-31T23:59:59Z"},
		{1564654830 * NS_SEC, "2019-08-01T10:20:30Z"},
		{951782400 * NS_SEC, "2000-02-29T00:00:00Z"},
	};
	char out[TIME_RFC3339_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		time_format(out, cases[i].wall);
		assert_string_equal(out, cases[i].text);
	}
}

static void times_are_read_in_every_rfc3339_form(void **state UNUSED)
{
	static const struct {
		const char *text;
		ns_t wall;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2019-08-01T10:20:30Z", 1564654830 * NS_SEC},
		{"2019-08-01t10:20:30z", 1564654830 * NS_SEC},
		{"2019-08-01T10:20:30.5Z", 1564654830 * NS_SEC + 500 * NS_MS},
		{"2019-08-01T10:20:30.123456789123Z", 1564654830 * NS_SEC + 123456789},
		{"2019-08-01T12:20:30+02:00", 1564654830 * NS_SEC},
		{"2019-08-01T04:50:30-05:30", 1564654830 * NS_SEC},
		{"2000-02-29T00:00:00Z", 951782400 * NS_SEC},
		{"1969-12-31T23:59:59Z", -NS_SEC},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		ns_t got = 0;
		assert_ok(time_parse(&got, cases[i].text, &e), &e);
		assert_int_equal(got, cases[i].wall);
	}
}

static void what_is_not_a_time_is_refused(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		"2019",
		"2019-08-01",
		"2019-08-01T10:20:30",
		"2019-08-01 10:20:30Z",
		"2019-13-01T00:00:00Z",
		"2019-00-01T00:00:00Z",
		"2019-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2019-04-31T00:00:00Z",
		"2019-08-01T24:00:00Z",
		"2019-08-01T10:60:00Z",
		"2019-08-01T10:20:60Z",
		"2019-08-01T10:20:30.Z",
		"2019-08-01T10:20:30+2:00",
		"2019-08-01T10:20:30+24:00",
		"2019-08-01T10:20:30Zx",
		"0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z",
		"+019-08-01T10:20:30Z",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		ns_t got = 42;
		if (time_parse(&got, cases[i], &e) == 0)
			fail_msg("accepted %s", cases[i]);
		assert_int_equal(e.code, ERR_INVALID);
		assert_int_equal(got, 42);
	}
}

static void written_times_are_read_back(void **state UNUSED)
{
	char out[TIME_RFC3339_SIZE];

	for (int64_t s = -3000000000; s < 8000000000; s += 86399 * 113) {
		struct err e = ERR_INIT;
		ns_t got = 0;
		time_format(out, s * NS_SEC);
		assert_ok(time_parse(&got, out, &e), &e);
		assert_int_equal(got, s * NS_SEC);
	}
}

static void durations_are_read_like_go(void **state UNUSED)
{
	static const struct {
		const char *text;
		ns_t want;
	} cases[] = {
		{"0", 0},
		{"0s", 0},
		{"90s", 90 * NS_SEC},
		{"1m30s", 90 * NS_SEC},
		{"500ms", 500 * NS_MS},
		{"2h", 2 * HOUR},
		{"1.5h", 90 * MINUTE},
		{".5s", 500 * NS_MS},
		{"1.s", NS_SEC},
		{"10us", 10 * NS_US},
		{"10\xc2\xb5s", 10 * NS_US},
		{"10\xce\xbcs", 10 * NS_US},
		{"3ns", 3},
		{"1h1m1s1ms1us1ns", HOUR + MINUTE + NS_SEC + NS_MS + NS_US + 1},
		{"0.000000000000000000001h", 0},
		{"2562047h47m16.854775807s", INT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		ns_t got = -1;
		assert_ok(duration_parse(&got, cases[i].text, &e), &e);
		assert_int_equal(got, cases[i].want);
	}
}

static void what_is_not_a_duration_is_refused(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		"5",
		"s",
		".s",
		"-5s",
		"+5s",
		"5 s",
		"5s ",
		"1d",
		"1m30",
		"1h-5m",
		"1e3s",
		"1.2.3s",
		"2562047h47m16.854775808s",
		"9999999999h",
		"99999999999999999999s",
		"10000000000000000000ns",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		ns_t got = 42;
		if (duration_parse(&got, cases[i], &e) == 0)
			fail_msg("accepted %s", cases[i]);
		assert_int_equal(e.code, ERR_INVALID);
		assert_int_equal(got, 42);
	}
}

static void durations_and_ages_are_for_people(void **state UNUSED)
{
	static const struct {
		ns_t d;
		const char *duration, *age;
	} cases[] = {
		{-5, "0s", "0s"},
		{0, "0s", "0s"},
		{850 * NS_MS, "850ms", "0s"},
		{12 * NS_SEC, "12s", "12s"},
		{119 * NS_SEC, "1m59s", "119s"},
		{125 * NS_SEC, "2m05s", "2m5s"},
		{3 * MINUTE, "3m00s", "3m"},
		{10 * MINUTE + NS_SEC, "10m01s", "10m"},
		{3 * HOUR + 10 * MINUTE, "3h10m", "3h10m"},
		{4 * HOUR, "4h00m", "4h"},
		{30 * HOUR, "30h00m", "30h"},
		{3 * DAY + 2 * HOUR, "74h00m", "3d2h"},
		{12 * DAY, "288h00m", "12d"},
		{800 * DAY, "19200h00m", "2y70d"},
		{3650 * DAY, "87600h00m", "10y"},
	};
	char out[DURATION_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		duration_format(out, cases[i].d);
		assert_string_equal(out, cases[i].duration);
		age_format(out, cases[i].d);
		assert_string_equal(out, cases[i].age);
	}
	duration_format(out, INT64_MAX);
	age_format(out, INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_run_and_can_be_faked),
		cmocka_unit_test(times_are_written_in_utc_seconds),
		cmocka_unit_test(times_are_read_in_every_rfc3339_form),
		cmocka_unit_test(what_is_not_a_time_is_refused),
		cmocka_unit_test(written_times_are_read_back),
		cmocka_unit_test(durations_are_read_like_go),
		cmocka_unit_test(what_is_not_a_duration_is_refused),
		cmocka_unit_test(durations_and_ages_are_for_people),
	};

	return RUN(tests);
}
