/* cmd_completion.c - completion scripts for shells, made from the same tables as the parser and the
 * help. */
#include <string.h>

#include "provision/commands.h"

#define SCRIPT_MAX (64u << 10)

static void bash_words(struct buf *b, const struct opt *opts)
{
	for (; opts && opts->name; opts++)
		buf_fit(b, " --%s", opts->name);
}

/* The words after options that take one of a few. */
static void bash_choices(struct buf *b, const struct opt *opts)
{
	for (; opts && opts->name; opts++) {
		if (opts->type != OPT_CHOICE)
			continue;
		buf_fit(b, "\t--%s) words=\"", opts->name);
		for (const char *const *c = opts->choices; *c; c++)
			buf_fit(b, "%s%s", c == opts->choices ? "" : " ", *c);
		buf_fit(b, "\" ;;\n");
	}
}

/* The options of one name mean the same in every command (a test checks that their choices agree).
 */
static void bash(struct buf *b)
{
	buf_fit(b, "# bash completion of prestoctl: source <(prestoctl completion bash)\n"
		   "_prestoctl() {\n"
		   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
		   "command= words= i\n"
		   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "\t\tcase ${COMP_WORDS[i]} in\n");
	for (size_t i = 0; i < commands_len; i++)
		buf_fit(b, "%s%s", i ? "|" : "\t\t", commands[i]->name);
	buf_fit(b, ") command=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n\tcase $prev in\n");
	bash_choices(b, app_global_opts);
	for (size_t i = 0; i < commands_len; i++)
		bash_choices(b, commands[i]->opts);
	buf_fit(b,
		"\tesac\n\tif [ -z \"$words\" ]; then\n\t\tcase $command in\n\t\t\"\") words=\"");
	for (size_t i = 0; i < commands_len; i++)
		buf_fit(b, "%s%s", i ? " " : "", commands[i]->name);
	buf_fit(b, "\" ;;\n");
	for (size_t i = 0; i < commands_len; i++) {
		buf_fit(b, "\t\t%s) words=\"", commands[i]->name);
		if (commands[i] == &cmd_help)
			for (size_t k = 0; k < commands_len; k++)
				buf_fit(b, "%s ", commands[k]->name);
		if (commands[i] == &cmd_completion)
			buf_fit(b, "bash zsh fish");
		bash_words(b, commands[i]->opts);
		buf_fit(b, "\" ;;\n");
	}
	buf_fit(b, "\t\tesac\n\t\twords=\"$words");
	bash_words(b, app_global_opts);
	buf_fit(b,
		"\"\n\tfi\n"
		"\tcase $words:$cur in\n"
		"\t*:-* | [!-]*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
		"\tesac\n"
		"}\n"
		"complete -o default -F _prestoctl prestoctl\n");
}

static void zsh(struct buf *b)
{
	buf_fit(b, "#compdef prestoctl\n"
		   "# zsh completion of prestoctl: source <(prestoctl completion zsh)\n"
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
		if (opts->type != OPT_FLAG)
			buf_fit(b, opts->type == OPT_CHOICE ? " -x" : " -r");
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
	buf_fit(b, "# fish completion of prestoctl: prestoctl completion fish | source\n");
	for (size_t i = 0; i < commands_len; i++) {
		buf_fit(b, "complete -c prestoctl -f -n __fish_use_subcommand -a %s -d ",
			commands[i]->name);
		fish_quote(b, commands[i]->summary);
		buf_fit(b, "\n");
	}
	buf_fit(b, "complete -c prestoctl -f -n '__fish_seen_subcommand_from completion' -a 'bash "
		   "zsh fish'\n");
	for (size_t i = 0; i < commands_len; i++)
		fish_options(b, commands[i]->name, commands[i]->opts);
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
