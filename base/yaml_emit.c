/* yaml_emit.c - JSON trees as block YAML, indented as kubectl does it. */
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "base/yaml_scalar.h"

#define MAX_OUTPUT      ((size_t)1 << 30)
#define LONGEST_KEY     120 /* a reader looks only so far for the colon of a simple key: 1,024 */
#define WORD_CHARACTERS "_/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static void emit(struct buf *out, const json_t *v, int indent);

static void spaces(struct buf *out, int n)
{
	buf_fit(out, "%*s", n, "");
}

/* Digits with only what numbers and dates have in them, in any version of YAML. */
static bool looks_like_number(const char *s)
{
	return !s[strspn(s, "0123456789+-._:, eExXoObBTtZzabcdfABCDF")] && strpbrk(s, "0123456789");
}

/* Conservative: what is not obviously a plain word is quoted. */
static bool is_plain(const char *s)
{
	json_int_t integer;
	double real;
	size_t len = strlen(s);

	if (len == 0 || !strchr(WORD_CHARACTERS "0123456789-.", *s))
		return false;
	if ((*s == '-' || *s == '.') && !strchr(WORD_CHARACTERS "0123456789", s[1]))
		return false;
	if ((*s == '-' || *s == '.') && !s[1])
		return false;
	if (s[strspn(s, WORD_CHARACTERS "0123456789-.+=@%$^~;,:?() ")] || s[len - 1] == ' ' ||
	    s[len - 1] == ':' || strstr(s, ": "))
		return false;
	if (strchr("0123456789-.", *s) && looks_like_number(s))
		return false;
	return scalar_kind(s, &integer, &real) == SCALAR_STRING;
}

static bool is_unprintable(const char *s, size_t n)
{
	/* C1 controls, line and paragraph separators, the byte order mark and its mirror image. */
	return (n == 1 && ((unsigned char)*s < 0x20 || *s == 0x7F)) ||
	       (n == 2 && (unsigned char)s[0] == 0xC2 && (unsigned char)s[1] < 0xA0) ||
	       (n == 3 && (memcmp(s, "\xE2\x80\xA8", 3) == 0 || memcmp(s, "\xE2\x80\xA9", 3) == 0 ||
			   memcmp(s, "\xEF\xBB\xBF", 3) == 0 || memcmp(s, "\xEF\xBF\xBE", 3) == 0 ||
			   memcmp(s, "\xEF\xBF\xBF", 3) == 0));
}

static unsigned code_point(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (n == 1)
		return p[0];
	if (n == 2)
		return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
	return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
}

static void quoted(struct buf *out, const char *s)
{
	buf_fit(out, "\"");
	while (*s) {
		size_t n = utf8_char(s);
		if (n == 0)
			n = 1; /* cannot be: strings in a tree are UTF-8 */
		if (*s == '"' || *s == '\\')
			buf_fit(out, "\\%c", *s);
		else if (*s == '\n')
			buf_fit(out, "\\n");
		else if (*s == '\t')
			buf_fit(out, "\\t");
		else if (is_unprintable(s, n))
			buf_fit(out, "\\u%04X", code_point(s, n));
		else
			buf_fit(out, "%.*s", (int)n, s);
		s += n;
	}
	buf_fit(out, "\"");
}

/* A literal block is for texts of several lines that it can hold without tricks. */
static bool is_literal(const char *s)
{
	if (!strchr(s, '\n') || strchr(" \t\n", *s))
		return false;
	for (size_t n; *s; s += n) {
		n = utf8_char(s);
		if (n == 0 || (is_unprintable(s, n) && *s != '\n' && *s != '\t'))
			return false;
	}
	return true;
}

static void literal(struct buf *out, const char *s, int indent)
{
	size_t len = strlen(s);
	bool ends = s[len - 1] == '\n';

	buf_fit(out, "|%s\n", !ends ? "-" : len > 1 && s[len - 2] == '\n' ? "+" : "");
	while (*s) {
		size_t n = strcspn(s, "\n");
		if (n) {
			spaces(out, indent);
			buf_fit(out, "%.*s", (int)n, s);
		}
		buf_fit(out, "\n");
		s += n + (s[n] == '\n');
	}
}

/* 0.3 rather than 0.29999999999999999: the fewest digits that read back as the same number. */
static char *shortest_real(const json_t *v)
{
	for (size_t digits = 15;; digits++) {
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
		if (digits == 17 || strtod(text, NULL) == json_real_value(v))
			return text;
		free(text);
	}
}

/* The rest of the line after "key:" or "-", and the line's end. */
static void scalar(struct buf *out, const json_t *v, int indent)
{
	const char *s = json_string_value(v);

	if (!s) {
		autofree char *text = json_is_real(v) ? shortest_real(v) : jx_canonical(v);
		buf_fit(out, "%s\n", text);
	} else if (is_literal(s)) {
		literal(out, s, indent);
	} else if (is_plain(s)) {
		buf_fit(out, "%s\n", s);
	} else {
		quoted(out, s);
		buf_fit(out, "\n");
	}
}

static bool is_block(const json_t *v)
{
	return (json_is_object(v) || json_is_array(v)) && !jx_is_empty(v);
}

static void member(struct buf *out, const char *key, const json_t *v, int indent)
{
	if (strlen(key) > LONGEST_KEY) {
		buf_fit(out, "? ");
		quoted(out, key);
		buf_fit(out, "\n");
		spaces(out, indent);
	} else if (is_plain(key)) {
		buf_fit(out, "%s", key);
	} else {
		quoted(out, key);
	}
	if (!is_block(v)) {
		buf_fit(out, ": ");
		scalar(out, v, indent + 2);
		return;
	}
	buf_fit(out, ":\n");
	/* Sequences in mappings are not indented, as kubectl writes them. */
	int below = json_is_array(v) ? indent : indent + 2;
	spaces(out, below);
	emit(out, v, below);
}

/* Starts where the cursor is, at column indent; ends at the start of a line. */
static void emit(struct buf *out, const json_t *v, int indent)
{
	const char *key;
	const json_t *value;
	bool first = true;

	if (!is_block(v)) {
		scalar(out, v, indent + 2);
		return;
	}
	jx_foreach (v, key, value) {
		if (!first)
			spaces(out, indent);
		first = false;
		member(out, key, value, indent);
	}
	for (size_t i = 0; i < json_array_size(v); i++) {
		if (!first)
			spaces(out, indent);
		first = false;
		buf_fit(out, "- ");
		value = json_array_get(v, i);
		if (is_block(value))
			emit(out, value, indent + 2);
		else
			scalar(out, value, indent + 2);
	}
}

char *y2j_emit(const json_t *v)
{
	struct buf out = BUF_INIT(MAX_OUTPUT);

	emit(&out, v, 0);
	return buf_take(&out);
}
