/* commands.h - every command, in the order of the help text. To add one: its descriptor here, its row in commands.c. */
#ifndef PROVISION_COMMANDS_H
#define PROVISION_COMMANDS_H

#include "provision/app.h"

extern const struct command *const commands[];
extern const size_t commands_len;

extern const struct command cmd_auth, cmd_completion, cmd_credential, cmd_down, cmd_explain, cmd_gc,
	cmd_list, cmd_logs, cmd_query, cmd_ui, cmd_verify, cmd_help, cmd_kubeconfig, cmd_manifests,
	cmd_plan, cmd_status, cmd_up, cmd_version;

/* command_find - NULL when there is none; *near is then the nearest name, or NULL. */
const struct command *command_find(const char *name, const char **near);
/* commands_help - the whole program's help; command_help - one command's. Text for stdout. */
void commands_help(struct buf *out);
void command_help(struct buf *out, const struct command *c);

#endif
