/*
 * google.h - one login to Google per process, and the client of its APIs that uses it. Who we are is said, in this
 * order, by the command line, by the environment file, and by all that gcloud and Terraform read (gke/auth.h).
 */
#ifndef PROVISION_GOOGLE_H
#define PROVISION_GOOGLE_H

#include "gke/container.h"
#include "provision/app.h"

struct google {
	struct auth *auth;
	struct gke *gke;
	struct gke_env env;
	char *ca_pem;   /* the CA that gcloud's settings name, or NULL */
	bool from_file; /* the credential was named by the environment file */
	json_t *seen;   /* the cluster that was looked at last, owned (gke_cluster_seen) */
};

/*
 * google_login - finds the credential; fetches no token. The first call of a process decides: later ones get the same
 * login, whatever they say. @credentials (a path) and @impersonate are what an environment file says, or NULL. The login
 * belongs to the app and lives as long; errors as auth_new.
 */
int google_login(struct google **out, struct app *a, const char *credentials,
		 const char *impersonate, struct err *e) MUST_CHECK;
/* google_free - for app_main; NULL is fine. */
void google_free(struct google *g);
/* google_project - the project that is meant when nothing names one: variables, then the credential. NULL: none. Borrowed. */
const char *google_project(const struct google *g);

#endif
