/* fuzz_gke_version.c - a wish and a channel, each on a line, and what a location might say that it offers. */
#include <stdlib.h>
#include <string.h>

#include "provision/gke_version.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = NULL;
	autojson json_t *server = NULL;
	struct err e = ERR_INIT;
	char out[GKE_VERSION_SIZE], *wanted, *channel, *rest;

	if (size > (1u << 16))
		return 0;
	text = xmalloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	rest = text;
	wanted = strsep(&rest, "\n");
	channel = rest ? strsep(&rest, "\n") : NULL;
	if (!rest || jx_parse(&server, rest, strlen(rest), "f", &e) < 0)
		return 0;
	if (gke_version_resolve(out, server, *channel ? channel : NULL, wanted, &e) < 0)
		MUST(e.code == ERR_INVALID && e.hint[0]);
	else
		MUST(strlen(out) < sizeof(out));
	return 0;
}
