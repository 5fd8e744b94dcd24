/* listing.c - see listing.h. */
#include "provision/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/gke_remove.h"
#include "provision/text_width.h"

#define COLUMNS 10

/* --- rows ----------------------------------------------------------------------------------------- */

static json_t *machines_of(const json_t *cluster)
{
	const json_t *pools = jx_get(cluster, "nodePools");
	autojson json_t *seen = json_object();
	json_t *out = json_array();

	if (jx_bool(cluster, "autopilot.enabled")) {
		json_array_append_new(out, json_string("autopilot"));
		return out;
	}
	for (size_t i = 0; i < json_array_size(pools); i++) {
		const char *type = jx_str(json_array_get(pools, i), "config.machineType");

		if (!type || jx_get(seen, type))
			continue;
		json_object_set_new(seen, type, json_true());
		json_array_append_new(out, json_string(type));
	}
	return out;
}

static void add_times(json_t *row, const json_t *cluster, ns_t now)
{
	const char *made = jx_str(cluster, "createTime");
	struct err bad = ERR_INIT;
	ns_t at, end = gke_expires(cluster);

	if (made && time_parse(&at, made, &bad) == 0) {
		json_object_set_new(row, "created", json_string(made));
		json_object_set_new(row, "ageSeconds",
				    json_integer(now > at ? (now - at) / NS_SEC : 0));
	}
	if (end) {
		char text[TIME_RFC3339_SIZE];

		time_format(text, end);
		json_object_set_new(row, "expires", json_string(text));
		json_object_set_new(row, "ttlSeconds", json_integer(end / NS_SEC - now / NS_SEC));
	}
}

static const char *endpoint_of(const json_t *cluster)
{
	const json_t *plane = jx_get(cluster, "controlPlaneEndpointsConfig");
	const json_t *ips = jx_get(plane, "ipEndpointsConfig");

	if (!ips || jx_bool(ips, "enablePublicEndpoint"))
		return "public";
	return jx_bool(plane, "dnsEndpointConfig.allowExternalTraffic") ? "dns" : "private";
}

json_t *listing_row(const json_t *cluster, const char *project, ns_t now)
{
	const json_t *labels = jx_get(cluster, "resourceLabels");
	const char *name = jx_str(labels, GKE_LABEL_ENV);
	json_t *row;

	if (!name || !*name || !jx_str(cluster, "name"))
		return NULL;
	row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:o, s:b, s:s}", "name",
			name, "provider", "gke", "cluster", jx_str(cluster, "name"), "project",
			project, "location",
			jx_str_or(cluster, "location", jx_str_or(cluster, "zone", "")), "state",
			jx_str_or(cluster, "status", "?"), "here", 0, "run",
			jx_str_or(labels, GKE_LABEL_RUN, ""), "nodes",
			jx_int(cluster, "currentNodeCount"), "machineTypes", machines_of(cluster),
			"protected", gke_protected(cluster), "endpoint", endpoint_of(cluster));
	add_times(row, cluster, now);
	return row;
}

static int by_name(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int cmp = strcmp(jx_str_or(x, "name", ""), jx_str_or(y, "name", ""));

	return cmp ? cmp : strcmp(jx_str_or(x, "location", ""), jx_str_or(y, "location", ""));
}

static void sort_rows(json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **all = xcalloc(n + 1, sizeof(json_t *));

	for (size_t i = 0; i < n; i++)
		all[i] = json_incref(json_array_get(rows, i));
	json_array_clear(rows);
	if (n)
		qsort(all, n, sizeof(json_t *), by_name);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, all[i]);
	free(all);
}

int listing_project(json_t **rows, bool *whole, struct app *a, struct google *g,
		    const char *project, struct err *e)
{
	autojson json_t *all = NULL, *missing = NULL, *out = json_array();

	if (container_list(&all, &missing, g->gke, project, "-", e) < 0)
		return err_wrap(e, "clusters of project %s", project);
	for (size_t i = 0; i < json_array_size(missing); i++)
		progress_warn(a->progress, "%s does not say which clusters it has",
			      json_string_value(json_array_get(missing, i)));
	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *row = listing_row(json_array_get(all, i), project, clock_wall());

		if (row)
			json_array_append_new(out, row);
	}
	sort_rows(out);
	*whole = !json_array_size(missing);
	*rows = TAKE(out);
	return 0;
}

int listing_local(json_t **rows, struct err *e)
{
	autojson json_t *names = NULL, *out = json_array();

	if (state_names(&names, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		struct state s = STATE_INIT;
		const json_t *gke;

		if (state_open(&s, name, false, e) < 0)
			return -1;
		gke = jx_get(s.doc, "gke");
		json_array_append_new(
			out, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "name", name,
				       "provider", jx_str_or(s.doc, "provider", "?"), "cluster",
				       jx_str_or(gke, "cluster",
						 jx_str_or(s.doc, "cluster",
							   jx_str_or(s.doc, "context", "?"))),
				       "project", jx_str_or(gke, "project", ""), "location",
				       jx_str_or(gke, "location", ""), "state",
				       s.damaged                              ? "damaged"
				       : json_is_object(jx_get(gke, "marks")) ? "being removed"
									      : "remembered",
				       "here", 1, "run", jx_str_or(gke, "run", "")));
		state_close(&s);
	}
	*rows = TAKE(out);
	return 0;
}

