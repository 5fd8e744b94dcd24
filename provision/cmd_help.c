/* cmd_help.c - prestoctl help [COMMAND]. */
#include "provision/commands.h"

#define HELP_MAX (64u << 10)

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	AUTO(buf_release) struct buf text = BUF_INIT(HELP_MAX);
	const struct command *c = NULL;
	const char *near = NULL;

	if (app_options(a, &cmd_help, NULL, &argc, argv, e) < 0)
		return -1;
	if (argc) {
		c = command_find(argv[0], &near);
		if (!c) {
			app_usage(a, e, "unknown command '%s'", argv[0]);
			return near ? err_hint(e, "did you mean '%s'?", near)
				    : err_hint(e, "see prestoctl help");
		}
		command_help(&text, c);
	} else {
		commands_help(&text);
	}
	if (a->json)
		app_result_json(json_pack("{s:s}", "text", buf_str(&text)));
	else
		app_print("%s", buf_str(&text));
	return 0;
}

const struct command cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "what prestoctl does, or one of its commands",
	.max_args = 1,
	.run = run,
};
