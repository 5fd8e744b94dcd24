/* err.c - the error object: fixed size, cut where a UTF-8 character ends, the cause kept first. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/*
 * Messages quote what came from outside, and end up in terminals, JSON and Kubernetes conditions:
 * valid UTF-8 on one line, whatever went in and wherever it was cut.
 */
static void tidy(char *text)
{
	for (char *p = text; *p;) {
		size_t n = utf8_char(p);
		if (n == 0)
			*p = '?';
		else if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = ' ';
		p += n ? n : 1;
	}
}

static void PRINTF_LIKE(3, 0) format(char *out, size_t size, const char *fmt, va_list ap)
{
	if (vsnprintf(out, size, fmt, ap) < 0)
		out[0] = '\0';
	/* A character cut in the middle goes as a whole. */
	size_t len = strlen(out), start = len;
	while (len == size - 1 && start > 0 && len - start < 3 && (out[start - 1] & 0xC0) == 0x80)
		start--;
	if (len == size - 1 && start > 0 && (out[start - 1] & 0x80) &&
	    utf8_char(out + start - 1) == 0)
		out[start - 1] = '\0';
	tidy(out);
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	assert(e->code == ERR_OK && code != ERR_OK);
	e->code = code;
	e->http = 0;
	e->retry_after = 0;
	e->hint[0] = '\0';
	va_start(ap, fmt);
	format(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char outer[sizeof(e->msg)];
	va_list ap;

	assert(e->code != ERR_OK);
	va_start(ap, fmt);
	format(outer, sizeof(outer), fmt, ap);
	va_end(ap);

	/* When both do not fit, the cause is worth more than what was being done. */
	size_t inner_len = strlen(e->msg), room = sizeof(e->msg) - 1 - inner_len;
	size_t outer_len = strlen(outer);
	if (room <= 2)
		return -1;
	if (outer_len > room - 2) {
		outer_len = room - 2;
		while (outer_len > 0 && (outer[outer_len] & 0xC0) == 0x80)
			outer_len--;
	}
	memmove(e->msg + outer_len + 2, e->msg, inner_len + 1);
	memcpy(e->msg, outer, outer_len);
	memcpy(e->msg + outer_len, ": ", 2);
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (e->hint[0])
		return -1;
	va_start(ap, fmt);
	format(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

enum err_code err_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case EEXIST:
	case ENOTEMPTY:
	case EADDRINUSE:
		return ERR_EXISTS;
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return ERR_INVALID;
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
		return ERR_QUOTA;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EPIPE:
	case EAGAIN:
		return ERR_UNAVAILABLE;
	case EINTR:
	case ECANCELED:
		return ERR_CANCELLED;
	default:
		return ERR_IO;
	}
}

void err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}

const char *err_name(enum err_code code)
{
	static const char *const names[] = {
		[ERR_OK] = "ok",
		[ERR_INVALID] = "invalid",
		[ERR_NOT_FOUND] = "not found",
		[ERR_CONFLICT] = "conflict",
		[ERR_EXISTS] = "exists",
		[ERR_GONE] = "gone",
		[ERR_DENIED] = "denied",
		[ERR_QUOTA] = "quota",
		[ERR_THROTTLED] = "throttled",
		[ERR_TIMEOUT] = "timeout",
		[ERR_UNAVAILABLE] = "unavailable",
		[ERR_CANCELLED] = "cancelled",
		[ERR_PROTOCOL] = "protocol",
		[ERR_IO] = "io",
		[ERR_INTERNAL] = "internal",
	};

	return (size_t)code < ARRAY_LEN(names) ? names[code] : "unknown";
}
