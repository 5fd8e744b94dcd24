/* objects.c - intents from the embedded manifests, and the decision about each. No I/O. */
#include "provision/objects.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "base/version.h"
#include "k8s/obj.h"
#include "presto/embed.h"
#include "presto/presto.h"

const char *const object_names[OBJ_COUNT] = {
	[OBJ_NAMESPACE] = "namespace",     [OBJ_CRD] = "crd",
	[OBJ_ACCOUNT] = "service-account", [OBJ_ROLE] = "role",
	[OBJ_BINDING] = "role-binding",    [OBJ_OPERATOR] = "operator",
	[OBJ_PRESTO] = "presto",
};

static const char *const manifest_files[OBJ_COUNT] = {
	[OBJ_CRD] = "crd.yaml",           [OBJ_ACCOUNT] = "service_account.yaml",
	[OBJ_ROLE] = "role.yaml",         [OBJ_BINDING] = "role_binding.yaml",
	[OBJ_OPERATOR] = "operator.yaml",
};

const struct k8s_res *object_res(enum object_id id)
{
	const struct k8s_res *const rows[OBJ_COUNT] = {
		[OBJ_NAMESPACE] = &K8S_NAMESPACE,    [OBJ_CRD] = &K8S_CRD,
		[OBJ_ACCOUNT] = &K8S_SERVICEACCOUNT, [OBJ_ROLE] = &K8S_ROLE,
		[OBJ_BINDING] = &K8S_ROLEBINDING,    [OBJ_OPERATOR] = &K8S_DEPLOYMENT,
		[OBJ_PRESTO] = &K8S_PRESTO,
	};

	return rows[id];
}

static json_t *manifest(const char *file)
{
	const struct embedded *m = presto_manifest(file);
	autojson json_t *documents = NULL;
	struct err e = ERR_INIT;

	if (!m ||
	    y2j_parse(&documents, NULL, m->start, (size_t)(m->end - m->start), file, Y2J_OWN, &e) <
		    0 ||
	    json_array_size(documents) != 1) {
		log_err(LOG_ERROR_LEVEL, file, &e, "the embedded manifest");
		abort(); /* part of the program: tests parse them all */
	}
	return json_incref(json_array_get(documents, 0));
}

static void set_at(json_t *o, const char *group, const char *key, const char *value)
{
	json_t *metadata = json_object_get(o, "metadata"), *map = json_object_get(metadata, group);

	if (!map) {
		map = json_object();
		json_object_set_new(metadata, group, map);
	}
	json_object_set_new(map, key, json_string(value));
}

/*
 * The hash is over all but itself, so that it can be checked against any later intent. The environment's label comes
 * later: what several environments share has the same hash in each.
 */
static void stamp(json_t *want)
{
	json_t *annotations = json_object_get(json_object_get(want, "metadata"), "annotations");
	char hex[SHA256_HEX_SIZE];
	autofree char *text = NULL;
	struct sha256 sum;

	json_object_del(annotations, APPLIED_ANNOTATION);
	text = jx_canonical(want);
	sha256_init(&sum);
	sha256_adds(&sum, text);
	sha256_hex(&sum, hex);
	hex[16] = '\0';
	set_at(want, "annotations", APPLIED_ANNOTATION, hex);
}

static void fill_operator(json_t *o, const struct install *in)
{
	json_t *container = jx_path(o, "spec.template.spec.containers.0"),
	       *env = json_object_get(container, "env");
	json_t *row;
	size_t i;

	json_object_set_new(container, "image", json_string(in->image));
	if (in->pull_policy)
		json_object_set_new(container, "imagePullPolicy", json_string(in->pull_policy));
	json_array_foreach (env, i, row)
		if (streq(jx_str(row, "name"), "OPERATOR_IMAGE"))
			json_object_set_new(row, "value", json_string(in->image));
	if (in->resources)
		json_object_set_new(container, "resources", json_deep_copy(in->resources));
}

json_t *object_want(enum object_id id, const struct install *in)
{
	json_t *o;

	if (id == OBJ_NAMESPACE)
		o = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
			      "metadata", "name", in->ns);
	else
		o = manifest(manifest_files[id]);
	if (id != OBJ_NAMESPACE && id != OBJ_CRD)
		jx_set(o, "metadata.namespace", json_string(in->ns));
	if (id == OBJ_BINDING)
		jx_set(o, "subjects.0.namespace", json_string(in->ns));
	if (id == OBJ_OPERATOR)
		fill_operator(o, in);
	if (!in->env)
		return o;
	if (id == OBJ_CRD)
		set_at(o, "annotations", VERSION_ANNOTATION, version_text);
	stamp(o);
	set_at(o, "labels", ENV_LABEL, in->env);
	return o;
}

