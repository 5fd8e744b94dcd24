/* fuzz_http.c - texts of the peer and URLs: header lines, Retry-After, targets. */
#include <stdlib.h>
#include <string.h>

#include "base/http_internal.h"
#include "tests/fuzz/fuzz.h"

static void add_headers(const char *text, size_t len)
{
	struct http_resp r = {.headers = BUF_INIT(4096)};
	struct err e = ERR_INIT;
	char value[64];

	while (len > 0 && e.code == ERR_OK) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) + 1 : len;

		if (http_header_add(&r.headers, text, n, &e) == 0 && r.headers.len)
			MUST(r.headers.data[r.headers.len - 1] == '\n');
		text += n;
		len -= n;
	}
	if (http_header(&r, "retry-after", value, sizeof(value))) {
		ns_t delay = http_retry_after(value, 1564654830 * NS_SEC);

		MUST(delay >= 0 && delay <= HTTP_RETRY_CEILING);
	}
	http_resp_release(&r);
}

static void look_at_url(const char *url)
{
	char name[] = "tls.name";
	const struct http identities[] = {
		{.plain = HTTP_PLAIN_NEVER},
		{.plain = HTTP_PLAIN_ANY, .server_name = name},
	};

	for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
		AUTO(http_target_release) struct http_target t = {0};
		struct err e = ERR_INIT;

		if (http_target_init(&t, &identities[i], url, &e) < 0)
			continue;
		MUST(t.url && !strchr(t.name, '?'));
		MUST(!t.plain || identities[i].plain == HTTP_PLAIN_ANY);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmalloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	add_headers(text, size);
	look_at_url(text);
	return 0;
}
