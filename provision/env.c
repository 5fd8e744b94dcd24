/* env.c - from a YAML file to a checked struct env, with the place of everything that is wrong. */
#include "provision/env.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/quantity.h"
#include "base/suggest.h"
#include "presto/findings.h"
#include "presto/presto.h"
#include "provision/gke_spec.h"
#include "provision/input.h"
#include "provision/schema.h"

#define DEFAULT_IMAGE "localhost/presto-operator:dev"
#define ROOT          "/0"

/* A document with the places of its nodes, and where its findings go. */
struct source {
	const char *name;
	struct y2j_marks *marks;
	struct buf *more;
	size_t findings;
	struct err *e;
};

/* One finding: the first is the error, the others are lines. @pointer begins with the document's index. */
static void complain(struct source *s, const char *pointer, bool key, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
static void complain(struct source *s, const char *pointer, bool key, const char *fmt, ...)
{
	struct err full = ERR_INIT;
	int line = 1, column = 1;
	char text[360];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	y2j_mark(s->marks, pointer, key, &line, &column);
	if (s->findings++ == 0)
		err_set(s->e, ERR_INVALID, "%s:%d:%d: %s", s->name, line, column, text);
	else
		(void)!buf_addf(s->more, &full, "%s:%d:%d: %s\n", s->name, line, column, text);
}

static void check_schema(struct source *s, const json_t *doc)
{
	struct finding found[ENV_FINDINGS];
	autojson json_t *schema = schema_environment();
	size_t n = schema_check(found, ENV_FINDINGS, schema, doc);

	for (size_t i = 0; i < n && i < ENV_FINDINGS; i++) {
		char pointer[sizeof(found[i].pointer) + sizeof(ROOT)];

		snprintf(pointer, sizeof(pointer), ROOT "%.*s", (int)sizeof(found[i].pointer) - 1,
			 found[i].pointer);
		complain(s, pointer, found[i].key, "%s", found[i].msg);
	}
}

/* What the schema cannot say: the section of another provider is a mistake, or a wish that would be ignored. */
static void check_provider(struct source *s, const json_t *doc)
{
	const char *provider = jx_str(doc, "cluster.provider"), *key;
	const json_t *section;

	jx_foreach (jx_get(doc, "cluster"), key, section) {
		char pointer[80];

		(void)section;
		if (streq(key, "provider") || streq(key, provider))
			continue;
		snprintf(pointer, sizeof(pointer), ROOT "/cluster/%s", key);
		complain(s, pointer, true,
			 "'%s' is for the provider %s, but provider is %s; remove one of them", key,
			 key, provider);
	}
}

static void complain_gke(void *arg, const char *pointer, bool key, const char *text)
{
	autofree char *full = xasprintf(ROOT "%s", pointer);

	complain(arg, full, key, "%s", text);
}

/* The server would say so only when the operator is made, long after the cluster. */
static void check_amounts(struct source *s, const json_t *resources)
{
	const json_t *section, *amount;
	const char *name, *what;

	jx_foreach (resources, name, section) {
		jx_foreach (section, what, amount) {
			char number[24], pointer[160];
			const char *text = quantity_text(amount, number);
			struct err bad = ERR_INIT;
			int64_t unused;

			if (!text ||
			    (streq(what, "cpu") ? quantity_to_milli(&unused, text, &bad)
						: quantity_to_bytes(&unused, text, &bad)) == 0)
				continue;
			snprintf(pointer, sizeof(pointer), ROOT "/operator/resources/%s/%.60s",
				 name, what);
			complain(s, pointer, false, "'%.60s' is no amount of %.60s; write it as %s",
				 text, what, streq(what, "cpu") ? "500m or 2" : "64Mi or 1Gi");
		}
	}
}

/* For the first finding in a resource: the field that was meant, or where to read about it. */
static void hint_field(struct err *e, const char *path)
{
	const char *words[256], *near;
	size_t n = 0;

	for (size_t i = 0; i < presto_fields_len && n < ARRAY_LEN(words); i++) {
		words[n++] = presto_fields[i].path;
		if (streq(words[n - 1], path)) {
			err_hint(e, "prestoctl explain presto.%s", path);
			return;
		}
	}
	near = suggest(path, words, n);
	if (near)
		err_hint(e, "did you mean %s?", near);
}

/* The resource by the server's own schema, offline. @base is where it is in its document. */
static void check_presto(struct source *s, const json_t *resource, const char *base)
{
	struct presto_cause *causes = xcalloc(ENV_FINDINGS, sizeof(*causes));
	size_t n = presto_check(causes, ENV_FINDINGS, resource);

	for (size_t i = 0; i < n && i < ENV_FINDINGS; i++) {
		autofree char *pointer = xasprintf("%s%s", base, causes[i].pointer);

		complain(s, pointer, strstr(causes[i].msg, "unknown") != NULL, "%s: %s",
			 causes[i].path, causes[i].msg);
		if (i == 0)
			hint_field(s->e, causes[i].path);
	}
	free(causes);
}

/* apiVersion, kind and namespace may be left out in the file; the resource has them. */
static json_t *whole_resource(const json_t *given, const char *ns)
{
	json_t *resource = json_object(), *metadata = json_deep_copy(jx_get(given, "metadata"));
	const json_t *spec = jx_get(given, "spec");

	json_object_set_new(resource, "apiVersion", json_string(PRESTO_API_VERSION));
	json_object_set_new(resource, "kind", json_string(PRESTO_KIND));
	if (!json_is_object(metadata)) {
		json_decref(metadata);
		metadata = json_object();
	}
	json_object_set_new(metadata, "namespace", json_string(ns));
	json_object_set_new(resource, "metadata", metadata);
	json_object_set_new(resource, "spec", spec ? json_deep_copy(spec) : json_object());
	return resource;
}

static void take_presto(struct env *v, struct source *s, const json_t *given, const char *base)
{
	const char *ns = jx_str(given, "metadata.namespace");
	autofree char *place = xasprintf("%s/metadata/namespace", base);

	if (ns && !streq(ns, v->ns))
		complain(
			s, place, false,
			"namespace is '%s', but the operator serves '%s'; set operator.namespace, or leave it out",
			ns, v->ns);
	v->presto = whole_resource(given, v->ns);
	if (!s->findings)
		check_presto(s, v->presto, base);
}

/* "presto: FILE": the resource alone, as kubectl would take it. */
static int take_presto_file(struct env *v, struct source *outer, const char *file)
{
	autofree char *path = env_file(v, file);
	AUTO(y2j_marks_freep) struct y2j_marks *marks = NULL;
	autojson json_t *documents = NULL, *schema = schema_environment();
	struct source s = {.name = path, .more = outer->more, .e = outer->e};
	const json_t *given;
	struct finding found[ENV_FINDINGS];
	struct err e = ERR_INIT;
	struct stat st;
	size_t n;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		complain(outer, ROOT "/presto", false, "%s is a folder; name a file", path);
		return -1;
	}
	if (y2j_file(&documents, &marks, path, Y2J_OWN, &e) < 0) {
		if (e.code == ERR_INVALID) {
			*outer->e = e;
			return -1;
		}
		complain(outer, ROOT "/presto", false, "%s", e.msg);
		return -1;
	}
	s.marks = marks;
	given = json_array_get(documents, 0);
	if (json_array_size(documents) != 1) {
		complain(&s, "", false, "%zu documents; a single Presto resource is expected",
			 json_array_size(documents));
		return -1;
	}
	n = schema_check(found, ENV_FINDINGS, jx_path(schema, "properties.presto"), given);
	for (size_t i = 0; i < n && i < ENV_FINDINGS; i++) {
		autofree char *pointer = xasprintf(ROOT "%s", found[i].pointer);

		complain(&s, pointer, found[i].key, "%s", found[i].msg);
	}
	if (!s.findings)
		take_presto(v, &s, given, ROOT);
	return s.findings ? -1 : 0;
}