json_t *object_want_presto(const struct env *v)
{
	json_t *o = json_deep_copy(v->presto);

	stamp(o);
	set_at(o, "labels", ENV_LABEL, v->name);
	return o;
}

void objects_of(struct object o[OBJ_COUNT], const struct env *v)
{
	const struct install in = {.env = v->name,
				   .ns = v->ns,
				   .image = v->operator_image,
				   .pull_policy = v->operator_pull_policy,
				   .resources = v->operator_resources};

	for (enum object_id id = 0; id < OBJ_COUNT; id++)
		o[id] = (struct object){.want = id == OBJ_PRESTO ? object_want_presto(v)
								 : object_want(id, &in)};
}

void objects_release(struct object o[OBJ_COUNT])
{
	for (size_t i = 0; i < OBJ_COUNT; i++) {
		json_decref(o[i].want);
		json_decref(o[i].live);
		o[i] = (struct object){0};
	}
}

int version_cmp(const char *a, const char *b)
{
	for (int part = 0; part < 3; part++) {
		char *after_a, *after_b;
		long x = a ? strtol(a, &after_a, 10) : -1, y = b ? strtol(b, &after_b, 10) : -1;

		if (!a || after_a == a)
			x = -1;
		if (!b || after_b == b)
			y = -1;
		if (x != y)
			return x < y ? -1 : 1;
		if (x < 0)
			return 0;
		a = *after_a == '.' ? after_a + 1 : NULL;
		b = *after_b == '.' ? after_b + 1 : NULL;
	}
	return 0;
}

static void keep(struct object *o, const char *why)
{
	o->action = OBJECT_KEEP;
	snprintf(o->why, sizeof(o->why), "%s", why);
}

/* Whose it is does not change by our writing it: the label that is there is ours to repeat, or apply would drop it. */
static void take_label(struct object *o)
{
	const char *label = obj_label(o->live, ENV_LABEL);

	if (label)
		set_at(o->want, "labels", ENV_LABEL, label);
	else
		json_object_del(jx_path(o->want, "metadata.labels"), ENV_LABEL);
}

/* What is shared by everybody in the cluster stays with whom made it. */
static bool decide_shared(struct object *o, enum object_id id)
{
	const char *there = obj_annotation(o->live, VERSION_ANNOTATION);

	if (id == OBJ_NAMESPACE && !o->ours) {
		keep(o, "was there before");
		return true;
	}
	if (id != OBJ_CRD)
		return false;
	if (there && version_cmp(there, version_text) > 0) {
		keep(o, "");
		snprintf(o->why, sizeof(o->why), "is of the newer version %.32s", there);
		return true;
	}
	if (o->ours)
		return false;
	take_label(o);
	if (there)
		return false;
	/* Installed by other means: only what it says counts, not our stamps on it. */
	json_object_del(json_object_get(o->want, "metadata"), "annotations");
	o->action = intent_holds(o->want, o->live, o->why) ? OBJECT_KEEP : OBJECT_CHANGE;
	if (o->action == OBJECT_KEEP)
		keep(o, "was there before");
	else
		set_at(o->want, "annotations", VERSION_ANNOTATION, version_text);
	return true;
}

/* The stamp comes last, as every difference changes it: when it alone differs, a field that was set is set no more. */
static bool as_wanted(struct object *o)
{
	json_t *annotations = jx_path(o->want, "metadata.annotations");
	autojson json_t *stamped = json_incref(json_object_get(annotations, APPLIED_ANNOTATION));
	bool same;

	json_object_del(annotations, APPLIED_ANNOTATION);
	same = intent_holds(o->want, o->live, o->why);
	json_object_set(annotations, APPLIED_ANNOTATION, stamped);
	if (same &&
	    !streq(json_string_value(stamped), obj_annotation(o->live, APPLIED_ANNOTATION))) {
		snprintf(o->why, sizeof(o->why),
			 "a field that was set before is no longer in the intent");
		return false;
	}
	return same;
}

int object_decide(struct object *o, enum object_id id, const char *env, struct err *e)
{
	const char *label = o->live ? obj_label(o->live, ENV_LABEL) : NULL;

	o->why[0] = '\0';
	o->ours = streq(label, env);
	if (!o->live || obj_deleting(o->live)) {
		o->action = OBJECT_CREATE;
		if (o->live)
			snprintf(o->why, sizeof(o->why), "the old one is being removed");
		return 0;
	}
	if (decide_shared(o, id))
		return 0;
	if (label && !o->ours && id != OBJ_CRD) {
		err_set(e, ERR_CONFLICT, "%s %s belongs to the environment '%s'",
			object_res(id)->kind, obj_name(o->live), label);
		return err_hint(
			e,
			"give this environment another operator.namespace, or take that one down first");
	}
	o->action = as_wanted(o) ? OBJECT_KEEP : OBJECT_CHANGE;
	return 0;
}
