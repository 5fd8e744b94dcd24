/* fuzz_gke_error.c - refusals: any text becomes an error with words, and tables have only what was said. */
#include <stdlib.h>
#include <string.h>

#include "gke/error.h"
#include "tests/fuzz/fuzz.h"

static void look(const struct gke_error *x)
{
	struct buf detail = BUF_INIT(16u << 10);
	struct err e = ERR_INIT;

	MUST(gke_error_set(x, "me@example.com", &detail, &e) == -1);
	MUST(e.code != ERR_OK && e.msg[0] && e.retry_after >= 0);
	MUST(x->n_quotas <= GKE_MAX_QUOTAS);
	for (size_t i = 0; i < x->n_quotas; i++)
		MUST(x->quotas[i].metric[0]);
	MUST(!x->n_quotas || x->cause != GKE_CAUSE_QUOTA || detail.len);
	buf_release(&detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int codes[] = {0, 302, 400, 401, 403, 404, 409, 412, 429, 500, 503};
	autofree char *text = NULL;
	struct gke_error x;

	if (size > (1u << 16))
		return 0;
	text = xmalloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		gke_error_decode(&x, codes[i], text, size);
		look(&x);
	}
	gke_error_text(&x, "GCE_QUOTA_EXCEEDED", text);
	look(&x);
	return 0;
}
