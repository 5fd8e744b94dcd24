/* gke_images.c - see gke_images.h. */
#include "provision/gke_images.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "presto/presto.h"
#include "provision/archives.h"
#include "provision/gke_cluster.h"
#include "provision/image_check.h"
#include "provision/image_home.h"
#include "provision/registry.h"

#define ARCHIVES_MAX       24
#define DEFAULT_REPOSITORY "prestoctl"
#define MB                 1e6

/* --- names -------------------------------------------------------------------------------------------- */

/* What follows the prefix in a name below it; NULL: it is not below it. */
static const char *below(const char *prefix, const char *ref)
{
	size_t n = strlen(prefix);

	return starts_with(ref, prefix) && ref[n] == '/' ? ref + n + 1 : NULL;
}

/* Where a tag or digest begins, with its sign; the end without one. */
static size_t bare_length(const char *name)
{
	const char *last = strrchr(name, '/');

	last = last ? last : name;
	return (size_t)(last - name) + strcspn(last, ":@");
}

char *gke_images_place(const char *prefix, const char *name)
{
	const char *path = below(prefix, name);

	if (!path)
		path = image_path(name, NULL);
	return xasprintf("%s%s", path, path[bare_length(path)] ? "" : ":latest");
}

static int rename_presto(json_t *resource, const char *prefix, struct err *e)
{
	const char *path;
	struct presto p;
	bool named;

	if (jx_path(resource, "spec.imageNamePrefix"))
		return 0;
	if (presto_decode(&p, resource, e) < 0)
		return -1;
	path = image_path(p.image_name, &named);
	if (named)
		return 0;
	if (path != p.image_name)
		jx_set(resource, "spec.image.name", json_string(path));
	jx_set(resource, "spec.imageNamePrefix", jx_strf("%s/", prefix));
	return presto_decode(&p, resource, e);
}

int gke_images_rename(struct env *v, const char *prefix, bool operator_too, bool presto_too,
		      struct err *e)
{
	bool named;
	const char *path = image_path(v->operator_image, &named);

	if (!named && operator_too) {
		jx_set(v->doc, "operator.image", jx_strf("%s/%s", prefix, path));
		v->operator_image = jx_str(v->doc, "operator.image");
	}
	return presto_too ? rename_presto(v->presto, prefix, e) : 0;
}

/* One that no registry has, and that no node of a new cluster can have unless the file says so by its policy. */
static bool only_here(const char *ref, const char *policy)
{
	return starts_with(ref, "localhost/") && !streq(policy, "Never");
}

static int presto_only_here(bool *out, const struct env *v, struct err *e)
{
	autofree char *ref = NULL;
	struct presto p;

	if (presto_decode(&p, v->presto, e) < 0)
		return -1;
	ref = presto_image(&p);
	*out = only_here(ref, p.image_pull_policy);
	return 0;
}

int gke_images_prepare(struct provider_ctx *c, struct env *v, struct err *e)
{
	autofree char *prefix = NULL;
	bool presto = true, operator_too = !c->app->operator_image;

	/* Without a registry in the file, what is only here goes to a repository of Google's own, and nothing else does. */
	if (!jx_get(v->cluster, "registry")) {
		operator_too = operator_too &&
			       only_here(v->operator_image, v->operator_pull_policy);
		if (presto_only_here(&presto, v, e) < 0)
			return -1;
		if (!operator_too && !presto)
			return 0;
		jx_set(v->doc, "cluster.gke.registry.repository", json_string(DEFAULT_REPOSITORY));
		v->cluster = jx_path(v->doc, "cluster.gke");
	}
	return image_home_prefix(&prefix, c, v, e) < 0 ||
			       gke_images_rename(v, prefix, operator_too, presto, e) < 0
		       ? err_wrap(e, "cluster.gke.registry")
		       : 0;
}

/* --- archives ----------------------------------------------------------------------------------------- */

struct archive {
	struct oci *image;
	char *place; /* "presto:312" */
};

struct work {
	struct provider_ctx *c;
	struct image_home home;
	struct image_check check;
	struct archive archives[ARCHIVES_MAX];
	size_t n;
	const struct archive *at; /* the one that is being sent */
	int64_t done, sent;       /* bytes: of that one, and of all that had to be sent */
	size_t images_sent, images_there;
};

static void work_release(struct work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		oci_close(w->archives[i].image);
		free(w->archives[i].place);
	}
	image_check_release(&w->check);
	image_home_release(&w->home);
}

