/*
 * gke_rights.h - which permissions of Google's an `up` and a `down` of a GKE cluster take, the roles that bring them, and
 * what their absence means. Pure.
 */
#ifndef PROVISION_GKE_RIGHTS_H
#define PROVISION_GKE_RIGHTS_H

#include "base/jx.h"

#define GKE_RIGHTS_MAX 64

/* What an environment uses. */
struct gke_right_uses {
	bool registry; /* images go to Artifact Registry */
	bool dns;      /* the API server is reached by its DNS endpoint */
	bool machines; /* node pools of its own: not with Autopilot */
};
/* gke_rights - the permissions to ask about; static texts. Returns how many. */
size_t gke_rights(const char *out[GKE_RIGHTS_MAX], const struct gke_right_uses *uses);

/* What may be looked at. */
struct gke_right_groups {
	bool cluster; /* what GKE offers */
	bool quotas;  /* quotas and machine types */
};
void gke_rights_all(struct gke_right_groups *may);
/*
 * gke_rights_judge - @missing: those of them that the caller lacks. Adds to the report (gke_preflight.h): one problem
 * with a line for each permission that nothing works without, and a warning for each group that something needs.
 * @principal may be NULL.
 */
void gke_rights_judge(struct gke_right_groups *may, json_t *report, const json_t *missing,
		      const char *project, const char *principal);

#endif
