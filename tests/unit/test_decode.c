/* test_decode.c - resource to structure: defaults, spellings, and the field table against the
 * schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "presto/embed.h"
#include "presto/presto.h"

static json_t *yaml(const char *text, size_t len)
{
	json_t *docs = NULL;
	struct err e = ERR_INIT;

	if (y2j_parse(&docs, NULL, text, len, "test", Y2J_OWN, &e) < 0)
		fail_msg("%s", e.msg);
	json_t *one = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return one;
}

static json_t *with_spec(const char *spec)
{
	autofree char *text = xasprintf(
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: example, "
		"namespace: ns, uid: 5c0f4f9e-3a58-4f6b-8b5e-0c6f9a1d2b3c, generation: 3}, "
		"spec: %s}",
		spec);

	return yaml(text, strlen(text));
}

static void decode(struct presto *p, const json_t *r)
{
	struct err e = ERR_INIT;

	if (presto_decode(p, r, &e) < 0)
		fail_msg("%s", e.msg);
}

static void an_empty_specification_gives_the_documented_defaults(void **state UNUSED)
{
	autojson json_t *r = with_spec("{}");
	struct presto p;

	decode(&p, r);
	assert_ptr_equal(p.resource, r);
	assert_string_equal(p.name, "example");
	assert_string_equal(p.ns, "ns");
	assert_string_equal(p.uid, "5c0f4f9e-3a58-4f6b-8b5e-0c6f9a1d2b3c");
	assert_int_equal(p.generation, 3);
	assert_string_equal(p.cluster, "example-3j6hq3439l");
	assert_string_equal(p.env, "example3j6hq3439l");
	assert_string_equal(p.image_pull_policy, "IfNotPresent");
	assert_string_equal(p.service_type, "ClusterIP");
	assert_string_equal(p.service_name, "");
	assert_int_equal(p.service_node_port, 31234);
	assert_string_equal(p.memory_node_headroom, "2Gi");
	assert_string_equal(p.memory_query_max, "1Pi");
	assert_true(p.ratios.xmx_to_total == 0.9 && p.ratios.heap_headroom == 0.3 &&
		    p.ratios.query_max_total_per_node == 0.333);
	assert_string_equal(p.coordinator.cpu_request, "16");
	assert_string_equal(p.coordinator.cpu_limit, "");
	assert_string_equal(p.coordinator.memory_allocation, "60Gi");
	assert_string_equal(p.worker.memory_allocation, "100Gi");
	assert_null(p.worker.node_selector);
	assert_null(p.worker.affinity);
	assert_string_equal(p.worker.additional_properties, "");
	assert_int_equal(p.worker_count, 2);
	assert_int_equal(p.worker_termination_grace, 7200);
	assert_int_equal(p.worker_shutdown_grace, 120);
	assert_memory_equal(&p.readiness, (&(struct presto_probe){5, 5, 15, 3}),
			    sizeof(p.readiness));
	assert_memory_equal(&p.liveness, (&(struct presto_probe){300, 300, 15, 1}),
			    sizeof(p.liveness));
	assert_null(p.additional_catalogs);
	assert_null(p.etc_text_files);
	assert_null(p.etc_binary_files);
	assert_null(p.service_additional);
}

static void explicit_values_win_even_when_they_are_empty_or_numbers(void **state UNUSED)
{
	autojson json_t *r = with_spec(
		"{nameOverride: fixed, environment: prod, worker: {count: 0, cpuRequest: \"\", "
		"cpuLimit: 4, "
		"memoryAllocation: 8589934592, nodeSelector: {a: b}, affinity: {podAffinity: {}}}, "
		"coordinator: {cpuRequest: 2.0, memoryAllocation: \"\"}, memory: "
		"{xmxToTotalMemoryRatio: 1, queryMaxMemory: 100Ti}, "
		"service: {type: NodePort, nodePort: 32000}, livenessProbe: {failureThreshold: 5}, "
		"additionalCatalogs: {t: connector.name=tpch}}");
	struct presto p;

	decode(&p, r);
	assert_string_equal(p.cluster, "fixed");
	assert_string_equal(p.env, "prod");
	assert_int_equal(p.worker_count, 0);
	assert_string_equal(p.worker.cpu_request, "");
	assert_string_equal(p.worker.cpu_limit, "4");
	assert_string_equal(p.worker.memory_allocation, "8589934592");
	assert_string_equal(jx_str(p.worker.node_selector, "a"), "b");
	assert_non_null(p.worker.affinity);
	assert_string_equal(p.coordinator.cpu_request, "2");
	assert_string_equal(p.coordinator.memory_allocation, "");
	assert_true(p.ratios.xmx_to_total == 1.0);
	assert_string_equal(p.memory_query_max, "100Ti");
	assert_int_equal(p.service_node_port, 32000);
	assert_int_equal(p.liveness.failure_threshold, 5);
	assert_int_equal(p.liveness.period, 300);
	assert_string_equal(jx_str(p.additional_catalogs, "t"), "connector.name=tpch");
}

static void the_image_is_put_together_from_its_parts(void **state UNUSED)
{
	static const struct {
		const char *spec, *want;
	} cases[] = {
		{"{}", "starburstdata/presto:312-e.1-k8s-0.7"},
		{"{image: {name: localhost/presto, tag: \"312\"}}", "localhost/presto:312"},
		{"{image: {name: localhost/presto}}", "localhost/presto:312-e.1-k8s-0.7"},
		{"{image: {name: \"localhost:5000/presto:350\"}}", "localhost:5000/presto:350"},
		{"{image: {name: \"localhost:5000/presto\", tag: \"\"}}", "localhost:5000/presto"},
		{"{image: {name: \"presto@sha256:abc\"}}", "presto@sha256:abc"},
		{"{imageNamePrefix: \"gcr.io/project/\"}",
		 "gcr.io/project/starburstdata/presto:312-e.1-k8s-0.7"},
		{"{imageNamePrefix: \"MIRROR.example:5000/\", image: {name: presto, tag: a}}",
		 "MIRROR.example:5000/presto:a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *r = with_spec(cases[i].spec);
		struct presto p;

		decode(&p, r);
		autofree char *image = presto_image(&p);
		assert_string_equal(image, cases[i].want);
	}
}

static void before_the_server_gave_a_uid_there_is_no_name(void **state UNUSED)
{
	static const char text[] =
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}}";
	autojson json_t *r = yaml(text, strlen(text));
	struct presto p;

	decode(&p, r);
	assert_string_equal(p.cluster, "");
	jx_set(r, "spec.nameOverride", json_string("known"));
	decode(&p, r);
	assert_string_equal(p.cluster, "known");
}

static void a_wrong_resource_is_refused_by_its_first_finding(void **state UNUSED)
{
	autojson json_t *r = with_spec("{worker: {count: x}, foo: 1}");
	struct presto p = {.worker_count = 7};
	struct err e = ERR_INIT;

	assert_int_equal(presto_decode(&p, r, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.msg, "spec.foo: unknown field \"spec.foo\"");
	assert_string_equal(e.hint, "and 1 more");
	assert_int_equal(p.worker_count, 7);
}

static void a_status_of_a_newer_operator_does_not_matter(void **state UNUSED)
{
	autojson json_t *r = with_spec("{}");
	struct presto p;

	jx_set(r, "status.somethingNew", json_true());
	decode(&p, r);
	assert_int_equal(presto_check(NULL, 0, r), 1);
}

/* --- the table and the schema ------------------------------------------------------------------
 */