static void take(struct env *v)
{
	v->name = jx_str(v->doc, "name");
	v->provider = jx_str(v->doc, "cluster.provider");
	v->cluster = jx_get(jx_get(v->doc, "cluster"), v->provider);
	v->ns = jx_str_or(v->doc, "operator.namespace", v->name);
	v->operator_image = jx_str_or(v->doc, "operator.image", DEFAULT_IMAGE);
	v->operator_pull_policy = jx_str_or(v->doc, "operator.imagePullPolicy", "IfNotPresent");
	v->operator_resources = jx_path(v->doc, "operator.resources");
	v->images = jx_get(v->doc, "images");
	v->verify = jx_get(v->doc, "verify");
}

int env_parse(struct env **out, const char *text, size_t len, const char *name, const char *folder,
	      struct buf *more, struct err *e)
{
	AUTO(env_freep) struct env *v = xcalloc(1, sizeof(*v));
	AUTO(y2j_marks_freep) struct y2j_marks *marks = NULL;
	autojson json_t *documents = NULL;
	struct source s = {.name = name, .more = more, .e = e};
	const json_t *presto;

	if (y2j_parse(&documents, &marks, text, len, name, Y2J_OWN, e) < 0)
		return -1;
	s.marks = marks;
	v->path = xstrdup(name);
	v->folder = xstrdup(folder);
	if (json_array_size(documents) != 1) {
		if (json_array_size(documents) == 0)
			complain(&s, "", false, "the file is empty");
		else
			complain(&s, "", false, "%zu documents; an environment file is one",
				 json_array_size(documents));
		return err_hint(e, "begin with a copy of examples/local.yaml");
	}
	v->doc = json_incref(json_array_get(documents, 0));
	check_schema(&s, v->doc);
	if (s.findings)
		return -1;
	check_provider(&s, v->doc);
	if (streq(jx_str(v->doc, "cluster.provider"), "gke"))
		gke_spec_check(v->doc, complain_gke, &s);
	check_amounts(&s, jx_path(v->doc, "operator.resources"));
	take(v);
	presto = jx_get(v->doc, "presto");
	if (json_is_string(presto)) {
		if (take_presto_file(v, &s, json_string_value(presto)) < 0)
			return -1;
	} else {
		take_presto(v, &s, presto, ROOT "/presto");
	}
	if (s.findings)
		return -1;
	*out = TAKE(v);
	return 0;
}

