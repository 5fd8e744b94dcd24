/* gke_preflight.c - see gke_preflight.h. What an answer means is in gke_needs.c and gke_version.c. */
#include "provision/gke_preflight.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "gke/names.h"
#include "gke/project.h"
#include "provision/gke_needs.h"
#include "provision/gke_rights.h"
#include "provision/gke_version.h"
#include "provision/plan.h"
#include "provision/room.h"

#define WORDS_MAX 64

/* A look in progress. */
struct look {
	const struct gke_preflight *p;
	json_t *report;
	json_t *body; /* the cluster as it would be made */
	struct gke_right_groups may;
	char *region;
	bool container_off, compute_off;
	bool lost; /* the location is none: nothing else about it can be asked */
	struct compute_quotas quotas;
	bool quotas_known;
	json_t *zones; /* that get nodes; NULL: not known */
	struct gke_pool pools[GKE_POOLS_MAX];
	struct compute_machine machines[GKE_POOLS_MAX];
	size_t n_pools;
};

static void look_release(struct look *l)
{
	json_decref(l->report);
	json_decref(l->body);
	json_decref(l->zones);
	compute_quotas_release(&l->quotas);
	free(l->region);
}

static void warn(struct look *l, json_t *text)
{
	json_array_append_new(jx_get(l->report, "warnings"), text);
}

/* @hint may be NULL. */
static json_t *problem(struct look *l, enum err_code code, json_t *text, json_t *hint)
{
	json_t *o = json_pack("{s:s, s:o}", "code", err_name(code), "text", text);

	if (hint)
		json_object_set_new(o, "hint", hint);
	json_array_append_new(jx_get(l->report, "problems"), o);
	return o;
}

static void problem_of(struct look *l, struct err *e)
{
	problem(l, e->code, jx_strf("%s", e->msg), *e->hint ? jx_strf("%s", e->hint) : NULL);
	err_clear(e);
}

/* A credential that is no longer good, and a user who wants to stop: nothing else would work either. */
static bool is_final(const struct err *e)
{
	return e->code == ERR_CANCELLED || (e->code == ERR_DENIED && e->http != 403);
}

/* What could not be looked at is no reason to stop. Returns -1 when it is one. */
static int pass(struct look *l, const char *what, struct err *e)
{
	if (is_final(e))
		return -1;
	warn(l, jx_strf("%s: %s%s%s%s", what, e->msg, *e->hint ? " (" : "", e->hint,
			*e->hint ? ")" : ""));
	err_clear(e);
	return 0;
}

/* --- APIs ----------------------------------------------------------------------------------------- */

static bool pushes_to_google(const struct look *l)
{
	return jx_str(l->p->spec->section, "registry.repository") != NULL;
}

static int look_at_apis(struct look *l, struct err *e)
{
	static const struct {
		enum gke_api api;
		const char *name;
	} apis[] = {{GKE_CONTAINER, "Kubernetes Engine"},
		    {GKE_COMPUTE, "Compute Engine"},
		    {GKE_ARTIFACTREGISTRY, "Artifact Registry"}};
	const char *project = l->p->project;
	char off[160] = "", names[120] = "";
	json_t *lines = json_array(), *o;

	for (size_t i = 0; i < ARRAY_LEN(apis); i++) {
		enum gke_service state = GKE_SERVICE_UNKNOWN;
		const char *host = gke_api_host(apis[i].api);
		size_t n = strlen(off), m = strlen(names);

		if (apis[i].api == GKE_ARTIFACTREGISTRY && !pushes_to_google(l))
			continue;
		if (serviceusage_state(&state, l->p->gke, project, apis[i].api, e) < 0) {
			json_decref(lines);
			return pass(l, "which APIs are enabled is not known", e);
		}
		if (state != GKE_SERVICE_DISABLED)
			continue;
		l->container_off = l->container_off || apis[i].api == GKE_CONTAINER;
		l->compute_off = l->compute_off || apis[i].api == GKE_COMPUTE;
		snprintf(off + n, sizeof(off) - n, " %s", host);
		snprintf(names + m, sizeof(names) - m, "%s%s", m ? ", " : "", apis[i].name);
		json_array_append_new(
			lines,
			jx_strf("or: https://console.cloud.google.com/apis/library/%s?project=%s",
				host, project));
	}
	if (!json_array_size(lines)) {
		json_decref(lines);
		return 0;
	}
	o = problem(l, ERR_DENIED,
		    jx_strf("not enabled in project %s: %s%s", project, names,
			    json_array_size(lines) > 1 ? " (APIs)" : " API"),
		    jx_strf("gcloud services enable%s --project %s", off, project));
	json_object_set_new(o, "lines", lines);
	return 0;
}

