/*
 * strmap.h - string-keyed map of pointers (uthash inside). Keys are copied; values are the caller's
 * unless a free function was given. Iteration is in insertion order.
 */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include "base/mem.h"

struct strmap;

struct strmap *strmap_new(void (*free_value)(void *)) NEVER_NULL;
void strmap_free(struct strmap *m);
/* strmap_get - NULL if absent. strmap_put frees a former value; strmap_del is false if absent. */
void *strmap_get(const struct strmap *m, const char *key);
void strmap_put(struct strmap *m, const char *key, void *value);
bool strmap_del(struct strmap *m, const char *key);
size_t strmap_len(const struct strmap *m);
/* strmap_each - fn may delete the entry it is called for, no other. Stops early when fn returns false. */
void strmap_each(struct strmap *m, bool (*fn)(const char *key, void *value, void *arg), void *arg);

#endif
