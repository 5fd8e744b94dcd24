/*
 * err.h - the one error object of the house.
 * Owned by the caller, fixed size, no allocation. Set once at its source, wrapped on the way up
 * with what was being done, printed in main, in the reconcile loop and in cmd_ functions only.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdint.h>

#include "base/mem.h"

typedef int64_t ns_t; /* nanoseconds: a duration, or a point on the clock that the name tells */

#define NS_US  1000LL
#define NS_MS  1000000LL
#define NS_SEC 1000000000LL

enum err_code {
	ERR_OK,
	ERR_INVALID, /* input is wrong; asking again cannot help */
	ERR_NOT_FOUND,
	ERR_CONFLICT, /* somebody else changed it meanwhile */
	ERR_EXISTS,
	ERR_GONE,      /* HTTP 410: the resourceVersion is too old */
	ERR_DENIED,    /* 401, 403 and refused file permissions */
	ERR_QUOTA,     /* quota or capacity */
	ERR_THROTTLED, /* 429 */
	ERR_TIMEOUT,
	ERR_UNAVAILABLE, /* connection failed, 5xx: worth another try */
	ERR_CANCELLED,   /* a signal, or the user */
	ERR_PROTOCOL,    /* the peer said something that its protocol does not know */
	ERR_IO,
	ERR_INTERNAL,
};

struct err {
	enum err_code code;
	int http;         /* status of the reply that caused it, 0 when there was none */
	ns_t retry_after; /* what the peer asked for, 0 when it did not */
	char msg[480];    /* "outer: inner", lower case, no final dot; one line of valid UTF-8 */
	char hint[160];   /* the remedy, or empty */
};

/* clang-format off */
#define ERR_INIT {0}
/* clang-format on */

/* err_set - fill an empty error (asserted to be empty). Returns -1: callers can return it. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* err_wrap - put what was being done in front: "fmt: msg". Keeps code, http, hint. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* err_hint - say the remedy. Returns -1. A hint that is there stays: the source knows best. */
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* err_errno - ENOENT, EACCES, EEXIST, ETIMEDOUT ... as a code; anything unknown is ERR_IO. */
enum err_code err_errno(int errnum);
/* err_clear - back to ERR_INIT. */
void err_clear(struct err *e);
/* err_name - "invalid", "not found", ...: for logs and JSON output. Static string. */
const char *err_name(enum err_code code) NEVER_NULL;

#endif
