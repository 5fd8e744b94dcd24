/* strmap.c - the one user of uthash, whose macros stay in this file. */
#include "base/strmap.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size)   xmalloc(size)
#define uthash_free(p, size)  free(p)
#define uthash_fatal(message) abort()
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	void *value;
	char key[];
};

struct strmap {
	struct entry *head;
	void (*free_value)(void *);
};

struct strmap *strmap_new(void (*free_value)(void *))
{
	struct strmap *m = xcalloc(1, sizeof(*m));

	m->free_value = free_value;
	return m;
}

static void drop(const struct strmap *m, void *value)
{
	if (m->free_value && value)
		m->free_value(value);
}

void strmap_free(struct strmap *m)
{
	struct entry *at, *next;

	if (!m)
		return;
	HASH_ITER (hh, m->head, at, next) {
		HASH_DEL(m->head, at);
		drop(m, at->value);
		free(at);
	}
	free(m);
}

static struct entry *find(const struct strmap *m, const char *key)
{
	struct entry *found;

	HASH_FIND(hh, m->head, key, strlen(key), found);
	return found;
}

void *strmap_get(const struct strmap *m, const char *key)
{
	struct entry *found = find(m, key);

	return found ? found->value : NULL;
}

void strmap_put(struct strmap *m, const char *key, void *value)
{
	struct entry *found = find(m, key);

	if (found) {
		void *former = found->value;
		found->value = value;
		if (former != value)
			drop(m, former);
		return;
	}
	size_t len = strlen(key);
	struct entry *fresh = xcalloc(1, sizeof(*fresh) + len + 1);
	fresh->value = value;
	memcpy(fresh->key, key, len);
	HASH_ADD_KEYPTR(hh, m->head, fresh->key, len, fresh);
}

bool strmap_del(struct strmap *m, const char *key)
{
	struct entry *found = find(m, key);

	if (!found)
		return false;
	HASH_DEL(m->head, found);
	drop(m, found->value);
	free(found);
	return true;
}

size_t strmap_len(const struct strmap *m)
{
	return HASH_COUNT(m->head);
}

void strmap_each(struct strmap *m, bool (*fn)(const char *key, void *value, void *arg), void *arg)
{
	struct entry *at, *next;

	HASH_ITER (hh, m->head, at, next) {
		if (!fn(at->key, at->value, arg))
			return;
	}
}
