/* fuzz_presto_check.c - resources of any shape: the check ends, and what it lets pass can be decoded. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "base/yaml.h"
#include "presto/presto.h"

static void resource(const json_t *r)
{
	struct presto_cause causes[4];
	struct presto p;
	struct err e = ERR_INIT;
	size_t n = presto_check(causes, 4, r);

	for (size_t i = 0; i < n && i < 4; i++)
		MUST(*causes[i].msg && (*causes[i].path || !json_is_object(r)));
	if (presto_decode(&p, r, &e) < 0) {
		MUST(n && e.code == ERR_INVALID);
		return;
	}
	autofree char *image = presto_image(&p);
	MUST(*image && p.worker_count >= 0 && p.service_node_port > 0);
	MUST(strlen(p.cluster) < sizeof(p.cluster));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autojson json_t *documents = NULL;
	struct err e = ERR_INIT;

	if (y2j_parse(&documents, NULL, (const char *)data, size, "input", Y2J_OWN, &e) < 0)
		return 0;
	for (size_t i = 0; i < json_array_size(documents); i++) {
		json_t *one = json_array_get(documents, i);

		resource(one);
		/* Most inputs miss the identity: look at what is below it too. */
		if (json_is_object(one)) {
			json_object_set_new(one, "apiVersion", json_string(PRESTO_API_VERSION));
			json_object_set_new(one, "kind", json_string(PRESTO_KIND));
			resource(one);
		}
	}
	return 0;
}
