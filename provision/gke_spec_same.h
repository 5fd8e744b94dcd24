/*
 * gke_spec_same.h - is what Google tells the same as what was asked of it? Google writes many things its own way. Pure.
 */
#ifndef PROVISION_GKE_SPEC_SAME_H
#define PROVISION_GKE_SPEC_SAME_H

#include "base/jx.h"

/*
 * version_older - is @have ("1.33.1-gke.1386000") older than @want, as far as that goes ("1.33", "1.33.5")? Never, when
 * @want is no number ("latest", "-").
 */
bool version_older(const char *have, const char *want);
bool same_cidr(const char *a, const char *b);
/* same_networks - MasterAuthorizedNetworksConfig: switched on, the same ranges; names only where @asked has some. */
bool same_networks(const json_t *asked, const json_t *have);
bool same_taints(const json_t *asked, const json_t *have); /* lists of NodeTaint in any order */
bool same_window(const json_t *asked, const json_t *have); /* MaintenanceWindow */

#endif
