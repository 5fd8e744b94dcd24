/* Names that Google would refuse are refused here. */
#include "gke/names.h"
#include "tests/unit/unit.h"

static void names_are_checked_before_anything_is_sent(void **state UNUSED)
{
	static const struct {
		int (*check)(const char *text, struct err *e);
		const char *good[6], *bad[12];
	} cases[] = {
		{gke_check_project,
		 {"demo-proj", "a23456", "example.com:demo-proj"},
		 {"", "short", "123456789012", "Demo-proj", "demo_proj", "demo-proj-",
		  "a234567890123456789012345678901", "demo/proj", "1emo-proj", "x y z a"}},
		{gke_check_location,
		 {"us-central1", "us-central1-a", "northamerica-northeast1-c"},
		 {"", "-", "us", "US-central1", "us-central1-a-b", "us-", "us--a", "us-central1/a",
		  "us-central1-"}},
	};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t n = 0; cases[i].good[n]; n++)
			assert_ok(cases[i].check(cases[i].good[n], &e), &e);
		for (size_t n = 0; cases[i].bad[n]; n++) {
			if (cases[i].check(cases[i].bad[n], &e) == 0)
				fail_msg("\"%s\" was accepted", cases[i].bad[n]);
			assert_true(e.hint[0]);
			assert_fails(-1, &e, ERR_INVALID);
		}
	}
	assert_ok(gke_check_name("demo", "cluster", &e), &e);
	assert_ok(gke_check_name("a234567890123456789012345678901234567890", "cluster", &e), &e);
	static const char *const names[] = {
		"", "UPPER_bad", "1a", "a-", "a_b", "a2345678901234567890123456789012345678901"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_fails(gke_check_name(names[i], "cluster", &e), &e, ERR_INVALID);
	assert_ok(gke_check_label("expires-at", "1795336931", &e), &e);
	assert_ok(gke_check_label("k", "", &e), &e);
	assert_fails(gke_check_label("Key", "v", &e), &e, ERR_INVALID);
	assert_fails(gke_check_label("k", "12:30", &e), &e, ERR_INVALID);
	assert_fails(gke_check_label("1k", "v", &e), &e, ERR_INVALID);
	assert_true(gke_is_zone("us-central1-a") && !gke_is_zone("us-central1"));
	autofree char *region = gke_region_of("us-central1-a"),
		      *same = gke_region_of("us-central1");
	assert_string_equal(region, "us-central1");
	assert_string_equal(same, "us-central1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked_before_anything_is_sent),
	};

	return RUN(tests);
}
