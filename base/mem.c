/* mem.c - allocation that aborts instead of failing. Also part of the static agent: plain C only.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static NORETURN void out_of_memory(void)
{
	static const char text[] = "out of memory\n";
	ssize_t ignored UNUSED = write(STDERR_FILENO, text, sizeof(text) - 1);

	abort();
}

void freep(void *pointer_to_pointer)
{
	void *p;

	/* The type behind the argument is unknown here: copy the pointer, do not alias it. */
	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}

void fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

void closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	void *grown = realloc(p, size ? size : 1);

	if (!grown)
		out_of_memory();
	return grown;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		out_of_memory();
	return xrealloc(p, bytes);
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

char *xstrndup(const char *s, size_t max)
{
	size_t len = strnlen(s, max);
	char *copy = xmalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	char *text = xmalloc((size_t)n + 1);
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

void mem_wipe(void *p, size_t len)
{
	if (!p)
		return;
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

size_t utf8_char(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;

	if (p[0] < 0x80)
		n = 1;
	else if (p[0] >= 0xC2 && p[0] < 0xE0)
		n = 2;
	else if ((p[0] & 0xF0) == 0xE0)
		n = 3;
	else if (p[0] >= 0xF0 && p[0] < 0xF5)
		n = 4;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, and beyond U+10FFFF. */
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] >= 0xA0) ||
	    (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] >= 0x90))
		return 0;
	return n;
}

bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}
