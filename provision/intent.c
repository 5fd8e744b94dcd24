/* intent.c - the walk of an intent against a live object. */
#include "provision/intent.h"

#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"

#define SHOWN 60

struct walk {
	char path[200];
	char *where;
	unsigned amounts; /* below this many levels of requests or limits */
};

static void show(char out[SHOWN], const json_t *v)
{
	autofree char *text = NULL;

	if (!v) {
		snprintf(out, SHOWN, "absent");
		return;
	}
	text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	snprintf(out, SHOWN, "%s", text ? text : "?");
	if (text && strlen(text) >= SHOWN)
		memcpy(out + SHOWN - 4, "...", 4);
}

static bool differs(const struct walk *w, const json_t *want, const json_t *live)
{
	char a[SHOWN], b[SHOWN];

	show(a, live);
	show(b, want);
	snprintf(w->where, INTENT_WHERE, "%.120s: %s, not %s",
		 w->path[0] == '.' ? w->path + 1 : w->path, a, b);
	return false;
}

static const char *amount(const json_t *v, char out[32])
{
	if (json_is_string(v))
		return json_string_value(v);
	snprintf(out, 32, "%g", json_number_value(v));
	return out;
}

static bool same_scalar(const struct walk *w, const json_t *want, const json_t *live)
{
	char a[32], b[32];
	bool scalars = (json_is_string(want) || json_is_number(want)) &&
		       (json_is_string(live) || json_is_number(live));

	if (w->amounts && scalars)
		return quantity_equal(amount(want, a), amount(live, b));
	if (json_is_number(want) && json_is_number(live))
		return json_is_integer(want) && json_is_integer(live)
			       ? json_integer_value(want) == json_integer_value(live)
			       : !(json_number_value(want) < json_number_value(live)) &&
					 !(json_number_value(want) > json_number_value(live));
	return json_equal(want, live) == 1;
}

static bool holds(struct walk *w, const json_t *want, const json_t *live);

static bool step(struct walk *w, const char *key, const json_t *want, const json_t *live)
{
	size_t len = strlen(w->path);
	bool amounts = streq(key, "requests") || streq(key, "limits"), same;

	snprintf(w->path + len, sizeof(w->path) - len, ".%s", key);
	w->amounts += amounts;
	same = holds(w, want, live);
	w->amounts -= amounts;
	if (same)
		w->path[len] = '\0';
	return same;
}

static bool holds(struct walk *w, const json_t *want, const json_t *live)
{
	const json_t *one;
	const char *key;

	if (jx_is_empty(want) && (!live || jx_is_empty(live)))
		return true;
	if (!live)
		return differs(w, want, live);
	if (json_is_object(want)) {
		jx_foreach (want, key, one)
			if (!step(w, key, one, jx_get(live, key)))
				return false;
		return true;
	}
	if (json_is_array(want)) {
		if (json_array_size(want) != json_array_size(live))
			return differs(w, want, live);
		for (size_t i = 0; i < json_array_size(want); i++) {
			char index[24];

			snprintf(index, sizeof(index), "%zu", i);
			if (!step(w, index, json_array_get(want, i), json_array_get(live, i)))
				return false;
		}
		return true;
	}
	return same_scalar(w, want, live) || differs(w, want, live);
}

bool intent_holds(const json_t *want, const json_t *live, char where[INTENT_WHERE])
{
	struct walk w = {.where = where};

	where[0] = '\0';
	return holds(&w, want, live);
}
