/*
 * token_cache.h - Google access tokens between two runs of `prestoctl credential`: the only place where prestoctl ever
 * stores one. $XDG_CACHE_HOME/prestoctl/tokens (or ~/.cache), a folder of ours with mode 0700, has one file of mode 0600
 * per login: {"version":1, "token":T, "expiry":"2026-01-02T03:04:05Z"}. Needs no loop, no libcurl and no OpenSSL.
 */
#ifndef PROVISION_TOKEN_CACHE_H
#define PROVISION_TOKEN_CACHE_H

#include "gke/env.h"
#include "provision/app.h"

struct token_cache {
	char *folder, *path;
	int lock; /* -1: not held */
};

#define TOKEN_CACHE_INIT   \
	{                  \
		.lock = -1 \
	}

/*
 * token_cache_open - for the login that the options and the environment describe: all that decides it, and what the
 * files that it is from say, are in the file's name. Makes no folder. ERR_NOT_FOUND without a home folder; ERR_DENIED
 * when the folder is somebody else's, or open to others.
 */
int token_cache_open(struct token_cache *c, const struct globals *g, const struct gke_env *env,
		     struct err *e) MUST_CHECK;
void token_cache_close(struct token_cache *c);
/*
 * token_cache_get - a token that lasts longer than AUTH_EARLY from @now on (wall clock). *token is owned and secret.
 * False when there is none; *why (200 bytes) then says what was wrong with the file, empty when nothing was.
 */
bool token_cache_get(char **token, ns_t *expiry, const struct token_cache *c, ns_t now, char *why);
/* token_cache_put - written whole or not at all; tokens that have ended long ago go. */
int token_cache_put(struct token_cache *c, const char *token, ns_t expiry,
		    struct err *e) MUST_CHECK;
/*
 * token_cache_lock - so that many at once fetch one token. ERR_CONFLICT: another process is fetching this one. Makes the
 * folder. Freed by token_cache_close.
 */
int token_cache_lock(struct token_cache *c, struct err *e) MUST_CHECK;

#endif
