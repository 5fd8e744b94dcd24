/* artifact.c - a repository for images, made when it is not there. */
#include "gke/artifact.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

char *artifact_host(const char *region)
{
	return xasprintf("%s-docker.pkg.dev", region);
}

char *artifact_prefix(const struct gke_ref *r)
{
	/* A project of an old domain is written with a slash: "example.com/project". */
	char *text = xasprintf("%s-docker.pkg.dev/%s/%s", r->location, r->project, r->name);
	char *colon = strchr(text, ':');

	if (colon)
		*colon = '/';
	return text;
}

static char *repository_path(const struct gke_ref *r)
{
	return gke_path("/projects/%s/locations/%s/repositories/%s", r->project, r->location,
			r->name);
}

static int get(json_t **out, struct gke *g, const char *path, struct err *e)
{
	const struct gke_req q = {.api = GKE_ARTIFACTREGISTRY, .method = "GET", .path = path};

	return gke_call(out, g, &q, e);
}

/* A long-running operation of the newer kind: {name, done, error, response}. */
static int wait_done(struct gke *g, const json_t *op, const struct gke_wait *w, struct err *e)
{
	const char *name = jx_str(op, "name");
	autofree char *path = NULL;
	autojson json_t *now = NULL;
	const json_t *at = op;
	ns_t start = clock_mono();

	if (!name || !starts_with(name, "projects/") || strpbrk(name, "?#% \\") ||
	    strstr(name, ".."))
		return jx_bool(op, "done")
			       ? 0
			       : err_set(e, ERR_PROTOCOL, "the reply names no operation");
	path = xasprintf("/%s", name);
	while (!jx_bool(at, "done")) {
		ns_t pause = w->shortest ? w->shortest : gke_op_next(clock_mono() - start);
		json_t *next = NULL;

		if (w->deadline && clock_mono() + pause > w->deadline)
			return err_set(e, ERR_TIMEOUT, "the operation is not done");
		if (loop_sleep(gke_loop(g), pause, e) < 0 || get(&next, g, path, e) < 0)
			return -1;
		json_decref(now);
		now = next;
		at = now;
	}
	if (jx_is_empty(jx_get(at, "error")))
		return 0;
	struct gke_error why;
	gke_error_text(&why, "", jx_str_or(at, "error.message", "it failed without saying why"));
	if (w->why)
		*w->why = why;
	return gke_error_set(&why, auth_principal(gke_auth(g)), w->detail, e);
}

static int create(struct gke *g, const struct gke_ref *r, const json_t *labels,
		  const struct gke_wait *w, struct err *e)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/repositories?repositoryId=%s",
				       r->project, r->location, r->name);
	autojson json_t *body = json_pack("{s:s,s:s}", "format", "DOCKER", "description",
					  "Images for Presto clusters, made by prestoctl");
	autojson json_t *op = NULL;
	/* A second one of that name is refused as existing: so it may be asked for twice. */
	const struct gke_req q = {.api = GKE_ARTIFACTREGISTRY,
				  .method = "POST",
				  .path = path,
				  .body = body,
				  .repeatable = true,
				  .why = w->why,
				  .detail = w->detail};

	if (json_object_size(labels))
		json_object_set_new(body, "labels", json_deep_copy(labels));
	if (gke_call(&op, g, &q, e) < 0)
		return -1;
	return wait_done(g, op, w, e);
}

int artifact_ensure(bool *made, char **uri, struct gke *g, const struct gke_ref *r,
		    const json_t *labels, const struct gke_wait *w, struct err *e)
{
	autofree char *path = repository_path(r);
	autojson json_t *live = NULL;
	const char *says;

	*made = false;
	if (get(&live, g, path, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return err_wrap(e, "repository %s", r->name);
		err_clear(e);
		*made = create(g, r, labels, w, e) == 0;
		if (!*made && e->code != ERR_EXISTS)
			return err_wrap(e, "repository %s", r->name);
		/* Somebody else made it meanwhile, or our own reply was lost. */
		err_clear(e);
		if (get(&live, g, path, e) < 0)
			return err_wrap(e, "repository %s", r->name);
	}
	if (!streq(jx_str_or(live, "format", "DOCKER"), "DOCKER")) {
		err_set(e, ERR_INVALID, "repository %s holds %.40s, not Docker images", r->name,
			jx_str(live, "format"));
		return err_hint(e, "give another name for the repository");
	}
	says = jx_str(live, "registryUri");
	*uri = says && strchr(says, '/') ? xstrdup(says) : artifact_prefix(r);
	return 0;
}

int artifact_delete(struct gke *g, const struct gke_ref *r, const struct gke_wait *w, struct err *e)
{
	autofree char *path = repository_path(r);
	autojson json_t *op = NULL;
	const struct gke_req q = {.api = GKE_ARTIFACTREGISTRY,
				  .method = "DELETE",
				  .path = path,
				  .why = w->why,
				  .detail = w->detail};

	if (gke_call(&op, g, &q, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return err_wrap(e, "repository %s", r->name);
		err_clear(e);
		return 0;
	}
	return wait_done(g, op, w, e);
}
