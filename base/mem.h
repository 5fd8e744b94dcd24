/*
 * mem.h - allocation that cannot fail, and ownership that the compiler looks after.
 * Out of memory aborts: every input has a limit, so running out is a defect or a too small
 * container, and a restart is the honest answer to both.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define AUTO(fn)          __attribute__((cleanup(fn)))
#define UNUSED            __attribute__((unused))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define NEVER_NULL        __attribute__((returns_nonnull))
#define NORETURN          __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

/* TAKE - hand an owned pointer over: its value, leaving NULL behind for the cleanup. */
#define TAKE(p)                             \
	({                                  \
		__typeof__(p) _taken = (p); \
		(p) = NULL;                 \
		_taken;                     \
	})

#define autofree AUTO(freep) /* autofree char *s = NULL; */

void freep(void *pointer_to_pointer);
void fclosep(FILE **f);     /* NULL is fine; the result of fclose is ignored: check writes before */
void closep(const int *fd); /* -1 is fine */

void *xmalloc(size_t size) NEVER_NULL;
void *xcalloc(size_t n, size_t size) NEVER_NULL;
void *xrealloc(void *p, size_t size) NEVER_NULL;
void *xreallocarray(void *p, size_t n, size_t size) NEVER_NULL;
char *xstrdup(const char *s) NEVER_NULL;
char *xstrndup(const char *s, size_t max) NEVER_NULL;
/* xasprintf - a formatted string of its own, never NULL. */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) NEVER_NULL;

/* mem_wipe - forget a secret; not optimised away. NULL is fine. */
void mem_wipe(void *p, size_t len);

static inline bool streq(const char *a, const char *b)
{
	return a == b || (a && b && __builtin_strcmp(a, b) == 0);
}
/* utf8_char - how many bytes the UTF-8 character at p has (p ends in NUL); 0 when it is not one. */
size_t utf8_char(const char *p);
bool starts_with(const char *s, const char *prefix);
bool ends_with(const char *s, const char *suffix);

#endif
