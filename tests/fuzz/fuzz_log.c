/* fuzz_log.c - redaction: never longer, and the secret is gone. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char secret[] = "s3cr3t-value";
	autofree char *text = xstrndup((const char *)data, size);
	size_t before = strlen(text);

	log_secret(secret);
	log_redact(text);
	MUST(strlen(text) <= before);
	MUST(!strstr(text, secret));
	return 0;
}
