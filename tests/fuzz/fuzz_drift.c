/* fuzz_drift.c - any two trees: the walk ends, and projections take whatever comes. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "operator/drift.h"
#include "operator/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = memchr(data, '\n', size);
	size_t first = cut ? (size_t)(cut - data) : size;
	autojson json_t *a = NULL, *b = NULL, *part = NULL, *foreign = NULL;
	struct err e = ERR_INIT;
	struct child child = {0};
	struct pod pod = {0};
	struct cr cr = {0};

	if (jx_parse(&a, (const char *)data, first, "a", &e) < 0 || !json_is_object(a))
		return 0;
	if (!cut || jx_parse(&b, (const char *)cut + 1, size - first - 1, "b", &e) < 0)
		b = json_incref(a);
	(void)drift_covers(a, b, NULL, 0);
	part = drift_restrict(a, b);
	foreign = drift_foreign(a, b);
	if (child_facts(&child, CHILD_DEPLOYMENT, b) == 0)
		child_release(&child);
	if (pod_project(&pod, b) == 0)
		pod_release(&pod);
	if (cr_project(&cr, b) == 0)
		cr_release(&cr);
	return 0;
}
