/*
 * registry.h - does a registry have an image, as far as one can ask without credentials?
 */
#ifndef PROVISION_REGISTRY_H
#define PROVISION_REGISTRY_H

#include "base/loop.h"

enum registry_answer {
	REGISTRY_HAS,
	REGISTRY_HAS_NOT, /* it says so, or no registry can know the name */
	REGISTRY_UNKNOWN, /* it does not answer here, or wants credentials that the nodes may have */
};

struct image_ref {
	char host[256], repository[256], tag[129];
}; /* tag: or a digest */

/* image_ref_parse - as docker reads it: no host means docker.io, no tag latest. false: not an image name. Pure. */
bool image_ref_parse(struct image_ref *out, const char *ref);
/*
 * image_path - the place in @ref after its registry: "localhost/presto:312" and "presto:312" are "presto:312",
 * "docker.io/library/postgres:13" is "postgres:13". *named (may be NULL): a registry is named, which localhost/ is not:
 * so are images called that were made here. Pure.
 */
const char *image_path(const char *ref, bool *named);
/* registry_look - asks for the manifest, with an anonymous token where the registry offers one. At most 10 s. */
enum registry_answer registry_look(struct loop *l, const char *ref, char *why, size_t size);

#endif
