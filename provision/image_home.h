/*
 * image_home.h - the registry that a GKE environment's images are pushed to: a repository of Artifact Registry, or any
 * other registry.
 */
#ifndef PROVISION_IMAGE_HOME_H
#define PROVISION_IMAGE_HOME_H

#include "gke/push.h"
#include "provision/provider.h"

/* image_home_prefix - what stands before the names of images: "us-central1-docker.pkg.dev/P/presto". Owned. Asks for
 * the credential only when neither the file nor a variable names the project. */
int image_home_prefix(char **out, struct provider_ctx *c, const struct env *v,
		      struct err *e) MUST_CHECK;

struct image_home {
	char *prefix; /* of names in pods; from image_home_prefix */
	char *path;   /* before the names in the registry, "P/presto/"; or empty */
	struct push *push;
};

/* image_home_login - Google's credential into the options of a client. */
int image_home_login(struct push_opts *o, struct provider_ctx *c, struct err *e) MUST_CHECK;
/*
 * image_home_open - a client of it. A repository of Artifact Registry is made when it is not there. @o gives the
 * callbacks. ERR_INVALID, ERR_DENIED, ERR_NOT_FOUND (passwordFile), and all that Google says.
 */
int image_home_open(struct image_home *h, struct provider_ctx *c, struct push_opts o,
		    struct err *e) MUST_CHECK;
void image_home_release(struct image_home *h);

#endif
