/* cmd_completion.c - completion scripts for shells, made from the same tables as the parser and the
 * help. */
#include <string.h>

#include "provision/commands.h"

#define SCRIPT_MAX (64u << 10)

/* The words that a command takes beside its options. Owned, "" for none. */
static char *words_of(const struct command *c)
{
	struct buf b = BUF_INIT(1000);

	if (c == &cmd_completion)
		return xstrdup("bash zsh fish");
	if (c == &cmd_auth)
		return xstrdup("status");
	if (c == &cmd_logs)
		return xstrdup("coordinator worker operator");
	if (c != &cmd_help)
		return xstrdup("");
	for (size_t i = 0; i < commands_len; i++)
		buf_fit(&b, "%s%s", i ? " " : "", commands[i]->name);
	return buf_take(&b);
}

static void bash_flags(struct buf *b, const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->name; o++)
		buf_fit(b, "%s--%s", o == opts ? "" : " ", o->name);
}

/* "--name|-n" */
static void bash_pattern(struct buf *b, const struct opt *o)
{
	buf_fit(b, "--%s", o->name);
	if (o->letter)
		buf_fit(b, "|-%c", o->letter);
}

/* The words after options that take one of a few. */
static void bash_choices(struct buf *b, const struct opt *opts)
{
	for (; opts && opts->name; opts++) {
		if (opts->type != OPT_CHOICE)
			continue;
		buf_fit(b, "\t");
		bash_pattern(b, opts);
		buf_fit(b, ") choices=\"");
		for (const char *const *c = opts->choices; *c; c++)
			buf_fit(b, "%s%s", c == opts->choices ? "" : " ", *c);
		buf_fit(b, "\" ;;\n");
	}
}

/* A pattern of all options that take a value. Doubles do no harm. */
static void bash_takes_value(struct buf *b)
{
	const char *between = "";

	for (size_t i = 0; i <= commands_len; i++) {
		const struct opt *o = i < commands_len ? commands[i]->opts : app_global_opts;

		for (; o && o->name; o++) {
			if (o->type == OPT_FLAG)
				continue;
			buf_fit(b, "%s", between);
			bash_pattern(b, o);
			between = "|";
		}
	}
}

static void bash_commands(struct buf *b)
{
	autofree char *names = words_of(&cmd_help);

	buf_fit(b, "\tcase $verb in\n\t\"\") wanted=\"%s\" ;;\n", names);
	for (size_t i = 0; i < commands_len; i++) {
		autofree char *own = words_of(commands[i]);

		buf_fit(b, "\t%s) wanted=\"%s\" flags=\"", commands[i]->name, own);
		bash_flags(b, commands[i]->opts);
		buf_fit(b, "\" ;;\n");
	}
	buf_fit(b, "\tesac\n");
}

/*
 * Also run by zsh, as sh would: no mapfile, and none of the names that zsh's completion gives a meaning ("words").
 * The options of one name mean the same in every command (a test checks that their choices agree).
 */
