/* test_memory.c - whatever the pod and the ratios, the engine must accept what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "presto/memory.h"

#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)

static const struct memory_ratios defaults = {0.9, 0.3, 0.333};

static void the_documented_example_comes_out_as_documented(void **state UNUSED)
{
	struct memory_plan p;
	struct err e = ERR_INIT;

	assert_int_equal(memory_plan_of(&p, 100 * GIB, &defaults, &e), 0);
	assert_int_equal(p.xmx, 90 * GIB);
	assert_int_equal(p.heap_headroom_per_node, 27 * GIB);
	assert_int_equal(p.query_max_total_memory_per_node, 30689 * MIB); /* 29.97 GiB */
	assert_int_equal(p.query_max_memory_per_node, p.query_max_total_memory_per_node);
}

static void fractions_that_binary_numbers_miss_are_not_rounded_down(void **state UNUSED)
{
	struct memory_ratios r = {1, 0.29, 0.58};
	struct memory_plan p;
	struct err e = ERR_INIT;

	assert_int_equal(memory_plan_of(&p, 100 * MIB, &r, &e), 0);
	assert_int_equal(p.heap_headroom_per_node, 29 * MIB);
	assert_int_equal(p.query_max_total_memory_per_node, 58 * MIB);
}

/* What io.prestosql.memory.LocalMemoryManager and NodeMemoryConfig check at start. */
static void the_engine_accepts_every_plan(void **state UNUSED)
{
	size_t planned = 0;

	srand(1);
	for (size_t i = 0; i < 20000; i++) {
		int64_t total = (int64_t)(rand() % 4096 + 64) * MIB * (1 + rand() % 200) +
				rand() % 4096;
		struct memory_ratios r = {(rand() % 1000 + 1) / 1000.0, rand() % 1000 / 1000.0,
					  (rand() % 1000 + 1) / 1000.0};
		struct memory_plan p;
		struct err e = ERR_INIT;

		if (memory_plan_of(&p, total, &r, &e) < 0) {
			assert_int_equal(e.code, ERR_INVALID);
			continue;
		}
		planned++;
		assert_true(p.xmx > 0 && p.xmx <= total);
		assert_true(p.heap_headroom_per_node >= 0);
		assert_true(p.query_max_memory_per_node > 0);
		assert_true(p.query_max_memory_per_node <= p.query_max_total_memory_per_node);
		assert_true(p.heap_headroom_per_node + p.query_max_total_memory_per_node < p.xmx);
		assert_int_equal(p.xmx % MIB, 0);
		assert_int_equal(p.heap_headroom_per_node % MIB, 0);
		assert_int_equal(p.query_max_total_memory_per_node % MIB, 0);
	}
	assert_true(planned > 5000);
}

static void what_cannot_work_is_refused_by_name(void **state UNUSED)
{
	static const struct {
		int64_t total;
		struct memory_ratios r;
		const char *names;
	} cases[] = {
		{GIB, {0, 0.3, 0.3}, "xmxToTotalMemoryRatio"},
		{GIB, {1.01, 0.3, 0.3}, "xmxToTotalMemoryRatio"},
		{GIB, {NAN, 0.3, 0.3}, "xmxToTotalMemoryRatio"},
		{GIB, {0.9, 1, 0.3}, "heapHeadroomPerNodeRatio"},
		{GIB, {0.9, -0.1, 0.3}, "heapHeadroomPerNodeRatio"},
		{GIB, {0.9, 0.3, 0}, "queryMaxTotalMemoryPerNodePoolFraction"},
		{GIB, {0.9, 0.5, 0.5}, "together leave nothing"},
		{GIB, {0.9, 0.3, 0.0001}, "queryMaxTotalMemoryPerNodePoolFraction 0.0001"},
		{70 * MIB, {0.9, 0.3, 0.333}, "70 MiB of memory leave a heap of 63 MiB"},
		{0, {0.9, 0.3, 0.333}, "0 MiB"},
		{-GIB, {0.9, 0.3, 0.333}, "a heap of 0 MiB"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct memory_plan p = {.xmx = 7};
		struct err e = ERR_INIT;

		assert_int_equal(memory_plan_of(&p, cases[i].total, &cases[i].r, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		assert_non_null(strstr(e.msg, cases[i].names));
		assert_int_equal(p.xmx, 7);
	}
}

static void amounts_are_written_in_the_engines_units(void **state UNUSED)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} cases[] = {
		{0, "0B"},
		{1, "1B"},
		{1025, "1025B"},
		{1024, "1kB"},
		{512 * MIB, "512MB"},
		{60 * GIB, "60GB"},
		{GIB + MIB, "1025MB"},
		{(int64_t)1 << 40, "1TB"},
		{(int64_t)1 << 50, "1PB"},
		{(int64_t)3 << 60, "3072PB"},
		{INT64_MAX, "9223372036854775807B"},
	};
	char got[MEMORY_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memory_datasize(got, cases[i].bytes);
		assert_string_equal(got, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_documented_example_comes_out_as_documented),
		cmocka_unit_test(fractions_that_binary_numbers_miss_are_not_rounded_down),
		cmocka_unit_test(the_engine_accepts_every_plan),
		cmocka_unit_test(what_cannot_work_is_refused_by_name),
		cmocka_unit_test(amounts_are_written_in_the_engines_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
