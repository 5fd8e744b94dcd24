/* cmd_query.c - SQL from the command line, a file or a prompt; results on stdout. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>
#include <sys/stat.h>
#include <editline/readline.h>

#include "base/clock.h"
#include "base/file.h"
#include "provision/commands.h"
#include "provision/input.h"
#include "provision/result.h"
#include "provision/session.h"

#define SCRIPT_MAX  (4u << 20)
#define HISTORY_MAX 1000
#define CLEAR_LINE  "\r\033[K"
#define IDENTIFIER  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

struct query_opts {
	struct session_opts session;
	const char *file, *format, *user, *catalog, *schema;
};

static const char *const formats[] = {"table", "csv", "json", NULL};
static const struct opt query_opts[] = {
	{"file", 'f', OPT_TEXT, offsetof(struct query_opts, file), "FILE",
	 "run the statements of a file (- is standard input)", NULL},
	{"format", 0, OPT_CHOICE, offsetof(struct query_opts, format), "FORMAT",
	 "table, csv or json (one object a line)", formats},
	{"user", 'u', OPT_TEXT, offsetof(struct query_opts, user), "NAME",
	 "the Presto user (default: $USER)", NULL},
	{"catalog", 0, OPT_TEXT, offsetof(struct query_opts, catalog), "NAME",
	 "the catalog of unqualified names", NULL},
	{"schema", 0, OPT_TEXT, offsetof(struct query_opts, schema), "NAME",
	 "the schema of unqualified names", NULL},
	SESSION_OPTS(struct query_opts, session),
	{0},
};

struct shell {
	struct app *app;
	struct session session;
	struct presto_client client;
	enum result_format format;
	bool live; /* progress on a terminal's stderr */
	ns_t next_news;
	char *catalog, *schema; /* set by USE */
};

/* A sink has one argument: this one is the session's, and hands rows on to the printer's. */
struct output {
	struct shell *shell;
	struct sql_sink rows;
};

static int output_columns(const struct sql_column *c, size_t n, void *arg, struct err *e)
{
	const struct output *o = arg;

	return o->rows.columns(c, n, o->rows.arg, e);
}

static int output_row(const json_t *row, void *arg, struct err *e)
{
	const struct output *o = arg;

	return o->rows.row(row, o->rows.arg, e);
}

static void output_progress(const char *state, double percent, const json_t *stats, void *arg)
{
	struct shell *s = ((const struct output *)arg)->shell;

	if (!s->live || clock_mono() < s->next_news)
		return;
	s->next_news = clock_mono() + 200 * NS_MS;
	fprintf(stderr, CLEAR_LINE "%s %.0f %%, %lld of %lld splits", state, percent,
		(long long)jx_int(stats, "completedSplits"),
		(long long)jx_int(stats, "totalSplits"));
	fflush(stderr);
}

/* point_at - the line of the statement that the engine complains about, with a caret below. */
static void point_at(struct app *a, const char *sql, const struct sql_error *se)
{
	const char *line = sql;

	for (int i = 1; i < se->line && line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (se->line <= 0 || !line || strcspn(line, "\n") > 500)
		return;
	app_detail(a, "  %.*s", (int)strcspn(line, "\n"), line);
	if (se->column > 0 && se->column < 500)
		app_detail(a, "  %*s^", se->column - 1, "");
}

static int run_statement(struct shell *s, const char *sql, struct err *e)
{
	struct result *r = result_new(s->format, stdout);
	struct output o = {s, result_sink(r)};
	const struct sql_sink sink = {output_columns, output_row, output_progress, &o};
	struct sql_error se = {0};
	int rc = presto_sql(&s->client, sql, &sink, &se, clock_mono() + s->app->g.timeout, e);

	if (s->live)
		fputs(CLEAR_LINE, stderr);
	if (rc == 0)
		rc = result_end(r, e);
	else if (se.name[0])
		point_at(s->app, sql, &se);
	result_free(r);
	return rc;
}

static int run_script(struct shell *s, const char *script, struct err *e)
{
	char **statements = NULL;
	size_t n = 0;
	int rc = sql_split(&statements, script, e);

	while (!rc && statements[n])
		n++;
	if (!rc && n == 0)
		rc = app_usage(s->app, e, "there is no SQL statement to run");
	for (size_t i = 0; !rc && i < n; i++) {
		rc = run_statement(s, statements[i], e);
		if (rc < 0 && n > 1 && e->code != ERR_CANCELLED)
			err_wrap(e, "statement %zu of %zu", i + 1, n);
	}
	sql_split_free(statements);
	return rc;
}

static int read_script(char **out, const char *path, struct err *e)
{
	autofree char *text = NULL;
	size_t len = 0;

	if (input_read(&text, &len, path, SCRIPT_MAX, e) < 0)
		return -1;
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "%s: binary, not SQL", path);
	*out = TAKE(text);
	return 0;
}

