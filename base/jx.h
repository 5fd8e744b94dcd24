/*
 * jx.h - what jansson lacks for our use: limits, paths, read-only walks, canonical text.
 * Getters borrow and never fail loudly: a missing or wrongly typed value is NULL/0/false, for
 * objects from outside whose absence is normal. Objects that came from a store are read-only.
 */
#ifndef BASE_JX_H
#define BASE_JX_H

#include <jansson.h>

#include "base/buf.h"

#define JX_MAX_DEPTH 128
#define JX_MAX_BYTES (64u << 20)

/*
 * jx_parse - text to tree. Duplicate keys, NUL in strings, depth over JX_MAX_DEPTH, more than
 * JX_MAX_BYTES, trailing text are refused; a lone string or number is a tree too.
 * @what names the source in messages.
 * Returns 0, or -1 with ERR_PROTOCOL and "what: line L column C: ...".
 */
int jx_parse(json_t **out, const char *text, size_t len, const char *what,
	     struct err *e) MUST_CHECK;

/*
 * Paths are dotted keys: "metadata.labels"; a key with a dot in it is reached by jx_get itself.
 * An index is written as a number: "spec.containers.0.name".
 */
json_t *jx_path(const json_t *o, const char *path);    /* borrowed or NULL */
json_t *jx_get(const json_t *o, const char *key);      /* const-clean json_object_get */
const char *jx_str(const json_t *o, const char *path); /* NULL unless a string */
const char *jx_str_or(const json_t *o, const char *path, const char *fallback);
json_int_t jx_int(const json_t *o, const char *path); /* 0 unless an integer, or a real like 2.0 */
json_int_t jx_int_or(const json_t *o, const char *path, json_int_t fallback);
bool jx_bool(const json_t *o, const char *path);
bool jx_is_empty(const json_t *v); /* NULL, null, {}, [], "" */

/*
 * jx_foreach - walk a borrowed object in insertion order; do not change it meanwhile. Anything
 * but an object has no members. The iterator is named after the line, so that loops can nest.
 */
#define JX_PASTE_(a, b)          a##b
#define JX_PASTE(a, b)           JX_PASTE_(a, b)
#define jx_foreach(object, k, v) jx_foreach_(object, k, v, JX_PASTE(jx_it_, __LINE__))
#define jx_foreach_(object, k, v, it)                                                            \
	for (void *it = jx_iter(object);                                                         \
	     it && ((k) = json_object_iter_key(it), 1) && ((v) = json_object_iter_value(it), 1); \
	     it = jx_iter_next(object, it))
void *jx_iter(const json_t *object);
void *jx_iter_next(const json_t *object, void *it);
/* jx_keys - sorted borrowed keys; *n is set; free() the array. NULL when empty. */
const char **jx_keys(const json_t *object, size_t *n);

/*
 * jx_set - set value at a dotted path, making objects on the way (also in place of what cannot
 * have members); an index that an array does not have appends. Steals v.
 */
void jx_set(json_t *o, const char *path, json_t *v);
/* jx_strf - new string value, never NULL: bytes that are not UTF-8 become question marks. */
json_t *jx_strf(const char *fmt, ...) PRINTF_LIKE(1, 2) NEVER_NULL;
/* jx_merge - deep merge of patch into base (RFC 7386: null removes). Neither is stolen. */
void jx_merge(json_t *base, const json_t *patch);

/* jx_canonical - compact text with sorted keys: what is hashed and compared. Owned, never NULL. */
char *jx_canonical(const json_t *v) NEVER_NULL;
char *jx_pretty(const json_t *v)
	NEVER_NULL; /* two-space indent, insertion order, no final newline. Owned. */

/*
 * jx_items_each - hand out the elements of the top-level array "items" of a list body one at a
 * time, so that a page of a thousand objects is never one tree. @item is borrowed in the callback,
 * which returns -1 with e set to stop. *@meta receives the list's other members (metadata ...),
 * owned. A body without "items" (a Status, say) is an error; null is an empty list. An error may
 * come after items have been handed out: the text is checked on the way.
 * Returns 0, or -1 with ERR_PROTOCOL or the callback's error.
 */
int jx_items_each(json_t **meta, const char *text, size_t len,
		  int (*each)(const json_t *item, void *arg, struct err *e), void *arg,
		  struct err *e) MUST_CHECK;

void jx_decrefp(json_t **v);
#define autojson AUTO(jx_decrefp) /* autojson json_t *o = NULL; */

#endif
