/* app.c - from main() to a command and back to an exit code. */
#include "provision/app.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "provision/commands.h"
#include "provision/google.h"

#define DEFAULT_TIMEOUT (15 * 60 * NS_SEC)
#define HELP_MAX        (64u << 10)

static const char *const outputs[] = {"text", "json", NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};

#define G(field) offsetof(struct globals, field)
const struct opt app_global_opts[] = {
	{"output", 'o', OPT_CHOICE, G(output), "FORMAT",
	 "text or json: results on stdout, progress on stderr", outputs},
	{"timeout", 0, OPT_DURATION, G(timeout), "TIME", "for the whole command (15m)", NULL},
	{"kubeconfig", 0, OPT_TEXT, G(kubeconfig), "FILE",
	 "instead of $KUBECONFIG or ~/.kube/config", NULL},
	{"context", 0, OPT_TEXT, G(context), "NAME",
	 "of the kubeconfig, instead of its current one", NULL},
	{"namespace", 'n', OPT_TEXT, G(ns), "NAME",
	 "where the cluster is, when no environment says it", NULL},
	{"credentials", 0, OPT_TEXT, G(credentials), "FILE",
	 "Google: a credential file, instead of the ones that gcloud finds", NULL},
	{"access-token-file", 0, OPT_TEXT, G(access_token_file), "FILE",
	 "Google: a file with an access token", NULL},
	{"impersonate-service-account", 0, OPT_TEXT, G(impersonate), "EMAILS",
	 "Google: act as this account", NULL},
	{"verbose", 'v', OPT_FLAG, G(verbose), NULL, "log what is done", NULL},
	{"color", 0, OPT_CHOICE, G(color), "WHEN", "auto, always or never", colors},
	{"help", 'h', OPT_FLAG, G(help), NULL, "this text", NULL},
	{0},
};

int app_usage(struct app *a, struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->exit_code = EXIT_USAGE;
	return err_set(e, ERR_INVALID, "%s", text);
}

void app_detail(struct app *a, const char *fmt, ...)
{
	struct err full = ERR_INIT;
	va_list ap;
	char *line;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	/* Past the maximum the first lines are the ones that tell most. */
	(void)!buf_addf(&a->detail, &full, "%s\n", line);
	free(line);
}

void app_say_retry(const struct err *e, ns_t wait UNUSED, void *app)
{
	struct app *a = app;

	progress_say(a->progress, "asking again: %s", e->msg);
}

static void apply_globals(struct app *a)
{
	bool tty = isatty(STDERR_FILENO) == 1;
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	a->json = streq(a->g.output, "json");
	a->color = streq(a->g.color, "always") || (streq(a->g.color, "auto") && tty &&
						   !(no && *no) && term && !streq(term, "dumb"));
	if (a->json)
		a->color = false;
	log_setup(a->g.verbose ? LOG_DEBUG_LEVEL : LOG_WARN_LEVEL, a->json);
}

