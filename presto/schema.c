/*
 * schema.c - the structural subset of OpenAPI v3 as the API server applies it to custom resources,
 * with its own words, so that a file can be judged without a server. What our schema does not use
 * (anyOf, not, formats, uniqueItems ...) is not here; a test refuses a schema that has more.
 */
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "presto/findings.h"

/* --- strict decoding: members that nobody knows ------------------------------------------------
 */

static const json_t *member_schema(const json_t *schema, const char *key)
{
	const json_t *known = jx_get(jx_get(schema, "properties"), key);

	return known ? known : jx_get(schema, "additionalProperties");
}

void schema_unknown(struct findings *f, const json_t *schema, const json_t *value,
		    const struct place *at)
{
	const char *k;
	const json_t *v;

	if (schema && json_is_true(jx_get(schema, "x-kubernetes-preserve-unknown-fields")))
		return;
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct place item = place_item(at, i);

		schema_unknown(f, jx_get(schema, "items"), json_array_get(value, i), &item);
	}
	jx_foreach (value, k, v) {
		const json_t *of = schema ? member_schema(schema, k) : NULL;
		struct place child = place_child(at, k);

		if (of)
			schema_unknown(f, of, v, &child);
		else
			found(f, &child, "unknown field \"%s\"", child.path);
	}
}

/* --- values ------------------------------------------------------------------------------------
 */

static const char *type_of(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	default:
		return "null";
	}
}

/* 3.0 counts as an integer, up to where doubles can still count. */
static bool is_whole(const json_t *v)
{
	double d = json_real_value(v);

	return json_is_real(v) && d >= 0 && d <= 9007199254740991.0 && floor(d) == d;
}

static void check_type(struct findings *f, const json_t *schema, const json_t *v,
		       const struct place *at)
{
	bool either = json_is_true(jx_get(schema, "x-kubernetes-int-or-string"));
	const char *want = either ? "integer,string" : jx_str(schema, "type");
	const char *is = type_of(v);

	if (!want || strcmp(want, is) == 0)
		return;
	if (either && (json_is_string(v) || json_is_integer(v) || is_whole(v)))
		return;
	if (strcmp(want, "integer") == 0 && is_whole(v))
		return;
	if (strcmp(want, "number") == 0 && json_is_integer(v))
		return;
	found(f, at, "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", is, at->path,
	      want, is);
}

/* As Go prints a float64 with %v: the fewest digits that come back to the same number. */
static void print_double(char out[40], double d)
{
	char digits[40];
	int n = 1;

	do
		snprintf(digits, sizeof(digits), "%.*e", n - 1, d);
	while (strtod(digits, NULL) != d && n++ < 17);
	int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
	if (exponent < -4 || exponent >= 6)
		snprintf(out, 40, "%s", digits);
	else
		snprintf(out, 40, "%.*f", n - 1 > exponent ? n - 1 - exponent : 0, d);
}

