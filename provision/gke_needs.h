/*
 * gke_needs.h - what node pools take of a project's quotas, and what of their machines is left for pods. Pure.
 */
#ifndef PROVISION_GKE_NEEDS_H
#define PROVISION_GKE_NEEDS_H

#include "gke/compute.h"
#include "presto/presto.h"
#include "provision/gke_spec.h"

struct gke_size {
	const struct gke_pool *pools;
	const struct compute_machine *machines; /* of each pool; cpus 0: not known */
	size_t n;
	const json_t *zones; /* names of those that get nodes */
	const char *region;
};

/* gke_zones_used - those a cluster has nodes in: the body's locations, else its zone, else three of the region. Owned. */
json_t *gke_zones_used(const json_t *body, const char *location, const json_t *of_region);

/*
 * gke_quota_rows - [{"metric","where","needed","available","limit","short"}...]; quotas that Google does not tell have
 * null for available and limit. @most: with autoscaling at its end. Owned.
 */
json_t *gke_quota_rows(const struct gke_size *s, const struct compute_quotas *q, bool most);

/* What GKE leaves to pods of a machine, by its published rules. */
int64_t gke_allocatable_memory(int64_t bytes);
int64_t gke_allocatable_cpu(const char *machine_type, int cpus); /* thousandths */
/*
 * gke_nodes - as the API server will list them, for room.h: with autoscaling at its end, and no more of a pool than @p
 * has pods. @one: one of each pool. Pools whose machine is not known are left out. Owned.
 */
json_t *gke_nodes(const struct gke_size *s, const struct presto *p, bool one);
/* gke_system_pods - roughly what GKE's own pods ask for on each node of gke_nodes. Owned. */
json_t *gke_system_pods(const struct gke_size *s);

#endif
