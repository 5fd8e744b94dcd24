/* gke_needs.c - see gke_needs.h. */
#include "provision/gke_needs.h"

#include <math.h>
#include <string.h>

#include "gke/names.h"

#define NEEDS_MAX 32
#define MIB       ((int64_t)1 << 20)
#define GIB       ((int64_t)1 << 30)

/* --- zones -------------------------------------------------------------------------------------- */

json_t *gke_zones_used(const json_t *body, const char *location, const json_t *of_region)
{
	const json_t *said = jx_get(body, "locations");
	json_t *out;

	if (json_array_size(said))
		return json_deep_copy(said);
	if (gke_is_zone(location))
		return json_pack("[s]", location);
	/* Google takes three zones of a region unless it is told which. */
	out = json_array();
	for (size_t i = 0; i < json_array_size(of_region) && i < 3; i++)
		json_array_append(out, json_array_get(of_region, i));
	return out;
}

/* --- quotas ------------------------------------------------------------------------------------- */

struct need {
	char metric[64];
	double amount;
};
struct needs {
	struct need v[NEEDS_MAX];
	size_t n;
};

static void add(struct needs *to, const char *metric, double amount)
{
	size_t i = 0;

	while (i < to->n && !streq(to->v[i].metric, metric))
		i++;
	if (i == NEEDS_MAX || amount <= 0)
		return;
	if (i == to->n)
		snprintf(to->v[to->n++].metric, sizeof(to->v[i].metric), "%s", metric);
	to->v[i].amount += amount;
}

static int most_of(const struct gke_pool *p)
{
	return p->most > p->nodes ? p->most : p->nodes;
}

/* Spot CPUs have a quota of their own only where the project was given one. */
static void cpu_metric(char *out, size_t size, const struct gke_pool *p,
		       const struct compute_quotas *q, const char *region)
{
	const struct compute_quota *spot = compute_quota_find(q, "PREEMPTIBLE_CPUS", region);

	if (p->spot && spot && spot->limit > 0)
		snprintf(out, size, "PREEMPTIBLE_CPUS");
	else
		compute_cpu_metric(out, size, p->machine);
}

static void collect(struct needs *to, const struct gke_size *s, const struct compute_quotas *q,
		    bool most)
{
	double zones = (double)json_array_size(s->zones);

	for (size_t i = 0; i < s->n; i++) {
		const struct gke_pool *p = &s->pools[i];
		double nodes = zones * (most ? most_of(p) : p->nodes);
		char metric[64];

		cpu_metric(metric, sizeof(metric), p, q, s->region);
		add(to, metric, nodes * s->machines[i].cpus);
		add(to, "CPUS_ALL_REGIONS", nodes * s->machines[i].cpus);
		add(to, "INSTANCES", nodes);
		if (p->public_ip)
			add(to, "IN_USE_ADDRESSES", nodes);
		add(to, p->ssd ? "SSD_TOTAL_GB" : "DISKS_TOTAL_GB", nodes * p->disk_gb);
	}
}

static json_t *number(double v)
{
	return floor(v) == v && fabs(v) < 9e15 ? json_integer((json_int_t)v) : json_real(v);
}

json_t *gke_quota_rows(const struct gke_size *s, const struct compute_quotas *q, bool most)
{
	struct needs needs = {.n = 0};
	json_t *rows = json_array();

	collect(&needs, s, q, most);
	for (size_t i = 0; i < needs.n; i++) {
		const struct need *need = &needs.v[i];
		bool whole = streq(need->metric, "CPUS_ALL_REGIONS");
		const struct compute_quota *have = compute_quota_find(q, need->metric,
								      whole ? NULL : s->region);
		double left = have && have->limit > have->usage ? have->limit - have->usage : 0;

		json_array_append_new(rows, json_pack("{s:s, s:s, s:o, s:o, s:o, s:b}", "metric",
						      need->metric, "where",
						      whole ? "project" : s->region, "needed",
						      number(need->amount), "available",
						      have ? number(left) : json_null(), "limit",
						      have ? number(have->limit) : json_null(),
						      "short", have && need->amount > left));
	}
	return rows;
}

/* --- what is left for pods ---------------------------------------------------------------------- */

