/*
 * env.h - the environment as this library sees it: one function, so that tests bring their own.
 */
#ifndef GKE_ENV_H
#define GKE_ENV_H

#include "base/err.h"

struct gke_env {
	const char *(*get)(const char *name, void *arg); /* NULL: the process's environment */
	void *arg;
};

/* gke_getenv - borrowed; NULL when unset or empty. */
const char *gke_getenv(const struct gke_env *env, const char *name);
/* gke_env_true - "1", "true", "yes", "on" in any case. */
bool gke_env_true(const struct gke_env *env, const char *name);

/*
 * What people have set for gcloud, client libraries and Terraform, first match wins; borrowed or
 * NULL. Project, zone and region are defaults for a file that leaves them out.
 */
const char *gke_env_project(const struct gke_env *env);
const char *gke_env_zone(const struct gke_env *env);
const char *gke_env_region(const struct gke_env *env);

/*
 * gke_ca_pem - the CA bundle that gcloud's own settings name, owned; NULL when they name none (then
 * the HTTP layer's rules hold). ERR_NOT_FOUND, ERR_DENIED, ERR_IO, ERR_INVALID say which variable.
 */
int gke_ca_pem(char **out, const struct gke_env *env, struct err *e) MUST_CHECK;

#endif