/* --- the prompt ---------------------------------------------------------------------------------
 */

static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	autofree char *home = path_home();

	if (state && *state == '/')
		return xasprintf("%s/prestoctl/history", state);
	return home ? xasprintf("%s/.local/state/prestoctl/history", home) : NULL;
}

/*
 * The engine answers USE with headers that name the new session's catalog and schema. Each
 * statement here is a session of its own, so USE is understood by the prompt, and what else would
 * only change a session is refused instead of being lost.
 */
static bool is_use(struct shell *s, const char *sql)
{
	const char *from = sql + (strncasecmp(sql, "use ", 4) == 0 ? 4 : 0), *dot;
	size_t len = strlen(from);

	while (from > sql && (*from == ' ' || *from == '\t')) {
		from++;
		len--;
	}
	dot = strchr(from, '.');
	/* quoted or otherwise unusual names go to the engine, which says what it thinks of them */
	if (from == sql || !len || from[strspn(from, IDENTIFIER ".")])
		return false;
	if (dot) {
		free(s->catalog);
		s->catalog = xstrndup(from, (size_t)(dot - from));
	}
	free(s->schema);
	s->schema = xstrdup(dot ? dot + 1 : from);
	s->client.catalog = s->catalog;
	s->client.schema = s->schema;
	return true;
}

static bool only_for_sessions(const char *sql)
{
	static const char *const words[] = {"set session", "reset session", "start transaction",
					    "commit",      "rollback",      "prepare ",
					    "set role"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strncasecmp(sql, words[i], strlen(words[i])) == 0)
			return true;
	}
	return false;
}

static void prompt_statement(struct shell *s, const char *sql)
{
	struct err e = ERR_INIT;
	ns_t began = clock_mono();
	char took[DURATION_SIZE];

	if (is_use(s, sql))
		return;
	if (only_for_sessions(sql)) {
		fputs("every statement here is a session of its own: this one would have no "
		      "effect\n",
		      stderr);
		return;
	}
	if (run_statement(s, sql, &e) < 0) {
		app_report(s->app, &e);
		buf_clear(&s->app->detail);
		s->app->exit_code = 0;
		loop_signal_reset(s->app->loop);
		return;
	}
	duration_format(took, clock_mono() - began);
	fprintf(stderr, "%s\n\n", took);
}

/* feed - one more line: runs what is complete, keeps the rest. */
static void feed(struct shell *s, struct buf *text)
{
	char **statements = NULL;
	struct err e = ERR_INIT;
	const char *end = buf_str(text) + text->len;

	while (end > buf_str(text) && strchr(" \t\r\n", end[-1]))
		end--;
	if (end == buf_str(text) || end[-1] != ';')
		return;
	if (sql_split(&statements, buf_str(text), &e) < 0)
		return; /* an open quote or comment: the semicolon is inside */
	buf_clear(text);
	for (size_t i = 0; statements[i]; i++)
		prompt_statement(s, statements[i]);
	sql_split_free(statements);
}

static bool is_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(line, word, len) == 0 && !line[len + strspn(line + len, "; \t")];
}

/* readline's reader has no argument of ours. */
static struct loop *prompt_loop;

static void on_key(unsigned events UNUSED, void *arg)
{
	*(bool *)arg = true;
}

static int read_byte(FILE *from, unsigned char *byte)
{
	struct err e = ERR_INIT;
	struct loop_fd *watch;
	bool ready = false;
	int rc;

	if (loop_fd_add(&watch, prompt_loop, fileno(from), LOOP_READ, on_key, &ready, &e) < 0)
		return -1;
	rc = loop_wait(prompt_loop, &ready, 0, &e);
	loop_fd_del(watch);
	return rc == 0 && read(fileno(from), byte, 1) == 1 ? 0 : -1;
}

