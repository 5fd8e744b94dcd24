/* compute.c - quotas, machine types and operations of compute v1. */
#include "gke/compute.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define WAIT_TIMEOUT (130 * NS_SEC) /* the server holds a wait for up to two minutes */
#define MAX_QUOTAS   1000

static int get(json_t **out, struct gke *g, const char *path, struct err *e)
{
	const struct gke_req q = {.api = GKE_COMPUTE, .method = "GET", .path = path};

	return gke_call(out, g, &q, e);
}

/* --- quotas ----------------------------------------------------------------------------------- */

static bool is_unavailable(const json_t *reply)
{
	const json_t *list = jx_get(reply, "warnings");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(jx_str(json_array_get(list, i), "code"), "QUOTA_INFO_UNAVAILABLE"))
			return true;
	return streq(jx_str(reply, "quotaStatusWarning.code"), "QUOTA_INFO_UNAVAILABLE");
}

static void take_quotas(struct compute_quotas *out, const json_t *reply, const char *where)
{
	const json_t *list = jx_get(reply, "quotas");
	size_t n = json_array_size(list);

	out->unknown = out->unknown || is_unavailable(reply);
	if (n > MAX_QUOTAS)
		n = MAX_QUOTAS;
	out->v = xreallocarray(out->v, out->n + n + 1, sizeof(*out->v));
	for (size_t i = 0; i < n; i++) {
		const json_t *q = json_array_get(list, i);
		struct compute_quota *to = &out->v[out->n];
		const char *metric = jx_str(q, "metric");

		if (!metric || strlen(metric) >= sizeof(to->metric))
			continue;
		*to = (struct compute_quota){.limit = json_number_value(jx_get(q, "limit")),
					     .usage = json_number_value(jx_get(q, "usage"))};
		snprintf(to->metric, sizeof(to->metric), "%s", metric);
		snprintf(to->where, sizeof(to->where), "%s", where);
		out->n++;
	}
}

static json_t *zones_of(const json_t *region)
{
	const json_t *list = jx_get(region, "zones");
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *url = json_string_value(json_array_get(list, i));
		const char *slash = url ? strrchr(url, '/') : NULL;

		if (url)
			json_array_append_new(out, json_string(slash ? slash + 1 : url));
	}
	return out;
}

int compute_quotas_get(struct compute_quotas *out, struct gke *g, const char *project,
		       const char *region, struct err *e)
{
	autofree char *whole = gke_path("/projects/%s", project);
	autofree char *part = gke_path("/projects/%s/regions/%s", project, region);
	autojson json_t *p = NULL, *r = NULL;

	if (get(&p, g, whole, e) < 0 || get(&r, g, part, e) < 0)
		return err_wrap(e, "quotas");
	*out = (struct compute_quotas){.zones = zones_of(r)};
	take_quotas(out, p, "");
	take_quotas(out, r, region);
	return 0;
}

void compute_quotas_release(struct compute_quotas *q)
{
	free(q->v);
	json_decref(q->zones);
	*q = (struct compute_quotas){0};
}

const struct compute_quota *compute_quota_find(const struct compute_quotas *q, const char *metric,
					       const char *where)
{
	for (size_t i = 0; i < q->n; i++)
		if (streq(q->v[i].metric, metric) && streq(q->v[i].where, where ? where : ""))
			return &q->v[i];
	return NULL;
}

void compute_cpu_metric(char *out, size_t size, const char *machine_type)
{
	static const char *const shared[] = {"e2", "n1", "f1", "g1", "custom"};
	size_t n = strcspn(machine_type, "-");

	snprintf(out, size, "CPUS");
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (strlen(shared[i]) == n && !memcmp(shared[i], machine_type, n))
			return;
	if (!n || n > 8 || !machine_type[n])
		return;
	snprintf(out, size, "%.*s_CPUS", (int)n, machine_type);
	for (size_t i = 0; i < n && out[i]; i++)
		if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 32);
}

