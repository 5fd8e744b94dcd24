/*
 * gke_spec_internal.h - shared by gke_spec.c (bodies) and gke_spec_diff.c (changes): the parts of a body that are also
 * sent alone. Nobody else includes it. All of it is pure; what is returned is owned.
 */
#ifndef PROVISION_GKE_SPEC_INTERNAL_H
#define PROVISION_GKE_SPEC_INTERNAL_H

#include "provision/gke_spec.h"

/* The file's word as Google writes it: "NoSchedule" is "NO_SCHEDULE", "ipv4-ipv6" is "IPV4_IPV6". */
json_t *gke_spec_word(const char *word);
/* The section's nodePools, or the single pool that a cluster gets without them. */
json_t *gke_spec_pool_list(const struct gke_spec *s);
/* One of them as a NodePool, in a zone or region. */
json_t *gke_spec_pool(const struct gke_spec *s, const json_t *pool, const char *location);
json_t *gke_spec_taints(const json_t *pool);
/* With fields that the file leaves out left out. NULL: it says nothing of the kind. */
json_t *gke_spec_endpoints(const json_t *section);   /* ControlPlaneEndpointsConfig */
json_t *gke_spec_maintenance(const json_t *section); /* MaintenanceWindow */
/* "PROJECT.svc.id.goog" */
json_t *gke_spec_workload_pool(const struct gke_spec *s);
/* The labels of prestoctl that end a cluster at a time. */
void gke_spec_ttl_labels(json_t *labels, const struct gke_spec *s, ns_t now);
/* releaseChannel: none */
bool gke_spec_no_channel(const json_t *section);

#endif
