/*
 * informer.h - list and watch of one kind, kept as small entries (docs/architecture.md has the
 * state table). project() is pure and turns a whole object into the few bytes that we keep;
 * notify() may only enqueue. Everything runs from the loop.
 */
#ifndef K8S_INFORMER_H
#define K8S_INFORMER_H

#include "k8s/k8s.h"

struct informer;

struct informer_ops {
	size_t entry_size;
	/* project - fill a zeroed entry from an object. -1: not of interest (a known entry counts as gone),
	 * and nothing is left allocated in the entry. Items of a list come without kind and apiVersion. */
	int (*project)(void *entry, const json_t *obj, void *arg);
	/* notify - old NULL: added; new NULL: gone. Both are valid during the call only, and informer_get
	 * tells the new state already. Not called for an object whose resourceVersion we hold already. */
	void (*notify)(const char *key, const void *old, const void *new, void *arg);
	/* release - free what project() allocated inside the entry; NULL when nothing. */
	void (*release)(void *entry);
	void *arg;
};

struct informer_opts {
	const struct k8s_res *res;
	const char *ns;             /* NULL: all namespaces */
	const char *label_selector; /* NULL: all */
	unsigned seed;              /* for jitter; tests fix it */
	ns_t silence;               /* 0: 150 s */
	ns_t watch_min, watch_max;  /* timeoutSeconds range; 0: 300 s, 600 s */
	ns_t backoff_min;           /* 0: 800 ms */
};

struct informer_stats {
	uint64_t lists, watches, events, bookmarks, errors, relists;
};

/* informer_new - starts nothing. informer_start - the first LIST goes out. */
int informer_new(struct informer **out, struct k8s *k, const struct informer_opts *o,
		 const struct informer_ops *ops, struct err *e) MUST_CHECK;
int informer_start(struct informer *i, struct err *e) MUST_CHECK;
bool informer_synced(const struct informer *i);             /* the first list has arrived whole */
const bool *informer_synced_flag(const struct informer *i); /* for loop_wait */
void informer_free(struct informer *i);
/* informer_get - borrowed entry for "ns/name" (or "name"), NULL if absent. Valid until the loop turns. */
const void *informer_get(const struct informer *i, const char *key);
/* informer_put - give the store the object that a write of ours returned, as if its event had come, but
 * without notify. Until that event comes, others of the same object are older and are ignored; when it
 * has come before the reply, what the store holds is the same or newer and stays. */
void informer_put(struct informer *i, const json_t *obj);
void informer_each(const struct informer *i,
		   bool (*fn)(const char *key, const void *entry, void *arg), void *arg);
size_t informer_len(const struct informer *i);
struct informer_stats informer_stats(const struct informer *i);
/* informer_last_error - empty when healthy. The first of a row of failures is also logged. */
const char *informer_last_error(const struct informer *i);

#endif
