/*
 * gke_remove.h - the end of a GKE cluster: what it has outside of itself is written down first (marks), then it is
 * deleted, then compute is searched for what it left.
 *
 * Marks, in the state at "gke.marks"; each run adds to what earlier ones wrote, so that a killed `down` goes on:
 *	{"id": of the cluster, "made": TIME, "uid": of kube-system, "seen": true (its API server told all of this),
 *	 "released": true (its load balancers were told to go), "volumes": ["projects/P/zones/Z/disks/N"...],
 *	 "services": [uid...], "negs": [name...], "groups": [URL...], "names": [of parts of load balancers...],
 *	 "found": [path...] of all that was once proven to be its own}
 */
#ifndef PROVISION_GKE_REMOVE_H
#define PROVISION_GKE_REMOVE_H

#include "gke/compute.h"
#include "provision/gke_cluster.h"

/* The functions of the table of providers (provider.h). Each finds out by itself which cluster is meant. */
int gke_record(struct provider_ctx *c, struct k8s *k, struct err *e);
int gke_release(struct provider_ctx *c, struct k8s *k, struct err *e);
int gke_destroy(struct provider_ctx *c, char words[200], struct err *e);

/*
 * gke_may_remove - is nothing against it: deletion protection (label or file), with gc a time that is not over yet?
 * ERR_DENIED with the remedy. @live may be NULL.
 */
int gke_may_remove(const struct gke_cluster *k, struct err *e) MUST_CHECK;

/* --- marks: pure, but for loading and saving ---------------------------------------------------------- */

json_t *gke_marks_load(
	const struct provider_ctx *c); /* a copy of what is remembered, or {}; owned */
int gke_marks_save(struct provider_ctx *c, const json_t *marks, struct err *e) MUST_CHECK;

/* gke_marks_add - a text into one of the sets, once; at most 5,000 each. NULL, empty and longer than 400 are ignored. */
void gke_marks_add(json_t *marks, const char *set, const char *text);
/* gke_marks_cluster - id, age and instance groups of a cluster as Google shows it. */
void gke_marks_cluster(json_t *marks, const json_t *live);
/* gke_marks_object - what a PersistentVolume, Service, Ingress, Gateway, ServiceNetworkEndpointGroup tells. */
void gke_marks_object(json_t *marks, const json_t *object, const char *project);
/* gke_marks_view - for the search; borrows everything. */
struct compute_marks gke_marks_view(const json_t *marks, const char *cluster, const char *location);

/* gke_protected, gke_expires - by a cluster's labels; 0: it has no end, or one that is no number. Wall clock. */
bool gke_protected(const json_t *live);
ns_t gke_expires(const json_t *live);

#endif
