/* base64.c - RFC 4648, both alphabets. No I/O. */
#include "base/base64.h"

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *encode(const unsigned char *in, size_t len, const char *alphabet, bool pad)
{
	char *out = xmalloc((len + 2) / 3 * 4 + 1);
	char *p = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		unsigned v = (unsigned)in[i] << 16;

		if (left > 1)
			v |= (unsigned)in[i + 1] << 8;
		if (left > 2)
			v |= in[i + 2];
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		if (left > 1 || pad)
			*p++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		if (left > 2 || pad)
			*p++ = left > 2 ? alphabet[v & 63] : '=';
	}
	*p = '\0';
	return out;
}

char *base64_encode(const void *bytes, size_t len)
{
	return encode(bytes, len, standard, true);
}

char *base64url_encode(const void *bytes, size_t len)
{
	return encode(bytes, len, url, false);
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int base64_decode(char **out, size_t *len, const char *text, struct err *e)
{
	autofree char *bytes = xmalloc(strlen(text) / 4 * 3 + 4);
	size_t n = 0, digits = 0, pads = 0;
	unsigned v = 0;

	for (const char *p = text; *p; p++) {
		int d = digit(*p);

		if (strchr(" \t\r\n", *p))
			continue;
		if (*p == '=' && ++pads <= 2)
			continue;
		if (d < 0 || pads)
			return err_set(e, ERR_INVALID, "not base64 at byte %zu",
				       (size_t)(p - text));
		v = v << 6 | (unsigned)d;
		if (++digits % 4 == 0) {
			bytes[n++] = (char)(v >> 16);
			bytes[n++] = (char)(v >> 8);
			bytes[n++] = (char)v;
			v = 0;
		}
	}
	if (digits % 4 == 1 || (pads && (digits + pads) % 4))
		return err_set(e, ERR_INVALID, "base64 text is cut off");
	if (digits % 4 == 2)
		bytes[n++] = (char)(v >> 4);
	if (digits % 4 == 3) {
		bytes[n++] = (char)(v >> 10);
		bytes[n++] = (char)(v >> 2);
	}
	bytes[n] = '\0';
	*out = TAKE(bytes);
	*len = n;
	return 0;
}
