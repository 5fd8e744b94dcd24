/* gke_cluster.c - see gke_cluster.h. */
#include "provision/gke_cluster.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/names.h"

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* A file that now means another cluster would leave the one that was made to nobody. */
static int check_same(const char *what, const char *file, const char *state,
		      const char *environment, struct err *e)
{
	if (!file || !state || streq(file, state))
		return 0;
	err_set(e, ERR_INVALID, "environment %s was made with %s %s, and now %s is asked for",
		environment, what, state, file);
	return err_hint(e, "prestoctl down %s first, or give the new one another name",
			environment);
}

static void set_or_drop(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, json_string(text));
	else
		json_object_del(o, key);
}

void gke_cluster_reach(json_t *gke, const struct gke_cluster *k)
{
	static const char *const ways[] = {"public", "private", "dns"};

	json_object_set_new(gke, "endpoint", json_string(ways[k->way]));
	set_or_drop(gke, "credentials", k->spec.credentials);
	set_or_drop(gke, "impersonate", k->spec.impersonate);
}

static int open_file(struct gke_cluster *k, const json_t *state, struct err *e)
{
	const struct gke_env from = {0};

	if (gke_spec_decode(&k->spec, k->c->env, &from, e) < 0) {
		k->c->app->exit_code = EXIT_USAGE;
		return -1;
	}
	k->has_spec = true;
	k->way = k->spec.way;
	if (check_same("project", k->spec.project, jx_str(state, "project"), k->spec.environment,
		       e) < 0 ||
	    check_same("cluster", k->spec.name, jx_str(state, "cluster"), k->spec.environment, e) <
		    0)
		return -1;
	k->project = dup_or_null(k->spec.project);
	k->name = xstrdup(k->spec.name);
	return google_login(&k->google, k->c->app, k->spec.credentials, k->spec.impersonate, e);
}

static int open_state(struct gke_cluster *k, const json_t *state, struct err *e)
{
	const char *way = jx_str_or(state, "endpoint", "public");

	if (!jx_str(state, "project") || !jx_str(state, "cluster")) {
		err_set(e, ERR_NOT_FOUND, "which cluster '%s' has is not remembered here",
			k->c->state->name);
		return err_hint(e, "name the environment file with -f");
	}
	k->name = xstrdup(jx_str(state, "cluster"));
	k->way = streq(way, "dns")       ? GKE_WAY_DNS
		 : streq(way, "private") ? GKE_WAY_PRIVATE
					 : GKE_WAY_PUBLIC;
	return google_login(&k->google, k->c->app, jx_str(state, "credentials"),
			    jx_str(state, "impersonate"), e);
}

int gke_cluster_open(struct gke_cluster *k, struct provider_ctx *c, struct err *e)
{
	const json_t *state = jx_get(c->state->doc, "gke");

	*k = (struct gke_cluster){.c = c};
	if ((c->env ? open_file(k, state, e) : open_state(k, state, e)) < 0)
		goto failed;
	if (!k->project)
		k->project = dup_or_null(jx_str(state, "project"));
	if (!k->project)
		k->project = dup_or_null(google_project(k->google));
	if (!k->project) {
		app_usage(k->c->app, e, "no project is named, and the credential names none");
		err_hint(e, "set cluster.gke.project, or CLOUDSDK_CORE_PROJECT");
		goto failed;
	}
	if (gke_check_project(k->project, e) < 0)
		goto failed;
	/* some bodies name it: "PROJECT.svc.id.goog" */
	if (k->has_spec && !k->spec.project)
		k->spec.project = xstrdup(k->project);
	k->location = dup_or_null(jx_str(state, "location"));
	k->run = dup_or_null(jx_str(state, "run"));
	return 0;
failed:
	gke_cluster_release(k);
	return -1;
}

void gke_cluster_release(struct gke_cluster *k)
{
	if (k->has_spec)
		gke_spec_release(&k->spec);
	free(k->project);
	free(k->name);
	free(k->location);
	free(k->run);
	json_decref(k->live);
	*k = (struct gke_cluster){0};
}

struct gke_ref gke_cluster_ref(const struct gke_cluster *k)
{
	return (struct gke_ref){.project = k->project, .location = k->location, .name = k->name};
}

const char *gke_cluster_place(const struct gke_cluster *k)
{
	return k->location ? k->location : json_string_value(json_array_get(k->spec.locations, 0));
}

static const char *environment_of(const struct gke_cluster *k)
{
	return k->has_spec ? k->spec.environment : k->c->state->name;
}

static const char *location_of(const json_t *cluster)
{
	return jx_str_or(cluster, "location", jx_str_or(cluster, "zone", ""));
}

