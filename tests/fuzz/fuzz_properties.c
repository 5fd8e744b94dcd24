/* fuzz_properties.c - a merge says every key once, and merging its result again changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "operator/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size), *once = NULL, *twice = NULL;
	struct err e = ERR_INIT;

	if (properties_merge(&once, "coordinator=true\nx=1\n", text, &e) < 0) {
		MUST(e.code == ERR_INVALID);
		return 0;
	}
	MUST(properties_has(once, "coordinator"));
	MUST(properties_merge(&twice, once, "", &e) == 0);
	MUST(strcmp(once, twice) == 0);
	return 0;
}
