/* embed_table.c - the names of what embed.S put into the binary. */
#include "presto/embed.h"

#include <string.h>

#include "base/mem.h"

/* clang-format off */
#define MANIFESTS(x) \
	x(crd) \
	x(service_account) \
	x(role) \
	x(role_binding) \
	x(operator)
/* clang-format on */

#define DECLARE(symbol)                                                                  \
	extern const char presto_embed_##symbol[] __attribute__((visibility("hidden"))); \
	extern const char presto_embed_##symbol##_end[] __attribute__((visibility("hidden")));
MANIFESTS(DECLARE)

#define ROW(symbol) {#symbol ".yaml", presto_embed_##symbol, presto_embed_##symbol##_end},
const struct embedded presto_manifests[] = {MANIFESTS(ROW)};
const size_t presto_manifests_len = ARRAY_LEN(presto_manifests);

const struct embedded *presto_manifest(const char *name)
{
	for (size_t i = 0; i < presto_manifests_len; i++)
		if (strcmp(presto_manifests[i].name, name) == 0)
			return &presto_manifests[i];
	return NULL;
}
