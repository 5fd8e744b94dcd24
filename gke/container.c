/* container.c - clusters and node pools: requests, and waiting out other operations. */
#include "gke/container.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"

#define LABEL_TRIES 10
#define BUSY_PAUSE  (5 * NS_SEC)

/* "projects/P/locations/L/clusters/C" as it stands in bodies. */
static char *full_name(const struct gke_ref *r)
{
	return xasprintf("projects/%s/locations/%s/clusters/%s", r->project, r->location, r->name);
}

static char *cluster_path(const struct gke_ref *r, const char *verb)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/clusters/%s", r->project,
				       r->location, r->name);

	return xasprintf("%s%s", path, verb);
}

static char *pool_path(const struct gke_ref *r, const char *pool, const char *verb)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/clusters/%s/nodePools/%s",
				       r->project, r->location, r->name, pool);

	return xasprintf("%s%s", path, verb);
}

/* --- reading ---------------------------------------------------------------------------------- */

int container_get(json_t **out, struct gke *g, const struct gke_ref *r, struct err *e)
{
	autofree char *path = cluster_path(r, "");
	const struct gke_req q = {.api = GKE_CONTAINER, .method = "GET", .path = path};

	return gke_call(out, g, &q, e);
}

int container_list(json_t **out, json_t **missing, struct gke *g, const char *project,
		   const char *location, struct err *e)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/clusters", project, location);
	const struct gke_req q = {.api = GKE_CONTAINER, .method = "GET", .path = path};
	autojson json_t *reply = NULL;
	const json_t *list, *zones;

	if (gke_call(&reply, g, &q, e) < 0)
		return -1;
	/* No clusters: no such member. */
	list = jx_get(reply, "clusters");
	zones = jx_get(reply, "missingZones");
	*out = json_array();
	for (size_t i = 0; i < json_array_size(list); i++)
		json_array_append(*out, json_array_get(list, i));
	if (missing)
		*missing = json_array_size(zones) ? json_deep_copy(zones) : NULL;
	return 0;
}

char *container_where(struct gke *g, const char *project, const char *name)
{
	autojson json_t *all = NULL;
	struct err ignored = ERR_INIT;

	if (container_list(&all, NULL, g, project, "-", &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);
		const char *where = jx_str(c, "location");

		if (streq(jx_str(c, "name"), name) && (where || jx_str(c, "zone")))
			return xstrdup(where ? where : jx_str(c, "zone"));
	}
	return NULL;
}

int container_server_config(json_t **out, struct gke *g, const char *project, const char *location,
			    struct err *e)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/serverConfig", project, location);
	const struct gke_req q = {.api = GKE_CONTAINER, .method = "GET", .path = path};

	return gke_call(out, g, &q, e);
}

/* --- changes ---------------------------------------------------------------------------------- */

static int take_op(struct gke_op *op, const json_t *reply, struct err *e)
{
	const char *name = jx_str(reply, "name");

	*op = (struct gke_op){""};
	if (!name || !*name || strlen(name) >= sizeof(op->name) || strchr(name, '/'))
		return err_set(e, ERR_PROTOCOL, "the reply names no operation");
	snprintf(op->name, sizeof(op->name), "%s", name);
	return 0;
}

/* Another operation runs: wait for it (how it ends is not our business), or for a while. */
static int wait_out(struct gke *g, const struct gke_ref *r, const struct gke_error *busy,
		    const struct gke_wait *w, struct err *e)
{
	struct gke_wait mine = *w;
	struct gke_op op = {""};
	struct err ended = ERR_INIT;
	ns_t pause = w->shortest ? w->shortest : BUSY_PAUSE;

	mine.why = NULL;
	mine.detail = NULL;
	mine.known = true;
	if (*busy->operation) {
		snprintf(op.name, sizeof(op.name), "%s", busy->operation);
		if (gke_op_wait(g, r, &op, &mine, &ended) < 0 &&
		    (ended.code == ERR_TIMEOUT || ended.code == ERR_CANCELLED)) {
			*e = ended;
			return -1;
		}
		pause = w->shortest ? w->shortest : NS_SEC;
	}
	return loop_sleep(gke_loop(g), pause, e);
}