static int take_archive(struct work *w, const char *file, struct err *e)
{
	AUTO(oci_closep) struct oci *image = NULL;
	const char *name;

	if (w->n == ARCHIVES_MAX)
		return err_set(e, ERR_INVALID, "more than %d images", ARCHIVES_MAX);
	if (oci_open(&image, file, e) < 0)
		return err_wrap(e, "image archive");
	name = oci_name(image);
	if (!name) {
		err_set(e, ERR_INVALID, "image archive %s does not say what its image is called",
			file);
		return err_hint(e,
				"skopeo copy oci-archive:FILE oci-archive:NEW:NAME:TAG names it");
	}
	w->archives[w->n++] = (struct archive){TAKE(image), gke_images_place(w->home.prefix, name)};
	return 0;
}

static const struct archive *archive_of(const struct work *w, const char *ref)
{
	const char *path = below(w->home.prefix, ref);
	autofree char *place = path ? gke_images_place(w->home.prefix, ref) : NULL;

	for (size_t i = 0; path && i < w->n; i++)
		if (streq(w->archives[i].place, place))
			return &w->archives[i];
	return NULL;
}

/* What scripts/images makes has names of its own. */
static char *own_name(const struct work *w, const char *ref)
{
	const char *path = below(w->home.prefix, ref);

	return path ? xasprintf("localhost/%s", path) : NULL;
}

