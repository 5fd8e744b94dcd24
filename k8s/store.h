/*
 * store.h - what an informer knows: small entries by "ns/name", with the resourceVersion and uid
 * they were projected from. Calls project(), notify() and release() of the informer's owner.
 */
#ifndef K8S_STORE_H
#define K8S_STORE_H

#include "base/strmap.h"
#include "k8s/informer.h"

#define STORE_SEEN \
	256 /* versions remembered, so that a late reply of a write is not taken for news */

struct store {
	struct strmap *slots;
	struct informer_ops ops;
	uint64_t round; /* of lists: what the current one has not named is gone at its end */
	uint64_t seen[STORE_SEEN];
	size_t seen_at;
};

void store_init(struct store *s, const struct informer_ops *ops);
void store_release(struct store *s);
void store_list_begin(struct store *s);
void store_list_item(struct store *s, const json_t *obj);
void store_list_end(struct store *s); /* the list was whole: drops what it did not name */
/* store_event - one of a watch, in its order. */
void store_event(struct store *s, const json_t *obj, bool deleted);
void store_put(struct store *s, const json_t *obj);
const void *store_get(const struct store *s, const char *key);
void store_each(const struct store *s, bool (*fn)(const char *key, const void *entry, void *arg),
		void *arg);

#endif
