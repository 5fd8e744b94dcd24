/*
 * gke_remove.h - the end of a GKE cluster: what it has outside of itself is written down first (marks), then it is
 * deleted, then compute is searched for what it left.
 *
 * Marks, in the state at "gke.marks"; each run adds to what earlier ones wrote, so that a killed `down` goes on:
 *	{"id": of the cluster, "uid": of kube-system, "seen": true (its API server was asked for all of this),
 *	 "volumes": ["projects/P/zones/Z/disks/N"...] that it made, "brought": [the same] that it only used,
 *	 "services": [uid...], "negs": [name...], "groups": [URL...], "names": [of load balancer parts...],
 *	 "found": [path...] of all that was once proven to be its own}
 */
#ifndef PROVISION_GKE_REMOVE_H
#define PROVISION_GKE_REMOVE_H

#include "gke/compute.h"
#include "provision/provider.h"

/* The functions of the table of providers (provider.h). Each finds out by itself which cluster is meant. */
int gke_record(struct provider_ctx *c, struct k8s *k, struct err *e);
int gke_release(struct provider_ctx *c, struct k8s *k, struct err *e);
int gke_destroy(struct provider_ctx *c, char words[200], struct err *e);

/* --- marks: pure ------------------------------------------------------------------------------------ */

/* gke_marks_add - a text into one of the sets; at most 5,000 each. */
void gke_marks_add(json_t *marks, const char *set, const char *text);
/* gke_marks_cluster - id and instance groups of a cluster as Google shows it. */
void gke_marks_cluster(json_t *marks, const json_t *live);
/* gke_marks_object - what one PersistentVolume, Service, Ingress, Gateway, ServiceNetworkEndpointGroup tells. */
void gke_marks_object(json_t *marks, const char *kind, const json_t *object, const char *project);
/* gke_marks_view - for the search; borrows everything. */
struct compute_marks gke_marks_view(const json_t *marks, const char *cluster, const char *location);

/* --- ends of time ------------------------------------------------------------------------------------- */

/* gke_protected, gke_expires - by the labels of a cluster; 0: it has no end (or one that is no number). */
bool gke_protected(const json_t *live);
ns_t gke_expires(const json_t *live);

#endif