static bool same_cluster(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"cluster", "project", "location", "run"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!streq(jx_str_or(a, keys[i], ""), jx_str_or(b, keys[i], "")))
			return false;
	return streq(jx_str(a, "provider"), jx_str(b, "provider"));
}

/* The row of a cluster that is remembered here, or NULL. */
static json_t *find_row(const json_t *rows, size_t n, const json_t *one)
{
	for (size_t i = 0; i < n; i++)
		if (same_cluster(json_array_get(rows, i), one))
			return json_array_get(rows, i);
	return NULL;
}

void listing_mark(json_t *rows, const json_t *local)
{
	for (size_t i = 0; i < json_array_size(local); i++) {
		json_t *row = find_row(rows, json_array_size(rows), json_array_get(local, i));

		if (row)
			json_object_set_new(row, "here", json_true());
	}
}

void listing_join(json_t *rows, const json_t *local, const char *project, bool whole)
{
	size_t n = json_array_size(rows);

	listing_mark(rows, local);
	for (size_t i = 0; i < json_array_size(local); i++) {
		json_t *one = json_array_get(local, i);

		if (find_row(rows, n, one))
			continue;
		if (project && whole && streq(jx_str(one, "provider"), "gke") &&
		    streq(jx_str(one, "project"), project) &&
		    streq(jx_str(one, "state"), "remembered"))
			json_object_set_new(one, "state", json_string("gone"));
		json_array_append(rows, one);
	}
	sort_rows(rows);
}

bool listing_expired(const json_t *row)
{
	return jx_get(row, "ttlSeconds") && jx_int(row, "ttlSeconds") <= 0;
}

/* --- table ----------------------------------------------------------------------------------------- */

static char *joined(const json_t *texts)
{
	struct buf out = BUF_INIT(400);
	struct err full = ERR_INIT;

	for (size_t i = 0; i < json_array_size(texts); i++)
		(void)!buf_addf(&out, &full, "%s%s", i ? "," : "",
				json_string_value(json_array_get(texts, i)));
	return buf_take(&out);
}

static void cells_of(char *cells[COLUMNS], const json_t *row)
{
	char age[DURATION_SIZE] = "-", ttl[DURATION_SIZE] = "-";
	bool live = jx_get(row, "nodes") != NULL;
	autofree char *types = joined(jx_get(row, "machineTypes"));

	if (jx_get(row, "ageSeconds"))
		age_format(age, jx_int(row, "ageSeconds") * NS_SEC);
	if (listing_expired(row))
		snprintf(ttl, sizeof(ttl), "expired");
	else if (jx_get(row, "ttlSeconds"))
		age_format(ttl, jx_int(row, "ttlSeconds") * NS_SEC);
	cells[0] = xstrdup(jx_str_or(row, "name", ""));
	cells[1] = xstrdup(jx_str_or(row, "provider", ""));
	cells[2] = xstrdup(jx_str_or(row, "cluster", ""));
	cells[3] = xstrdup(*jx_str_or(row, "location", "") ? jx_str(row, "location") : "-");
	cells[4] = xstrdup(jx_str_or(row, "state", ""));
	cells[5] = xstrdup(age);
	cells[6] = xstrdup(ttl);
	cells[7] = live ? xasprintf("%lld", (long long)jx_int(row, "nodes")) : xstrdup("-");
	cells[8] = xstrdup(*types ? types : "-");
	cells[9] = xstrdup(jx_bool(row, "protected") ? "yes" : "-");
}

void listing_table(struct buf *out, const json_t *rows)
{
	static const char *const titles[COLUMNS] = {"NAME",  "PROVIDER", "CLUSTER", "LOCATION",
						    "STATE", "AGE",      "TTL",     "NODES",
						    "TYPES", "PROTECTED"};
	size_t n = json_array_size(rows) + 1, wide[COLUMNS] = {0};
	char *(*cells)[COLUMNS] = xcalloc(n, sizeof(*cells));
	struct err full = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			cells_of(cells[i], json_array_get(rows, i - 1));
		for (size_t j = 0; j < COLUMNS; j++) {
			if (!i)
				cells[0][j] = xstrdup(titles[j]);
			if (text_width(cells[i][j]) > wide[j])
				wide[j] = text_width(cells[i][j]);
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < COLUMNS; j++) {
			int gap = j + 1 < COLUMNS ? (int)(wide[j] + 2 - text_width(cells[i][j]))
						  : 0;

			(void)!buf_addf(out, &full, "%s%*s%s", cells[i][j], gap, "",
					j + 1 < COLUMNS ? "" : "\n");
			free(cells[i][j]);
		}
	}
	free(cells);
}
