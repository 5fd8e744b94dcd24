/* properties.c - logical lines of a properties text and their keys. Pure. */
#include "operator/properties.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"

struct line {
	const char *at;
	size_t len;
}; /* without the final newline, continued lines included */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

/* An odd number of backslashes before the end of the line carries it on. */
static bool carries_on(const char *from, const char *end)
{
	size_t slashes = 0;

	if (end > from && end[-1] == '\r')
		end--;
	while (end > from && end[-1] == '\\') {
		end--;
		slashes++;
	}
	return slashes % 2 == 1;
}

/* The next logical line that says something; false at the end. */
static bool next_line(struct line *out, const char **text)
{
	while (**text) {
		const char *from = *text, *end;

		while (is_blank(*from))
			from++;
		end = strchrnul(from, '\n');
		if (*from == '#' || *from == '!' || from == end) {
			*text = *end ? end + 1 : end; /* a comment is never carried on */
			continue;
		}
		while (*end && carries_on(from, end))
			end = strchrnul(end + 1, '\n');
		*text = *end ? end + 1 : end;
		/* A last line that is carried on into nothing would, in a merge, be carried on into the next. */
		while (end > from && (end[-1] == '\r' || carries_on(from, end)))
			end--;
		if (end == from)
			continue;
		*out = (struct line){from, (size_t)(end - from)};
		return true;
	}
	return false;
}

/* The key with its escapes resolved as far as ASCII goes: "a\:b" and "a\u003ab" stay different, which is harmless. */
static char *key_of(const struct line *l)
{
	char *key = xcalloc(1, l->len + 1);
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++) {
		char c = l->at[i];

		if (c == '=' || c == ':' || is_blank(c))
			break;
		if (c == '\\' && i + 1 < l->len) {
			c = l->at[++i];
			if (c == '\n' || c == '\r') { /* carried on inside the key */
				while (i + 1 < l->len &&
				       (is_blank(l->at[i + 1]) || l->at[i + 1] == '\n'))
					i++;
				continue;
			}
		}
		key[n++] = c;
	}
	return key;
}

/* Each line of a text under its key; the map's value is the line's number, counted from 1 over all texts. */
static size_t number_lines(struct strmap *last, const char *text, size_t n)
{
	struct line l;

	while (next_line(&l, &text)) {
		autofree char *key = key_of(&l);

		strmap_put(last, key, (void *)(uintptr_t)++n);
	}
	return n;
}

static int add_last(struct buf *out, const struct strmap *last, const char *text, size_t *n,
		    struct err *e)
{
	struct line l;

	while (next_line(&l, &text)) {
		autofree char *key = key_of(&l);

		if ((uintptr_t)strmap_get(last, key) != ++*n)
			continue;
		if (buf_add(out, l.at, l.len, e) < 0 || buf_adds(out, "\n", e) < 0)
			return -1;
	}
	return 0;
}

int properties_merge(char **out, const char *ours, const char *theirs, struct err *e)
{
	AUTO(buf_release) struct buf b = BUF_INIT(PROPERTIES_MAX);
	struct strmap *last = strmap_new(NULL);
	size_t n = 0;
	int rc;

	number_lines(last, theirs, number_lines(last, ours, 0));
	rc = add_last(&b, last, ours, &n, e);
	if (!rc)
		rc = add_last(&b, last, theirs, &n, e);
	strmap_free(last);
	if (rc < 0)
		return -1;
	*out = buf_take(&b);
	return 0;
}

bool properties_has(const char *text, const char *key)
{
	struct line l;

	while (next_line(&l, &text)) {
		autofree char *got = key_of(&l);

		if (streq(got, key))
			return true;
	}
	return false;
}
