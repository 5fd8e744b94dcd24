/* desired.c - puts the children of one Presto resource together. Pure. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "operator/agent/checksum.h"
#include "operator/desired_parts.h"

const char *role_name(enum role role)
{
	return role == COORDINATOR ? ROLE_COORDINATOR : ROLE_WORKER;
}

const struct presto_node *role_node(const struct presto *p, enum role role)
{
	return role == COORDINATOR ? &p->coordinator : &p->worker;
}

json_t *pack(const char *fmt, ...)
{
	json_error_t error;
	json_t *v;
	va_list ap;

	va_start(ap, fmt);
	v = json_vpack_ex(&error, 0, fmt, ap);
	va_end(ap);
	if (!v)
		fprintf(stderr, "json_pack %s: %s\n", fmt, error.text);
	assert(v);
	return v;
}

json_t *desired_labels(const struct presto *p, const char *role)
{
	return pack("{s:s, s:s, s:s}", "instance", p->cluster, "role", role, LABEL_MANAGED_BY,
		    MANAGED_BY);
}

json_t *desired_selector(const struct presto *p, const char *role)
{
	return pack("{s:s, s:s}", "instance", p->cluster, "role", role);
}

json_t *desired_object(const char *api_version, const char *kind, const char *name,
		       const struct presto *p, const char *role)
{
	json_t *owner = pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", PRESTO_API_VERSION,
			     "kind", PRESTO_KIND, "name", p->name, "uid", p->uid, "controller", 1,
			     "blockOwnerDeletion", 1);

	return pack("{s:s, s:s, s:{s:s, s:s, s:o, s:[o]}}", "apiVersion", api_version, "kind", kind,
		    "metadata", "name", name, "namespace", p->ns, "labels", desired_labels(p, role),
		    "ownerReferences", owner);
}

void desired_hash(char out[INTENT_SIZE], const json_t *v)
{
	autofree char *text = jx_canonical(v);
	char hex[SHA256_HEX_SIZE];
	struct sha256 s;

	sha256_init(&s);
	sha256_adds(&s, text);
	sha256_hex(&s, hex);
	snprintf(out, INTENT_SIZE, "%.20s", hex);
}

void desired_checksum(char out[SHA256_HEX_SIZE], const struct etc_files *etc,
		      const json_t *catalogs)
{
	size_t n;
	autofree const char **names = jx_keys(catalogs, &n);
	struct sha256 s;

	sha256_init(&s);
	for (size_t i = 0; i < etc->n; i++) {
		autofree char *path = xasprintf("etc/%s", etc->list[i].name);

		checksum_file(&s, path, etc->list[i].bytes, etc->list[i].len);
	}
	for (size_t i = 0; i < n; i++) {
		autofree char *path = xasprintf("catalog/%s", names[i]);
		const json_t *text = jx_get(catalogs, names[i]);

		checksum_file(&s, path, json_string_value(text), json_string_length(text));
	}
	sha256_hex(&s, out);
}

/* The hash covers everything but itself; it is what tells an edit of the resource from an edit of the child. */
static void stamp(json_t *obj)
{
	char hash[INTENT_SIZE];
	json_t *meta = jx_get(obj, "metadata"), *annotations = jx_get(meta, "annotations");

	desired_hash(hash, obj);
	if (!annotations) {
		annotations = json_object();
		json_object_set_new(meta, "annotations", annotations);
	}
	json_object_set_new(annotations, ANNOTATION_INTENT, json_string(hash));
}

int desired_state(json_t **out_waves, const struct presto *p, const struct desired_ctx *ctx,
		  struct err *e)
{
	AUTO(etc_files_release) struct etc_files coordinator = {0}, worker = {0};
	autojson json_t *catalogs = NULL, *config = NULL, *catalog_map = NULL, *waves = NULL;
	size_t i, k;
	json_t *wave, *obj;

	if (catalog_texts(&catalogs, p, e) < 0 ||
	    etc_files_of(&coordinator, p, COORDINATOR, e) < 0 ||
	    etc_files_of(&worker, p, WORKER, e) < 0 ||
	    desired_config(&config, p, &coordinator, &worker, e) < 0 ||
	    desired_catalogs(&catalog_map, p, catalogs, e) < 0)
		return -1;

	const struct pod_ctx c = {COORDINATOR, &coordinator, catalogs, ctx->agent_image,
				  &ctx->coordinator};
	const struct pod_ctx w = {WORKER, &worker, catalogs, ctx->agent_image, &ctx->worker};

	waves = pack("[[o, o, o], [o, o]]", TAKE(config), TAKE(catalog_map), desired_service(p),
		     desired_coordinator(p, &c), desired_worker(p, &w));
	json_array_foreach (waves, i, wave)
		json_array_foreach (wave, k, obj)
			stamp(obj);
	*out_waves = TAKE(waves);
	return 0;
}

const json_t *desired_find(const json_t *waves, const char *kind, const char *name)
{
	size_t i, k;
	json_t *wave, *obj;

	json_array_foreach (waves, i, wave) {
		json_array_foreach (wave, k, obj) {
			if (streq(jx_str(obj, "kind"), kind) &&
			    streq(jx_str(obj, "metadata.name"), name))
				return obj;
		}
	}
	return NULL;
}

const char *desired_intent(const json_t *obj)
{
	return json_string_value(jx_get(jx_path(obj, "metadata.annotations"), ANNOTATION_INTENT));
}
