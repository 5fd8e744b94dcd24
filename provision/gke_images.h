/*
 * gke_images.h - images for a GKE cluster: with cluster.gke.registry all that is installed comes from there, and what
 * has an archive here is pushed. Without it images are pulled from where they are.
 */
#ifndef PROVISION_GKE_IMAGES_H
#define PROVISION_GKE_IMAGES_H

#include "provision/provider.h"

/*
 * gke_images_prepare, gke_images - for the table of providers (provider.h). The state remembers a repository that was
 * made as "made.repository". Errors of a registry: ERR_DENIED with the registry's words, ERR_INVALID (an archive or a
 * repository that is of another kind, an image that is nowhere), ERR_IO when it stays away.
 */
int gke_images_prepare(struct provider_ctx *c, struct env *v, struct err *e);
int gke_images(struct provider_ctx *c, struct k8s *k, const char *const *refs, size_t n,
	       char words[200], struct err *e);

/*
 * gke_images_rename - put a prefix ("HOST/PATH", no slash at the end) before the operator's and Presto's image. An image
 * that names its registry stays, so does the operator's without @operator_too, Presto's without @presto_too and in a
 * resource with an imageNamePrefix of its own. ERR_INVALID: the names would be none. Pure.
 */
int gke_images_rename(struct env *v, const char *prefix, bool operator_too, bool presto_too,
		      struct err *e) MUST_CHECK;
/* gke_images_place - what an archive's "localhost/presto:312" is called below a prefix: "presto:312". Pure. Owned. */
char *gke_images_place(const char *prefix, const char *name);

#endif
