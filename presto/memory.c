/* memory.c - runs in the operator, in prestoctl and, without libc extras, in the agent. */
#include "presto/memory.h"

#include <inttypes.h>

#define MIB      ((int64_t)1 << 20)
#define HEAP_MIN (64 * MIB)

/*
 * Whole MiB of a part. Ratios are decimal fractions that binary floating point cannot hold, so
 * 0.29 of 100 MiB comes out a hair under 29: the tiny addition brings it back.
 */
static int64_t part_of(int64_t bytes, double ratio)
{
	double mib = (double)bytes / (double)MIB * ratio;

	return (int64_t)(mib + 1e-6) * MIB;
}

static int check_ratios(const struct memory_ratios *r, struct err *e)
{
	/* Written so that NaN fails too. */
	if (!(r->xmx_to_total > 0 && r->xmx_to_total <= 1))
		return err_set(e, ERR_INVALID,
			       "xmxToTotalMemoryRatio must be greater than 0 and at most 1, not %g",
			       r->xmx_to_total);
	if (!(r->heap_headroom >= 0 && r->heap_headroom < 1))
		return err_set(
			e, ERR_INVALID,
			"heapHeadroomPerNodeRatio must be at least 0 and less than 1, not %g",
			r->heap_headroom);
	if (!(r->query_max_total_per_node > 0 && r->query_max_total_per_node <= 1))
		return err_set(e, ERR_INVALID,
			       "queryMaxTotalMemoryPerNodePoolFraction must be greater than 0 and "
			       "at most 1, not %g",
			       r->query_max_total_per_node);
	return 0;
}

int memory_plan_of(struct memory_plan *out, int64_t total, const struct memory_ratios *r,
		   struct err *e)
{
	struct memory_plan plan;

	if (check_ratios(r, e) < 0)
		return -1;
	plan.xmx = total > 0 ? part_of(total, r->xmx_to_total) : 0;
	if (plan.xmx < HEAP_MIN) {
		err_set(e, ERR_INVALID,
			"%" PRId64 " MiB of memory leave a heap of %" PRId64
			" MiB, less than the %" PRId64 " MiB that a node needs",
			total / MIB, plan.xmx / MIB, HEAP_MIN / MIB);
		return err_hint(e, "raise memoryAllocation or xmxToTotalMemoryRatio");
	}
	plan.heap_headroom_per_node = part_of(plan.xmx, r->heap_headroom);
	plan.query_max_total_memory_per_node = part_of(plan.xmx, r->query_max_total_per_node);
	plan.query_max_memory_per_node = plan.query_max_total_memory_per_node;
	if (plan.query_max_total_memory_per_node < MIB)
		return err_set(e, ERR_INVALID,
			       "queryMaxTotalMemoryPerNodePoolFraction %g leaves a query less than "
			       "1 MiB of a heap of %" PRId64 " MiB",
			       r->query_max_total_per_node, plan.xmx / MIB);
	/*
	 * The engine sets headroom and the reserved pool (as large as the total of one query)
	 * aside, and wants something to be left for the general pool.
	 */
	if (r->heap_headroom + r->query_max_total_per_node > 1 - 1e-9 ||
	    plan.heap_headroom_per_node + plan.query_max_total_memory_per_node >= plan.xmx) {
		err_set(e, ERR_INVALID,
			"heapHeadroomPerNodeRatio %g and queryMaxTotalMemoryPerNodePoolFraction %g "
			"together leave nothing of the heap",
			r->heap_headroom, r->query_max_total_per_node);
		return err_hint(e, "their sum must be less than 1");
	}
	*out = plan;
	return 0;
}

void memory_datasize(char out[MEMORY_TEXT_SIZE], int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t unit = 0;

	while (unit + 1 < ARRAY_LEN(units) && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, MEMORY_TEXT_SIZE, "%" PRId64 "%s", bytes, units[unit]);
}