static bool type_fits(const struct field *f, const json_t *schema)
{
	const char *type = jx_str_or(schema, "type", "");
	bool open = json_is_true(jx_get(schema, "x-kubernetes-preserve-unknown-fields"));

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_TEXT:
		return streq(type, "string") && !jx_get(schema, "enum");
	case FIELD_ENUM:
		return streq(type, "string") && jx_get(schema, "enum");
	case FIELD_INT:
		return streq(type, "integer");
	case FIELD_NUMBER:
		return streq(type, "number");
	case FIELD_BOOL:
		return streq(type, "boolean");
	case FIELD_QUANTITY:
		return json_is_true(jx_get(schema, "x-kubernetes-int-or-string"));
	case FIELD_MAP:
		return streq(type, "object") && jx_get(schema, "additionalProperties");
	case FIELD_OBJECT:
		return streq(type, "object") && open;
	case FIELD_LIST:
		return streq(type, "array");
	case FIELD_GROUP:
		return streq(type, "object") && jx_get(schema, "properties");
	}
	return false;
}

static const struct field *field_of(const char *path)
{
	for (size_t i = 0; i < presto_fields_len; i++)
		if (streq(presto_fields[i].path, path))
			return &presto_fields[i];
	return NULL;
}

/* "Default 16;" and "Default 16." but not "Default 160". */
static bool tells_default(const char *help, const char *fallback)
{
	autofree char *want = xasprintf("Default %s", *fallback ? fallback : "\"\"");
	const char *at = strstr(help, want);

	if (at && strchr(".;:, ", at[strlen(want)]))
		return true;
	return !*fallback && strstr(help, "Default: no") != NULL;
}

