/* image_home.c - see image_home.h. */
#include "provision/image_home.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/version.h"
#include "gke/artifact.h"
#include "gke/names.h"
#include "gke/secret.h"
#include "provision/gke_cluster.h"

#define PASSWORD_MAX 4096

/* A repository of Artifact Registry; all owned. */
struct repository {
	char *project, *location, *name;
};

static void repository_release(struct repository *r)
{
	free(r->project);
	free(r->location);
	free(r->name);
}

static struct gke_ref ref_of(const struct repository *r)
{
	return (struct gke_ref){r->project, r->location, r->name};
}

static const char *project_of(const struct gke_spec *s, struct provider_ctx *c, struct err *e)
{
	const char *named = s->project ? s->project : jx_str(c->state->doc, "gke.project");
	struct google *g;

	if (named)
		return named;
	if (google_login(&g, c->app, s->credentials, s->impersonate, e) < 0)
		return NULL;
	named = google_project(g);
	if (!named) {
		err_set(e, ERR_INVALID, "no project is named, so the place of images is not known");
		err_hint(e, "set cluster.gke.project, or CLOUDSDK_CORE_PROJECT");
	}
	return named;
}

/* It belongs to the first location of a list: names of images must not change with the zone that had room. */
static int find_repository(struct repository *out, struct provider_ctx *c, const struct env *v,
			   struct err *e)
{
	AUTO(gke_spec_release) struct gke_spec s = {0};
	const json_t *r = jx_get(v->cluster, "registry");
	const char *location = jx_str(r, "location"), *project;
	const struct gke_env from = {0};

	if (gke_spec_decode(&s, v, &from, e) < 0)
		return -1;
	project = project_of(&s, c, e);
	if (!project || gke_check_project(project, e) < 0)
		return -1;
	out->project = xstrdup(project);
	out->location = location ? xstrdup(location)
				 : gke_region_of(json_string_value(json_array_get(s.locations, 0)));
	out->name = xstrdup(jx_str_or(r, "repository", ""));
	return 0;
}

int image_home_prefix(char **out, struct provider_ctx *c, const struct env *v, struct err *e)
{
	AUTO(repository_release) struct repository where = {0};
	const json_t *r = jx_get(v->cluster, "registry");
	const char *host = jx_str(r, "host"), *path = jx_str(r, "path");
	struct gke_ref ref;

	if (host) {
		*out = path ? xasprintf("%s/%s", host, path) : xstrdup(host);
		return 0;
	}
	if (find_repository(&where, c, v, e) < 0)
		return -1;
	ref = ref_of(&where);
	*out = artifact_prefix(&ref);
	return 0;
}

static int read_password(char **out, struct provider_ctx *c, const char *file, struct err *e)
{
	autofree char *path = env_file(c->env, file);
	autosecret char *text = NULL;
	struct stat st;
	size_t len;

	if (file_read(&text, &len, path, PASSWORD_MAX, e) < 0)
		return err_wrap(e, "passwordFile");
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
		progress_warn(c->app->progress,
			      "%s holds a password and others may read it; chmod 600 %s", path,
			      path);
	text[strcspn(text, "\r\n")] = '\0';
	if (!*text)
		return err_set(e, ERR_INVALID, "passwordFile: %s: its first line is empty", path);
	log_secret(text);
	*out = TAKE(text);
	return 0;
}

/* "HOST/PATH" as a client and what stands before names there. */
static int connect_to(struct image_home *h, struct provider_ctx *c, const char *place,
		      struct push_opts *o, struct err *e)
{
	autofree char *host = xstrndup(place, strcspn(place, "/"));
	autofree char *agent = xasprintf("prestoctl/%s", version_text);
	const char *path = place + strlen(host);

	o->host = streq(host, "docker.io") ? "registry-1.docker.io" : host;
	o->user_agent = agent;
	if (push_new(&h->push, c->app->loop, o, e) < 0)
		return -1;
	h->path = *path ? xasprintf("%s/", path + 1) : xstrdup("");
	return 0;
}

int image_home_login(struct push_opts *o, struct provider_ctx *c, struct err *e)
{
	AUTO(gke_spec_release) struct gke_spec s = {0};
	const struct gke_env from = {0};
	struct google *g;

	if (gke_spec_decode(&s, c->env, &from, e) < 0 ||
	    google_login(&g, c->app, s.credentials, s.impersonate, e) < 0)
		return -1;
	o->google = g->auth;
	o->ca_pem = g->ca_pem;
	return 0;
}

/* Shared by all environments of a project, so it carries the label of none. */
static int make_repository(char **uri, struct image_home *h, struct provider_ctx *c, struct err *e)
{
	AUTO(repository_release) struct repository where = {0};
	autojson json_t *labels = json_pack("{s:s}", "made-by", "prestoctl");
	struct gke_wait wait = gke_waits(c->app, NULL);
	struct gke_ref ref;
	bool made = false;

	if (find_repository(&where, c, c->env, e) < 0)
		return -1;
	ref = ref_of(&where);
	progress_say(c->app->progress, "looking for the repository %s", h->prefix);
	if (artifact_ensure(&made, uri, c->app->google->gke, &ref, labels, &wait, e) < 0)
		return -1;
	return made ? state_set(c->state, "made.repository", json_string(h->prefix), e) : 0;
}

int image_home_open(struct image_home *h, struct provider_ctx *c, struct push_opts o, struct err *e)
{
	const json_t *r = jx_get(c->env->cluster, "registry");
	const char *host = jx_str(r, "host"), *user = jx_str(r, "username"),
		   *file = jx_str(r, "passwordFile");
	autosecret char *password = NULL;
	autofree char *uri = NULL;

	if (!host || (push_host_is_google(host) && !user)) {
		if (image_home_login(&o, c, e) < 0 || (!host && make_repository(&uri, h, c, e) < 0))
			return -1;
		return connect_to(h, c, uri ? uri : h->prefix, &o, e);
	}
	if (!user != !file)
		return err_set(e, ERR_INVALID,
			       "cluster.gke.registry: username and passwordFile go together");
	if (file && read_password(&password, c, file, e) < 0)
		return -1;
	o.user = user;
	o.password = password;
	return connect_to(h, c, h->prefix, &o, e);
}

void image_home_release(struct image_home *h)
{
	push_free(h->push);
	free(h->prefix);
	free(h->path);
}
