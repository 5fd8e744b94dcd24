/* schema.c - a checker for the subset of JSON schema that environment.yaml uses. */
#include "provision/schema.h"

#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/suggest.h"
#include "base/yaml.h"

extern const char environment_schema[] __attribute__((visibility("hidden")));
extern const char environment_schema_end[] __attribute__((visibility("hidden")));

struct walk {
	struct finding *out;
	size_t max, n;
	char pointer[256];
};

json_t *schema_environment(void)
{
	autojson json_t *documents = NULL;
	struct err e = ERR_INIT;

	if (y2j_parse(&documents, NULL, environment_schema,
		      (size_t)(environment_schema_end - environment_schema), "environment.yaml",
		      Y2J_OWN, &e) < 0 ||
	    json_array_size(documents) != 1) {
		log_err(LOG_ERROR_LEVEL, NULL, &e, "the embedded schema");
		abort();
	}
	return json_incref(json_array_get(documents, 0));
}

static void found(struct walk *w, bool key, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void found(struct walk *w, bool key, const char *fmt, ...)
{
	struct finding *f = &w->out[w->n];
	va_list ap;

	if (w->n++ >= w->max)
		return;
	memcpy(f->pointer, w->pointer, sizeof(f->pointer));
	f->key = key;
	va_start(ap, fmt);
	vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
	va_end(ap);
}

/* One step down the pointer; the result is what leave() needs to come back. */
static size_t enter(struct walk *w, const char *key)
{
	size_t before = strlen(w->pointer), at = before;

	if (at + 1 < sizeof(w->pointer))
		w->pointer[at++] = '/';
	for (; *key && at + 2 < sizeof(w->pointer); key++) {
		if (*key == '~' || *key == '/') {
			w->pointer[at++] = '~';
			w->pointer[at++] = *key == '~' ? '0' : '1';
		} else {
			w->pointer[at++] = *key;
		}
	}
	w->pointer[at < sizeof(w->pointer) ? at : sizeof(w->pointer) - 1] = '\0';
	return before;
}

static void leave(struct walk *w, size_t before)
{
	w->pointer[before] = '\0';
}

/* What the place is called in a message. */
static const char *place(const struct walk *w)
{
	const char *last = strrchr(w->pointer, '/');

	if (!last)
		return "the file";
	return last[1] >= '0' && last[1] <= '9' ? "an entry" : last + 1;
}

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "a map";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "nothing";
	}
}

static const char *type_words(const char *type)
{
	static const char *const words[][2] = {
		{"object", "a map"},           {"array", "a list"},    {"string", "text"},
		{"integer", "a whole number"}, {"number", "a number"}, {"boolean", "true or false"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (streq(words[i][0], type))
			return words[i][1];
	return type;
}

static bool is_type(const json_t *v, const char *type)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return streq(type, "object");
	case JSON_ARRAY:
		return streq(type, "array");
	case JSON_STRING:
		return streq(type, "string");
	case JSON_INTEGER:
		return streq(type, "integer") || streq(type, "number");
	case JSON_REAL:
		return streq(type, "number");
	case JSON_TRUE:
	case JSON_FALSE:
		return streq(type, "boolean");
	default:
		return false;
	}
}

static bool check_type(struct walk *w, const json_t *schema, const json_t *v)
{
	const json_t *type = jx_get(schema, "type");
	struct buf wanted = BUF_INIT(300);
	size_t n = json_is_array(type) ? json_array_size(type) : 1;

	for (size_t i = 0; i < n; i++) {
		const char *one = json_string_value(json_is_array(type) ? json_array_get(type, i)
									: type);

		if (!one || is_type(v, one)) {
			buf_release(&wanted);
			return true;
		}
		buf_fit(&wanted, "%s%s", i ? " or " : "", type_words(one));
	}
	/* A number where text is wanted is nearly always a forgotten quote. */
	if (json_is_number(v) && strstr(buf_str(&wanted), "text"))
		found(w, false, "%s must be text, but this is a number; put it in quotes",
		      place(w));
	else
		found(w, false, "%s must be %s, but this is %s", place(w), buf_str(&wanted),
		      type_name(v));
	buf_release(&wanted);
	return false;
}

static void check_enum(struct walk *w, const json_t *schema, const json_t *v)
{
	const json_t *allowed = jx_get(schema, "enum");
	const char *words[32], *near;
	struct buf all = BUF_INIT(200);
	size_t n = 0;

	for (; n < json_array_size(allowed) && n < ARRAY_LEN(words); n++) {
		words[n] = json_string_value(json_array_get(allowed, n));
		if (streq(words[n], json_string_value(v)))
			goto out;
		buf_fit(&all, "%s%s", n ? ", " : "", words[n]);
	}
	near = suggest(json_string_value(v), words, n);
	if (near && n > 1)
		found(w, false, "'%.60s' is not one of %s; did you mean '%s'?",
		      json_string_value(v), buf_str(&all), near);
	else
		found(w, false, "'%.60s' is not known here; it must be %s%s", json_string_value(v),
		      n > 1 ? "one of " : "", buf_str(&all));
out:
	buf_release(&all);
}