int64_t gke_allocatable_memory(int64_t bytes)
{
	static const struct {
		int64_t upto;
		int percent;
	} steps[] = {{4 * GIB, 25}, {8 * GIB, 20}, {16 * GIB, 10}, {128 * GIB, 6}, {INT64_MAX, 2}};
	int64_t kept = 0, from = 0, left;

	if (bytes < GIB)
		kept = 255 * MIB;
	for (size_t i = 0; i < ARRAY_LEN(steps) && bytes >= GIB && bytes > from; i++) {
		int64_t end = bytes < steps[i].upto ? bytes : steps[i].upto;

		kept += (end - from) / 100 * steps[i].percent;
		from = steps[i].upto;
	}
	/* The kubelet evicts pods before the last of it is used. */
	left = bytes - kept - 100 * MIB;
	return left > 0 ? left : 0;
}

int64_t gke_allocatable_cpu(const char *machine_type, int cpus)
{
	/* In hundred-thousandths, as a quarter of a percent is no whole thousandth. */
	int64_t kept = 0, left;

	/* E2 machines that share a core keep more than a core back. */
	if (streq(machine_type, "e2-micro") || streq(machine_type, "e2-small") ||
	    streq(machine_type, "e2-medium"))
		kept = 106000;
	else
		for (int i = 0; i < cpus; i++)
			kept += i == 0 ? 6000 : i == 1 ? 1000 : i < 4 ? 500 : 250;
	left = (int64_t)cpus * 100000 - kept;
	return left > 0 ? left / 100 : 0;
}

/* Labels that GKE gives to nodes by itself. */
static json_t *labels_of(const struct gke_size *s, const struct gke_pool *p, const char *zone)
{
	bool arm = starts_with(p->machine, "t2a-") || starts_with(p->machine, "c4a-") ||
		   starts_with(p->machine, "n4a-");
	json_t *labels = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s}", "kubernetes.io/os", "linux", "kubernetes.io/arch",
		arm ? "arm64" : "amd64", "node.kubernetes.io/instance-type", p->machine,
		"cloud.google.com/gke-nodepool", p->name, "topology.kubernetes.io/region",
		s->region, "topology.kubernetes.io/zone", zone);

	if (p->spot)
		json_object_set_new(labels, "cloud.google.com/gke-spot", json_string("true"));
	json_object_update(labels, (json_t *)(uintptr_t)p->labels);
	return labels;
}

/* There are more labels of Google's and Kubernetes' own than are known here: such a wish is taken as met. */
static void grant(json_t *labels, const json_t *selector)
{
	const json_t *value;
	const char *key;

	jx_foreach (selector, key, value)
		if (!jx_get(labels, key) &&
		    (strstr(key, "kubernetes.io/") || strstr(key, "cloud.google.com/") ||
		     strstr(key, "gke.io/")))
			json_object_set_new(labels, key, json_deep_copy(value));
}

static json_t *node_of(const struct gke_size *s, size_t pool, const char *zone,
		       const struct presto *p)
{
	const struct gke_pool *of = &s->pools[pool];
	const struct compute_machine *m = &s->machines[pool];
	json_t *labels = labels_of(s, of, zone), *node;

	grant(labels, p->worker.node_selector);
	grant(labels, p->coordinator.node_selector);
	node = json_pack("{s:{s:o, s:o}, s:{}, s:{s:{s:o, s:o}}}", "metadata", "name",
			 jx_strf("%s (%s)", of->name, of->machine), "labels", labels, "spec",
			 "status", "allocatable", "memory",
			 jx_strf("%lld", (long long)gke_allocatable_memory(m->memory_bytes)), "cpu",
			 jx_strf("%lldm", (long long)gke_allocatable_cpu(of->machine, m->cpus)));
	if (of->tainted)
		jx_set(node, "spec.taints", json_pack("[{s:s}]", "effect", "NoSchedule"));
	return node;
}

json_t *gke_nodes(const struct gke_size *s, const struct presto *p, bool one)
{
	size_t zones = json_array_size(s->zones);
	json_t *out = json_array();

	for (size_t i = 0; i < s->n; i++) {
		size_t count = zones * (size_t)most_of(&s->pools[i]);

		/* What pods could be, at the most, one on each. */
		if (count > (size_t)p->worker_count + zones + 1)
			count = (size_t)p->worker_count + zones + 1;
		if (one && count)
			count = 1;
		for (size_t k = 0; k < count && s->machines[i].cpus; k++)
			json_array_append_new(
				out,
				node_of(s, i,
					json_string_value(json_array_get(s->zones, k % zones)), p));
	}
	return out;
}

json_t *gke_system_pods(const struct gke_size *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(
			out, json_pack("{s:{s:o, s:[{s:{s:{s:s, s:s}}}]}}", "spec", "nodeName",
				       jx_strf("%s (%s)", s->pools[i].name, s->pools[i].machine),
				       "containers", "resources", "requests", "cpu", "300m",
				       "memory", "400Mi"));
	return out;
}
