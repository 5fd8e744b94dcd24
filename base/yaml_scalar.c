/* yaml_scalar.c - the core schema of YAML 1.2, and where 1.1 would have disagreed. */
#include "base/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL "0123456789"

static bool one_of(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (streq(text, words[i]))
			return true;
	}
	return false;
}

static enum scalar_kind word_kind(const char *text)
{
	static const char *const null_words[] = {"", "~", "null", "Null", "NULL"};
	static const char *const true_words[] = {"true", "True", "TRUE"};
	static const char *const false_words[] = {"false", "False", "FALSE"};
	static const char *const yes_words[] = {"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"};
	static const char *const no_words[] = {"no", "No", "NO", "off", "Off", "OFF", "n", "N"};
	static const char *const inf_words[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};
	const char *unsigned_text = *text == '-' || *text == '+' ? text + 1 : text;

	if (one_of(text, null_words, ARRAY_LEN(null_words)))
		return SCALAR_NULL;
	if (one_of(text, true_words, ARRAY_LEN(true_words)))
		return SCALAR_TRUE;
	if (one_of(text, false_words, ARRAY_LEN(false_words)))
		return SCALAR_FALSE;
	if (one_of(text, yes_words, ARRAY_LEN(yes_words)))
		return SCALAR_YES;
	if (one_of(text, no_words, ARRAY_LEN(no_words)))
		return SCALAR_NO;
	if (one_of(unsigned_text, inf_words, ARRAY_LEN(inf_words)))
		return SCALAR_NOT_FINITE;
	return SCALAR_STRING;
}

/* 0x1F, and its cousins that only one of the two versions knows. */
static enum scalar_kind radix_kind(const char *sign, const char *digits, json_int_t *integer)
{
	const char *rest = digits + 2;

	if (digits[0] != '0' || !digits[1] || !*rest)
		return SCALAR_STRING;
	if (digits[1] == 'o' && !rest[strspn(rest, "01234567_")])
		return SCALAR_LEADING_ZERO;
	if (digits[1] == 'b' && !rest[strspn(rest, "01_")])
		return SCALAR_OTHER_RADIX;
	if (digits[1] != 'x' || rest[strspn(rest, DECIMAL "abcdefABCDEF_")])
		return SCALAR_STRING;
	if (sign != digits || strchr(rest, '_')) /* only 1.1 has -0x1F */
		return SCALAR_OTHER_RADIX;
	errno = 0;
	*integer = strtoll(digits, NULL, 16);
	return errno ? SCALAR_TOO_LARGE : SCALAR_INT;
}

/* 190:20:30 and 190:20:30.15: base 60 to YAML 1.1. */
static bool is_sexagesimal(const char *digits)
{
	const char *p = digits + strspn(digits, DECIMAL "_");

	if (p == digits || *p != ':')
		return false;
	while (*p == ':') {
		size_t n = strspn(p + 1, DECIMAL);
		if (n == 0 || n > 2 || (n == 2 && p[1] > '5'))
			return false;
		p += 1 + n;
	}
	if (*p == '.')
		p += 1 + strspn(p + 1, DECIMAL "_");
	return !*p;
}

static enum scalar_kind number_kind(const char *text, const char *digits, json_int_t *integer,
				    double *real)
{
	size_t whole = strspn(digits, DECIMAL), fraction = 0;
	const char *p = digits + whole;
	bool point = *p == '.', exponent;

	if (point) {
		fraction = strspn(p + 1, DECIMAL);
		p += 1 + fraction;
	}
	if (whole + fraction == 0)
		return SCALAR_STRING;
	exponent = *p == 'e' || *p == 'E';
	if (exponent) {
		p += p[1] == '-' || p[1] == '+' ? 2 : 1;
		size_t n = strspn(p, DECIMAL);
		if (n == 0)
			return SCALAR_STRING;
		p += n;
	}
	if (*p)
		return SCALAR_STRING;
	if (whole > 1 && *digits == '0')
		return SCALAR_LEADING_ZERO;
	errno = 0;
	if (point || exponent) {
		*real = strtod(text, NULL);
		return isfinite(*real) ? SCALAR_REAL : SCALAR_TOO_LARGE;
	}
	*integer = strtoll(text, NULL, 10);
	return errno ? SCALAR_TOO_LARGE : SCALAR_INT;
}

enum scalar_kind scalar_kind(const char *text, json_int_t *integer, double *real)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	enum scalar_kind kind = word_kind(text);

	if (kind != SCALAR_STRING || (!strchr(DECIMAL ".", *digits) || !*digits))
		return kind;
	kind = radix_kind(text, digits, integer);
	if (kind != SCALAR_STRING)
		return kind;
	if (is_sexagesimal(digits))
		return SCALAR_SEXAGESIMAL;
	if (*digits != '.' && strchr(digits, '_') && !digits[strspn(digits, DECIMAL "_.")])
		return SCALAR_OTHER_RADIX;
	return number_kind(text, digits, integer, real);
}