static int change(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		  const struct gke_req *what, const struct gke_wait *w, struct err *e)
{
	struct gke_error mine, *why = w && w->why ? w->why : &mine;
	struct gke_req q = *what;

	q.api = GKE_CONTAINER;
	q.why = why;
	for (;;) {
		autojson json_t *reply = NULL;
		struct buf lines = BUF_INIT(16u << 10);
		struct err full = ERR_INIT;
		int rc;

		q.detail = w && w->detail ? &lines : NULL;
		rc = gke_call(&reply, g, &q, e);
		bool busy = rc < 0 && why->cause == GKE_CAUSE_BUSY && w &&
			    (!w->deadline || clock_mono() < w->deadline);
		/* A refusal that is waited out is no story for people. */
		if (!busy && lines.len && buf_adds(w->detail, buf_str(&lines), &full) < 0)
			err_clear(&full);
		buf_release(&lines);
		if (rc == 0 && take_op(op, reply, e) < 0) {
			why->lost = true;
			return -1;
		}
		if (rc == 0)
			return 0;
		if (!busy)
			return -1;
		struct err last = *e;
		err_clear(e);
		if (wait_out(g, r, why, w, e) < 0)
			return err_wrap(e, "%.200s", last.msg);
	}
}

json_t *container_create_body(const struct gke_ref *r, const json_t *cluster)
{
	json_t *body = json_object();
	json_t *copy = json_deep_copy(cluster);

	json_object_set_new(copy, "name", jx_strf("%s", r->name));
	json_object_set_new(body, "parent",
			    jx_strf("projects/%s/locations/%s", r->project, r->location));
	json_object_set_new(body, "cluster", copy);
	return body;
}

int container_create(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		     const json_t *cluster, const struct gke_wait *w, struct err *e)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/clusters", r->project,
				       r->location);
	autojson json_t *body = container_create_body(r, cluster);
	struct gke_req q = {.method = "POST", .path = path, .body = body};

	return change(op, g, r, &q, w, e);
}

