/* unit.h - cmocka with the headers that it wants first, and what our tests share. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* An error must be what the test expects, and nothing must be held when none is. */
#define assert_ok(rc, e)                             \
	do {                                         \
		if ((rc) != 0)                       \
			fail_msg("%s", (e)->msg);    \
		assert_int_equal((e)->code, ERR_OK); \
	} while (0)
#define assert_fails(rc, e, expected_code)                                         \
	do {                                                                       \
		assert_int_equal(rc, -1);                                          \
		assert_string_equal(err_name((e)->code), err_name(expected_code)); \
		err_clear(e);                                                      \
	} while (0)
#define assert_has(text, part)                                           \
	do {                                                             \
		if (!strstr(text, part))                                 \
			fail_msg("\"%s\" is not in \"%s\"", part, text); \
	} while (0)

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
