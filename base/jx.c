/* jx.c - jansson with limits, paths and read-only walks. Lists are cut in jx_items.c. */
#include "base/jx.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* jansson reports out of memory as NULL from everywhere; ours aborts, so that NULL means a defect.
 */
static __attribute__((constructor)) void use_our_allocator(void)
{
	json_set_alloc_funcs(xmalloc, free);
}

/* Jansson recurses once per level: look how deep the text goes before it does. */
static int check_depth(const char *text, size_t len, const char *what, struct err *e)
{
	size_t depth = 0;
	int line = 1, column = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 0;
		} else if (in_string) {
			if (text[i] == '\\' && i + 1 < len) {
				i++;
				column++;
			} else if (text[i] == '"') {
				in_string = false;
			}
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > JX_MAX_DEPTH)
				return err_set(e, ERR_PROTOCOL,
					       "%s: line %d column %d: more than %d levels", what,
					       line, column, JX_MAX_DEPTH);
		} else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int jx_parse(json_t **out, const char *text, size_t len, const char *what, struct err *e)
{
	json_error_t bad;

	if (len > JX_MAX_BYTES)
		return err_set(e, ERR_PROTOCOL, "%s: larger than %u bytes", what, JX_MAX_BYTES);
	if (check_depth(text, len, what, e) < 0)
		return -1;
	json_t *tree = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &bad);
	if (!tree) {
		/* " near '...'" quotes the text, which may be a secret. */
		char *near = strstr(bad.text, " near '");
		if (near)
			*near = '\0';
		return err_set(e, ERR_PROTOCOL, "%s: line %d column %d: %s", what, bad.line,
			       bad.column > 0 ? bad.column : 1, bad.text);
	}
	*out = tree;
	return 0;
}

json_t *jx_get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

/* "0", "17": an array index without sign or leading zeros. */
static bool parse_index(const char *text, size_t len, size_t *index)
{
	size_t n = 0;

	if (len == 0 || len > 9 || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (size_t)(text[i] - '0');
	}
	*index = n;
	return true;
}

static json_t *child(const json_t *o, const char *key, size_t len)
{
	size_t index;

	if (json_is_object(o))
		return json_object_getn(o, key, len);
	if (json_is_array(o) && parse_index(key, len, &index))
		return json_array_get(o, index);
	return NULL;
}

static json_t *unconst(const json_t *v)
{
	return (json_t *)(uintptr_t)v;
}

json_t *jx_path(const json_t *o, const char *path)
{
	const json_t *at = o;

	for (;;) {
		size_t len = strcspn(path, ".");
		at = child(at, path, len);
		if (!at || !path[len])
			return unconst(at);
		path += len + 1;
	}
}

const char *jx_str(const json_t *o, const char *path)
{
	return json_string_value(jx_path(o, path));
}

const char *jx_str_or(const json_t *o, const char *path, const char *fallback)
{
	const char *s = jx_str(o, path);

	return s ? s : fallback;
}

json_int_t jx_int_or(const json_t *o, const char *path, json_int_t fallback)
{
	const json_t *v = jx_path(o, path);

	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_real(v)) {
		double real = json_real_value(v);
		/* 2^63 itself does not fit, and casting what does not fit is undefined. */
		if (real >= -9223372036854775808.0 && real < 9223372036854775808.0 &&
		    real == (double)(json_int_t)real)
			return (json_int_t)real;
	}
	return fallback;
}

json_int_t jx_int(const json_t *o, const char *path)
{
	return jx_int_or(o, path, 0);
}

bool jx_bool(const json_t *o, const char *path)
{
	return json_is_true(jx_path(o, path));
}

bool jx_is_empty(const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_NULL:
		return true;
	case JSON_OBJECT:
		return json_object_size(v) == 0;
	case JSON_ARRAY:
		return json_array_size(v) == 0;
	case JSON_STRING:
		return json_string_length(v) == 0;
	default:
		return false;
	}
}

void *jx_iter(const json_t *object)
{
	return json_is_object(object) ? json_object_iter(unconst(object)) : NULL;
}

void *jx_iter_next(const json_t *object, void *it)
{
	return json_object_iter_next(unconst(object), it);
}

static int compare_keys(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

const char **jx_keys(const json_t *object, size_t *n)
{
	const char *key, **keys;
	const json_t *value UNUSED;
	size_t count = 0;

	*n = json_object_size(object);
	if (*n == 0)
		return NULL;
	keys = xcalloc(*n, sizeof(*keys));
	jx_foreach (object, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	return keys;
}

static void put(json_t *o, const char *key, size_t len, json_t *v)
{
	size_t index;
	int rc;

	if (json_is_array(o) && parse_index(key, len, &index) && index < json_array_size(o))
		rc = json_array_set_new(o, index, v);
	else if (json_is_array(o))
		rc = json_array_append_new(o, v);
	else
		rc = json_object_setn_new(o, key, len, v);
	/* Fails only for a NULL value, a key that is not UTF-8, or a value put into itself. */
	assert(rc == 0);
	(void)rc;
}

void jx_set(json_t *o, const char *path, json_t *v)
{
	json_t *at = o;

	for (;;) {
		size_t len = strcspn(path, ".");
		if (!path[len]) {
			put(at, path, len, v);
			return;
		}
		json_t *next = child(at, path, len);
		if (!json_is_object(next) && !json_is_array(next)) {
			next = json_object();
			put(at, path, len, next);
		}
		at = next;
		path += len + 1;
	}
}

/* json_string() refuses what is not UTF-8. Texts from outside may be cut anywhere: one '?' a byte.
 */
static json_t *string_of(char *text)
{
	json_t *v = json_string(text);

	for (char *p = text; !v && *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	return v ? v : json_string(text);
}

json_t *jx_strf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	autofree char *text = xmalloc((size_t)n + 1);
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return string_of(text);
}

void jx_merge(json_t *base, const json_t *patch)
{
	const char *key;
	json_t *value;

	jx_foreach (patch, key, value) {
		if (json_is_null(value)) {
			(void)json_object_del(base, key);
		} else if (json_is_object(value)) {
			json_t *inner = json_object_get(base, key);
			if (!json_is_object(inner)) {
				inner = json_object();
				(void)json_object_set_new(base, key, inner);
			}
			jx_merge(inner, value);
		} else {
			(void)json_object_set_new(base, key, json_deep_copy(value));
		}
	}
}

static char *dump(const json_t *v, size_t flags)
{
	char *text = v ? json_dumps(v, flags | JSON_ENCODE_ANY) : xstrdup("null");

	assert(text); /* strings in a tree are always UTF-8, and trees are never circular */
	return text;
}

char *jx_canonical(const json_t *v)
{
	return dump(v, JSON_COMPACT | JSON_SORT_KEYS);
}

char *jx_pretty(const json_t *v)
{
	return dump(v, JSON_INDENT(2));
}

void jx_decrefp(json_t **v)
{
	json_decref(*v);
}
