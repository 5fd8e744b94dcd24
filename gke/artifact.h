/*
 * artifact.h - repositories of Artifact Registry. What goes into them is push.h.
 */
#ifndef GKE_ARTIFACT_H
#define GKE_ARTIFACT_H

#include "gke/container.h"

/*
 * artifact_ensure - a Docker repository with these labels (may be NULL) in a region; one that is
 * there is left as it is. *made says which. *uri (owned) is where images go, as the repository itself says:
 * "us-central1-docker.pkg.dev/p/presto". ERR_INVALID: one of that name holds something else.
 */
int artifact_ensure(bool *made, char **uri, struct gke *g, const struct gke_ref *r,
		    const json_t *labels, const struct gke_wait *w, struct err *e) MUST_CHECK;
/* artifact_delete - with all its images; absent is success. */
int artifact_delete(struct gke *g, const struct gke_ref *r, const struct gke_wait *w,
		    struct err *e) MUST_CHECK;
/* artifact_host - "us-central1-docker.pkg.dev". Owned. artifact_prefix - "HOST/PROJECT/NAME". Owned. */
char *artifact_host(const char *region) NEVER_NULL;
char *artifact_prefix(const struct gke_ref *r) NEVER_NULL;

#endif
