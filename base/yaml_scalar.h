/*
 * yaml_scalar.h - what a plain (unquoted) YAML scalar means. Private to yaml.c and yaml_emit.c,
 * which must agree: what one would read as anything but a string, the other has to quote.
 */
#ifndef BASE_YAML_SCALAR_H
#define BASE_YAML_SCALAR_H

#include "base/jx.h"

enum scalar_kind {
	SCALAR_STRING,
	SCALAR_NULL,
	SCALAR_TRUE,
	SCALAR_FALSE,
	SCALAR_INT,
	SCALAR_REAL,
	SCALAR_NOT_FINITE, /* .inf, .nan: no such thing in JSON */
	SCALAR_TOO_LARGE,  /* an integer beyond 64 bits, a real beyond a double */
	/* Read differently by YAML 1.1 and 1.2: */
	SCALAR_YES, /* yes, on, y */
	SCALAR_NO,
	SCALAR_LEADING_ZERO, /* 0644, 0o17, 007.5 */
	SCALAR_SEXAGESIMAL,  /* 22:30 */
	SCALAR_OTHER_RADIX,  /* 0b101, 1_000 */
};

/* scalar_kind - the text up to its NUL. @integer and @real are set for their kinds. */
enum scalar_kind scalar_kind(const char *text, json_int_t *integer, double *real);

#endif