static void compare(const json_t *schema, const char *path, size_t *seen)
{
	const struct field *f = field_of(path);
	const char *k;
	const json_t *v;

	if (!f)
		fail_msg("%s is in the schema, not in the table", path);
	(*seen)++;
	if (!type_fits(f, schema))
		fail_msg("%s has another type in the schema", path);
	if (!streq(f->help, jx_str(schema, "description")))
		fail_msg("%s: \"%s\" is not \"%s\"", path, f->help, jx_str(schema, "description"));
	if (f->fallback && !tells_default(f->help, f->fallback))
		fail_msg("%s: its help does not tell the default %s", path, f->fallback);
	jx_foreach (jx_get(schema, "properties"), k, v) {
		autofree char *child = xasprintf("%s.%s", path, k);

		compare(v, child, seen);
	}
}

static void table_and_schema_hold_the_same_fields(void **state UNUSED)
{
	const struct embedded *m = presto_manifest("crd.yaml");
	autojson json_t *crd = yaml(m->start, (size_t)(m->end - m->start));
	size_t seen = 0;

	compare(jx_path(crd, "spec.versions.0.schema.openAPIV3Schema.properties.spec"), "spec",
		&seen);
	/* Nothing in the table is missing from the schema; metadata.name is the server's own. */
	assert_int_equal(seen, presto_fields_len - 1);
	assert_non_null(field_of("metadata.name"));
}

/* A default that is not valid itself could not be written down explicitly. */
static void every_default_may_be_written_down(void **state UNUSED)
{
	for (size_t i = 0; i < presto_fields_len; i++) {
		const struct field *f = &presto_fields[i];
		autojson json_t *r = with_spec("{}");
		struct presto_cause cause;

		if (!f->fallback)
			continue;
		if (f->type == FIELD_INT)
			jx_set(r, f->path, json_integer(atoi(f->fallback)));
		else if (f->type == FIELD_NUMBER)
			jx_set(r, f->path, json_real(strtod(f->fallback, NULL)));
		else
			jx_set(r, f->path, json_string(f->fallback));
		if (streq(f->path, "spec.service.nodePort"))
			jx_set(r, "spec.service.type", json_string("NodePort"));
		if (presto_check(&cause, 1, r))
			fail_msg("%s: %s", cause.path, cause.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_specification_gives_the_documented_defaults),
		cmocka_unit_test(explicit_values_win_even_when_they_are_empty_or_numbers),
		cmocka_unit_test(the_image_is_put_together_from_its_parts),
		cmocka_unit_test(before_the_server_gave_a_uid_there_is_no_name),
		cmocka_unit_test(a_wrong_resource_is_refused_by_its_first_finding),
		cmocka_unit_test(a_status_of_a_newer_operator_does_not_matter),
		cmocka_unit_test(table_and_schema_hold_the_same_fields),
		cmocka_unit_test(every_default_may_be_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
