/* obj.c - typed looks at Kubernetes objects. No I/O. */
#include "k8s/obj.h"

#include "base/mem.h"

static const char *meta(const json_t *o, const char *key)
{
	return json_string_value(jx_get(jx_get(o, "metadata"), key));
}

const char *obj_name(const json_t *o)
{
	return meta(o, "name");
}

const char *obj_ns(const json_t *o)
{
	return meta(o, "namespace");
}

const char *obj_uid(const json_t *o)
{
	return meta(o, "uid");
}

const char *obj_rv(const json_t *o)
{
	return meta(o, "resourceVersion");
}

/* Keys of labels have dots in them, so no dotted path. */
static const char *map_value(const json_t *o, const char *map, const char *key)
{
	return json_string_value(jx_get(jx_get(jx_get(o, "metadata"), map), key));
}

const char *obj_label(const json_t *o, const char *key)
{
	return map_value(o, "labels", key);
}

const char *obj_annotation(const json_t *o, const char *key)
{
	return map_value(o, "annotations", key);
}

json_int_t obj_generation(const json_t *o)
{
	return json_integer_value(jx_get(jx_get(o, "metadata"), "generation"));
}

bool obj_deleting(const json_t *o)
{
	return meta(o, "deletionTimestamp") != NULL;
}

char *obj_key(const json_t *o)
{
	const char *ns = obj_ns(o), *name = obj_name(o);

	if (!name || !*name)
		return NULL;
	return ns && *ns ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

const json_t *obj_controller(const json_t *o)
{
	const json_t *owners = jx_get(jx_get(o, "metadata"), "ownerReferences");

	for (size_t i = 0; i < json_array_size(owners); i++) {
		const json_t *owner = json_array_get(owners, i);

		if (json_is_true(jx_get(owner, "controller")))
			return owner;
	}
	return NULL;
}

json_t *obj_owner_ref(const json_t *owner)
{
	json_t *ref = json_object();

	json_object_set(ref, "apiVersion", jx_get(owner, "apiVersion"));
	json_object_set(ref, "kind", jx_get(owner, "kind"));
	json_object_set(ref, "name", jx_get(jx_get(owner, "metadata"), "name"));
	json_object_set(ref, "uid", jx_get(jx_get(owner, "metadata"), "uid"));
	json_object_set_new(ref, "controller", json_true());
	json_object_set_new(ref, "blockOwnerDeletion", json_true());
	return ref;
}

static json_t *find_condition(const json_t *conditions, const char *type)
{
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		json_t *c = json_array_get(conditions, i);

		if (streq(json_string_value(jx_get(c, "type")), type))
			return c;
	}
	return NULL;
}

const json_t *obj_condition(const json_t *o, const char *type)
{
	return find_condition(jx_get(jx_get(o, "status"), "conditions"), type);
}

bool obj_condition_true(const json_t *o, const char *type)
{
	return streq(jx_str(obj_condition(o, type), "status"), "True");
}

void obj_condition_set(json_t *conditions, const char *type, bool status, const char *reason,
		       const char *message, json_int_t generation, const char *now)
{
	json_t *c = find_condition(conditions, type);
	const char *text = status ? "True" : "False";

	if (!c) {
		c = json_object();
		json_array_append_new(conditions, c);
		json_object_set_new(c, "type", json_string(type));
	}
	if (!streq(jx_str(c, "status"), text) || !jx_str(c, "lastTransitionTime"))
		json_object_set_new(c, "lastTransitionTime", json_string(now));
	json_object_set_new(c, "status", json_string(text));
	json_object_set_new(c, "reason", json_string(reason));
	json_object_set_new(c, "message", json_string(message));
	json_object_set_new(c, "observedGeneration", json_integer(generation));
}
