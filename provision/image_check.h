/*
 * image_check.h - can the nodes start these images? Said before anything is made of them: a node would say it only
 * minutes later.
 */
#ifndef PROVISION_IMAGE_CHECK_H
#define PROVISION_IMAGE_CHECK_H

#include "k8s/k8s.h"
#include "provision/app.h"

struct image_check {
	struct app *app;
	json_t *nodes; /* NULL: they may not be listed */
	size_t on_nodes, in_registry, unknown;
};

/* image_check_begin - lists the nodes; not being allowed to is no error. */
int image_check_begin(struct image_check *c, struct app *a, struct k8s *k,
		      struct err *e) MUST_CHECK;
/*
 * image_check_one - on every node, or in a registry that is asked without credentials. ERR_INVALID: neither; a warning
 * when the registry does not tell.
 */
int image_check_one(struct image_check *c, const char *ref, struct err *e) MUST_CHECK;
void image_check_release(struct image_check *c);
/* image_check_all - the three together: all that a provider does that brings nothing to the nodes. */
int image_check_all(struct app *a, struct k8s *k, const char *const *refs, size_t n,
		    char words[200], struct err *e) MUST_CHECK;

#endif