int compute_machine_get(struct compute_machine *out, struct gke *g, const char *project,
			const char *zone, const char *type, struct err *e)
{
	autofree char *path = gke_path("/projects/%s/zones/%s/machineTypes/%s", project, zone,
				       type);
	autojson json_t *o = NULL;
	json_int_t cpus, mb;

	if (get(&o, g, path, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		err_clear(e);
		err_set(e, ERR_NOT_FOUND, "there is no machine type \"%.60s\" in %s", type, zone);
		return err_hint(e, "gcloud compute machine-types list --zones %.40s lists them",
				zone);
	}
	cpus = jx_int(o, "guestCpus");
	mb = jx_int(o, "memoryMb");
	if (cpus <= 0 || cpus > 100000 || mb <= 0 || mb > (1LL << 32))
		return err_set(e, ERR_PROTOCOL, "machine type %s: no size in the reply", type);
	*out = (struct compute_machine){(int)cpus, mb << 20};
	return 0;
}

int compute_target_size(int *out, struct gke *g, const char *url, struct err *e)
{
	const char *path = strstr(url, "/projects/");
	autojson json_t *o = NULL;
	json_int_t n;

	/* Only the path: the host is the one that we were told, not one that a reply names. */
	if (!path || !strstr(path, "/instanceGroupManagers/") || strpbrk(path, "?#% ") ||
	    strstr(path, ".."))
		return err_set(e, ERR_INVALID, "'%.100s' is not an instance group manager", url);
	if (get(&o, g, path, e) < 0)
		return -1;
	n = jx_int(o, "targetSize");
	if (n < 0 || n > 1000000)
		return err_set(e, ERR_PROTOCOL, "an instance group of %lld nodes", (long long)n);
	*out = (int)n;
	return 0;
}

int compute_zones(json_t **out, struct gke *g, const char *project, const char *region,
		  struct err *e)
{
	autofree char *path = gke_path("/projects/%s/regions/%s", project, region);
	autojson json_t *o = NULL;

	if (get(&o, g, path, e) < 0)
		return -1;
	*out = zones_of(o);
	return 0;
}

/* --- operations ------------------------------------------------------------------------------- */

static const char *last_segment(const char *url)
{
	const char *slash = url ? strrchr(url, '/') : NULL;

	return slash ? slash + 1 : url;
}

static char *op_path(const char *project, const json_t *op)
{
	const char *name = jx_str(op, "name"), *zone = last_segment(jx_str(op, "zone")),
		   *region = last_segment(jx_str(op, "region"));

	if (!name)
		return NULL;
	if (zone)
		return gke_path("/projects/%s/zones/%s/operations/%s/wait", project, zone, name);
	if (region)
		return gke_path("/projects/%s/regions/%s/operations/%s/wait", project, region,
				name);
	return gke_path("/projects/%s/global/operations/%s/wait", project, name);
}

/* DONE: did it work? */
static int op_result(const json_t *op, const struct gke_wait *w, const char *principal,
		     struct err *e)
{
	const json_t *errors = jx_path(op, "error.errors");
	const char *code = jx_str(json_array_get(errors, 0), "code");
	json_int_t http = jx_int(op, "httpErrorStatusCode");
	struct buf text = BUF_INIT(1500);
	struct err full = ERR_INIT;
	struct gke_error why;

	if (!json_array_size(errors) && http < 400)
		return 0;
	for (size_t i = 0; i < json_array_size(errors) && i < 8; i++)
		if (buf_addf(&text, &full, "%s%.400s", i ? "; " : "",
			     jx_str_or(json_array_get(errors, i), "message", "no reason given")) <
		    0)
			err_clear(&full);
	gke_error_text(&why, code ? code : "", text.len ? buf_str(&text) : "no reason given");
	buf_release(&text);
	if (why.cause == GKE_CAUSE_OTHER)
		why.cause = streq(code, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE") ? GKE_CAUSE_BUSY
			    : streq(code, "RESOURCE_NOT_FOUND")                ? GKE_CAUSE_MISSING
			    : streq(code, "RESOURCE_ALREADY_EXISTS")           ? GKE_CAUSE_EXISTS
			    : http == 403                                      ? GKE_CAUSE_RIGHTS
			    : http >= 500                                      ? GKE_CAUSE_TRANSIENT
									       : GKE_CAUSE_INVALID;
	if (w->why)
		*w->why = why;
	return gke_error_set(&why, principal, w->detail, e);
}

int compute_op_wait(struct gke *g, const char *project, const json_t *op, const struct gke_wait *w,
		    struct err *e)
{
	autofree char *path = op_path(project, op);
	autojson json_t *now = NULL;
	const char *type = jx_str_or(op, "operationType", "operation");
	const json_t *at = op;

	if (!path)
		return err_set(e, ERR_PROTOCOL, "the reply names no operation");
	while (!streq(jx_str(at, "status"), "DONE")) {
		struct gke_req q = {.api = GKE_COMPUTE,
				    .method = "POST",
				    .path = path,
				    .repeatable = true,
				    .timeout = WAIT_TIMEOUT};
		ns_t start = clock_mono(), least = w->shortest ? w->shortest : NS_SEC;
		json_t *next = NULL;

		if (w->deadline && start >= w->deadline)
			return err_set(e, ERR_TIMEOUT, "waiting for %s (%s): not done", type,
				       jx_str(op, "name"));
		if (w->deadline && w->deadline - start < q.timeout)
			q.timeout = w->deadline - start;
		if (gke_call(&next, g, &q, e) < 0)
			return err_wrap(e, "waiting for %s", type);
		json_decref(now);
		now = next;
		at = now;
		/* A server that does not wait must not be asked all the time. */
		if (!streq(jx_str(at, "status"), "DONE") && clock_mono() - start < least &&
		    loop_sleep(gke_loop(g), least, e) < 0)
			return err_wrap(e, "waiting for %s", type);
	}
	return op_result(at, w, auth_principal(gke_auth(g)), e);
}
