/* cmd_auth.c - who prestoctl is to Google. */
#include <string.h>

#include "base/clock.h"
#include "provision/commands.h"
#include "provision/google.h"

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static void print_json(const struct auth_status *s, const char *project, const char *acts_as,
		       bool ok)
{
	char when[TIME_RFC3339_SIZE] = "";

	if (s->expiry)
		time_format(when, s->expiry);
	app_result_json(json_pack("{s:b, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b}",
				  "ok", ok, "kind", or_null(s->kind), "source", or_null(s->source),
				  "principal", or_null(s->principal), "actsAs", acts_as, "project",
				  project, "quotaProject", or_null(s->quota_project), "universe",
				  or_null(s->universe), "expiry", or_null(when), "renewable",
				  s->renewable));
}

static void row(const char *title, const char *value)
{
	if (value)
		app_print("%-14s %s\n", title, value);
}

static void print_text(const struct auth_status *s, const char *project, const char *acts_as,
		       bool ok)
{
	char left[DURATION_SIZE], when[TIME_RFC3339_SIZE];
	autofree char *lasts = NULL;

	if (s->expiry) {
		time_format(when, s->expiry);
		duration_format(left, s->expiry - clock_wall());
		lasts = xasprintf("%s (until %s), %s", left, when,
				  s->renewable ? "then renewed" : "and cannot be renewed here");
	} else if (ok) {
		lasts = xasprintf("not known, %s", s->renewable ? "renewed when refused"
								: "and cannot be renewed here");
	}
	row("credential", or_null(s->kind));
	row("from", or_null(s->source));
	row("principal", ok && !*s->principal ? "Google does not say" : or_null(s->principal));
	if (!streq(acts_as, s->principal))
		row("acts as", acts_as);
	row("project", project);
	row("quota project", or_null(s->quota_project));
	row("universe", or_null(s->universe));
	row("token lasts", lasts);
}

/* Whatever is wrong with a credential, a script wants to know that it is the credential. */
static int refused(struct app *a, const struct err *e)
{
	if (e->code == ERR_NOT_FOUND || e->code == ERR_INVALID || e->code == ERR_DENIED)
		a->exit_code = EXIT_REFUSED;
	return -1;
}

static int status(struct app *a, struct err *e)
{
	struct auth_status s;
	struct google *g;
	int failed;

	if (google_login(&g, a, NULL, NULL, e) < 0)
		return refused(a, e);
	failed = auth_status(&s, g->auth, e);
	(a->json ? print_json : print_text)(&s, google_project(g), auth_acts_as(g->auth), !failed);
	return failed ? refused(a, e) : 0;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	if (app_options(a, &cmd_auth, NULL, &argc, argv, e) < 0)
		return -1;
	if (argc != 1 || !streq(argv[0], "status")) {
		app_usage(a, e, argc ? "auth has no '%.60s'" : "say what: auth status%s",
			  argc ? argv[0] : "");
		return err_hint(e, "prestoctl auth status");
	}
	return app_start(a, e) < 0 ? -1 : status(a, e);
}

const struct command cmd_auth = {
	.name = "auth",
	.args = "status",
	.summary = "which Google credential is used, as whom, and for how long",
	.about =
		"Looks for a credential as every command does: options, then all that gcloud and Terraform\n"
		"read, the metadata server, and gcloud. Fetches a token to prove that it works; never shows it.\n"
		"Exit code 4 when there is none, or when it does not work.",
	.max_args = 1,
	.run = run,
};
