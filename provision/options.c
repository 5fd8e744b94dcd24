/* options.c - the option parser. Pure but for the structs that it fills. */
#include "provision/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"

#define LEFT_WIDTH 26
#define COUNT_MAX  1000000
#define NAMES_MAX  64

struct found {
	const struct opt *opt;
	void *into;
};

static struct found find_name(const struct opt_set *sets, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		for (const struct opt *o = sets[i].opts; o && o->name; o++)
			if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
				return (struct found){o, sets[i].into};
	return (struct found){0};
}

static struct found find_letter(const struct opt_set *sets, size_t n, char letter)
{
	for (size_t i = 0; i < n; i++)
		for (const struct opt *o = sets[i].opts; o && o->name; o++)
			if (o->letter == letter)
				return (struct found){o, sets[i].into};
	return (struct found){0};
}

static int unknown(const struct opt_set *sets, size_t n, const char *word, struct err *e)
{
	const char *names[NAMES_MAX], *near;
	autofree char *name = xstrndup(word + 2, strcspn(word + 2, "="));
	size_t known = 0;

	for (size_t i = 0; i < n; i++)
		for (const struct opt *o = sets[i].opts; o && o->name && known < NAMES_MAX; o++)
			names[known++] = o->name;
	near = suggest(name, names, known);
	err_set(e, ERR_INVALID, "unknown option --%s", name);
	if (near)
		err_hint(e, "did you mean --%s?", near);
	return -1;
}

static int set_choice(const struct opt *o, const char **out, const char *value, struct err *e)
{
	struct buf all = BUF_INIT(400);

	for (const char *const *c = o->choices; *c; c++) {
		if (streq(*c, value)) {
			buf_release(&all);
			*out = *c;
			return 0;
		}
		buf_fit(&all, "%s%s", all.len ? ", " : "", *c);
	}
	err_set(e, ERR_INVALID, "--%s: '%s' is not one of %s", o->name, value, buf_str(&all));
	buf_release(&all);
	return -1;
}

static int set_count(const struct opt *o, int *out, const char *value, struct err *e)
{
	char *end;
	long got;

	errno = 0;
	got = strtol(value, &end, 10);
	if (end == value || *end || errno || got < 0 || got > COUNT_MAX)
		return err_set(e, ERR_INVALID, "--%s: '%s' is not a number from 0 to %d", o->name,
			       value, COUNT_MAX);
	*out = (int)got;
	return 0;
}

static int set_duration(const struct opt *o, ns_t *out, const char *value, struct err *e)
{
	ns_t got = 0;
	struct err bad = ERR_INIT;

	if (duration_parse(&got, value, &bad) < 0 || got <= 0) {
		err_set(e, ERR_INVALID, "--%s: '%s' is not a duration", o->name, value);
		return err_hint(e, "write it as 90s, 15m or 1h30m");
	}
	*out = got;
	return 0;
}

static int set_text(const struct opt *o, const char **out, const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, ERR_INVALID, "--%s: the %s is empty", o->name, o->arg);
	*out = value;
	return 0;
}

static int set(struct found f, const char *value, struct err *e)
{
	void *at = (char *)f.into + f.opt->at;
	struct opt_texts *texts = at;

	switch (f.opt->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_TEXT:
		return set_text(f.opt, at, value, e);
	case OPT_CHOICE:
		return set_choice(f.opt, at, value, e);
	case OPT_COUNT:
		return set_count(f.opt, at, value, e);
	case OPT_DURATION:
		return set_duration(f.opt, at, value, e);
	case OPT_TEXTS:
		if (texts->n == OPT_TEXTS_MAX)
			return err_set(e, ERR_INVALID, "--%s: given more than %d times",
				       f.opt->name, OPT_TEXTS_MAX);
		return set_text(f.opt, &texts->v[texts->n++], value, e);
	case OPT_MAYBE:
		((struct opt_maybe *)at)->given = true;
		return set_text(f.opt, &((struct opt_maybe *)at)->value, value, e);
	}
	return 0;
}

