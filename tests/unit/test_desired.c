/* test_desired.c - which edit rolls what, and the properties texts. */
#include "tests/unit/unit.h"

#include "operator/desired.h"
#include "operator/properties.h"

/* A resource with one field set (a dotted path and its JSON), as waves. */
static json_t *waves_with(const char *path, const char *value, const struct desired_ctx *ctx)
{
	json_t *resource = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:i}}", "apiVersion",
				     PRESTO_API_VERSION, "kind", PRESTO_KIND, "metadata", "name",
				     "example", "namespace", "default", "uid", "some-uid",
				     "generation", 1);
	static const struct desired_ctx fresh = {.agent_image = "operator:1"};
	json_t *waves = NULL;
	struct presto p;
	struct err e = ERR_INIT;

	if (path)
		jx_set(resource, path, json_loads(value, JSON_DECODE_ANY, NULL));
	assert_ok(presto_decode(&p, resource, &e), &e);
	assert_ok(desired_state(&waves, &p, ctx ? ctx : &fresh, &e), &e);
	json_decref(resource);
	return waves;
}

static const json_t *deployment(const json_t *waves, const char *role)
{
	size_t i;
	json_t *obj;

	json_array_foreach (json_array_get(waves, 1), i, obj) {
		if (streq(jx_str(obj, "metadata.labels.role"), role))
			return obj;
	}
	fail_msg("no Deployment of role %s", role);
	return NULL;
}

static const char *checksum(const json_t *waves, const char *role)
{
	return json_string_value(
		jx_get(jx_path(deployment(waves, role), "spec.template.metadata.annotations"),
		       ANNOTATION_CHECKSUM));
}

enum { NONE = 0, C = 1, W = 2, BOTH = 3 };

static const struct {
	const char *path, *value;
	int checksums, templates;
} edits[] = {
	{"spec.worker.count", "7", NONE, NONE},
	{"spec.service.type", "\"NodePort\"", NONE, NONE},
	{"spec.service.additionalSpecProperties", "{\"externalTrafficPolicy\":\"Local\"}", NONE,
	 NONE},
	{"spec.service.name", "\"front\"", W, W}, /* where workers look for the coordinator */
	{"spec.environment", "\"prod\"", BOTH, BOTH},
	{"spec.image.name", "\"other/presto\"", NONE, BOTH},
	{"spec.image.pullPolicy", "\"Always\"", NONE, BOTH},
	{"spec.additionalCatalogs", "{\"memory\":\"connector.name=memory\"}", BOTH, BOTH},
	{"spec.additionalEtcPrestoTextFiles", "{\"rules.json\":\"{}\"}", BOTH, BOTH},
	{"spec.additionalEtcPrestoBinaryFiles", "{\"key.bin\":\"AAEC\"}", BOTH, BOTH},
	{"spec.additionalJvmConfigProperties", "\"-Da=b\"", BOTH, BOTH},
	{"spec.additionalJvmConfigProperties", "\"# only a comment\"", NONE, NONE},
	{"spec.coordinator.additionalProperties", "\"query.max-run-time=1h\"", C, C},
	{"spec.worker.additionalProperties", "\"task.concurrency=8\"", W, W},
	{"spec.worker.additionalProperties", "\"# only a comment\"", NONE, NONE},
	{"spec.coordinator.memoryAllocation", "\"8Gi\"", C, C},
	{"spec.worker.memoryAllocation", "\"8Gi\"", W, W},
	{"spec.worker.memoryAllocation", "\"102400Mi\"", NONE,
	 W}, /* the same heap; the text in the template differs */
	{"spec.coordinator.cpuRequest", "\"4\"", NONE, C},
	{"spec.worker.cpuLimit", "\"16\"", NONE, W},
	{"spec.worker.nodeSelector", "{\"disk\":\"fast\"}", NONE, W},
	{"spec.coordinator.affinity", "{\"nodeAffinity\":{}}", NONE, C},
	{"spec.worker.deploymentTerminationGracePeriodSeconds", "600", NONE, W},
	{"spec.worker.prestoWorkerShutdownGracePeriodSeconds", "10", W, W},
	{"spec.memory.xmxToTotalMemoryRatio", "0.5", BOTH, BOTH},
	{"spec.memory.nodeMemoryHeadroom", "\"1Gi\"", NONE,
	 NONE}, /* only where the pod takes the whole node */
	{"spec.readinessProbe.periodSeconds", "9", NONE, BOTH},
};

static void each_edit_rolls_what_reads_it_and_nothing_else(void **state UNUSED)
{
	static const char *const roles[] = {"coordinator", "worker"};
	json_t *before = waves_with(NULL, NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		json_t *after = waves_with(edits[i].path, edits[i].value, NULL);
		int checksums = 0, templates = 0;

		for (int r = 0; r < 2; r++) {
			const json_t *a = deployment(before, roles[r]),
				     *b = deployment(after, roles[r]);

			checksums |= streq(checksum(before, roles[r]), checksum(after, roles[r]))
					     ? 0
					     : 1 << r;
			templates |= json_equal(jx_path(a, "spec.template"),
						jx_path(b, "spec.template"))
					     ? 0
					     : 1 << r;
		}
		if (checksums != edits[i].checksums || templates != edits[i].templates)
			fail_msg("%s = %s: checksums of %d, templates of %d", edits[i].path,
				 edits[i].value, checksums, templates);
		json_decref(after);
	}
	json_decref(before);
}

