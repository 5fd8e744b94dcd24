/*
 * jx_items.c - a list body cut into its items by a scanner that knows strings and brackets and
 * nothing else; what is inside each piece is the parser's business.
 */
#include <string.h>

#include "base/jx.h"

struct scan {
	const char *start, *p, *end;
};

static int bad(const struct scan *s, const char *what, struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "list: byte %zu: %s", (size_t)(s->p - s->start), what);
}

/* The next byte that is not white space, or NUL at the end. */
static char peek(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
	return s->p < s->end ? *s->p : '\0';
}

static bool take(struct scan *s, char c)
{
	if (peek(s) != c)
		return false;
	s->p++;
	return true;
}

static void skip_string(struct scan *s)
{
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
	}
	if (s->p < s->end)
		s->p++;
	else
		s->p = s->end;
}

/* One value of any kind from here: *piece and *len are its text. */
static void take_value(struct scan *s, const char **piece, size_t *len)
{
	size_t depth = 0;

	(void)peek(s);
	*piece = s->p;
	while (s->p < s->end) {
		char c = *s->p;
		if (depth == 0 && (c == ',' || c == ']' || c == '}'))
			break;
		if (c == '"') {
			skip_string(s);
		} else {
			s->p++;
			if (c == '{' || c == '[')
				depth++;
			else if (c == '}' || c == ']')
				depth--;
		}
		if (depth == 0 && (c == '"' || c == '}' || c == ']'))
			break;
	}
	*len = (size_t)(s->p - *piece);
}

static int each_item(struct scan *s, int (*each)(const json_t *item, void *arg, struct err *e),
		     void *arg, struct err *e)
{
	s->p++; /* the bracket */
	if (take(s, ']'))
		return 0;
	for (size_t i = 0;; i++) {
		autojson json_t *item = NULL;
		const char *piece;
		size_t len;
		char what[32];
		take_value(s, &piece, &len);
		(void)snprintf(what, sizeof(what), "items.%zu", i);
		if (jx_parse(&item, piece, len, what, e) < 0)
			return -1;
		if (each(item, arg, e) < 0)
			return -1;
		if (take(s, ']'))
			return 0;
		if (!take(s, ','))
			return bad(s, "neither the next item nor the end of the items", e);
	}
}

static int take_key(json_t **key, struct scan *s, struct err *e)
{
	const char *piece;
	size_t len;

	if (peek(s) != '"')
		return bad(s, "not a key", e);
	take_value(s, &piece, &len);
	if (jx_parse(key, piece, len, "list key", e) < 0)
		return -1;
	if (!take(s, ':'))
		return bad(s, "no colon after a key", e);
	return 0;
}

/* One member that is not the items, into meta. */
static int keep_member(json_t *meta, const char *key, struct scan *s, struct err *e)
{
	autojson json_t *value = NULL;
	const char *piece;
	size_t len;

	if (json_object_get(meta, key))
		return bad(s, "duplicate key", e);
	take_value(s, &piece, &len);
	if (jx_parse(&value, piece, len, key, e) < 0)
		return err_wrap(e, "list");
	(void)json_object_set_new(meta, key, TAKE(value));
	return 0;
}

int jx_items_each(json_t **meta, const char *text, size_t len,
		  int (*each)(const json_t *item, void *arg, struct err *e), void *arg,
		  struct err *e)
{
	struct scan s = {text, text, text + len};
	autojson json_t *others = json_object();
	bool have_items = false;

	if (!take(&s, '{'))
		return bad(&s, "not an object", e);
	for (bool more = peek(&s) != '}'; more; more = take(&s, ',')) {
		autojson json_t *key = NULL;
		if (take_key(&key, &s, e) < 0)
			return -1;
		bool items = streq(json_string_value(key), "items");
		if (items && have_items)
			return bad(&s, "duplicate key", e);
		have_items |= items;
		if (items && peek(&s) == '[') {
			if (each_item(&s, each, arg, e) < 0)
				return -1;
		} else if (keep_member(others, json_string_value(key), &s, e) < 0) {
			return -1;
		}
	}
	if (!take(&s, '}'))
		return bad(&s, "neither the next key nor the end of the object", e);
	if (peek(&s) || s.p != s.end)
		return bad(&s, "text after the end", e);
	/* A list without items is no empty list: whoever believed it would think everything gone.
	 */
	const json_t *null_items = json_object_get(others, "items");
	if (!have_items || (null_items && !json_is_null(null_items)))
		return err_set(e, ERR_PROTOCOL, "list: no array \"items\"");
	(void)json_object_del(others, "items"); /* Go writes an empty slice as null */
	*meta = TAKE(others);
	return 0;
}