/* A program that reads our errors as JSON wants those about other options so, too. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 0; i < argc && !streq(argv[i], "--"); i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";

		if (streq(argv[i], "--output=json") || streq(argv[i], "-ojson") ||
		    ((streq(argv[i], "--output") || streq(argv[i], "-o")) && streq(next, "json")))
			return true;
	}
	return false;
}

int app_options(struct app *a, const struct command *c, void *into, int *argc, char **argv,
		struct err *e)
{
	const struct opt_set sets[] = {{c->opts, into}, {app_global_opts, &a->g}};
	char **words = argv;
	bool json = a->json || asks_for_json(*argc, argv);

	if (options_parse(sets, ARRAY_LEN(sets), false, argc, &words, e) < 0) {
		a->json = json;
		a->exit_code = EXIT_USAGE;
		return err_hint(e, "see prestoctl help %s", c->name);
	}
	apply_globals(a);
	if (*argc > c->max_args) {
		app_usage(a, e, "'%s' is one word too many", argv[c->max_args]);
		return err_hint(e, "usage: prestoctl %s%s%s", c->name, c->args ? " " : "",
				c->args ? c->args : "");
	}
	return 0;
}

int app_start(struct app *a, struct err *e)
{
	struct progress_opts o = {.json = a->json, .color = a->color, .to = stderr};

	if (loop_new(&a->loop, e) < 0 || loop_signals(a->loop, e) < 0)
		return -1;
	a->bounded = a->g.timeout != 0;
	if (!a->bounded)
		a->g.timeout = DEFAULT_TIMEOUT;
	a->deadline = a->began + a->g.timeout;
	loop_deadline(a->loop, a->deadline);
	o.loop = a->loop;
	o.tty = isatty(STDERR_FILENO) == 1 && !streq(getenv("TERM"), "dumb");
	a->progress = progress_new(&o);
	return 0;
}

ns_t app_phase(struct app *a, ns_t bound)
{
	ns_t now = clock_mono(), rest = a->deadline > now ? a->deadline - now : 1;

	if (a->bounded)
		return 0;
	a->deadline = now + bound;
	loop_deadline(a->loop, a->deadline);
	return rest;
}

void app_phase_end(struct app *a, ns_t rest)
{
	if (!rest)
		return;
	a->deadline = clock_mono() + rest;
	loop_deadline(a->loop, a->deadline);
}

int app_exit_code(const struct err *e)
{
	switch (e->code) {
	case ERR_OK:
		return EXIT_DONE;
	case ERR_TIMEOUT:
		return EXIT_TIMED_OUT;
	case ERR_DENIED:
		return EXIT_REFUSED;
	case ERR_QUOTA:
		return EXIT_CAPACITY;
	case ERR_CANCELLED:
		return EXIT_INTERRUPTED;
	default:
		return EXIT_FAILED;
	}
}

static void report_json(const struct app *a, const struct err *e, int code)
{
	json_t *o = json_object();
	char *text;

	json_object_set_new(o, "event", json_string("error"));
	json_object_set_new(o, "code", json_string(err_name(e->code)));
	json_object_set_new(o, "exit", json_integer(code));
	json_object_set_new(o, "message", jx_strf("%s", e->msg));
	if (a->detail.len)
		json_object_set_new(o, "detail", jx_strf("%s", buf_str(&a->detail)));
	if (e->hint[0])
		json_object_set_new(o, "hint", jx_strf("%s", e->hint));
	text = json_dumps(o, JSON_COMPACT);
	if (text)
		log_redact(text);
	fprintf(stderr, "%s\n", text ? text : "{}");
	free(text);
	json_decref(o);
}

static void report_text(const struct app *a, const struct err *e)
{
	const char *red = a->color ? "\033[31m" : "", *bold = a->color ? "\033[1m" : "";
	const char *plain = a->color ? "\033[0m" : "";
	autofree char *msg = xstrdup(e->msg), *detail = xstrdup(buf_str(&a->detail));

	log_redact(msg);
	log_redact(detail);
	fprintf(stderr, "%serror:%s %s\n", red, plain, msg);
	for (char *save = NULL, *line = strtok_r(detail, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		fprintf(stderr, "  %s\n", line);
	if (e->hint[0])
		fprintf(stderr, "%shint:%s %s\n", bold, plain, e->hint);
}

int app_report(struct app *a, const struct err *e)
{
	int code = a->exit_code ? a->exit_code : app_exit_code(e);

	/* Ctrl-C is what the user did, whatever it made fail. */
	if (e->code == ERR_CANCELLED)
		code = EXIT_INTERRUPTED;
	if (a->json)
		report_json(a, e, code);
	else
		report_text(a, e);
	return code;
}

void app_result_json(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	printf("%s\n", text ? text : "null");
	free(text);
	json_decref(o);
}

void app_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

static int print_help(const struct command *c)
{
	struct buf text = BUF_INIT(HELP_MAX);

	if (c)
		command_help(&text, c);
	else
		commands_help(&text);
	fputs(buf_str(&text), stdout);
	buf_release(&text);
	return 0;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc && !streq(argv[i], "--"); i++)
		if (streq(argv[i], "--help") || streq(argv[i], "-h"))
			return true;
	return false;
}

static int dispatch(struct app *a, int argc, char **argv, struct err *e)
{
	const struct opt_set globals = {app_global_opts, &a->g};
	const struct command *c;
	const char *near = NULL;
	bool json, version = argc == 2 && streq(argv[1], "--version");

	argc -= 1 + version; /* as everybody tries it first */
	argv += 1 + version;
	json = asks_for_json(argc, argv);
	if (options_parse(&globals, 1, true, &argc, &argv, e) < 0) {
		a->json = json;
		a->exit_code = EXIT_USAGE;
		return err_hint(e, "see prestoctl help");
	}
	apply_globals(a);
	if (a->g.help)
		return print_help(NULL);
	if (version)
		return command_find("version", &near)->run(a, 0, argv, e);
	if (!argc) {
		app_usage(a, e, "no command given");
		return err_hint(e, "see prestoctl help");
	}
	c = command_find(argv[0], &near);
	if (!c) {
		a->json = json;
		app_usage(a, e, "unknown command '%s'", argv[0]);
		if (near)
			return err_hint(e, "did you mean '%s'?", near);
		return err_hint(e, "see prestoctl help");
	}
	if (asks_for_help(argc - 1, argv + 1))
		return print_help(c);
	return c->run(a, argc - 1, argv + 1, e);
}

int app_main(int argc, char **argv)
{
	struct app a = {
		.g = {.output = "text", .color = "auto"},
		.detail = BUF_INIT(APP_DETAIL_MAX),
		.began = clock_mono(),
	};
	struct err e = ERR_INIT;
	int failed = dispatch(&a, argc, argv, &e), code;

	if (failed && e.code == ERR_UNAVAILABLE && !e.http && !e.hint[0])
		err_hint(&e, "does it run, and do firewalls let you reach it?");
	progress_free(TAKE(a.progress));
	google_free(a.google);
	if (!failed && (fflush(stdout) || ferror(stdout)))
		failed = err_set(&e, ERR_IO, "standard output cannot be written");
	code = failed ? app_report(&a, &e) : a.exit_code;
	loop_free(a.loop);
	buf_release(&a.detail);
	return code;
}
