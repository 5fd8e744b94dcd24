/*
 * compute.h - what clusters use of compute v1: quotas, machine types, and the things that a deleted
 * cluster leaves behind.
 */
#ifndef GKE_COMPUTE_H
#define GKE_COMPUTE_H

#include "gke/container.h"

/* --- quotas ------------------------------------------------------------------------------------- */

struct compute_quota {
	char metric[64];
	char where[64]; /* region, or empty for the project */
	double limit, usage;
};
struct compute_quotas {
	struct compute_quota *v;
	size_t n;
	json_t *zones; /* names of the region's zones, which the same reply tells; owned */
	bool unknown;  /* Google could not tell all of them now: what is not here is not known */
};

/* compute_quotas_get - of the project and of one region. */
int compute_quotas_get(struct compute_quotas *out, struct gke *g, const char *project,
		       const char *region, struct err *e) MUST_CHECK;
void compute_quotas_release(struct compute_quotas *q);
/* compute_quota_find - where NULL: the project's. NULL: not known. Borrowed. */
const struct compute_quota *compute_quota_find(const struct compute_quotas *q, const char *metric,
					       const char *where);
/*
 * compute_cpu_metric - the quota that a machine type's CPUs count against: "CPUS" for e2, n1 and the
 * small ones, "N2_CPUS" and so on for families of their own. Text of at least 64 bytes.
 */
void compute_cpu_metric(char *out, size_t size, const char *machine_type);

struct compute_machine {
	int cpus;
	int64_t memory_bytes;
};
int compute_machine_get(struct compute_machine *out, struct gke *g, const char *project,
			const char *zone, const char *type, struct err *e) MUST_CHECK;
/*
 * compute_target_size - how many nodes an instance group manager shall have; @url as a node pool's instanceGroupUrls say
 * it. A pool's initialNodeCount may tell of long ago, this is what was asked for last. ERR_INVALID: not such a URL.
 */
int compute_target_size(int *out, struct gke *g, const char *url, struct err *e) MUST_CHECK;
/* compute_zones - names of a region's zones, an array of texts. */
int compute_zones(json_t **out, struct gke *g, const char *project, const char *region,
		  struct err *e) MUST_CHECK;

/* --- operations --------------------------------------------------------------------------------- */

/*
 * compute_op_wait - HTTP 200 with DONE may hold an error: that is one. @op is the operation as a
 * change answered. ERR_NOT_FOUND: Google has forgotten it, look at the thing itself.
 */
int compute_op_wait(struct gke *g, const char *project, const json_t *op, const struct gke_wait *w,
		    struct err *e) MUST_CHECK;

/* --- what is left --------------------------------------------------------------------------------- */

/* In the order in which they can be deleted: users before what they use. */
enum compute_kind {
	COMPUTE_FORWARDING_RULES,
	COMPUTE_TARGET_HTTP_PROXIES,
	COMPUTE_TARGET_HTTPS_PROXIES,
	COMPUTE_URL_MAPS,
	COMPUTE_BACKEND_SERVICES,
	COMPUTE_TARGET_POOLS,
	COMPUTE_HTTP_HEALTH_CHECKS,
	COMPUTE_HEALTH_CHECKS,
	COMPUTE_NEGS,
	COMPUTE_INSTANCE_GROUPS,
	COMPUTE_FIREWALLS,
	COMPUTE_ADDRESSES,
	COMPUTE_DISKS,
	COMPUTE_KINDS
};
const char *compute_kind_name(enum compute_kind k); /* "disks"; static */

/* What was written down while the cluster still lived. Arrays of texts, borrowed; NULL is empty. */
struct compute_marks {
	const char *cluster, *location;
	const char *cluster_id;  /* "id" of the cluster */
	const char *cluster_uid; /* uid of the namespace kube-system */
	const json_t *volumes;   /* "projects/P/zones/Z/disks/N" */
	const json_t *service_uids;
	const json_t *negs;            /* names */
	const json_t *instance_groups; /* names or URLs */
	const json_t *names; /* of parts of load balancers, as objects of the cluster tell them */
	const json_t *paths; /* "/projects/P/...": what an earlier search has found to be its own */
	const char *
		since; /* when it was made, if nobody could ask its API server: what Kubernetes made later is weak */
};

struct compute_thing {
	enum compute_kind kind;
	char *name;
	char *path; /* "/projects/P/zones/Z/disks/N" */
	char *why;  /* "volume of the cluster" */
	bool ours;  /* false: it only looks like it, and is never to be deleted by us */
	bool in_use;
};
struct compute_things {
	struct compute_thing *v;
	size_t n;
	bool partial; /* something could not be listed: absence proves nothing */
};

/*
 * compute_match - does a thing belong to the cluster, by itself? Pure. Returns why (static), NULL: no. *ours as
 * above. A search follows links as well: rules to what they lead to, health checks from what they check.
 */
const char *compute_match(bool *ours, enum compute_kind kind, const char *path, const json_t *thing,
			  const struct compute_marks *m);
/*
 * compute_leftovers - all kinds, in the order of deletion. A kind that cannot be listed makes it
 * partial, with a line in detail (may be NULL); only when none can is it an error.
 */
int compute_leftovers(struct compute_things *out, struct gke *g, const char *project,
		      const struct compute_marks *m, struct buf *detail, struct err *e) MUST_CHECK;
void compute_things_release(struct compute_things *t);
/*
 * compute_delete - one thing and its operation to the end; absent is success. ERR_CONFLICT while
 * something else uses it, ERR_INVALID for one that is not ours.
 */
int compute_delete(struct gke *g, const char *project, const struct compute_thing *t,
		   const struct gke_wait *w, struct err *e) MUST_CHECK;

#endif