/* One character for the line editor. Waiting turns the loop, which is how Ctrl-C is noticed. */
static int read_key(FILE *from)
{
	mbstate_t partly = {0};
	unsigned char byte;
	wchar_t key;

	while (read_byte(from, &byte) == 0) {
		size_t n = mbrtowc(&key, (const char *)&byte, 1, &partly);

		if (n == (size_t)-1)
			return '?';
		if (n != (size_t)-2)
			return (int)key;
	}
	return EOF;
}

/* The next line, owned, or NULL at the end. Ctrl-C throws away what has been typed so far. */
static char *next_line(struct shell *s, struct buf *text, const char *first)
{
	char *line;

	while (!(line = readline(text->len ? "    -> " : first))) {
		if (loop_signalled(s->app->loop) != SIGINT)
			return NULL;
		loop_signal_reset(s->app->loop);
		buf_clear(text);
		fputs("^C\n", stderr);
	}
	return line;
}

static void prompt_begin(struct shell *s, const char *history)
{
	loop_deadline(s->app->loop, 0); /* --timeout bounds a statement, not the conversation */
	prompt_loop = s->app->loop;
	if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
		setlocale(LC_CTYPE, "C.UTF-8");
	rl_getc_function = read_key; /* before the first call: it is looked at only once */
	using_history();
	stifle_history(HISTORY_MAX);
	if (history)
		read_history(history);
	fprintf(stderr, "Statements end with a semicolon; Ctrl-C cancels one, Ctrl-D or \"quit\" "
			"leaves.\n");
}

static int prompt(struct shell *s, struct err *e)
{
	AUTO(buf_release) struct buf text = BUF_INIT(SCRIPT_MAX);
	autofree char *history = history_path();
	autofree char *first = xasprintf("%s> ", s->session.presto);
	char *line;

	prompt_begin(s, history);
	while ((line = next_line(s, &text, first))) {
		bool leave = !text.len && (is_word(line, "quit") || is_word(line, "exit"));
		int rc = leave ? 0 : buf_addf(&text, e, "%s\n", line);

		if (*line && !leave)
			add_history(line);
		free(line);
		if (leave || rc < 0)
			break;
		feed(s, &text);
	}
	if (!line)
		fputc('\n', stderr);
	if (history && write_history(history) == 0)
		chmod(history, 0600);
	return e->code ? -1 : 0;
}

static int run(struct shell *s, const struct query_opts *o, const char *sql, struct err *e)
{
	autofree char *script = NULL;

	if (sql)
		return run_script(s, sql, e);
	if (o->file || !isatty(STDIN_FILENO)) {
		if (read_script(&script, o->file ? o->file : "-", e) < 0)
			return -1;
		return run_script(s, script, e);
	}
	return prompt(s, e);
}

static int cmd_query_run(struct app *a, int argc, char **argv, struct err *e)
{
	struct query_opts o = {0};
	struct shell s = {.app = a, .session = {.target = TARGET_INIT}};
	int rc;

	if (app_options(a, &cmd_query, &o, &argc, argv, e) < 0)
		return -1;
	if (argc && o.file)
		return app_usage(a, e, "SQL is given twice: as a word and by --file");
	if (app_start(a, e) < 0)
		return -1;
	rc = session_open(&s.session, a, NULL, &o.session, e);
	if (rc == 0) {
		s.client = session_client(&s.session, o.user);
		s.client.catalog = s.catalog = o.catalog ? xstrdup(o.catalog) : NULL;
		s.client.schema = s.schema = o.schema ? xstrdup(o.schema) : NULL;
		s.format = a->json || streq(o.format, "json") ? RESULT_JSON
			   : streq(o.format, "csv")           ? RESULT_CSV
							      : RESULT_TABLE;
		s.live = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO) && !a->json;
		rc = run(&s, &o, argc ? argv[0] : NULL, e);
	}
	session_release(&s.session);
	free(s.catalog);
	free(s.schema);
	return rc;
}

const struct command cmd_query = {
	.name = "query",
	.args = "[SQL | -f FILE]",
	.summary = "run SQL, from the command line, a file, standard input or a prompt",
	.about = "Without SQL and without --file it reads standard input, or asks at a prompt on a "
		 "terminal.\n"
		 "A script stops at the first statement that fails. Ctrl-C cancels the running "
		 "query on the\n"
		 "server. Requests go through the API server's service proxy: no port-forward, no "
		 "extra address.",
	.opts = query_opts,
	.max_args = 1,
	.run = cmd_query_run,
};
