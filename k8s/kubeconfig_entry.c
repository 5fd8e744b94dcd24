/* kubeconfig_entry.c - entries of one kubeconfig document, put and dropped. Pure. */
#include <string.h>

#include "k8s/kubeconfig_edit.h"

static const char *const lists[] = {"clusters", "contexts", "users"};
static const char *const bodies[] = {"cluster", "context", "user"};

/*
 * What says where a cluster is and who a user is. Of an entry that is changed these go unless they are set again: two ways
 * to log in side by side would be an error, or a secret that nobody expects there.
 */
static const char *const managed[][13] = {
	[KUBECONFIG_CLUSTERS] = {"server", "certificate-authority", "certificate-authority-data",
				 "insecure-skip-tls-verify", "tls-server-name", NULL},
	[KUBECONFIG_CONTEXTS] = {"cluster", "user", NULL},
	[KUBECONFIG_USERS] = {"exec", "auth-provider", "token", "tokenFile", "client-certificate",
			      "client-certificate-data", "client-key", "client-key-data",
			      "username", "password", NULL},
};

static size_t find(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(jx_str(json_array_get(list, i), "name"), name))
			return i;
	return SIZE_MAX;
}

static const json_t *body_of(const json_t *doc, enum kubeconfig_section s, const char *name)
{
	const json_t *list = jx_get(doc, lists[s]);
	size_t i = find(list, name);

	return i == SIZE_MAX ? NULL : jx_get(json_array_get(list, i), bodies[s]);
}

bool kubeconfig_has(const json_t *doc, enum kubeconfig_section s, const char *name)
{
	return find(jx_get(doc, lists[s]), name) != SIZE_MAX;
}

/* --- put ---------------------------------------------------------------------------------------- */

/* Of a context only the namespace is its user's own. Owned. */
static json_t *wanted_body(const json_t *old, enum kubeconfig_section s,
			   const struct kubeconfig_entry *entry)
{
	json_t *context;

	if (s == KUBECONFIG_CLUSTERS)
		return json_deep_copy(entry->cluster);
	if (s == KUBECONFIG_USERS)
		return json_deep_copy(entry->user);
	context = json_pack("{s:s, s:s}", "cluster", entry->name, "user", entry->name);
	if (entry->ns && jx_is_empty(jx_get(old, "namespace")))
		json_object_set_new(context, "namespace", json_string(entry->ns));
	return context;
}

static void update(json_t *old, enum kubeconfig_section s, const json_t *want)
{
	const json_t *value;
	const char *key;

	for (size_t i = 0; managed[s][i]; i++)
		if (!jx_get(want, managed[s][i]))
			json_object_del(old, managed[s][i]);
	jx_foreach (want, key, value)
		json_object_set_new(old, key, json_deep_copy(value));
}

static json_t *the_list(json_t *doc, enum kubeconfig_section s)
{
	json_t *list = jx_get(doc, lists[s]);

	if (!json_is_array(list)) { /* null, as kubectl writes an empty one */
		list = json_array();
		json_object_set_new(doc, lists[s], list);
	}
	return list;
}

bool kubeconfig_put(json_t *doc, enum kubeconfig_section s, const struct kubeconfig_entry *entry)
{
	json_t *list = the_list(doc, s), *item, *old;
	size_t at = find(list, entry->name);
	autojson json_t *want = NULL, *before = NULL;

	if (at == SIZE_MAX) {
		want = wanted_body(NULL, s, entry);
		json_array_append_new(
			list, json_pack("{s:s, s:O}", "name", entry->name, bodies[s], want));
		return true;
	}
	item = json_array_get(list, at);
	old = jx_get(item, bodies[s]);
	want = wanted_body(old, s, entry);
	if (!json_is_object(old)) {
		json_object_set(item, bodies[s], want);
		return true;
	}
	before = json_deep_copy(old);
	update(old, s, want);
	return !json_equal(before, old);
}