/* --- rights --------------------------------------------------------------------------------------- */

static int look_at_rights(struct look *l, struct err *e)
{
	const struct gke_spec *s = l->p->spec;
	const struct gke_right_uses uses = {.registry = pushes_to_google(l),
					    .dns = s->way == GKE_WAY_DNS,
					    .machines = !s->autopilot};
	const char *who = auth_principal(gke_auth(l->p->gke));
	const char *asked[GKE_RIGHTS_MAX];
	size_t n = gke_rights(asked, &uses);
	autojson json_t *missing = NULL;

	gke_rights_all(&l->may);
	if (resourcemanager_missing(&missing, l->p->gke, l->p->project, asked, n, e) < 0)
		return pass(l, "whether all rights are there is not known", e);
	gke_rights_judge(&l->may, l->report, missing, l->p->project, who);
	return 0;
}

/* --- where ---------------------------------------------------------------------------------------- */

static void no_such_place(struct look *l, const char *kind, const char *name, const json_t *there)
{
	const char *words[WORDS_MAX], *near;
	char list[120] = "";
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(there) && n < WORDS_MAX; i++) {
		const json_t *one = json_array_get(there, i);
		const char *word = json_is_string(one) ? json_string_value(one)
						       : jx_str(one, "name");
		size_t len = strlen(list);

		if (!word)
			continue;
		words[n++] = word;
		if (len < 100)
			snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", word);
	}
	near = suggest(name, words, n);
	l->lost = true;
	problem(l, ERR_INVALID, jx_strf("there is no %s \"%s\"", kind, name),
		near ? jx_strf("did you mean \"%s\"? there are %s", near, list)
		     : jx_strf("there are %s", list));
}

static int wrong_region(struct look *l, struct err *e)
{
	autofree char *path = gke_path("/projects/%s/regions", l->p->project);
	autojson json_t *regions = NULL;
	struct err first = *e;

	err_clear(e);
	if (gke_list(&regions, l->p->gke, GKE_COMPUTE, path, "items", e) < 0) {
		if (is_final(e))
			return -1;
		*e = first;
		return pass(l, "quotas are not known", e);
	}
	no_such_place(l, "region", l->region, regions);
	return 0;
}

static bool has(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(json_string_value(json_array_get(list, i)), text))
			return true;
	return false;
}

/* Quotas and zones come in the same replies. */
static int look_at_region(struct look *l, struct err *e)
{
	const struct gke_preflight *p = l->p;

	if (gke_is_zone(p->location))
		l->zones = gke_zones_used(l->body, p->location, NULL);
	if (l->compute_off || !l->may.quotas)
		return 0;
	if (compute_quotas_get(&l->quotas, p->gke, p->project, l->region, e) < 0)
		return e->code == ERR_NOT_FOUND ? wrong_region(l, e)
						: pass(l, "quotas are not known", e);
	l->quotas_known = true;
	if (l->quotas.unknown)
		warn(l, jx_strf("Google cannot tell all quotas of %s now", l->region));
	json_decref(l->zones);
	l->zones = gke_zones_used(l->body, p->location, l->quotas.zones);
	if (gke_is_zone(p->location) && !has(l->quotas.zones, p->location))
		no_such_place(l, "zone", p->location, l->quotas.zones);
	for (size_t i = 0; i < json_array_size(l->zones) && !l->lost; i++) {
		const char *zone = json_string_value(json_array_get(l->zones, i));

		if (zone && !has(l->quotas.zones, zone))
			no_such_place(l, "zone", zone, l->quotas.zones);
	}
	return 0;
}

