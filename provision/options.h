/*
 * options.h - command line options from tables. The same table gives the parser, the help text and
 * the shell completion, so that none of them can be wrong about the others.
 */
#ifndef PROVISION_OPTIONS_H
#define PROVISION_OPTIONS_H

#include "base/buf.h"

enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_TEXT,     /* const char *, borrowed from argv */
	OPT_CHOICE,   /* const char *, one of choices */
	OPT_COUNT,    /* int, 0 to 1,000,000 */
	OPT_DURATION, /* ns_t, more than 0 */
	OPT_TEXTS,    /* struct opt_texts: may be given several times */
	OPT_MAYBE,    /* struct opt_maybe: the next word is its value, unless that is an option */
};

#define OPT_TEXTS_MAX 32
struct opt_texts {
	const char *v[OPT_TEXTS_MAX];
	size_t n;
};

/* For commands that take no words. */
struct opt_maybe {
	bool given;
	const char *value; /* NULL: none */
};

struct opt {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;      /* 0: none */
	enum opt_type type;
	size_t at;       /* offset in the struct that receives it */
	const char *arg; /* "FILE": for the help; NULL for a flag */
	const char *help;
	const char *const *choices; /* NULL-terminated, for OPT_CHOICE; completion reads it too */
};

/* A table together with where its values go. */
struct opt_set {
	const struct opt *opts; /* may be NULL */
	void *into;
};

/*
 * options_parse - the options in argv, wherever they stand, into the sets (an earlier set wins when two know a
 * name); what is not an option is moved to the front of argv in its order, *argc becomes its number.
 * "--" ends the options. With @lead parsing stops at the first word that is no option; *argc and argv are then
 * what remains, through *argv. Accepted: --name VALUE, --name=VALUE, -x VALUE, -xVALUE, -xyz for flags.
 * Returns 0, or -1 with ERR_INVALID: unknown (and the nearest known), value missing, not allowed, malformed.
 */
int options_parse(const struct opt_set *sets, size_t n, bool lead, int *argc, char ***argv,
		  struct err *e) MUST_CHECK;

/* options_help - the lines of a table for a help text, indented by two, without those that are in @but (NULL: none). */
void options_help(struct buf *out, const struct opt *opts, const struct opt *but);

#endif
