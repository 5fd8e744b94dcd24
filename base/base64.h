/*
 * base64.h - RFC 4648 base64, standard and URL alphabets.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/err.h"

/* base64_encode - standard alphabet with padding. Owned text. */
char *base64_encode(const void *bytes, size_t len);
/* base64url_encode - URL alphabet without padding. Owned text. */
char *base64url_encode(const void *bytes, size_t len);
/*
 * base64_decode - either alphabet, padding optional, white space skipped. *out is owned and
 * followed by a NUL that is not counted. ERR_INVALID: anything else in the text.
 */
int base64_decode(char **out, size_t *len, const char *text, struct err *e) MUST_CHECK;

#endif
