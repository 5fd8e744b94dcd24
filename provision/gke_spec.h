/*
 * gke_spec.h - what a file's cluster.gke asks for, as the bodies that Google takes, and what has to change in a cluster
 * that is there. Pure: nothing here talks to anybody. Google's field names: container v1.
 */
#ifndef PROVISION_GKE_SPEC_H
#define PROVISION_GKE_SPEC_H

#include "gke/container.h"
#include "provision/env.h"

/* Labels of a cluster that prestoctl made. */
#define GKE_LABEL_ENV     "prestoctl-environment"
#define GKE_LABEL_RUN     "prestoctl-run"        /* random, of the one POST that made it */
#define GKE_LABEL_EXPIRES "prestoctl-expires-at" /* seconds since 1970 */
#define GKE_LABEL_TTL     "prestoctl-ttl"        /* seconds */
#define GKE_LABEL_PROTECT "prestoctl-protected"  /* "true": down and gc refuse */

#define GKE_LOCATIONS_MAX 16
#define GKE_POOLS_MAX     16

struct gke_spec {
	json_t *section;   /* cluster.gke, {} when the file has none; owned reference */
	char *environment; /* name of the environment */
	char *project; /* NULL: said neither by the file nor by variables; fill it in once it is known */
	char *name;        /* of the cluster */
	json_t *locations; /* texts, in the order of preference; never empty; owned */
	bool autopilot, protect;
	ns_t ttl; /* 0: none */
	enum gke_way way;
	char *credentials; /* path, resolved; or NULL */
	char *impersonate; /* or NULL */
};

/*
 * gke_spec_decode - @v->cluster, which env_load has accepted; a project or location that is not said comes from the
 * variables of gcloud (@from). ERR_INVALID: no location anywhere, or a variable that holds none.
 */
int gke_spec_decode(struct gke_spec *out, const struct env *v, const struct gke_env *from,
		    struct err *e) MUST_CHECK;
void gke_spec_release(struct gke_spec *s);

/*
 * gke_spec_check - what the schema cannot say about cluster.gke of an environment file @doc: names and labels by Google's
 * rules, fields that exclude each other, pools of one name. Calls @complain for each with "what; remedy"; @pointer is
 * relative to the document ("/cluster/gke/nodePools/0/name"), @key: it is about the key there, not the value.
 */
typedef void gke_complain_fn(void *arg, const char *pointer, bool key, const char *text);
void gke_spec_check(const json_t *doc, gke_complain_fn *complain, void *arg);

/*
 * gke_spec_body - the cluster as container_create takes it, for one location. @run: the run label; NULL: without it, in
 * plans. @now: wall clock, for the ttl. Workload identity needs s->project. Owned.
 */
json_t *gke_spec_body(const struct gke_spec *s, const char *location, const char *run, ns_t now);

/* Node pools as asked, for quotas and room. */
struct gke_pool {
	char name[48], machine[64];
	int nodes, most; /* per zone: at the start, and at most with autoscaling (else the same) */
	int disk_gb;
	bool ssd; /* pd-balanced and pd-ssd count as SSD_TOTAL_GB */
	bool spot, public_ip;
	bool tainted;         /* with NO_SCHEDULE or NO_EXECUTE: takes no Presto pods */
	const json_t *labels; /* borrowed from the section, or NULL */
};
/* gke_spec_pools - returns how many; 0 with Autopilot. */
size_t gke_spec_pools(struct gke_pool out[GKE_POOLS_MAX], const struct gke_spec *s);

/* --- changes --------------------------------------------------------------------------------------- */

enum gke_change_kind {
	GKE_CHANGE_LABELS,  /* body: the labels to merge (null removes): container_label */
	GKE_CHANGE_CLUSTER, /* body: one aspect: {"desiredNodeVersion": ...}: container_update */
	GKE_CHANGE_CLUSTER_SET, /* verb, member, body: setMaintenancePolicy: container_set */
	GKE_CHANGE_POOL_MAKE,   /* body: the pool */
	GKE_CHANGE_POOL_DROP,
	GKE_CHANGE_POOL_SIZE,  /* count: per zone */
	GKE_CHANGE_POOL_SET,   /* verb, member, body: setAutoscaling, setManagement */
	GKE_CHANGE_POOL_UPDATE /* body: fields of UpdateNodePoolRequest */
};
struct gke_change {
	enum gke_change_kind kind;
	char pool[48];
	int count;
	const char *verb, *member; /* static */
	json_t *body;              /* owned; or NULL */
	json_t *labels; /* with LABELS: as they and their fingerprint will be sent, for plans; owned */
	char what[200]; /* "pool default: 3 nodes per zone, not 2", for people */
};
struct gke_changes {
	struct gke_change *v;
	size_t n;
};
/*
 * gke_spec_diff - what has to be asked of Google to bring a live cluster to the file, in the order in which it works:
 * channel, version of the control plane, pools made and changed, endpoints and maintenance, pools dropped, labels.
 * What only the live one has and the file does not say is kept; but pools that a file with nodePools does not name are
 * dropped from a cluster that prestoctl made, and prestoctl's own labels (ttl, protection) follow the file. Counts of
 * autoscaled pools and versions newer than asked for are no differences. Empty: nothing to do.
 * ERR_INVALID: something differs that cannot be changed in place; every such field is a line in @detail.
 */
int gke_spec_diff(struct gke_changes *out, const struct gke_spec *s, const json_t *live, ns_t now,
		  struct buf *detail, struct err *e) MUST_CHECK;
void gke_changes_release(struct gke_changes *c);
/* gke_change_request - as a plan shows it: {"method","url","body"}, the url after the API's base. Owned. */
json_t *gke_change_request(const struct gke_change *c, const struct gke_ref *r);

#endif
