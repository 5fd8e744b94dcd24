/* store.c - entries of an informer, and reading one's own writes. No I/O. */
#include "k8s/store.h"

#include <stdlib.h>

/*
 * Versions and uids are opaque: only equality counts, so a hash of each is kept. pending is the
 * version of a write of our own whose event has not come yet: events of one object come in order, so
 * whatever comes before that one is older than what we hold.
 */
struct slot {
	struct store *store;
	void *entry;
	uint64_t rv, uid, pending, round;
};

static uint64_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (; text && *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h ? h : 1;
}

static void entry_free(const struct store *s, void *entry)
{
	if (entry && s->ops.release)
		s->ops.release(entry);
	free(entry);
}

static void slot_free(void *p)
{
	struct slot *slot = p;

	entry_free(slot->store, slot->entry);
	free(slot);
}

void store_init(struct store *s, const struct informer_ops *ops)
{
	*s = (struct store){.slots = strmap_new(slot_free), .ops = *ops};
}

void store_release(struct store *s)
{
	strmap_free(s->slots);
	s->slots = NULL;
}

static void remember(struct store *s, uint64_t rv)
{
	s->seen[s->seen_at] = rv;
	s->seen_at = (s->seen_at + 1) % STORE_SEEN;
}

static bool remembered(const struct store *s, uint64_t rv)
{
	for (size_t i = 0; i < STORE_SEEN; i++)
		if (s->seen[i] == rv)
			return true;
	return false;
}

static void notify(const struct store *s, const char *key, const void *old, const void *new)
{
	if (s->ops.notify && (old || new))
		s->ops.notify(key, old, new, s->ops.arg);
}

/* The owner hears of it when the store tells the new state already, and the old entry still lives. */
static void drop(struct store *s, const char *key, bool quiet)
{
	struct slot *slot = strmap_get(s->slots, key);
	void *old;

	if (!slot)
		return;
	old = TAKE(slot->entry);
	strmap_del(s->slots, key);
	if (!quiet)
		notify(s, key, old, NULL);
	entry_free(s, old);
}

static struct slot *upsert(struct store *s, const char *key, const json_t *obj, bool quiet)
{
	struct slot *slot = strmap_get(s->slots, key);
	void *entry = xcalloc(1, s->ops.entry_size), *old;

	if (s->ops.project(entry, obj, s->ops.arg) < 0) {
		free(entry);
		drop(s, key, quiet);
		return NULL;
	}
	if (!slot) {
		slot = xcalloc(1, sizeof(*slot));
		slot->store = s;
		strmap_put(s->slots, key, slot);
	}
	old = slot->entry;
	slot->entry = entry;
	slot->rv = hash(obj_rv(obj));
	slot->uid = hash(obj_uid(obj));
	slot->pending = 0;
	slot->round = s->round;
	if (!quiet)
		notify(s, key, old, entry);
	entry_free(s, old);
	return slot;
}

void store_list_begin(struct store *s)
{
	s->round++;
}

void store_list_item(struct store *s, const json_t *obj)
{
	autofree char *key = obj_key(obj);
	struct slot *slot = key ? strmap_get(s->slots, key) : NULL;
	uint64_t rv = hash(obj_rv(obj));

	if (!key)
		return;
	remember(s, rv);
	if (slot && slot->rv == rv) {
		slot->round = s->round;
		slot->pending = 0;
		return;
	}
	/*
	 * It may be older than a write of ours that is pending. There is no telling, and nothing is
	 * lost: the watch that follows brings the newer state.
	 */
	upsert(s, key, obj, false);
}

struct vanished {
	const struct store *store;
	json_t *keys;
};

static bool find_vanished(const char *key, void *value, void *arg)
{
	const struct slot *slot = value;
	struct vanished *v = arg;

	if (slot->round != v->store->round)
		json_array_append_new(v->keys, json_string(key));
	return true;
}

void store_list_end(struct store *s)
{
	autojson json_t *keys = json_array();
	struct vanished v = {s, keys};

	strmap_each(s->slots, find_vanished, &v);
	for (size_t i = 0; i < json_array_size(keys); i++)
		drop(s, json_string_value(json_array_get(keys, i)), false);
}

/* Does this event tell something that is older than what we hold, or the same? */
static bool is_stale(struct slot *slot, uint64_t rv, uint64_t uid, bool deleted)
{
	if (slot->pending && rv == slot->pending)
		slot->pending = 0;
	else if (slot->pending)
		return !deleted || uid != slot->uid;
	return !deleted && rv == slot->rv;
}

void store_event(struct store *s, const json_t *obj, bool deleted)
{
	autofree char *key = obj_key(obj);
	struct slot *slot = key ? strmap_get(s->slots, key) : NULL;
	uint64_t rv = hash(obj_rv(obj));

	if (!key)
		return;
	remember(s, rv);
	if (slot && is_stale(slot, rv, hash(obj_uid(obj)), deleted))
		return;
	if (deleted)
		drop(s, key, false);
	else
		upsert(s, key, obj, false);
}

void store_put(struct store *s, const json_t *obj)
{
	autofree char *key = obj_key(obj);
	struct slot *slot = key ? strmap_get(s->slots, key) : NULL;
	uint64_t rv = hash(obj_rv(obj));

	if (!key || !obj_rv(obj))
		return;
	/* A write that changed nothing: the same version, but what is kept of it may be judged anew. */
	if (slot && slot->rv == rv) {
		uint64_t pending = slot->pending;

		slot = upsert(s, key, obj, true);
		if (slot)
			slot->pending = pending;
		return;
	}
	/* Its event was faster than the reply: what we hold is newer. */
	if (remembered(s, rv))
		return;
	slot = upsert(s, key, obj, true);
	if (slot)
		slot->pending = rv;
}

const void *store_get(const struct store *s, const char *key)
{
	const struct slot *slot = strmap_get(s->slots, key);

	return slot ? slot->entry : NULL;
}

struct walk {
	bool (*fn)(const char *key, const void *entry, void *arg);
	void *arg;
};

static bool visit(const char *key, void *value, void *arg)
{
	const struct slot *slot = value;
	const struct walk *w = arg;

	return w->fn(key, slot->entry, w->arg);
}

void store_each(const struct store *s, bool (*fn)(const char *key, const void *entry, void *arg),
		void *arg)
{
	struct walk w = {fn, arg};

	strmap_each(s->slots, visit, &w);
}