/* DELETE, where nothing there is what was wanted. */
static int remove_it(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *path,
		     const struct gke_wait *w, struct err *e)
{
	struct gke_req q = {.method = "DELETE", .path = path};

	if (change(op, g, r, &q, w, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	*op = (struct gke_op){""};
	return 0;
}

int container_delete(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		     const struct gke_wait *w, struct err *e)
{
	autofree char *path = cluster_path(r, "");

	return remove_it(op, g, r, path, w, e);
}

int container_update(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		     const json_t *update, const struct gke_wait *w, struct err *e)
{
	autofree char *path = cluster_path(r, ""), *name = full_name(r);
	autojson json_t *copy = json_deep_copy(update);
	autojson json_t *body = json_pack("{s:s,s:O}", "name", name, "update", copy);
	struct gke_req q = {.method = "PUT", .path = path, .body = body, .repeatable = true};

	if (json_object_size(update) != 1)
		return err_set(e, ERR_INTERNAL, "an update changes one aspect, not %zu",
			       json_object_size(update));
	return change(op, g, r, &q, w, e);
}

static int label_once(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		      const json_t *labels, const struct gke_wait *w, struct err *e)
{
	autofree char *path = cluster_path(r, ":setResourceLabels"), *name = full_name(r);
	autojson json_t *live = NULL, *all = NULL, *body = json_object();
	const char *fingerprint;

	if (container_get(&live, g, r, e) < 0)
		return -1;
	all = json_is_object(jx_get(live, "resourceLabels"))
		      ? json_deep_copy(jx_get(live, "resourceLabels"))
		      : json_object();
	jx_merge(all, labels);
	*op = (struct gke_op){""};
	if (json_equal(all, jx_get(live, "resourceLabels")) ||
	    (!json_object_size(all) && !jx_get(live, "resourceLabels")))
		return 0;
	json_object_set_new(body, "name", json_string(name));
	json_object_set(body, "resourceLabels", all); /* the map replaces what is there */
	fingerprint = jx_str(live, "labelFingerprint");
	if (fingerprint)
		json_object_set_new(body, "labelFingerprint", json_string(fingerprint));
	struct gke_req q = {
		.method = "POST", .path = path, .body = body, .repeatable = fingerprint != NULL};
	return change(op, g, r, &q, w, e);
}

int container_label(struct gke_op *op, struct gke *g, const struct gke_ref *r, const json_t *labels,
		    const struct gke_wait *w, struct err *e)
{
	struct gke_wait mine = w ? *w : (struct gke_wait){0};
	struct gke_error why = {0};

	if (!mine.why)
		mine.why = &why;
	for (unsigned n = 0;; n++) {
		*mine.why = (struct gke_error){0};
		if (label_once(op, g, r, labels, w ? &mine : NULL, e) == 0)
			return 0;
		/* Somebody else labelled it in between: again, on top of that. */
		if (e->http != 412 || n + 1 >= LABEL_TRIES)
			return -1;
		err_clear(e);
	}
}

int container_set(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *verb,
		  const char *member, const json_t *value, const struct gke_wait *w, struct err *e)
{
	autofree char *colon = xasprintf(":%s", verb), *path = cluster_path(r, colon),
		      *name = full_name(r);
	autojson json_t *body = json_object();
	struct gke_req q = {.method = "POST", .path = path, .body = body, .repeatable = true};

	json_object_set_new(body, "name", jx_strf("%s", name));
	json_object_set_new(body, member, json_deep_copy(value));
	return change(op, g, r, &q, w, e);
}

/* --- node pools ------------------------------------------------------------------------------- */

int container_pool_create(struct gke_op *op, struct gke *g, const struct gke_ref *r,
			  const json_t *pool, const struct gke_wait *w, struct err *e)
{
	autofree char *path = cluster_path(r, "/nodePools"), *parent = full_name(r);
	autojson json_t *copy = json_deep_copy(pool);
	autojson json_t *body = json_pack("{s:s,s:O}", "parent", parent, "nodePool", copy);
	struct gke_req q = {.method = "POST", .path = path, .body = body, .repeatable = true};

	return change(op, g, r, &q, w, e);
}

int container_pool_delete(struct gke_op *op, struct gke *g, const struct gke_ref *r,
			  const char *pool, const struct gke_wait *w, struct err *e)
{
	autofree char *path = pool_path(r, pool, "");

	return remove_it(op, g, r, path, w, e);
}

static int pool_verb(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *pool,
		     const char *method, const char *verb, json_t *body, const struct gke_wait *w,
		     struct err *e)
{
	autofree char *path = pool_path(r, pool, verb), *name = full_name(r);
	/* Each of these says how it shall be, not by how much: twice is once. */
	struct gke_req q = {.method = method, .path = path, .body = body, .repeatable = true};

	json_object_set_new(body, "name", jx_strf("%s/nodePools/%s", name, pool));
	return change(op, g, r, &q, w, e);
}

int container_pool_size(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *pool,
			int count, const struct gke_wait *w, struct err *e)
{
	autojson json_t *body = json_pack("{s:i}", "nodeCount", count);

	return pool_verb(op, g, r, pool, "POST", ":setSize", body, w, e);
}

int container_pool_set(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *pool,
		       const char *verb, const char *member, const json_t *value,
		       const struct gke_wait *w, struct err *e)
{
	autojson json_t *body = json_object();
	autofree char *colon = xasprintf(":%s", verb);

	json_object_set_new(body, member, json_deep_copy(value));
	return pool_verb(op, g, r, pool, "POST", colon, body, w, e);
}

int container_pool_update(struct gke_op *op, struct gke *g, const struct gke_ref *r,
			  const char *pool, const json_t *fields, const struct gke_wait *w,
			  struct err *e)
{
	autojson json_t *body = json_deep_copy(fields);

	return pool_verb(op, g, r, pool, "PUT", "", body, w, e);
}

/* --- what a cluster says ---------------------------------------------------------------------- */

enum gke_state container_state(const json_t *cluster)
{
	static const char *const words[] = {
		[GKE_STATE_PROVISIONING] = "PROVISIONING",
		[GKE_STATE_RUNNING] = "RUNNING",
		[GKE_STATE_RECONCILING] = "RECONCILING",
		[GKE_STATE_STOPPING] = "STOPPING",
		[GKE_STATE_ERROR] = "ERROR",
		[GKE_STATE_DEGRADED] = "DEGRADED",
	};
	const char *status = jx_str(cluster, "status");

	for (unsigned i = 1; status && i < ARRAY_LEN(words); i++)
		if (streq(status, words[i]))
			return i;
	return GKE_STATE_UNKNOWN;
}

static const char *endpoint_of(const json_t *c, enum gke_way way)
{
	static const char ip[] = "controlPlaneEndpointsConfig.ipEndpointsConfig";
	const json_t *ips = jx_path(c, ip);
	const char *v;

	switch (way) {
	case GKE_WAY_DNS:
		return jx_str(c, "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint");
	case GKE_WAY_PRIVATE:
		v = jx_str(ips, "privateEndpoint");
		return v ? v : jx_str(c, "privateClusterConfig.privateEndpoint");
	case GKE_WAY_PUBLIC:
		break;
	}
	/* With a private endpoint only, "endpoint" is that one: still the one to use. */
	v = jx_str(ips, "publicEndpoint");
	return v && *v ? v : jx_str(c, "endpoint");
}

static char *server_of(const char *host)
{
	bool v6 = strchr(host, ':') && strchr(strchr(host, ':') + 1, ':') && *host != '[';

	if (strlen(host) > 253 ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789.:-[]") != strlen(host))
		return NULL;
	return v6 ? xasprintf("https://[%s]", host) : xasprintf("https://%s", host);
}

static int check_dns(const json_t *cluster, struct err *e)
{
	const json_t *dns = jx_path(cluster, "controlPlaneEndpointsConfig.dnsEndpointConfig");

	/* An absent bool is false. */
	if (jx_bool(dns, "allowExternalTraffic"))
		return 0;
	err_set(e, ERR_INVALID, "the DNS endpoint admits no traffic from outside");
	return err_hint(e, "set allowExternalTraffic of the DNS endpoint, or use another endpoint");
}

int container_access(struct gke_access *out, const json_t *cluster, enum gke_way way, struct err *e)
{
	static const char *const ways[] = {"public", "private", "DNS"};
	const char *host = endpoint_of(cluster, way);
	const char *ca = jx_str(cluster, "masterAuth.clusterCaCertificate");
	autofree char *server = NULL, *pem = NULL;
	size_t len = 0;

	if (!host || !*host) {
		err_set(e, ERR_UNAVAILABLE, "the cluster has no %s endpoint yet", ways[way]);
		return err_hint(e, "it is being made: prestoctl list tells its state");
	}
	server = server_of(host);
	if (!server)
		return err_set(e, ERR_INVALID, "the cluster's %s endpoint is not an address",
			       ways[way]);
	if (way == GKE_WAY_DNS) {
		if (check_dns(cluster, e) < 0)
			return -1;
	} else {
		if (!ca || !*ca)
			return err_set(e, ERR_UNAVAILABLE, "the cluster has no certificate yet");
		if (base64_decode(&pem, &len, ca, e) < 0)
			return err_wrap(e, "the cluster's certificate");
		if (!starts_with(pem, "-----BEGIN "))
			return err_set(e, ERR_INVALID, "the cluster's certificate is not PEM");
	}
	*out = (struct gke_access){.server = TAKE(server), .ca_pem = TAKE(pem)};
	return 0;
}

void gke_access_release(struct gke_access *a)
{
	free(a->server);
	free(a->ca_pem);
	*a = (struct gke_access){0};
}