/* --- drop --------------------------------------------------------------------------------------- */

/* kubectl writes the empty values of an entry again, or leaves them out: neither is a change. Owned. */
static json_t *without_empty(const json_t *v)
{
	const json_t *member;
	const char *key;
	json_t *o;

	if (!json_is_object(v))
		return json_deep_copy(v);
	o = json_object();
	jx_foreach (v, key, member)
		if (!jx_is_empty(member) && !json_is_false(member))
			json_object_set_new(o, key, without_empty(member));
	return o;
}

static void mark(char out[SHA256_HEX_SIZE], enum kubeconfig_section s, const json_t *body)
{
	autojson json_t *kept = json_object(), *plain = NULL;
	autofree char *text = NULL;
	struct sha256 h;

	for (size_t i = 0; managed[s][i]; i++)
		if (jx_get(body, managed[s][i]))
			json_object_set(kept, managed[s][i], jx_get(body, managed[s][i]));
	plain = without_empty(kept);
	text = jx_canonical(plain);
	sha256_init(&h);
	sha256_adds(&h, text);
	sha256_hex(&h, out);
	mem_wipe(text, strlen(text));
}

void kubeconfig_mark(struct kubeconfig_marks *out, const struct kubeconfig_entry *entry)
{
	mark(out->cluster, KUBECONFIG_CLUSTERS, entry->cluster);
	mark(out->user, KUBECONFIG_USERS, entry->user);
}

static bool is_needed(const json_t *doc, enum kubeconfig_section s, const char *name)
{
	const json_t *contexts = jx_get(doc, lists[KUBECONFIG_CONTEXTS]);

	for (size_t i = 0; i < json_array_size(contexts); i++) {
		const json_t *body = jx_get(json_array_get(contexts, i), "context");

		if (streq(jx_str(body, bodies[s]), name))
			return true;
	}
	return false;
}

/* Whether one that is there still is what was put. */
static bool is_marked(const json_t *doc, enum kubeconfig_section s, const char *name,
		      const struct kubeconfig_marks *marks)
{
	const json_t *body = body_of(doc, s, name);
	char now[SHA256_HEX_SIZE];

	if (s == KUBECONFIG_CONTEXTS)
		return streq(jx_str(body, "cluster"), name) && streq(jx_str(body, "user"), name);
	mark(now, s, body);
	return streq(now, s == KUBECONFIG_CLUSTERS ? marks->cluster : marks->user);
}

static bool may_go(const json_t *doc, enum kubeconfig_section s, const char *name,
		   const struct kubeconfig_marks *marks)
{
	/* A context whose cluster or user is somebody else's by now is in use. */
	for (enum kubeconfig_section i = KUBECONFIG_CLUSTERS; i <= KUBECONFIG_USERS; i++)
		if ((i == s || s == KUBECONFIG_CONTEXTS) && kubeconfig_has(doc, i, name) &&
		    !is_marked(doc, i, name, marks))
			return false;
	return s == KUBECONFIG_CONTEXTS || !is_needed(doc, s, name);
}

bool kubeconfig_drop(json_t *doc, const char *name, const struct kubeconfig_marks *marks,
		     size_t *stays)
{
	/* The context first: it must not keep its own cluster and user alive. */
	static const enum kubeconfig_section order[] = {KUBECONFIG_CONTEXTS, KUBECONFIG_CLUSTERS,
							KUBECONFIG_USERS};
	bool changed = false;

	*stays = 0;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		json_t *list = jx_get(doc, lists[order[i]]);

		if (!kubeconfig_has(doc, order[i], name))
			continue;
		if (!may_go(doc, order[i], name, marks)) {
			++*stays;
			continue;
		}
		json_array_remove(list, find(list, name));
		changed = true;
		if (order[i] == KUBECONFIG_CONTEXTS && streq(jx_str(doc, "current-context"), name))
			json_object_set_new(doc, "current-context", json_string(""));
	}
	return changed;
}
