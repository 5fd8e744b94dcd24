/* check.c - a resource against the embedded definition, then against our rules. */
#include <assert.h>
#include <string.h>

#include "base/yaml.h"
#include "presto/embed.h"
#include "presto/findings.h"

/* metav1.ObjectMeta: what strict decoding knows below metadata. */
static const char *const meta_fields[] = {
	"name",
	"generateName",
	"namespace",
	"selfLink",
	"uid",
	"resourceVersion",
	"generation",
	"creationTimestamp",
	"deletionTimestamp",
	"deletionGracePeriodSeconds",
	"labels",
	"annotations",
	"ownerReferences",
	"finalizers",
	"managedFields",
};

/* The schema of v1, read once; it cannot fail, as a test parses what is embedded. */
static const json_t *definition_schema(void)
{
	static json_t *definition;

	if (!definition) {
		const struct embedded *crd = presto_manifest("crd.yaml");
		struct err e = ERR_INIT;

		if (y2j_parse(&definition, NULL, crd->start, (size_t)(crd->end - crd->start),
			      crd->name, Y2J_OWN, &e) < 0)
			assert(!"the embedded definition does not parse");
	}
	return jx_path(definition, "0.spec.versions.0.schema.openAPIV3Schema");
}

static bool known_meta(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(meta_fields); i++)
		if (streq(meta_fields[i], key))
			return true;
	return false;
}

static void check_unknown(struct findings *f, const json_t *resource, bool with_status)
{
	const json_t *schema = definition_schema();
	const struct place meta = place_of("metadata");
	const char *k;
	const json_t *v;

	jx_foreach (resource, k, v) {
		struct place at = place_child(&place_root, k);
		const json_t *of = jx_get(jx_get(schema, "properties"), k);

		if (!of)
			found(f, &at, "unknown field \"%s\"", k);
		else if (!streq(k, "metadata") && (with_status || !streq(k, "status")))
			schema_unknown(f, of, v, &at);
	}
	jx_foreach (jx_get(resource, "metadata"), k, v) {
		struct place at = place_child(&meta, k);

		if (!known_meta(k))
			found(f, &at, "unknown field \"%s\"", at.path);
	}
}

static bool is_identity(const char *key, const json_t *v, const char *want, struct findings *f)
{
	struct place at = place_of(key);
	char q[QUOTED_SIZE];

	if (json_is_string(v) && streq(json_string_value(v), want))
		return true;
	found(f, &at, "Invalid value: %s: must be %s",
	      quoted(q, json_is_string(v) ? json_string_value(v) : ""), want);
	return false;
}

static void check_strings(struct findings *f, const json_t *map, const char *path)
{
	const struct place at = place_of(path);
	const char *k;
	const json_t *v;

	if (map && !json_is_object(map) && !json_is_null(map))
		found(f, &at, "Invalid value: %s must be a map of strings", path);
	jx_foreach (map, k, v) {
		struct place p = place_child(&at, k);

		if (!json_is_string(v) && !json_is_null(v))
			found(f, &p, "Invalid value: %s must be a string (quote it)", p.path);
	}
}

static void check_metadata(struct findings *f, const json_t *resource)
{
	const json_t *meta = jx_get(resource, "metadata");
	const char *name = jx_str_or(meta, "name", ""),
		   *generated = jx_str_or(meta, "generateName", "");
	struct place at = place_of("metadata.name");

	if (!*name && !*generated)
		found(f, &at, "Required value: name or generateName is required");
	check_strings(f, jx_get(meta, "labels"), "metadata.labels");
	check_strings(f, jx_get(meta, "annotations"), "metadata.annotations");
}

/* The server reads spec.worker.count for the scale subresource too, and there takes no 2.0. */
static void check_scale(struct findings *f, const json_t *resource)
{
	const json_t *count = jx_path(resource, "spec.worker.count");
	struct place at = place_of("spec.worker.count");

	if (json_is_real(count))
		found(f, &at,
		      "Invalid value: 0: .spec.worker.count accessor error: %g is of the type "
		      "float64, expected int64",
		      json_real_value(count));
}

size_t check_resource(struct presto_cause *out, size_t max, const json_t *resource,
		      bool with_status)
{
	struct findings f = {.out = out, .max = max};
	const json_t *properties = jx_get(definition_schema(), "properties");
	static const char *const parts[] = {"metadata", "spec"};

	if (!json_is_object(resource)) {
		found(&f, &place_root, "Invalid value: must be an object");
		return f.n;
	}
	/* As the server does: another kind is not looked at any further. */
	if (!is_identity("apiVersion", jx_get(resource, "apiVersion"), PRESTO_API_VERSION, &f) ||
	    !is_identity("kind", jx_get(resource, "kind"), PRESTO_KIND, &f))
		return f.n;
	check_unknown(&f, resource, with_status);
	check_metadata(&f, resource);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const json_t *v = jx_get(resource, parts[i]);
		struct place at = place_child(&place_root, parts[i]);

		if (v && !json_is_null(v))
			schema_validate(&f, jx_get(properties, parts[i]), v, &at);
	}
	if (!f.n)
		check_scale(&f, resource);
	if (!f.n)
		rules_check(&f, resource);
	return f.n;
}

size_t presto_check(struct presto_cause *out, size_t max, const json_t *resource)
{
	return check_resource(out, max, resource, true);
}
