/* commands.c - the table of commands, and help texts made from it. */
#include "provision/commands.h"

#include "base/suggest.h"

const struct command *const commands[] = {
	&cmd_up,         &cmd_down,    &cmd_status,    &cmd_list,       &cmd_gc,         &cmd_plan,
	&cmd_verify,     &cmd_query,   &cmd_logs,      &cmd_ui,         &cmd_kubeconfig, &cmd_auth,
	&cmd_credential, &cmd_explain, &cmd_manifests, &cmd_completion, &cmd_version,    &cmd_help,
};
const size_t commands_len = ARRAY_LEN(commands);

const struct command *command_find(const char *name, const char **near)
{
	const char *names[ARRAY_LEN(commands)];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		names[i] = commands[i]->name;
		if (streq(names[i], name))
			return commands[i];
	}
	*near = suggest(name, names, ARRAY_LEN(commands));
	return NULL;
}

void commands_help(struct buf *out)
{
	buf_fit(out,
		"prestoctl makes a Presto cluster on Kubernetes, proves that it answers SQL, and takes it\n"
		"away again.\n\n"
		"Usage: prestoctl COMMAND [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		buf_fit(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	buf_fit(out, "\nOptions of every command:\n");
	options_help(out, app_global_opts, NULL);
	buf_fit(out,
		"\nExit codes: 0 done, 1 failed, 2 usage or environment file, 3 timed out, 4 permission\n"
		"refused, 5 quota or capacity, 6 done in part, 130 interrupted.\n\n"
		"Begin with: prestoctl up -f examples/local.yaml\n"
		"Help for one command: prestoctl help COMMAND\n");
}

void command_help(struct buf *out, const struct command *c)
{
	buf_fit(out, "prestoctl %s - %s\n\nUsage: prestoctl %s%s%s\n", c->name, c->summary, c->name,
		c->args ? " " : "", c->args ? c->args : "");
	if (c->about)
		buf_fit(out, "\n%s\n", c->about);
	if (c->opts && c->opts->name) {
		buf_fit(out, "\nOptions:\n");
		options_help(out, c->opts, NULL);
	}
	buf_fit(out, "\nOptions of every command:\n");
	options_help(out, app_global_opts, c->opts);
}
