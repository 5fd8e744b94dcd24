/* google.c - see google.h. */
#include "provision/google.h"

#include <stdlib.h>

#include "base/version.h"

int google_login(struct google **out, struct app *a, const char *credentials,
		 const char *impersonate, struct err *e)
{
	autofree char *agent = xasprintf("prestoctl/%s", version_text);
	struct auth_opts who = {.access_token_file = a->g.access_token_file,
				.credential_file = a->g.credentials,
				.impersonate = a->g.impersonate ? a->g.impersonate : impersonate,
				.user_agent = agent};
	struct gke_opts opts = {.user_agent = agent, .on_retry = app_say_retry, .arg = a};
	struct google *g;

	if (a->google) {
		*out = a->google;
		return 0;
	}
	g = xcalloc(1, sizeof(*g));
	if (!who.access_token_file && !who.credential_file && credentials) {
		who.credential_file = credentials;
		g->from_file = true;
	}
	if (gke_ca_pem(&g->ca_pem, &g->env, e) < 0)
		goto failed;
	who.ca_pem = opts.ca_pem = g->ca_pem;
	if (auth_new(&g->auth, a->loop, &who, e) < 0 ||
	    gke_new(&g->gke, a->loop, g->auth, &opts, e) < 0)
		goto failed;
	*out = a->google = g;
	return 0;
failed:
	google_free(g);
	/* No login, or a broken one: a script is told so as by Google's own refusal. */
	if (e->code == ERR_NOT_FOUND || e->code == ERR_INVALID)
		a->exit_code = EXIT_REFUSED;
	return -1;
}

void google_free(struct google *g)
{
	if (!g)
		return;
	gke_free(g->gke);
	auth_free(g->auth);
	free(g->ca_pem);
	json_decref(g->seen);
	free(g);
}

const char *google_project(const struct google *g)
{
	const char *named = gke_env_project(&g->env);

	return named ? named : auth_project(g->auth);
}