static void bash(struct buf *b)
{
	buf_fit(b, "# bash completion of prestoctl: source <(prestoctl completion bash)\n"
		   "_prestoctl() {\n"
		   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		   "\tlocal verb= choices= wanted= flags= i\n"
		   "\tCOMPREPLY=()\n"
		   "\tif [ \"$cur\" = '=' ]; then\n\t\tcur=\n"
		   "\telif [ \"$prev\" = '=' ]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n"
		   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	bash_takes_value(b);
	buf_fit(b, ") i=$((i + 1)) ;;\n"
		   "\t\t-*) ;;\n"
		   "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
		   "\t\tesac\n\tdone\n\tcase $prev in\n");
	bash_choices(b, app_global_opts);
	for (size_t i = 0; i < commands_len; i++)
		bash_choices(b, commands[i]->opts);
	buf_fit(b, "\t");
	bash_takes_value(b);
	buf_fit(b, ") return 0 ;;\n\tesac\n");
	bash_commands(b);
	buf_fit(b, "\tif [ -z \"$choices\" ]; then\n"
		   "\t\tchoices=$wanted\n"
		   "\t\tcase $cur in -*) choices=\"$flags ");
	bash_flags(b, app_global_opts);
	buf_fit(b, "\" ;; esac\n\tfi\n"
		   "\tCOMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
		   "}\n"
		   "complete -o default -F _prestoctl prestoctl\n");
}

static void zsh(struct buf *b)
{
	buf_fit(b, "#compdef prestoctl\n"
		   "# zsh completion of prestoctl: source <(prestoctl completion zsh)\n"
		   "(( $+functions[compdef] )) || { autoload -U compinit && compinit }\n"
		   "autoload -U +X bashcompinit && bashcompinit\n");
	bash(b);
}

/* A text inside single quotes of fish. */
static void fish_quote(struct buf *b, const char *text)
{
	buf_fit(b, "'");
	for (; *text; text++)
		buf_fit(b, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
	buf_fit(b, "'");
}

static void fish_options(struct buf *b, const char *command, const struct opt *opts)
{
	for (; opts && opts->name; opts++) {
		buf_fit(b, "complete -c prestoctl");
		if (command)
			buf_fit(b, " -n '__fish_seen_subcommand_from %s'", command);
		buf_fit(b, " -l %s", opts->name);
		if (opts->letter)
			buf_fit(b, " -s %c", opts->letter);
		if (opts->type == OPT_MAYBE)
			buf_fit(b, " -F");
		else if (opts->type != OPT_FLAG)
			buf_fit(b, streq(opts->arg, "FILE") ? " -r -F" : " -x");
		if (opts->type == OPT_CHOICE) {
			buf_fit(b, " -a '");
			for (const char *const *c = opts->choices; *c; c++)
				buf_fit(b, "%s%s", c == opts->choices ? "" : " ", *c);
			buf_fit(b, "'");
		}
		buf_fit(b, " -d ");
		fish_quote(b, opts->help);
		buf_fit(b, "\n");
	}
}

static void fish(struct buf *b)
{
	buf_fit(b, "# fish completion of prestoctl: prestoctl completion fish | source\n"
		   "complete -c prestoctl -f\n");
	for (size_t i = 0; i < commands_len; i++) {
		buf_fit(b, "complete -c prestoctl -n __fish_use_subcommand -a %s -d ",
			commands[i]->name);
		fish_quote(b, commands[i]->summary);
		buf_fit(b, "\n");
	}
	for (size_t i = 0; i < commands_len; i++) {
		autofree char *words = words_of(commands[i]);

		if (*words)
			buf_fit(b,
				"complete -c prestoctl -n '__fish_seen_subcommand_from %s' -a '%s'\n",
				commands[i]->name, words);
		fish_options(b, commands[i]->name, commands[i]->opts);
	}
	fish_options(b, NULL, app_global_opts);
}

static int cmd_completion_run(struct app *a, int argc, char **argv, struct err *e)
{
	static const struct {
		const char *shell;
		void (*print)(struct buf *);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	AUTO(buf_release) struct buf text = BUF_INIT(SCRIPT_MAX);

	if (app_options(a, &cmd_completion, NULL, &argc, argv, e) < 0)
		return -1;
	for (size_t i = 0; argc == 1 && i < ARRAY_LEN(shells); i++) {
		if (streq(argv[0], shells[i].shell))
			shells[i].print(&text);
	}
	if (!text.len)
		return app_usage(a, e, "say which shell: bash, zsh or fish");
	if (a->json)
		app_result_json(
			json_pack("{s:s, s:s}", "shell", argv[0], "script", buf_str(&text)));
	else
		app_print("%s", buf_str(&text));
	return 0;
}

const struct command cmd_completion = {
	.name = "completion",
	.args = "bash|zsh|fish",
	.summary = "print a completion script for a shell",
	.about = "bash: source <(prestoctl completion bash)\n"
		 "zsh:  source <(prestoctl completion zsh)\n"
		 "fish: prestoctl completion fish | source",
	.max_args = 1,
	.run = cmd_completion_run,
};
