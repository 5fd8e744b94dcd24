/* cmd_list.c - which environments there are: of a Google project, and known on this machine. */
#include "provision/commands.h"
#include "provision/listing.h"

struct options {
	const char *project;
};

static const struct opt opts[] = {
	{"project", 0, OPT_TEXT, offsetof(struct options, project), "PROJECT",
	 "of Google, instead of the one that gcloud's settings name", NULL},
	{0},
};

/*
 * Whoever asks for a project wants to know why it cannot be listed. Else Google is one place among others: no login is
 * no error, and another trouble is a warning.
 */
static int from_google(json_t **rows, const char **project, bool *whole, struct app *a,
		       const struct options *o, struct err *e)
{
	const struct globals *g = &a->g;
	bool asked = o->project || g->credentials || g->access_token_file || g->impersonate;
	struct google *google = NULL;

	*project = o->project;
	if (google_login(&google, a, NULL, NULL, e) == 0) {
		if (!*project)
			*project = google_project(google);
		if (*project && listing_project(rows, whole, a, google, *project, e) == 0)
			return 0;
		if (!*project && asked) {
			app_usage(a, e, "no project is named, and the login names none");
			return err_hint(e, "prestoctl list --project PROJECT");
		}
	} else if (e->code == ERR_NOT_FOUND && !asked) {
		err_clear(e);
	}
	if (!asked)
		a->exit_code = EXIT_DONE;
	if (asked || e->code == ERR_CANCELLED)
		return -1;
	if (e->code != ERR_OK)
		progress_warn(a->progress, "Google's are not listed: %s%s%s", e->msg,
			      *e->hint ? "; " : "", e->hint);
	*whole = e->code == ERR_OK;
	err_clear(e);
	*project = NULL;
	return 0;
}

static void tell(const struct app *a, json_t *rows, const char *project, bool whole)
{
	AUTO(buf_release) struct buf text = BUF_INIT(LISTING_MAX);
	json_t *o;

	if (a->json) {
		o = json_pack("{s:s, s:O, s:b}", "event", "result", "environments", rows, "partial",
			      !whole);
		if (project)
			json_object_set_new(o, "project", json_string(project));
		app_result_json(o);
		return;
	}
	if (!json_array_size(rows)) {
		app_print("no environments%s%s; prestoctl up -f FILE makes one\n",
			  project ? " here or in project " : " are known here",
			  project ? project : "");
		return;
	}
	listing_table(&text, rows);
	app_print("%s", buf_str(&text));
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	autojson json_t *rows = NULL, *local = NULL;
	const char *project = NULL;
	struct options o = {0};
	bool whole = true;

	if (app_options(a, &cmd_list, &o, &argc, argv, e) < 0 || app_start(a, e) < 0 ||
	    from_google(&rows, &project, &whole, a, &o, e) < 0 || listing_local(&local, e) < 0)
		return -1;
	if (!rows)
		rows = json_array();
	listing_join(rows, local, project, whole);
	tell(a, rows, project, whole);
	return 0;
}

const struct command cmd_list = {
	.name = "list",
	.summary = "which environments there are, here and in a Google project",
	.about =
		"What this machine remembers is listed, and with a Google login all GKE environments of the\n"
		"project, whoever made them: how old they are, how long they may live, what they run on.",
	.opts = opts,
	.run = run,
};