/* --- version -------------------------------------------------------------------------------------- */

static int look_at_version(struct look *l, struct err *e)
{
	const struct gke_preflight *p = l->p;
	autojson json_t *server = NULL;
	char version[GKE_VERSION_SIZE];

	if (l->container_off || l->lost || !l->may.cluster)
		return 0;
	if (container_server_config(&server, p->gke, p->project, p->location, e) < 0) {
		/* A location that is none is answered like one that is forbidden. */
		if (is_final(e) ||
		    (e->code != ERR_DENIED && e->code != ERR_NOT_FOUND && e->code != ERR_INVALID))
			return err_wrap(e, "asking what %s offers", p->location);
		problem_of(l, e);
		l->lost = true;
		return 0;
	}
	if (gke_version_resolve(version, server, jx_str(l->body, "releaseChannel.channel"),
				jx_str(l->body, "initialClusterVersion"), e) < 0)
		problem_of(l, e);
	else if (*version)
		json_object_set_new(l->report, "version", jx_strf("%s", version));
	return 0;
}

/* --- machines ------------------------------------------------------------------------------------- */

/* One machine type in every zone that gets nodes. */
static int look_at_machine(struct look *l, size_t pool, struct err *e)
{
	const struct gke_preflight *p = l->p;
	const char *type = l->pools[pool].machine;

	for (size_t i = 0; i < json_array_size(l->zones); i++) {
		const char *zone = json_string_value(json_array_get(l->zones, i));

		if (!zone ||
		    compute_machine_get(&l->machines[pool], p->gke, p->project, zone, type, e) == 0)
			continue;
		if (e->code != ERR_NOT_FOUND)
			return -1;
		/* Of a larger region Google may take the others. */
		if (json_array_size(l->quotas.zones) > json_array_size(l->zones) &&
		    !gke_is_zone(p->location) && !jx_get(l->body, "locations"))
			return pass(l, "not every zone may do", e);
		e->code = ERR_INVALID;
		problem_of(l, e);
		return 0;
	}
	return 0;
}

static int look_at_machines(struct look *l, struct err *e)
{
	l->n_pools = gke_spec_pools(l->pools, l->p->spec);
	if (l->compute_off || l->lost || !l->may.quotas || !json_array_size(l->zones))
		return 0;
	for (size_t i = 0; i < l->n_pools; i++) {
		size_t same = 0;

		while (!streq(l->pools[same].machine, l->pools[i].machine))
			same++;
		if (same < i)
			l->machines[i] = l->machines[same];
		else if (look_at_machine(l, i, e) < 0)
			return pass(l, "how large the machines are is not known", e);
	}
	return 0;
}

/* --- quotas --------------------------------------------------------------------------------------- */

static size_t count_short(const json_t *rows, const json_t **first)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(rows); i++)
		if (jx_bool(json_array_get(rows, i), "short") && n++ == 0)
			*first = json_array_get(rows, i);
	return n;
}

static void warn_of_growth(struct look *l, const struct gke_size *s)
{
	autojson json_t *rows = gke_quota_rows(s, &l->quotas, true);

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (jx_bool(row, "short"))
			warn(l, jx_strf("autoscaling will stop short of its maximum: that needs %g "
					"of %s in %s, and %g are left",
					json_number_value(jx_get(row, "needed")),
					jx_str(row, "metric"), jx_str(row, "where"),
					json_number_value(jx_get(row, "available"))));
	}
}

