/* drift.c - walks an intent against a live object. Pure. */
#include "operator/drift.h"

#include <string.h>

#include "base/quantity.h"

/* Lists that the API server merges by a key; all others are compared element by element. */
static const struct {
	const char *list, *key;
} keyed[] = {
	{"containers", "name"},        {"initContainers", "name"},
	{"volumes", "name"},           {"env", "name"},
	{"volumeMounts", "mountPath"}, {"ownerReferences", "uid"},
	{"imagePullSecrets", "name"},
};

static const char *list_key(const char *list, const json_t *items)
{
	for (size_t i = 0; i < ARRAY_LEN(keyed); i++) {
		if (streq(keyed[i].list, list))
			return keyed[i].key;
	}
	if (streq(list, "ports")) /* of containers, of Services */
		return jx_get(json_array_get(items, 0), "containerPort") ? "containerPort" : "port";
	return NULL;
}

static bool is_quantity_map(const char *name)
{
	return streq(name, "requests") || streq(name, "limits");
}

/* What the server leaves out when it writes an object down. */
static bool says_nothing(const json_t *v)
{
	return jx_is_empty(v) || (json_is_integer(v) && json_integer_value(v) == 0);
}

static const json_t *find_keyed(const json_t *items, const char *key, const json_t *like)
{
	const json_t *wanted = jx_get(like, key);

	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);

		if (wanted && json_equal(jx_get(item, key), wanted))
			return item;
	}
	return NULL;
}

struct walk {
	char path[200];
	size_t len;
};

static bool covers(struct walk *w, const char *name, const char *parent, const json_t *want,
		   const json_t *live);

static size_t enter(struct walk *w, const char *name)
{
	size_t old = w->len;
	int n = snprintf(w->path + old, sizeof(w->path) - old, "%s%s", old ? "." : "", name);

	w->len = old + (size_t)n < sizeof(w->path) ? old + (size_t)n : sizeof(w->path) - 1;
	return old;
}

static void leave(struct walk *w, size_t old)
{
	w->len = old;
	w->path[old] = '\0';
}

static bool covers_object(struct walk *w, const char *name, const json_t *want, const json_t *live)
{
	const char *key;
	json_t *v;

	jx_foreach (want, key, v) {
		size_t old = enter(w, key);

		if (!covers(w, key, name, v, jx_get(live, key)))
			return false;
		leave(w, old);
	}
	return true;
}

static bool covers_list(struct walk *w, const char *name, const json_t *want, const json_t *live)
{
	const char *key = list_key(name, want);

	if (!json_is_array(live) || (!key && json_array_size(live) != json_array_size(want)))
		return false;
	for (size_t i = 0; i < json_array_size(want); i++) {
		const json_t *item = json_array_get(want, i);
		const json_t *other = key ? find_keyed(live, key, item) : json_array_get(live, i);
		char at[24];
		size_t old;

		snprintf(at, sizeof(at), "%zu", i);
		old = enter(w, at);
		if (!covers(w, at, name, item, other))
			return false;
		leave(w, old);
	}
	return true;
}

static const char *quantity_text(char out[32], const json_t *v)
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v))
		snprintf(out, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		snprintf(out, 32, "%.15g", json_number_value(v));
	return out;
}

static bool covers(struct walk *w, const char *name, const char *parent, const json_t *want,
		   const json_t *live)
{
	char a[32], b[32];

	if (!live || json_is_null(live)) /* an empty file is a file */
		return says_nothing(want) && !streq(parent, "data") && !streq(parent, "binaryData");
	if (json_is_object(want))
		return json_is_object(live) && covers_object(w, name, want, live);
	if (json_is_array(want))
		return covers_list(w, name, want, live);
	if ((is_quantity_map(parent) || streq(name, "sizeLimit")) && !json_is_object(live) &&
	    !json_is_array(live))
		return quantity_equal(quantity_text(a, want), quantity_text(b, live));
	if (json_is_number(want) && json_is_number(live))
		return json_is_integer(want) && json_is_integer(live)
			       ? json_integer_value(want) == json_integer_value(live)
			       : !(json_number_value(want) < json_number_value(live)) &&
					 !(json_number_value(want) > json_number_value(live));
	return json_equal(want, live) || (says_nothing(want) && says_nothing(live));
}

/* Items of a list do not say what they are. */
static bool is_type(const char *key)
{
	return streq(key, "apiVersion") || streq(key, "kind");
}

bool drift_covers(const json_t *want, const json_t *live, char *path, size_t path_size)
{
	struct walk w = {.len = 0};
	bool same = true;
	const char *key;
	json_t *v;

	jx_foreach (want, key, v) {
		if (is_type(key))
			continue;
		enter(&w, key);
		same = covers(&w, key, "", v, jx_get(live, key));
		if (!same)
			break;
		leave(&w, 0);
	}

	if (path && path_size)
		snprintf(path, path_size, "%s", same ? "" : w.path);
	return same;
}

static json_t *restrict_to(const char *name, const json_t *want, const json_t *live)
{
	const char *key;
	json_t *out, *v;

	if (!live)
		return json_null();
	if (json_is_object(want) && json_is_object(live)) {
		out = json_object();
		jx_foreach (want, key, v)
			json_object_set_new(out, key, restrict_to(key, v, jx_get(live, key)));
		return out;
	}
	key = json_is_array(want) && json_is_array(live) ? list_key(name, want) : NULL;
	if (key) {
		out = json_array();
		for (size_t i = 0; i < json_array_size(want); i++) {
			const json_t *item = json_array_get(want, i);

			json_array_append_new(out,
					      restrict_to("", item, find_keyed(live, key, item)));
		}
		return out;
	}
	return json_deep_copy(live);
}

json_t *drift_restrict(const json_t *want, const json_t *live)
{
	json_t *out = restrict_to("", want, live);

	json_object_del(out, "apiVersion");
	json_object_del(out, "kind");
	return out;
}

json_t *drift_foreign(const json_t *want, const json_t *live)
{
	static const char *const sections[] = {"data", "binaryData"};
	autojson json_t *patch = json_object();

	if (!streq(jx_str(want, "kind"), "ConfigMap"))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		const char *key;
		json_t *v, *nulls = json_object();

		jx_foreach (jx_get(live, sections[i]), key, v) {
			if (v && !jx_get(jx_get(want, sections[i]), key))
				json_object_set_new(nulls, key, json_null());
		}
		if (json_object_size(nulls))
			json_object_set(patch, sections[i], nulls);
		json_decref(nulls);
	}
	return json_object_size(patch) ? TAKE(patch) : NULL;
}
