/*
 * project.h - what a project allows: APIs that are switched on (service usage), rights of the caller
 * (resource manager).
 */
#ifndef GKE_PROJECT_H
#define GKE_PROJECT_H

#include "gke/api.h"

enum gke_service { GKE_SERVICE_UNKNOWN, GKE_SERVICE_ENABLED, GKE_SERVICE_DISABLED };

/*
 * serviceusage_state - is an API switched on? UNKNOWN when the caller may not ask (403), or the
 * service usage API is itself off: then going on is the only way to find out.
 */
int serviceusage_state(enum gke_service *out, struct gke *g, const char *project, enum gke_api api,
		       struct err *e) MUST_CHECK;

/*
 * resourcemanager_missing - which of permissions[n] (at most 100) the caller lacks on the project;
 * *out is an array of texts, owned. ERR_DENIED, ERR_NOT_FOUND: no such project, or none that may be
 * seen.
 */
int resourcemanager_missing(json_t **out, struct gke *g, const char *project,
			    const char *const *permissions, size_t n, struct err *e) MUST_CHECK;

#endif
