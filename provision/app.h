/*
 * app.h - what every command of prestoctl shares: global options, the loop, progress and results, errors
 * and exit codes. A command is one file cmd_X.c with an option table, a descriptor and a function:
 *
 *	const struct command cmd_x = {.name = "x", .summary = "...", .opts = x_opts, .run = cmd_x_run};
 *
 * and one row of the table in commands.c.
 */
#ifndef PROVISION_APP_H
#define PROVISION_APP_H

#include "base/jx.h"
#include "base/loop.h"
#include "provision/options.h"
#include "provision/progress.h"

#define FIELD_MANAGER  "prestoctl"
#define APP_DETAIL_MAX (64u << 10)

/* Exit codes: a script can tell the classes apart. They are part of the interface. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2, /* options, environment file: nothing was touched */
	EXIT_TIMED_OUT = 3,
	EXIT_REFUSED = 4,  /* permission */
	EXIT_CAPACITY = 5, /* quota or capacity */
	EXIT_PARTLY = 6,   /* done in part; what remains is printed */
	EXIT_INTERRUPTED = 130,
};

struct google;

struct globals {
	const char *output;     /* "text" or "json" */
	const char *kubeconfig; /* NULL: KUBECONFIG, then ~/.kube/config */
	const char *context, *ns;
	const char *color; /* "auto", "always", "never" */
	/* Who we are to Google; no secret itself, as others see our command line. */
	const char *credentials, *access_token_file, *impersonate;
	ns_t timeout;
	bool verbose, help;
};

struct app {
	struct globals g;
	bool json;                 /* g.output is json */
	bool color;                /* stderr may have colours */
	struct loop *loop;         /* made by app_start() */
	struct progress *progress; /* the same */
	ns_t began;                /* clock_mono */
	ns_t deadline;             /* clock_mono, from --timeout */
	bool bounded;              /* --timeout was given: it holds for everything */
	struct google *google;     /* the login, when there was one (google.h) */
	struct buf detail; /* lines printed below an error: tables, log lines, every finding */
	int exit_code;     /* not 0: overrides the class of the error */
	/* --operator-image of up and plan; NULL: the file's */
	const char *operator_image;
};

struct command {
	const char *name;
	const char *args;    /* "-f FILE", "[SQL]": after the name in the usage line; NULL: none */
	const char *summary; /* one line */
	const char *about;   /* paragraphs of the help text; NULL: none */
	const struct opt *opts; /* ended by {0}; NULL: none */
	int max_args;           /* words that are no options */
	int (*run)(struct app *a, int argc, char **argv, struct err *e);
};

extern const struct opt app_global_opts[];

/* app_main - the whole program: options, dispatch, error report. Returns the exit code. */
int app_main(int argc, char **argv);

/*
 * app_options - a command's own options (and global ones among them) out of argv; what remains are its words.
 * Usage errors set exit code 2. @into is the struct that the table's offsets mean; NULL when there is no table.
 */
int app_options(struct app *a, const struct command *c, void *into, int *argc, char **argv,
		struct err *e) MUST_CHECK;
/* app_start - loop, signals, deadline, progress: for commands that talk to anything. Once. */
int app_start(struct app *a, struct err *e) MUST_CHECK;
/*
 * app_phase - something long begins (Google makes a cluster): it may take @bound, and what it takes does not count
 * against the command's time; with --timeout the user's bound holds for everything. Returns what app_phase_end, which
 * must follow, is given.
 */
ns_t app_phase(struct app *a, ns_t bound);
void app_phase_end(struct app *a, ns_t rest);
/* app_say_retry - for clients of an API: a request is sent again, says the step's line. */
void app_say_retry(const struct err *e, ns_t wait, void *app);
/* app_usage - an error of class usage: exit code 2. Returns -1. */
int app_usage(struct app *a, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* app_detail - one more line below the error; cut off silently at APP_DETAIL_MAX. */
void app_detail(struct app *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* app_exit_code - by the class of an error. Pure. */
int app_exit_code(const struct err *e);
/* app_report - error / detail / hint on stderr, or one JSON object; returns the exit code. */
int app_report(struct app *a, const struct err *e);
/*
 * Results, on stdout. app_result_json prints one compact JSON object and steals it; app_print is for text.
 * A failed write (full disk, closed pipe) is found by app_main at the end: exit code 1.
 */
void app_result_json(json_t *o);
void app_print(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
