/*
 * fuzz_gke_spec.c - a section cluster.gke and a live cluster, as JSON texts with a line "---" between them: what the
 * checks accept becomes a body and differences, whatever Google tells.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/gke_spec.h"
#include "tests/fuzz/fuzz.h"

#define NOW (1795336931 * NS_SEC)

/* A change is a request with an address. */
static void look_at(const struct gke_changes *c)
{
	const struct gke_ref ref = {"p", "us-a1-b", "demo"};

	for (size_t i = 0; i < c->n; i++) {
		autojson json_t *request = gke_change_request(&c->v[i], &ref);

		MUST(starts_with(jx_str_or(request, "url", ""),
				 "/projects/p/locations/us-a1-b/clusters/demo"));
		MUST(c->v[i].what[0]);
	}
}

static void differ(const struct gke_spec *s, const json_t *live)
{
	AUTO(buf_release) struct buf detail = BUF_INIT(4096);
	struct gke_changes c = {0};
	struct err e = ERR_INIT;

	if (gke_spec_diff(&c, s, live, NOW, &detail, &e) == 0)
		look_at(&c);
	else
		MUST(e.code == ERR_INVALID && c.n == 0 && !c.v && detail.len);
	gke_changes_release(&c);
}

/* As it was asked for, told back: nothing to do, but that Google chooses the place. */
static void nothing_to_do(const struct gke_spec *s)
{
	const char *location = json_string_value(json_array_get(s->locations, 0));
	autojson json_t *told = gke_spec_body(s, location, "r", NOW);
	struct gke_changes c = {0};
	struct err e = ERR_INIT;

	json_object_set_new(told, "location", json_string(location));
	json_object_set_new(told, "currentMasterVersion",
			    json_string(jx_str_or(told, "initialClusterVersion", "1.33.1-gke.1")));
	MUST(gke_spec_diff(&c, s, told, NOW + NS_SEC, NULL, &e) == 0 && c.n == 0);
	gke_changes_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] =
		"{\"apiVersion\":\"prestoctl/v1\",\"kind\":\"Environment\",\"name\":\"demo\","
		"\"presto\":{\"metadata\":{\"name\":\"p\"}},\"cluster\":{\"provider\":\"gke\",\"gke\":";
	autofree char *input = xstrndup((const char *)data, size), *text = NULL;
	char *second = strstr(input, "\n---\n");
	AUTO(buf_release) struct buf more = BUF_INIT(64u << 10);
	AUTO(env_freep) struct env *v = NULL;
	struct gke_pool pools[GKE_POOLS_MAX];
	struct gke_env from = {0};
	struct gke_spec s = {0};
	autojson json_t *live = NULL;
	struct err e = ERR_INIT;

	if (second) {
		*second = '\0';
		if (jx_parse(&live, second + 5, strlen(second + 5), "live", &e) < 0)
			err_clear(&e);
	}
	text = xasprintf("%s%s}}", head, input);
	if (env_parse(&v, text, strlen(text), "input", "/nonexistent", &more, &e) < 0) {
		MUST(e.code == ERR_INVALID && starts_with(e.msg, "input"));
		return 0;
	}
	if (gke_spec_decode(&s, v, &from, &e) < 0) {
		MUST(e.code == ERR_INVALID);
		return 0;
	}
	MUST(json_array_size(s.locations) > 0 && gke_spec_pools(pools, &s) <= GKE_POOLS_MAX);
	nothing_to_do(&s);
	differ(&s, live);
	gke_spec_release(&s);
	return 0;
}
