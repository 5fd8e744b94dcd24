/* fuzz_agent.c - whatever is mounted into a pod, the agent reads a property of it within its bounds. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "operator/agent/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	char value[8] = "before", whole[256];
	bool found = etc_property(value, sizeof(value), text, "xmx-ratio");

	MUST(found || strcmp(value, "before") == 0);
	MUST(memchr(value, '\0', sizeof(value)) != NULL);
	if (!found)
		return 0;
	MUST(etc_property(whole, sizeof(whole), text, "xmx-ratio"));
	MUST(strncmp(whole, value, strlen(value)) == 0);
	MUST(!strchr(whole, '\n'));
	return 0;
}