static void check_pattern(struct walk *w, const json_t *schema, const char *text)
{
	const char *last = strrchr(w->pointer, '/');
	bool matches, in_list = last && last[1] >= '0' && last[1] <= '9';
	regex_t re;

	if (regcomp(&re, jx_str(schema, "pattern"), REG_EXTENDED | REG_NOSUB))
		abort(); /* a defect of the embedded schema: tests walk all of it */
	matches = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	if (!matches)
		found(w, false, "'%.60s' is no %s; %s", text,
		      in_list ? "entry of this list" : place(w),
		      jx_str_or(schema, "x-remedy", "see prestoctl explain"));
}

static void check_text(struct walk *w, const json_t *schema, const json_t *v)
{
	const char *text = json_string_value(v);
	size_t len = json_string_length(v);

	if (jx_get(schema, "enum"))
		check_enum(w, schema, v);
	if (len < (size_t)jx_int(schema, "minLength"))
		found(w, false, "%s is empty; leave it out, or give it a value", place(w));
	else if (jx_str(schema, "pattern"))
		check_pattern(w, schema, text);
}

static void check_number(struct walk *w, const json_t *schema, const json_t *v)
{
	const json_t *least = jx_get(schema, "minimum"), *most = jx_get(schema, "maximum");

	if ((least && json_number_value(v) < json_number_value(least)) ||
	    (most && json_number_value(v) > json_number_value(most)))
		found(w, false, "%g is out of range; it may be from %g to %g", json_number_value(v),
		      json_number_value(least), json_number_value(most));
}

static void check(struct walk *w, const json_t *schema, const json_t *v);

static void unknown_key(struct walk *w, const json_t *properties, const char *key)
{
	size_t n = 0;
	autofree const char **words = jx_keys(properties, &n);
	const char *near = suggest(key, words, n);
	struct buf all = BUF_INIT(200);

	if (near) {
		found(w, true, "unknown key '%.60s'; did you mean '%s'?", key, near);
		return;
	}
	for (size_t i = 0; i < n && all.len + strlen(words[i]) < 150; i++)
		buf_fit(&all, "%s%s", i ? ", " : "", words[i]);
	found(w, true, "unknown key '%.60s'; known here: %s", key, buf_str(&all));
	buf_release(&all);
}

static void check_object(struct walk *w, const json_t *schema, const json_t *v)
{
	const json_t *properties = jx_get(schema, "properties"),
		     *any = jx_get(schema, "additionalProperties");
	const json_t *required = jx_get(schema, "required"), *one;
	const char *key;

	if (jx_bool(schema, "x-elsewhere"))
		return;
	for (size_t i = 0; i < json_array_size(required); i++) {
		key = json_string_value(json_array_get(required, i));
		if (!jx_get(v, key))
			found(w, true, "'%s' is missing; see prestoctl explain", key);
	}
	jx_foreach (v, key, one) {
		const json_t *sub = jx_get(properties, key);
		size_t before = enter(w, key);

		if (sub || any)
			check(w, sub ? sub : any, one);
		else
			unknown_key(w, properties, key);
		leave(w, before);
	}
}

static void check_array(struct walk *w, const json_t *schema, const json_t *v)
{
	size_t max = (size_t)jx_int_or(schema, "maxItems", 1000);

	if (json_array_size(v) > max) {
		found(w, false, "%zu entries; at most %zu are taken", json_array_size(v), max);
		return;
	}
	for (size_t i = 0; i < json_array_size(v); i++) {
		char index[24];
		size_t before;

		snprintf(index, sizeof(index), "%zu", i);
		before = enter(w, index);
		check(w, jx_get(schema, "items"), json_array_get(v, i));
		leave(w, before);
	}
}

static void check(struct walk *w, const json_t *schema, const json_t *v)
{
	if (!check_type(w, schema, v))
		return;
	if (json_is_object(v))
		check_object(w, schema, v);
	else if (json_is_array(v))
		check_array(w, schema, v);
	else if (json_is_string(v))
		check_text(w, schema, v);
	else if (json_is_number(v))
		check_number(w, schema, v);
}

size_t schema_check(struct finding *out, size_t max, const json_t *schema, const json_t *value)
{
	struct walk w = {.out = out, .max = max};

	check(&w, schema, value);
	return w.n;
}

const json_t *schema_at(const json_t *schema, const char *path, const json_t **parent,
			char word[64])
{
	while (*path) {
		size_t len = strcspn(path, ".");
		const json_t *next;

		snprintf(word, 64, "%.*s", (int)(len < 63 ? len : 63), path);
		if (jx_get(schema, "items"))
			schema = jx_get(schema, "items");
		next = jx_get(jx_get(schema, "properties"), word);
		if (!next)
			next = jx_get(schema, "additionalProperties");
		*parent = schema;
		if (!next)
			return NULL;
		schema = next;
		path += len + (path[len] == '.');
	}
	return schema;
}