/* The archives named in the file, and those of our own images that are built here. */
static int find_archives(struct work *w, const char *const *refs, size_t n, struct err *e)
{
	const json_t *files = w->c->env->images;

	for (size_t i = 0; i < json_array_size(files); i++) {
		autofree char *path = env_file(w->c->env,
					       json_string_value(json_array_get(files, i)));

		if (take_archive(w, path, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		autofree char *own = own_name(w, refs[i]), *file = NULL;
		struct err no_script = ERR_INIT;

		/* An image given by --operator-image is there already: its owner says so. */
		if (!own || archive_of(w, refs[i]) || streq(refs[i], w->c->app->operator_image))
			continue;
		if (archive_built(&file, w->c->app, own, &no_script) < 0)
			log_debug("images", "%s", no_script.msg);
		if (file && take_archive(w, file, e) < 0)
			return -1;
	}
	return 0;
}

/* --- sending ------------------------------------------------------------------------------------------- */

static void on_sending(const char *digest, int64_t sent, int64_t bytes UNUSED, void *arg)
{
	const struct work *w = arg;

	progress_say(w->c->app->progress, "%s: %.1f of %.1f MB, sending blob %.12s", w->at->place,
		     (double)(w->done + sent) / MB, (double)oci_bytes(w->at->image) / MB,
		     digest + strlen("sha256:"));
}

static void on_part(const char *digest, int64_t bytes, enum push_how how, void *arg)
{
	static const char *const words[] = {"is there already", "taken from a neighbour", "sent"};
	struct work *w = arg;

	w->done += bytes;
	if (how == PUSH_SENT)
		w->sent += bytes;
	progress_say(w->c->app->progress, "%s: %.1f of %.1f MB, blob %.12s %s", w->at->place,
		     (double)w->done / MB, (double)oci_bytes(w->at->image) / MB,
		     digest + strlen("sha256:"), words[how]);
}

static void on_retry(const struct err *e, void *arg)
{
	const struct work *w = arg;

	progress_say(w->c->app->progress, "again: %s", e->msg);
}

static int send_archives(struct work *w, struct err *e)
{
	autofree char *neighbour = NULL;

	for (size_t i = 0; i < w->n; i++) {
		const char *place = w->archives[i].place;
		size_t bare = bare_length(place);
		char *repository = xasprintf("%s%.*s", w->home.path, (int)bare, place);
		enum push_how how;
		int failed;

		w->at = &w->archives[i];
		w->done = 0;
		progress_say(w->c->app->progress, "%s: is it in %s?", place, w->home.prefix);
		failed = push_image(&how, w->home.push, repository, place + bare + 1, w->at->image,
				    streq(neighbour, repository) ? NULL : neighbour, e) < 0;
		free(neighbour);
		neighbour = repository;
		if (failed)
			return -1;
		if (how == PUSH_THERE)
			w->images_there++;
		else
			w->images_sent++;
	}
	return 0;
}

/* --- what has no archive -------------------------------------------------------------------------------- */

static int absent(const struct work *w, const char *ref, struct err *e)
{
	autofree char *own = w->home.prefix ? own_name(w, ref) : NULL;
	const char *recipe = own ? archive_recipe(own) : NULL;

	if (!own) {
		err_set(e, ERR_INVALID, "image %s cannot be pulled: its registry does not have it",
			ref);
		return err_hint(e, "push it there, or name another one in the environment file");
	}
	err_set(e, ERR_INVALID,
		"image %s is not in the registry, and there is no archive of it here", ref);
	return err_hint(e, "%s%sname an archive of it under images", recipe ? recipe : "",
			recipe ? ", or " : "push it there, or ");
}

/* A registry of Google's, with our own token: the nodes have another one, but what is not there is there for nobody. */
static int look_at_google(struct work *w, const struct image_ref *i, const char *ref, struct err *e)
{
	struct push_opts o = {.host = i->host, .on_retry = on_retry, .arg = w};
	AUTO(push_freep) struct push *p = NULL;
	struct err why = ERR_INIT;
	bool there = false;

	if (image_home_login(&o, w->c, e) < 0 || push_new(&p, w->c->app->loop, &o, e) < 0)
		return -1;
	if (push_look(&there, p, i->repository, i->tag, &why) < 0) {
		if (why.code == ERR_CANCELLED)
			return *e = why, -1;
		w->check.unknown++;
		progress_warn(w->c->app->progress,
			      "whether the nodes can pull %s is not known from here: %s", ref,
			      why.msg);
		return 0;
	}
	w->check.in_registry += there;
	return there ? 0 : absent(w, ref, e);
}

static int check_one(struct work *w, const char *ref, struct err *e)
{
	bool ours = w->home.prefix && below(w->home.prefix, ref), there = false;
	struct image_ref i;

	if (nodes_have_image(w->check.nodes, ref)) {
		w->check.on_nodes++;
		return 0;
	}
	if (ours) {
		autofree char *place = gke_images_place(w->home.prefix, ref);
		size_t bare = bare_length(place);
		autofree char *repository = xasprintf("%s%.*s", w->home.path, (int)bare, place);

		if (push_look(&there, w->home.push, repository, place + bare + 1, e) < 0)
			return -1;
		w->check.in_registry += there;
		return there ? 0 : absent(w, ref, e);
	}
	if (image_ref_parse(&i, ref) && push_host_is_google(i.host))
		return look_at_google(w, &i, ref, e);
	return image_check_one(&w->check, ref, e);
}

static int check_others(struct work *w, struct k8s *k, const char *const *refs, size_t n,
			struct err *e)
{
	bool listed = false;

	for (size_t i = 0; i < n; i++) {
		if (w->home.prefix && archive_of(w, refs[i]))
			continue;
		if (!listed && image_check_begin(&w->check, w->c->app, k, e) < 0)
			return -1;
		listed = true;
		if (check_one(w, refs[i], e) < 0)
			return -1;
	}
	return 0;
}

/* Its caller takes such an error for the Kubernetes API's, and would ask again until the time is up. */
static int stays_away(struct provider_ctx *c, struct err *e)
{
	bool time_left = clock_mono() + NS_SEC < c->app->deadline;

	if (e->code == ERR_UNAVAILABLE || e->code == ERR_THROTTLED ||
	    (e->code == ERR_TIMEOUT && time_left)) {
		e->code = ERR_IO;
		return err_hint(e,
				"run the same command again: what has arrived is not sent again");
	}
	return -1;
}

static int bring(struct work *w, const char *const *refs, size_t n, struct err *e)
{
	const struct push_opts o = {
		.progress = on_part, .sending = on_sending, .on_retry = on_retry, .arg = w};

	if (!jx_get(w->c->env->cluster, "registry"))
		return 0;
	if (image_home_prefix(&w->home.prefix, w->c, w->c->env, e) < 0 ||
	    find_archives(w, refs, n, e) < 0)
		return -1;
	if (image_home_open(&w->home, w->c, o, e) < 0 || send_archives(w, e) < 0)
		return stays_away(w->c, e);
	return 0;
}

int gke_images(struct provider_ctx *c, struct k8s *k, const char *const *refs, size_t n,
	       char words[200], struct err *e)
{
	AUTO(work_release) struct work w = {.c = c};
	size_t others, at = 0;

	if (bring(&w, refs, n, e) < 0)
		return -1;
	if (check_others(&w, k, refs, n, e) < 0)
		return w.home.push ? stays_away(c, e) : -1;
	others = w.check.on_nodes + w.check.in_registry + w.check.unknown;
	if (w.n)
		at = (size_t)snprintf(words, 200,
				      "%zu sent (%.1f MB), %zu there already, in %.80s%s",
				      w.images_sent, (double)w.sent / MB, w.images_there,
				      w.home.prefix, others ? "; " : "");
	if (others && at < 200)
		snprintf(words + at, 200 - at,
			 "%zu on every node, %zu in a registry, %zu not known", w.check.on_nodes,
			 w.check.in_registry, w.check.unknown);
	return 0;
}
