/* cmd_explain.c - the environment file's fields, from its schema and from the Presto resource's field table. */
#include <string.h>

#include "presto/presto.h"
#include "provision/commands.h"
#include "provision/schema.h"
#include "base/suggest.h"

#define TEXT_MAX  (128u << 10)
#define WORDS_MAX 64

static const char *const field_types[] = {
	[FIELD_STRING] = "text",
	[FIELD_TEXT] = "text of several lines",
	[FIELD_INT] = "whole number",
	[FIELD_NUMBER] = "number",
	[FIELD_BOOL] = "true or false",
	[FIELD_QUANTITY] = "amount",
	[FIELD_ENUM] = "one of some words",
	[FIELD_MAP] = "map",
	[FIELD_OBJECT] = "map",
	[FIELD_LIST] = "list",
	[FIELD_GROUP] = "map",
};

static void wrapped(struct buf *out, const char *text, size_t indent)
{
	size_t column = indent;

	buf_fit(out, "%*s", (int)indent, "");
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + len + 1 > 92) {
			buf_fit(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		buf_fit(out, "%s%.*s", column > indent ? " " : "", (int)len, text);
		column += len + (column > indent);
		text += len + (text[len] == ' ');
	}
	buf_fit(out, "\n");
}

/* The words of the field table for the schema's own. */
static const char *type_word(const char *type)
{
	static const struct {
		const char *type;
		enum field_type as;
	} words[] = {
		{"object", FIELD_MAP},  {"array", FIELD_LIST},   {"string", FIELD_STRING},
		{"integer", FIELD_INT}, {"boolean", FIELD_BOOL},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (streq(words[i].type, type))
			return field_types[words[i].as];
	return type;
}

static void type_of(struct buf *out, const json_t *schema)
{
	const json_t *type = jx_get(schema, "type"), *words = jx_get(schema, "enum"),
		     *fallback = jx_get(schema, "default");
	size_t n = json_is_array(type) ? json_array_size(type) : 1;

	for (size_t i = 0; i < n; i++)
		buf_fit(out, "%s%s", i ? " or " : "",
			type_word(json_string_value(json_is_array(type) ? json_array_get(type, i)
									: type)));
	for (size_t i = 0; i < json_array_size(words); i++)
		buf_fit(out, "%s%s", i ? ", " : ": ", json_string_value(json_array_get(words, i)));
	if (json_is_string(fallback))
		buf_fit(out, ", default %s", json_string_value(fallback));
	else if (json_is_boolean(fallback))
		buf_fit(out, ", default %s", json_is_true(fallback) ? "true" : "false");
	else if (fallback)
		buf_fit(out, ", default %lld", (long long)json_integer_value(fallback));
}

static bool is_required(const json_t *parent, const char *key)
{
	const json_t *list = jx_get(parent, "required");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(json_string_value(json_array_get(list, i)), key))
			return true;
	return false;
}

static void explain_schema(struct buf *out, const char *path, const json_t *schema)
{
	const json_t *inner = jx_get(schema, "items") ? jx_get(schema, "items") : schema, *one;
	const char *key;

	buf_fit(out, "%s  (", *path ? path : "the environment file");
	type_of(out, schema);
	buf_fit(out, ")\n");
	if (jx_str(schema, "description"))
		wrapped(out, jx_str(schema, "description"), 4);
	if (jx_get(inner, "properties"))
		buf_fit(out, "\n");
	jx_foreach (jx_get(inner, "properties"), key, one) {
		buf_fit(out, "  %s%s  (", key, is_required(inner, key) ? "*" : "");
		type_of(out, one);
		buf_fit(out, ")\n");
		if (jx_str(one, "description"))
			wrapped(out, jx_str(one, "description"), 6);
	}
}

static void explain_field(struct buf *out, const struct field *f, size_t indent)
{
	buf_fit(out, "%*s%s  (%s", (int)indent, "", f->path, field_types[f->type]);
	if (f->fallback)
		buf_fit(out, ", default %s", *f->fallback ? f->fallback : "\"\"");
	buf_fit(out, ")\n");
	if (f->help)
		wrapped(out, f->help, indent + 4);
}

/* Fields at or below "spec..."; the number of them. */
static size_t explain_presto(struct buf *out, const char *path)
{
	size_t n = 0, len = strlen(path);

	for (size_t i = 0; i < presto_fields_len; i++) {
		const char *at = presto_fields[i].path;

		if (strncmp(at, path, len) != 0 || (at[len] && at[len] != '.'))
			continue;
		explain_field(out, &presto_fields[i], 0);
		n++;
	}
	return n;
}

static const char *near_field(const char *path)
{
	const char *words[256];
	size_t n = 0;

	for (size_t i = 0; i < presto_fields_len && n < ARRAY_LEN(words); i++) {
		words[n++] = presto_fields[i].path;
		/* "worker.count": as one finds it in the resource */
		if (starts_with(words[n - 1], "spec.") &&
		    streq(words[n - 1] + strlen("spec."), path))
			return words[n - 1];
	}
	return suggest(path, words, n);
}

static int explain(struct app *a, struct buf *out, const char *path, struct err *e)
{
	autojson json_t *root = schema_environment();
	const json_t *parent = root, *schema;
	const char *spec = starts_with(path, "presto.spec") ? path + strlen("presto.") : path,
		   *near;
	char word[64] = "";
	size_t n = 0;

	if (streq(spec, "spec") || starts_with(spec, "spec.")) {
		if (explain_presto(out, spec))
			return 0;
		app_usage(a, e, "no field '%s'", path);
		near = near_field(spec);
		return near ? err_hint(e, "did you mean presto.%s?", near)
			    : err_hint(e, "see prestoctl explain presto.spec");
	}
	schema = schema_at(root, path, &parent, word);
	if (schema) {
		explain_schema(out, path, schema);
		return 0;
	}
	autofree const char **words = jx_keys(jx_get(parent, "properties"), &n);
	near = suggest(word, words, n);
	/* Up to the first word that is unknown: there the known ones are read out. */
	autofree char *known = xstrdup(path);
	while (!schema_at(root, known, &parent, word)) {
		char *dot = strrchr(known, '.');

		*(dot ? dot : known) = '\0';
	}
	app_usage(a, e, "no field '%s'", path);
	if (!near && (near = near_field(path)))
		return err_hint(e, "did you mean presto.%s?", near);
	return near ? err_hint(e, "did you mean '%s'?", near)
		    : err_hint(e, "see prestoctl explain%s%s", *known ? " " : "", known);
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	AUTO(buf_release) struct buf out = BUF_INIT(TEXT_MAX);

	if (app_options(a, &cmd_explain, NULL, &argc, argv, e) < 0)
		return -1;
	if (explain(a, &out, argc ? argv[0] : "", e) < 0)
		return -1;
	if (a->json)
		app_result_json(json_pack("{s:s, s:s}", "field", argc ? argv[0] : "", "text",
					  buf_str(&out)));
	else
		app_print("%s", buf_str(&out));
	return 0;
}

const struct command cmd_explain = {
	.name = "explain",
	.args = "[FIELD]",
	.summary = "what a field of the environment file means, with its type and default",
	.about =
		"FIELD is a path such as cluster.local.nodes or presto.spec.worker.count. A * marks what\n"
		"must be there.",
	.max_args = 1,
	.run = run,
};