static void print_number(char out[40], const json_t *v)
{
	if (json_is_integer(v))
		snprintf(out, 40, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		print_double(out, json_real_value(v));
}

static void check_number(struct findings *f, const json_t *schema, const json_t *v,
			 const struct place *at)
{
	static const struct {
		const char *limit, *exclusive, *excluded, *included;
		int sign;
	} bounds[] = {
		{"minimum", "exclusiveMinimum", "greater than", "greater than or equal to", -1},
		{"maximum", "exclusiveMaximum", "less than", "less than or equal to", 1},
	};
	char value[40], limit[40];

	print_number(value, v);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		const json_t *l = jx_get(schema, bounds[i].limit);
		bool exclusive = json_is_true(jx_get(schema, bounds[i].exclusive));
		double over = (json_number_value(v) - json_number_value(l)) * bounds[i].sign;

		if (!l || over < 0 || (over == 0 && !exclusive))
			continue;
		if (json_is_integer(v))
			print_number(limit, l);
		else
			print_double(limit, json_number_value(l));
		found(f, at, "Invalid value: %s: %s in body should be %s %s", value, at->path,
		      exclusive ? bounds[i].excluded : bounds[i].included, limit);
	}
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/*
 * Compiled once per pattern: schemas are read once and stay, so the text's address names it. The
 * patterns of our schema mean the same to regcomp as to Go's regexp.
 */
static bool matches(const char *pattern, const char *text)
{
	static struct {
		const char *pattern;
		regex_t regex;
	} cache[32];
	regex_t other = {0};
	size_t i = 0;

	while (i < ARRAY_LEN(cache) && cache[i].pattern && cache[i].pattern != pattern)
		i++;
	regex_t *re = i < ARRAY_LEN(cache) ? &cache[i].regex : &other;
	if (re == &other || !cache[i].pattern) {
		if (regcomp(re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
			return true; /* a test refuses such a schema */
		if (re != &other)
			cache[i].pattern = pattern;
	}
	bool yes = regexec(re, text, 0, NULL, 0) == 0;
	if (re == &other)
		regfree(re);
	return yes;
}

static void check_string(struct findings *f, const json_t *schema, const char *text,
			 const struct place *at)
{
	char q[QUOTED_SIZE];
	size_t len = characters(text);
	const json_t *max = jx_get(schema, "maxLength"), *min = jx_get(schema, "minLength");
	const char *pattern = jx_str(schema, "pattern");

	if (max && len > (size_t)json_integer_value(max))
		found(f, at, "Too long: may not be more than %d bytes",
		      (int)json_integer_value(max));
	else if (min && len < (size_t)json_integer_value(min))
		found(f, at, "Invalid value: %s: %s in body should be at least %d chars long",
		      quoted(q, text), at->path, (int)json_integer_value(min));
	else if (pattern && !matches(pattern, text))
		found(f, at, "Invalid value: %s: %s in body should match '%s'", quoted(q, text),
		      at->path, pattern);
}

static void print_value(char out[QUOTED_SIZE], const json_t *v)
{
	if (json_is_string(v)) {
		quoted(out, json_string_value(v));
	} else if (json_is_number(v)) {
		print_number(out, v);
	} else {
		autofree char *text = jx_canonical(v);

		snprintf(out, QUOTED_SIZE, "%.*s", QUOTED_SIZE - 1, text);
	}
}

static void check_enum(struct findings *f, const json_t *schema, const json_t *v,
		       const struct place *at)
{
	const json_t *values = jx_get(schema, "enum");
	struct buf list = BUF_INIT(2048);
	char value[QUOTED_SIZE], q[QUOTED_SIZE];

	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *one = json_array_get(values, i);

		if (json_equal(one, v)) {
			buf_release(&list);
			return;
		}
		buf_fit(&list, "%s%s", i ? ", " : "", quoted(q, json_string_value(one)));
	}
	if (values) {
		print_value(value, v);
		found(f, at, "Unsupported value: %s: supported values: %s", value, buf_str(&list));
	}
	buf_release(&list);
}

static void check_object(struct findings *f, const json_t *schema, const json_t *v,
			 const struct place *at)
{
	const json_t *max = jx_get(schema, "maxProperties"), *required = jx_get(schema, "required");
	const char *k;
	const json_t *child;

	if (max && json_object_size(v) > (size_t)json_integer_value(max))
		found(f, at, "Too many: %zu: must have at most %d items", json_object_size(v),
		      (int)json_integer_value(max));
	jx_foreach (v, k, child) {
		const json_t *of = member_schema(schema, k);

		/* The server drops a null where null is not allowed, as if it had not been written.
		 */
		if (!of || json_is_null(child))
			continue;
		struct place p = place_child(at, k);
		schema_validate(f, of, child, &p);
	}
	for (size_t i = 0; i < json_array_size(required); i++) {
		struct place p = place_child(at, json_string_value(json_array_get(required, i)));

		if (!jx_get(v, json_string_value(json_array_get(required, i))))
			found(f, &p, "Required value");
	}
}

void schema_validate(struct findings *f, const json_t *schema, const json_t *value,
		     const struct place *at)
{
	check_type(f, schema, value, at);
	if (json_is_string(value))
		check_string(f, schema, json_string_value(value), at);
	else if (json_is_number(value))
		check_number(f, schema, value, at);
	else if (json_is_object(value))
		check_object(f, schema, value, at);
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct place item = place_item(at, i);
		const json_t *of = jx_get(schema, "items");

		if (of)
			schema_validate(f, of, json_array_get(value, i), &item);
	}
	check_enum(f, schema, value, at);
}
