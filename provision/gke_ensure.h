/*
 * gke_ensure.h - a cluster that is there and is as the file says: made, adopted, waited for, or changed. Every step
 * looks first, so that a killed run goes on where it was.
 */
#ifndef PROVISION_GKE_ENSURE_H
#define PROVISION_GKE_ENSURE_H

#include "provision/gke_cluster.h"

/*
 * gke_claim - may we act on the cluster that was looked at? 0: it is ours (with --adopt: from now on). ERR_EXISTS: it is
 * not, and the hint says what can be done.
 */
int gke_claim(struct gke_cluster *k, struct err *e) MUST_CHECK;
/*
 * gke_ensure - @k was opened with a file. At the end k->live is a usable cluster. ERR_QUOTA: no quota, or no zone had
 * machines; ERR_TIMEOUT says what Google was busy with.
 */
int gke_ensure(struct gke_cluster *k, char words[200], struct err *e) MUST_CHECK;
/* gke_differences - what gke_ensure would change in k->live; asks how many nodes its pools really have. */
int gke_differences(struct gke_changes *out, struct gke_cluster *k, struct err *e) MUST_CHECK;
/* gke_usable - has it come so far that its API may answer? RECONCILING is: Google works on it while it serves. */
bool gke_usable(const struct gke_cluster *k);

#endif
