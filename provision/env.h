/*
 * env.h - the environment file, read and checked offline. Nothing here writes or talks to anything.
 */
#ifndef PROVISION_ENV_H
#define PROVISION_ENV_H

#include "base/yaml.h"

#define ENV_LABEL    "prestoctl.io/environment"
#define ENV_FINDINGS 32

struct env {
	char *path;                       /* as the user gave it */
	char *folder;                     /* absolute: what relative paths in it are relative to */
	json_t *doc;                      /* the checked document */
	const char *name, *provider, *ns; /* borrowed from doc */
	const char *operator_image, *operator_pull_policy;
	const json_t *operator_resources; /* NULL: none given */
	const json_t *cluster;            /* the provider's own section, NULL when there is none */
	const json_t *images, *verify;    /* NULL when not given */
	json_t *presto; /* the whole resource: apiVersion, kind, metadata with namespace, spec */
};

/*
 * env_load - read and check a file ("-" is standard input). Every finding after the first goes to @more as a
 * line "FILE:LINE:COLUMN: what; remedy". Returns 0, or -1: ERR_INVALID with the first finding, ERR_NOT_FOUND,
 * ERR_DENIED, ERR_IO.
 */
int env_load(struct env **out, const char *path, struct buf *more, struct err *e) MUST_CHECK;
/* env_parse - the same from a text; relative paths are relative to @folder. */
int env_parse(struct env **out, const char *text, size_t len, const char *name, const char *folder,
	      struct buf *more, struct err *e) MUST_CHECK;
void env_free(struct env *v);
void env_freep(struct env **v);
/* env_file - a path of the environment: absolute as it is, "~/" from the home folder, else below the file's folder. Owned. */
char *env_file(const struct env *v, const char *path);

#endif
