/* buf.c - the growing byte buffer. Also part of the static agent: plain C only. */
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Room for len more bytes and the NUL; doubling, but never far beyond the maximum. */
static int reserve(struct buf *b, size_t len, struct err *e)
{
	if (len > b->max - b->len)
		return err_set(e, ERR_INVALID, "larger than the limit of %zu bytes", b->max);
	size_t need = b->len + len + 1;
	if (need <= b->cap)
		return 0;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > b->max / 2 ? b->max + 1 : cap * 2;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t len, struct err *e)
{
	if (reserve(b, len, e) < 0)
		return -1;
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_adds(struct buf *b, const char *s, struct err *e)
{
	return buf_add(b, s, strlen(s), e);
}

static int PRINTF_LIKE(3, 0)
	add_formatted(struct buf *b, struct err *e, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return err_set(e, ERR_INTERNAL, "a text could not be formatted");
	if (reserve(b, (size_t)n, e) < 0)
		return -1;
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int buf_addf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int rc = add_formatted(b, e, fmt, ap);
	va_end(ap);
	return rc;
}

void buf_fit(struct buf *b, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	int rc UNUSED = add_formatted(b, &e, fmt, ap);
	va_end(ap);
	assert(rc == 0);
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *text = b->data ? b->data : xstrdup("");

	b->data = NULL;
	b->len = b->cap = 0;
	return text;
}