static const char *agent_of(const json_t *waves, const char *role)
{
	return jx_str(deployment(waves, role), "spec.template.spec.initContainers.0.image");
}

static const char *template_hash(const json_t *waves, const char *role)
{
	return json_string_value(jx_get(jx_path(deployment(waves, role), "metadata.annotations"),
					ANNOTATION_TEMPLATE));
}

static void a_newer_operator_image_alone_rolls_nothing(void **state UNUSED)
{
	json_t *before = waves_with(NULL, NULL, NULL);
	const struct desired_ctx ctx = {"operator:2",
					{"operator:1", template_hash(before, "coordinator")},
					{"operator:1", template_hash(before, "worker")}};
	json_t *after = waves_with(NULL, NULL, &ctx),
	       *edited = waves_with("spec.worker.cpuLimit", "\"16\"", &ctx);

	assert_true(json_equal(before, after));
	assert_string_equal(agent_of(edited, "coordinator"), "operator:1");
	assert_string_equal(agent_of(edited, "worker"), "operator:2");
	json_decref(before);
	json_decref(after);
	json_decref(edited);
}

static void selectors_are_instance_and_role_and_match_the_pods(void **state UNUSED)
{
	json_t *waves = waves_with(NULL, NULL, NULL);
	const json_t *d = deployment(waves, "worker"),
		     *selector = jx_path(d, "spec.selector.matchLabels");
	const char *key;
	json_t *v;

	assert_int_equal(json_object_size(selector), 2);
	jx_foreach (selector, key, v)
		assert_true(
			json_equal(v, jx_get(jx_path(d, "spec.template.metadata.labels"), key)));
	json_decref(waves);
}

static void a_config_map_that_is_too_large_is_refused_with_the_numbers(void **state UNUSED)
{
	autofree char *text = xcalloc(1, 270001);
	json_t *resource = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "apiVersion",
				     PRESTO_API_VERSION, "kind", PRESTO_KIND, "metadata", "name",
				     "x", "namespace", "default", "uid", "u");
	static const struct desired_ctx ctx = {.agent_image = "operator:1"};
	json_t *waves = NULL;
	struct presto p;
	struct err e = ERR_INIT;

	memset(text, 'x', 260000);
	for (int i = 0; i < 4; i++) {
		autofree char *name = xasprintf("spec.additionalCatalogs.c%d", i);

		jx_set(resource, name, jx_strf("connector.name=tpch\n# %s\n", text));
	}
	if (presto_decode(&p, resource, &e) == 0)
		assert_int_equal(desired_state(&waves, &p, &ctx, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_has(e.msg, "10");
	json_decref(resource);
}

static const struct {
	const char *ours, *theirs, *merged;
} merges[] = {
	{"a=1\nb=2\n", "", "a=1\nb=2\n"},
	{"a=1\nb=2\n", "b=3\n", "a=1\nb=3\n"},
	{"a=1\n", "a = 2", "a = 2\n"},
	{"a=1\n", "a:2\n", "a:2\n"},
	{"a=1\n", "a 2\n", "a 2\n"},
	{"a=1\n", "# a=2\n! a=3\n\n", "a=1\n"},
	{"a=1\n", "b=1\nb=2\nb=3\n", "a=1\nb=3\n"},
	{"a=1\n", "b=1,\\\n  2\n", "a=1\nb=1,\\\n  2\n"},
	{"a=1\n", "b=1\\\\\na=2\n", "b=1\\\\\na=2\n"},
	{"a=1\n", "  b=1\r\n", "a=1\nb=1\n"},
	{"a=1\n", "a\\=b=2\n", "a=1\na\\=b=2\n"},
	{"", "flag", "flag\n"},
	{"a=1\n", "b=2\\", "a=1\nb=2\n"},
	{"a=1\n", "\\", "a=1\n"},
};

static void lines_of_the_user_take_the_place_of_ours(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(merges); i++) {
		autofree char *got = NULL;
		struct err e = ERR_INIT;

		assert_ok(properties_merge(&got, merges[i].ours, merges[i].theirs, &e), &e);
		assert_string_equal(got, merges[i].merged);
	}
	assert_true(properties_has("x=1\n a.b : 2", "a.b"));
	assert_false(properties_has("x=a.b\n#a.b=1", "a.b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_edit_rolls_what_reads_it_and_nothing_else),
		cmocka_unit_test(a_newer_operator_image_alone_rolls_nothing),
		cmocka_unit_test(selectors_are_instance_and_role_and_match_the_pods),
		cmocka_unit_test(a_config_map_that_is_too_large_is_refused_with_the_numbers),
		cmocka_unit_test(lines_of_the_user_take_the_place_of_ours),
	};

	return RUN(tests);
}