/* The word after an option, and whether it was taken as its value. */
struct next {
	const char *word; /* NULL: none */
	bool taken;
};

/* An option that has a value or not, and no next word that looks like one: given, that is all. */
static bool goes_without(struct found f, const struct next *next)
{
	if (f.opt->type != OPT_MAYBE || (next->word && next->word[0] != '-'))
		return false;
	((struct opt_maybe *)(void *)((char *)f.into + f.opt->at))->given = true;
	return true;
}

static const char *take_next(struct next *next)
{
	next->taken = true;
	return next->word;
}

/* One "--name" or "--name=value". */
static int parse_long(const struct opt_set *sets, size_t n, const char *word, struct next *next,
		      struct err *e)
{
	const char *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word - 2) : strlen(word + 2);
	struct found f = find_name(sets, n, word + 2, len);

	if (!f.opt)
		return unknown(sets, n, word, e);
	if (f.opt->type == OPT_FLAG) {
		if (value)
			return err_set(e, ERR_INVALID, "--%s takes no value", f.opt->name);
		return set(f, "", e);
	}
	if (value)
		return set(f, value + 1, e);
	if (goes_without(f, next))
		return 0;
	if (!next->word)
		return err_set(e, ERR_INVALID, "--%s needs a value: %s", f.opt->name, f.opt->arg);
	return set(f, take_next(next), e);
}

static int parse_short(const struct opt_set *sets, size_t n, const char *word, struct next *next,
		       struct err *e)
{
	for (const char *c = word + 1; *c; c++) {
		struct found f = find_letter(sets, n, *c);

		if (!f.opt)
			return err_set(e, ERR_INVALID, "unknown option -%c", *c);
		if (f.opt->type == OPT_FLAG) {
			if (set(f, "", e) < 0)
				return -1;
			continue;
		}
		if (c[1])
			return set(f, c + 1 + (c[1] == '='), e);
		if (goes_without(f, next))
			return 0;
		if (!next->word)
			return err_set(e, ERR_INVALID, "-%c needs a value: %s", *c, f.opt->arg);
		return set(f, take_next(next), e);
	}
	return 0;
}

int options_parse(const struct opt_set *sets, size_t n, bool lead, int *argc, char ***argv,
		  struct err *e)
{
	char **words = *argv;
	int count = *argc, i = 0, kept = 0;

	for (; i < count; i++) {
		struct next next = {.word = i + 1 < count ? words[i + 1] : NULL};

		if (words[i][0] != '-' || !words[i][1]) {
			if (lead)
				break;
			words[kept++] = words[i];
			continue;
		}
		if (streq(words[i], "--")) {
			i++;
			break;
		}
		if ((words[i][1] == '-' ? parse_long : parse_short)(sets, n, words[i], &next, e) <
		    0)
			return -1;
		i += next.taken;
	}
	if (lead) {
		*argv = words + i;
		*argc = count - i;
		return 0;
	}
	while (i < count)
		words[kept++] = words[i++];
	*argc = kept;
	return 0;
}

static bool has_name(const struct opt *opts, const char *name)
{
	for (; opts && opts->name; opts++)
		if (streq(opts->name, name))
			return true;
	return false;
}

void options_help(struct buf *out, const struct opt *opts, const struct opt *but)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		if (has_name(but, o->name))
			continue;
		autofree char *left = xasprintf("%s%c%s--%s%s%s", o->letter ? "-" : "  ",
						o->letter ? o->letter : ' ', o->letter ? ", " : " ",
						o->name, o->arg ? " " : "", o->arg ? o->arg : "");

		/* a long one has the line for itself */
		if (strlen(left) > LEFT_WIDTH)
			buf_fit(out, "  %s\n  %*s %s\n", left, LEFT_WIDTH, "", o->help);
		else
			buf_fit(out, "  %-*s %s\n", LEFT_WIDTH, left, o->help);
	}
}
