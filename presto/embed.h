/* embed.h - the manifests that we install, as files in presto/manifests, inside the binary. */
#ifndef PRESTO_EMBED_H
#define PRESTO_EMBED_H

#include <stddef.h>

struct embedded {
	const char *name;
	const char *start, *end;
};
/* crd.yaml service_account.yaml role.yaml role_binding.yaml operator.yaml (Deployment), in order of installing */
extern const struct embedded presto_manifests[];
extern const size_t presto_manifests_len;
const struct embedded *presto_manifest(const char *name); /* NULL if there is none */

#endif
