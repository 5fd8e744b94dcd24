/*
 * gke_cluster.h - shared by the files of the provider gke: which cluster is meant, and whose it is.
 *
 * The state has (all of it may be lost: the labels of the cluster say the same, see --adopt):
 *	"gke": {"project":P, "location":L, "cluster":C, "run":HEX, "op":OPERATION or absent,
 *	        "credentials":PATH, "impersonate":EMAIL, "endpoint":"public"|"private"|"dns",
 *	        "marks":{...} from the moment when its removal began (gke_remove.h)}
 */
#ifndef PROVISION_GKE_CLUSTER_H
#define PROVISION_GKE_CLUSTER_H

#include "provision/gke_spec.h"
#include "provision/google.h"
#include "provision/provider.h"

/* Which cluster: from the file, or from the state when there is no file. */
struct gke_cluster {
	struct provider_ctx *c; /* borrowed */
	struct google *google;  /* borrowed from the app */
	bool has_spec;          /* there was a file: spec is filled */
	struct gke_spec spec;
	char *project, *name;
	char *location; /* where it is, or is being made; NULL: nowhere yet */
	char *run;      /* the run label that we wrote down; NULL: none */
	enum gke_way way;
	json_t *live; /* as last looked at, owned; NULL: it is not there */
};

/* gke_cluster_open - logs in, finds out which one is meant; sends nothing to the container API. */
int gke_cluster_open(struct gke_cluster *k, struct provider_ctx *c, struct err *e) MUST_CHECK;
/*
 * gke_cluster_look - GET it (where the state says; else in every location, by name). Fills location and live; an absent
 * cluster is success with live NULL, and then a location that the file does not name is forgotten.
 */
int gke_cluster_look(struct gke_cluster *k, struct err *e) MUST_CHECK;
/* gke_cluster_seen - the same from the last look of this process, when that was at this cluster; false: look. */
bool gke_cluster_seen(struct gke_cluster *k);
/* gke_cluster_reach - what the file says of reaching it (endpoint, credentials), into the section of the state. */
void gke_cluster_reach(json_t *gke, const struct gke_cluster *k);
void gke_cluster_release(struct gke_cluster *k);
struct gke_ref gke_cluster_ref(const struct gke_cluster *k); /* borrowed; location must be known */

/* gke_cluster_place - where it is, or where it would be made first. With a file only. Borrowed. */
const char *gke_cluster_place(const struct gke_cluster *k);

enum gke_whose {
	GKE_WHOSE_OURS,   /* the run label is the one that we wrote down */
	GKE_WHOSE_LOST,   /* made for our environment, but no state says that we did: --adopt */
	GKE_WHOSE_OTHERS, /* somebody else's */
};
enum gke_whose gke_cluster_whose(const struct gke_cluster *k);

/*
 * gke_waits - how to wait for an operation of this step: progress on the step's line, the app's deadline, details below
 * the error. @why may be NULL.
 */
struct gke_wait gke_waits(struct app *a, struct gke_error *why);

#endif