static bool wanted_location(const struct gke_cluster *k, const char *location)
{
	for (size_t i = 0; k->has_spec && i < json_array_size(k->spec.locations); i++)
		if (streq(json_string_value(json_array_get(k->spec.locations, i)), location))
			return true;
	return false;
}

static bool has_label(const json_t *cluster, const char *label, const char *value)
{
	return value && streq(jx_str(jx_get(cluster, "resourceLabels"), label), value);
}

/* Clusters of one name may be in several locations: ours is the one with our label, else the one that is in the way. */
static int find_anywhere(struct gke_cluster *k, struct err *e)
{
	autojson json_t *all = NULL, *missing = NULL;
	json_t *found = NULL;

	if (container_list(&all, &missing, k->google->gke, k->project, "-", e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *one = json_array_get(all, i);
		bool ours = has_label(one, GKE_LABEL_ENV, environment_of(k));

		if (!streq(jx_str(one, "name"), k->name) ||
		    (!ours && !wanted_location(k, location_of(one))))
			continue;
		if (!found || ours)
			found = one;
	}
	for (size_t i = 0; !found && i < json_array_size(missing); i++) {
		const char *zone = json_string_value(json_array_get(missing, i));

		if (!zone || !wanted_location(k, zone))
			continue;
		err_set(e, ERR_UNAVAILABLE, "zone %s does not say which clusters it has", zone);
		return err_hint(e, "try again later, or name other zones");
	}
	if (found) {
		k->live = json_incref(found);
		k->location = xstrdup(location_of(found));
	}
	return 0;
}

static int look_there(struct gke_cluster *k, struct err *e)
{
	struct gke_ref ref = gke_cluster_ref(k);

	if (container_get(&k->live, k->google->gke, &ref, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	return 0;
}

int gke_cluster_look(struct gke_cluster *k, struct err *e)
{
	json_decref(TAKE(k->live));
	json_decref(TAKE(k->google->seen));
	if (k->location && look_there(k, e) < 0)
		return -1;
	/* What was to be made in a place that the file names no more is not made there any more. */
	if (!k->live && k->has_spec && !k->c->removing && !wanted_location(k, k->location))
		free(TAKE(k->location));
	if (!k->location && find_anywhere(k, e) < 0)
		return -1;
	k->google->seen = k->live ? json_incref(k->live) : NULL;
	return 0;
}

bool gke_cluster_seen(struct gke_cluster *k)
{
	json_t *seen = k->google->seen;

	if (!seen || !streq(jx_str(seen, "name"), k->name) ||
	    (k->location && !streq(location_of(seen), k->location)))
		return false;
	json_decref(k->live);
	k->live = json_incref(seen);
	if (!k->location)
		k->location = xstrdup(location_of(seen));
	return true;
}

enum gke_whose gke_cluster_whose(const struct gke_cluster *k)
{
	if (has_label(k->live, GKE_LABEL_RUN, k->run))
		return GKE_WHOSE_OURS;
	/* One that prestoctl made has both: a label by hand makes nobody's pools ours to drop. */
	return has_label(k->live, GKE_LABEL_ENV, environment_of(k)) &&
			       jx_str(k->live, "resourceLabels." GKE_LABEL_RUN)
		       ? GKE_WHOSE_LOST
		       : GKE_WHOSE_OTHERS;
}

/* "CREATE_CLUSTER" and "CLUSTER_DEPLOYING 5/12" in the words of people. */
static void lower_words(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		out[n++] = *text == '_' ? ' ' : (char)tolower((unsigned char)*text);
	out[n] = '\0';
}

static void on_progress(const struct gke_op_status *s, ns_t elapsed UNUSED, void *arg)
{
	struct app *a = arg;
	char what[64], step[96], share[16] = "";

	lower_words(what, sizeof(what), s->type);
	lower_words(step, sizeof(step),
		    starts_with(s->step, "CLUSTER_") ? s->step + strlen("CLUSTER_") : s->step);
	if (s->progress >= 0)
		snprintf(share, sizeof(share), ", %.0f %%", s->progress * 100);
	progress_say(a->progress, "Google: %s%s%s%s%s", what,
		     s->state == GKE_OP_PENDING ? ", waiting to begin" : "", share,
		     *step ? ", " : "", step);
}

/* Tests have a Google whose clock runs faster. */
static ns_t shortest_poll(void)
{
	const char *text = getenv("PRESTOCTL_SHORTEST_POLL");
	struct err e = ERR_INIT;
	ns_t t = 0;

	return text && *text && duration_parse(&t, text, &e) == 0 ? t : 0;
}

struct gke_wait gke_waits(struct app *a, struct gke_error *why)
{
	return (struct gke_wait){.deadline = a->deadline,
				 .shortest = shortest_poll(),
				 .progress = on_progress,
				 .arg = a,
				 .why = why,
				 .detail = &a->detail};
}
