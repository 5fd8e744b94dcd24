/* fuzz_time.c - times and durations: what is read can be written and read again. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "base/clock.h"

static void time_text(const char *text)
{
	struct err e = ERR_INIT;
	char out[TIME_RFC3339_SIZE];
	ns_t wall, again;

	if (time_parse(&wall, text, &e) < 0) {
		MUST(e.code == ERR_INVALID);
		return;
	}
	time_format(out, wall);
	MUST(time_parse(&again, out, &e) == 0);
	MUST(wall - again >= 0 && wall - again < NS_SEC);
}

static void duration_text(const char *text)
{
	struct err e = ERR_INIT;
	char out[DURATION_SIZE];
	ns_t d, again;

	if (duration_parse(&d, text, &e) < 0) {
		MUST(e.code == ERR_INVALID);
		return;
	}
	MUST(d >= 0);
	age_format(out, d);
	duration_format(out, d);
	MUST(duration_parse(&again, out, &e) == 0 && again <= d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);

	time_text(text);
	duration_text(text);
	return 0;
}
