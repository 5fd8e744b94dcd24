/* junit.h - a JUnit XML report, as CI systems read it. */
#ifndef PROVISION_JUNIT_H
#define PROVISION_JUNIT_H

#include "base/err.h"

struct junit_case {
	const char *name;
	ns_t took;
	bool skipped;
	const char *failure; /* NULL: passed */
};

/* junit_write - the file is replaced whole. @suite names the test suite; @wall its start. */
int junit_write(const char *path, const char *suite, ns_t wall, const struct junit_case *cases,
		size_t n, struct err *e) MUST_CHECK;

#endif