static void judge_quotas(struct look *l, const struct gke_size *s)
{
	const json_t *row = NULL;
	json_t *rows;
	size_t n;

	if (!l->quotas_known || l->lost)
		return;
	rows = gke_quota_rows(s, &l->quotas, false);
	json_object_set_new(l->report, "quotas", rows);
	n = count_short(rows, &row);
	if (!n) {
		warn_of_growth(l, s);
		return;
	}
	problem(l, ERR_QUOTA,
		jx_strf("not enough quota in project %s: %s in %s: %g needed, %g left%s",
			l->p->project, jx_str(row, "metric"), jx_str(row, "where"),
			json_number_value(jx_get(row, "needed")),
			json_number_value(jx_get(row, "available")), n > 1 ? ", and more" : ""),
		jx_strf("make the pools smaller, or ask for more: "
			"https://console.cloud.google.com/iam-admin/quotas?project=%s",
			l->p->project));
}

/* --- room ----------------------------------------------------------------------------------------- */

static bool machines_known(const struct look *l)
{
	for (size_t i = 0; i < l->n_pools; i++)
		if (!l->machines[i].cpus)
			return false;
	return l->n_pools > 0;
}

static void judge_room(struct look *l, const struct gke_size *s)
{
	const struct presto *p = l->p->presto;
	autojson json_t *nodes = NULL, *one = NULL, *none = json_array(), *system = NULL;
	char words[400], shorter[400];
	enum room_answer answer;

	if (!p || !machines_known(l) || !json_array_size(s->zones))
		return;
	nodes = gke_nodes(s, p, false);
	one = gke_nodes(s, p, true);
	system = gke_system_pods(s);
	answer = room_look(p, nodes, none, NULL, words);
	/* Each pool once is enough to read. */
	if (answer == ROOM_NEVER && room_look(p, one, none, NULL, shorter) == ROOM_NEVER)
		snprintf(words, sizeof(words), "%s", shorter);
	if (answer == ROOM_UNKNOWN)
		problem(l, ERR_QUOTA,
			jx_strf("no node would take the Presto pods: every node pool has a taint "
				"that keeps them off, or no nodes"),
			jx_strf("add a node pool without taints"));
	else if (answer == ROOM_NEVER)
		problem(l, ERR_QUOTA, jx_strf("no node would be large enough: %s", words),
			jx_strf("take a larger machineType, or ask for less: memoryAllocation, "
				"cpuRequest"));
	else if (answer == ROOM_NOT_NOW)
		problem(l, ERR_QUOTA,
			jx_strf("the nodes together would not be large enough: %s", words),
			jx_strf("take more nodes or a larger machineType, or fewer workers"));
	else if (room_look(p, nodes, system, NULL, words) != ROOM_FITS)
		warn(l, jx_strf("the Presto pods leave too little for what GKE itself runs on each "
				"node (about 0.3 CPU and 400 MiB): %s",
				words));
}

/* --- all of it ------------------------------------------------------------------------------------- */

int gke_preflight_look(json_t **report, const struct gke_preflight *p, struct err *e)
{
	AUTO(look_release)
	struct look l = {
		.p = p,
		.report = json_pack("{s:[], s:[]}", "warnings", "problems"),
		.body = gke_spec_body(p->spec, p->location, NULL, 0),
		.region = gke_region_of(p->location),
	};

	if (look_at_apis(&l, e) < 0 || look_at_rights(&l, e) < 0 || look_at_region(&l, e) < 0 ||
	    look_at_version(&l, e) < 0 || look_at_machines(&l, e) < 0)
		return err_wrap(e, "before making the cluster");
	if (l.zones) {
		const struct gke_size size = {l.pools, l.machines, l.n_pools, l.zones, l.region};

		judge_room(&l, &size);
		judge_quotas(&l, &size);
		json_object_set(l.report, "zones", l.zones);
	}
	*report = json_incref(l.report);
	return 0;
}

int gke_preflight_check(const json_t *report, struct app *a, struct err *e)
{
	return plan_check(report, a, e);
}

void gke_preflight_details(json_t *details, const json_t *report)
{
	static const char *const members[] = {"version", "quotas", "warnings", "problems"};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *from = jx_get(report, members[i]), *to = jx_get(details, members[i]);

		if (json_is_array(from) && json_is_array(to))
			json_array_extend(to, from);
		else if (!jx_is_empty(from))
			json_object_set_new(details, members[i], json_deep_copy(from));
	}
}
