/*
 * gke_version.h - which version of Kubernetes a wish stands for, by what a location offers (serverConfig). Pure.
 */
#ifndef PROVISION_GKE_VERSION_H
#define PROVISION_GKE_VERSION_H

#include "base/jx.h"

#define GKE_VERSION_SIZE 64

/*
 * gke_version_resolve - @wanted: NULL, "", "-" (the default), "latest", "1.33", "1.33.1" or a whole version; @channel:
 * "REGULAR" as Google writes it, NULL is the same, "UNSPECIFIED" is none. *out is the version that Google would take,
 * empty when the location tells no list to judge by. ERR_INVALID: it would take none; the hint has the nearest ones.
 */
int gke_version_resolve(char out[GKE_VERSION_SIZE], const json_t *server, const char *channel,
			const char *wanted, struct err *e) MUST_CHECK;

#endif
