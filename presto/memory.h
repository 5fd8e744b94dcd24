/*
 * memory.h - from the memory of a pod to the four numbers that Presto wants. Pure arithmetic, also
 * compiled into the agent, which uses it when a pod takes the whole node and only the node knows.
 */
#ifndef PRESTO_MEMORY_H
#define PRESTO_MEMORY_H

#include "base/err.h"

struct memory_ratios {
	double xmx_to_total;             /* (0, 1]: heap of what the pod has */
	double heap_headroom;            /* [0, 1): memory.heap-headroom-per-node of the heap */
	double query_max_total_per_node; /* (0, 1]: query.max-total-memory-per-node of the heap */
};

struct memory_plan { /* bytes, whole MiB each (Presto's DataSize knows no sign and -Xmx no fraction) */
	int64_t xmx;
	int64_t heap_headroom_per_node;
	int64_t query_max_total_memory_per_node;
	int64_t query_max_memory_per_node; /* the same as the total: one user query may use what all may */
};

/*
 * memory_plan_of - @total: bytes that the pod may use. Keeps what the engine checks at start:
 * headroom + total per node <= heap, and a general pool that is not empty.
 * ERR_INVALID names the ratio or the total (under 64 MiB of heap is refused).
 */
int memory_plan_of(struct memory_plan *out, int64_t total, const struct memory_ratios *r,
		   struct err *e) MUST_CHECK;
#define MEMORY_TEXT_SIZE 24
/* memory_datasize - "512MB", "1PB": units of 1024 as io.airlift.units.DataSize reads them, exact. */
void memory_datasize(char out[MEMORY_TEXT_SIZE], int64_t bytes);

#endif
