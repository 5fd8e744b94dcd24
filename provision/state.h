/*
 * state.h - what prestoctl remembers of an environment between runs, in $XDG_STATE_HOME/prestoctl/NAME/state.json
 * (or ~/.local/state), mode 0600. Only conveniences: where the cluster is and which file described it. No secret is
 * in it, and losing it loses nothing, as everything made carries labels.
 *	{"version":1, "name":"local", "provider":"local", "namespace":"presto", "presto":"example",
 *	 "file":"/abs/local.yaml", "kubeconfig":"/abs/path" or absent, "context":"...", "server":"https://...",
 *	 "cluster":"default", "made":{"cluster":true}}
 */
#ifndef PROVISION_STATE_H
#define PROVISION_STATE_H

#include "base/jx.h"

struct state {
	char *name, *folder, *path;
	int lock;     /* -1: not held */
	bool found;   /* there was a file, and it could be read */
	bool damaged; /* there was one that could not: to be warned about */
	json_t *doc;  /* never NULL after state_open */
};

#define STATE_INIT         \
	{                  \
		.lock = -1 \
	}

/*
 * state_open - read what is remembered; absent or damaged is an empty document. With @lock the environment is ours
 * until state_close: ERR_CONFLICT when another prestoctl works on it. Without it nothing is written, not even folders.
 */
int state_open(struct state *s, const char *name, bool lock, struct err *e) MUST_CHECK;
/* state_set - remember a value at a dotted path (stolen) and write the file, whole or not at all. NULL forgets. */
int state_set(struct state *s, const char *path, json_t *v, struct err *e) MUST_CHECK;
/* state_remove - forget the environment. The lock stays held. */
int state_remove(struct state *s, struct err *e) MUST_CHECK;
void state_close(struct state *s);
/* state_names - the environments that are remembered, as a sorted array of strings. Owned. */
int state_names(json_t **out, struct err *e) MUST_CHECK;

#endif
