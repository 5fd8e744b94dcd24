/*
 * sha256.h - FIPS 180-4. Ours because the agent is a static binary without OpenSSL, and operator
 * and agent must agree about checksums of mounted files. Public data only: not constant time.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t h[8];
	uint64_t len;
	unsigned char block[64];
};

#define SHA256_HEX_SIZE 65

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t len);
/* sha256_adds - a string with its terminating NUL: ("ab","c") and ("a","bc") differ. */
void sha256_adds(struct sha256 *s, const char *text);
void sha256_end(struct sha256 *s, unsigned char out[32]);
void sha256_hex(struct sha256 *s, char out[SHA256_HEX_SIZE]); /* ends it, lower-case hex */
/*
 * sha256_base36 - the first n digits (n <= 40) of the digest as one big-endian number in lower-case
 * base 36, and a NUL: out has room for n + 1.
 */
void sha256_base36(const unsigned char digest[32], char *out, size_t n);

#endif
