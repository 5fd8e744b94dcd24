/* fuzz_quantity.c - amounts: never negative, and consistent between units. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "base/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	struct err e = ERR_INIT;
	int64_t bytes = -1, milli = -1;
	char out[QUANTITY_SIZE];

	MUST(quantity_equal(text, text));
	bool is_bytes = quantity_to_bytes(&bytes, text, &e) == 0;
	MUST(is_bytes ? bytes >= 0 : e.code == ERR_INVALID && bytes == -1);
	err_clear(&e);
	bool is_milli = quantity_to_milli(&milli, text, &e) == 0;
	MUST(is_milli ? milli >= 0 : e.code == ERR_INVALID && milli == -1);
	if (!is_milli)
		return 0;
	MUST(is_bytes);
	/* Both round up: the whole number is the ceiling of the thousandths. */
	MUST(bytes == milli / 1000 + (milli % 1000 != 0));
	autofree char *exact = xasprintf("%lldm", (long long)milli);
	int64_t back = -1;
	err_clear(&e);
	MUST(quantity_to_milli(&back, exact, &e) == 0 && back == milli);
	quantity_format_bytes(out, bytes);
	quantity_format_milli(out, milli);
	MUST(quantity_equal(out, exact));
	return 0;
}