int env_load(struct env **out, const char *path, struct buf *more, struct err *e)
{
	autofree char *text = NULL, *dir = NULL, *folder = NULL;
	size_t len = 0;

	if (input_read(&text, &len, path, YAML_MAX_BYTES, e) < 0)
		return err_hint(e, "name an environment file with -f; examples/local.yaml is one");
	dir = streq(path, "-") ? xstrdup(".") : path_dir(path);
	folder = realpath(dir, NULL);
	if (!folder)
		return err_set(e, err_errno(errno), "%s: %s", dir, strerror(errno));
	if (env_parse(out, text, len, streq(path, "-") ? "standard input" : path, folder, more,
		      e) == 0)
		return 0;
	return err_hint(
		e,
		"prestoctl explain [FIELD] tells what may be there; examples/local.yaml and examples/gke.yaml are whole files");
}

char *env_file(const struct env *v, const char *path)
{
	autofree char *home = NULL;

	if (path[0] == '/')
		return xstrdup(path);
	if (starts_with(path, "~/") && (home = path_home()))
		return path_join(home, path + 2);
	return path_join(v->folder, path);
}

void env_free(struct env *v)
{
	if (!v)
		return;
	json_decref(v->doc);
	json_decref(v->presto);
	free(v->path);
	free(v->folder);
	free(v);
}

void env_freep(struct env **v)
{
	env_free(*v);
	*v = NULL;
}
