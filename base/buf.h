/*
 * buf.h - a growing byte buffer with a mandatory maximum.
 * The bytes are always followed by a NUL that is not counted, so data is a C string when the
 * content has no NUL of its own. An empty buffer may have data == NULL: use buf_str().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/err.h"

struct buf {
	char *data;
	size_t len, cap;
	size_t max; /* bytes; an append that would pass it fails and leaves the content as it was */
};

/* clang-format off */
#define BUF_INIT(maximum) {.max = (maximum)}
/* clang-format on */

/* All appends return 0, or -1 with ERR_INVALID naming the limit (nothing is appended then). */
int buf_add(struct buf *b, const void *bytes, size_t len, struct err *e) MUST_CHECK;
int buf_adds(struct buf *b, const char *s, struct err *e) MUST_CHECK;
int buf_addf(struct buf *b, struct err *e, const char *fmt, ...) MUST_CHECK PRINTF_LIKE(3, 4);
/* buf_fit - the same without an error object, for texts that are known to fit (asserted). */
void buf_fit(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* buf_drop - remove the first n bytes (n <= len). */
void buf_drop(struct buf *b, size_t n);
/* buf_clear - empty, memory kept. buf_release - memory freed; the struct is empty and usable. */
void buf_clear(struct buf *b);
void buf_release(struct buf *b);
const char *buf_str(const struct buf *b) NEVER_NULL; /* never NULL; valid until the next change */
char *buf_take(struct buf *b) NEVER_NULL; /* owned string, never NULL; the buffer is empty after */

#endif
