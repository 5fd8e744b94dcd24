/*
 * test_check.c - our verdict on resources. tests/integration/test_schema.py gives the same table to
 * a real API server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "presto/embed.h"
#include "presto/presto.h"

#define TABLE "tests/integration/wrong_resources.yaml"

static json_t *yaml(const char *text)
{
	json_t *docs = NULL;
	struct err e = ERR_INIT;

	if (y2j_parse(&docs, NULL, text, strlen(text), "test", Y2J_OWN, &e) < 0)
		fail_msg("%s", e.msg);
	json_t *one = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return one;
}

static json_t *resource_of(const json_t *c)
{
	json_t *r = yaml(
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: wrong}}");

	if (jx_get(c, "spec"))
		json_object_set(r, "spec", jx_get(c, "spec"));
	if (jx_get(c, "resource"))
		jx_merge(r, jx_get(c, "resource"));
	return r;
}

static void each_wrong_resource_is_refused_at_its_place(void **state UNUSED)
{
	autojson json_t *docs = NULL;
	struct err e = ERR_INIT;
	size_t i;
	json_t *c;

	if (y2j_file(&docs, NULL, TABLE, Y2J_OWN, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(json_array_size(json_array_get(docs, 0)) >= 25);
	json_array_foreach (json_array_get(docs, 0), i, c) {
		autojson json_t *r = resource_of(c);
		struct presto_cause cause = {0};
		size_t n = presto_check(&cause, 1, r);

		if (n < 1 || !streq(cause.path, jx_str(c, "path")) ||
		    !strstr(cause.msg, jx_str(c, "says")))
			fail_msg("%s: %zu findings, %s: %s", jx_str(c, "what"), n, cause.path,
				 cause.msg);
	}
}

static void a_resource_without_anything_is_fine(void **state UNUSED)
{
	static const char *const good[] = {
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}}",
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}, spec: null}",
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {generateName: a-}, "
		"spec: {}}",
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a, labels: {a: "
		"b}}, "
		"spec: {environment: null, worker: null}, status: {name: a}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		autojson json_t *r = yaml(good[i]);
		struct presto_cause cause;

		if (presto_check(&cause, 1, r))
			fail_msg("%s: %s", cause.path, cause.msg);
	}
}

static void a_resource_with_everything_is_fine(void **state UNUSED)
{
	autojson json_t *r = yaml(
		"apiVersion: starburstdata.com/v1\n"
		"kind: Presto\n"
		"metadata: {name: example-presto, namespace: default, annotations: {a: b}}\n"
		"spec:\n"
		"  nameOverride: example-presto\n"
		"  environment: test_1\n"
		"  imageNamePrefix: registry.example.org:5000/mirror/\n"
		"  image: {name: starburstdata/presto, tag: 312-e.1-k8s-0.7, pullPolicy: Always}\n"
		"  additionalJvmConfigProperties: |\n"
		"    # a comment\n"
		"    -XX:+UseStringDeduplication\n"
		"\n"
		"    -Dfoo=bar\n"
		"  additionalCatalogs:\n"
		"    tpcds: |\n"
		"      # generated data\n"
		"      connector.name = tpcds\n"
		"    sales_2: \"connector.name:postgresql\"\n"
		"  additionalEtcPrestoTextFiles: {log.properties: io.prestosql=DEBUG, a.txt: "
		"\"\"}\n"
		"  additionalEtcPrestoBinaryFiles: {keystore: \"AAEC\\nAw==\\n\"}\n"
		"  service: {type: NodePort, name: web, nodePort: 31234, additionalSpecProperties: "
		"{sessionAffinity: None}}\n"
		"  memory: {nodeMemoryHeadroom: 1Gi, xmxToTotalMemoryRatio: 1, "
		"heapHeadroomPerNodeRatio: 0,\n"
		"    queryMaxMemory: 100Ti, queryMaxTotalMemoryPerNodePoolFraction: 0.5}\n"
		"  coordinator: {cpuRequest: 2, cpuLimit: \"2.5\", memoryAllocation: 1073741824, "
		"nodeSelector: {disk: ssd},\n"
		"    affinity: {nodeAffinity: {x: [1, {z: null}]}}, additionalProperties: "
		"\"query.max-run-time=1h\"}\n"
		"  worker: {count: 0, cpuRequest: \"\", memoryAllocation: \"\", "
		"deploymentTerminationGracePeriodSeconds: 60,\n"
		"    prestoWorkerShutdownGracePeriodSeconds: 1}\n"
		"  readinessProbe: {initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1}\n"
		"  livenessProbe: {initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1, "
		"failureThreshold: 3}\n");
	struct presto_cause cause;

	if (presto_check(&cause, 1, r))
		fail_msg("%s: %s", cause.path, cause.msg);
}

static void the_examples_are_fine(void **state UNUSED)
{
	static const struct {
		const char *file, *at;
	} examples[] = {
		{"examples/presto.yaml", "0"},
		{"examples/local.yaml", "0.presto"},
		{"examples/existing.yaml", "0.presto"},
	};

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		autojson json_t *docs = NULL;
		autojson json_t *r = yaml("{apiVersion: starburstdata.com/v1, kind: Presto}");
		struct presto_cause cause;
		struct err e = ERR_INIT;

		if (y2j_file(&docs, NULL, examples[i].file, Y2J_OWN, &e) < 0)
			fail_msg("%s", e.msg);
		jx_merge(r, jx_path(docs, examples[i].at));
		if (presto_check(&cause, 1, r))
			fail_msg("%s: %s: %s", examples[i].file, cause.path, cause.msg);
	}
}

static void everything_wrong_is_counted_and_only_what_fits_is_told(void **state UNUSED)
{
	autojson json_t *r = yaml(
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}, "
		"spec: {foo: 1, bar: 2, worker: {count: x}}}");
	struct presto_cause causes[2];

	assert_int_equal(presto_check(causes, 2, r), 3);
	assert_string_equal(causes[0].path, "spec.foo");
	assert_string_equal(causes[1].path, "spec.bar");
	assert_int_equal(presto_check(NULL, 0, r), 3);
}

static void a_finding_points_into_the_file(void **state UNUSED)
{
	autojson json_t *r = yaml(
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}, "
		"spec: {additionalEtcPrestoTextFiles: {a/b~c: x}}}");
	struct presto_cause cause;

	assert_int_equal(presto_check(&cause, 1, r), 1);
	assert_string_equal(cause.pointer, "/spec/additionalEtcPrestoTextFiles/a~1b~0c");
}

static void what_does_not_fit_a_configmap_is_refused_with_the_numbers(void **state UNUSED)
{
	autojson json_t *r = yaml(
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}, spec: {}}");
	struct presto_cause cause;
	autofree char *big = xcalloc(1, 600001);

	memset(big, 'x', 600000);
	jx_set(r, "spec.additionalEtcPrestoTextFiles.a", json_string(big));
	assert_int_equal(presto_check(&cause, 1, r), 0);
	jx_set(r, "spec.additionalEtcPrestoTextFiles.b", json_string(big));
	assert_int_equal(presto_check(&cause, 1, r), 1);
	assert_string_equal(cause.path, "spec.additionalEtcPrestoTextFiles");
	assert_non_null(strstr(cause.msg, "1200002 bytes"));
	assert_non_null(strstr(cause.msg, "1032192"));
}

static void connector_name_is_found_as_java_reads_properties(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool has;
	} cases[] = {
		{"connector.name=a", true},
		{"\n  connector.name a\n", true},
		{"x=1\nconnector.name:a\n", true},
		{"connector.name\\\n=a", false}, /* a key over two lines: nobody writes this */
		{"x=1\\\nconnector.name=a", false},
		{"#x\\\nconnector.name=a", true},
		{"connector.names=a", false},
		{"connector.name=", false},
		{"connector.name = \r\n", false},
		{"connector.name", false},
		{"!connector.name=a", false},
		{"x=\"\\\\\\\\\"\nconnector.name=a", true},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *r = yaml(
			"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: a}}");

		jx_set(r, "spec.additionalCatalogs.a", json_string(cases[i].text));
		if (presto_check(NULL, 0, r) != !cases[i].has)
			fail_msg("\"%s\"", cases[i].text);
	}
}

/* The walker knows a subset: the schema must not leave it. */
static void refuse_foreign(const json_t *schema)
{
	static const char *const known[] = {
		"type",
		"description",
		"properties",
		"additionalProperties",
		"items",
		"required",
		"enum",
		"pattern",
		"minLength",
		"maxLength",
		"minimum",
		"maximum",
		"exclusiveMinimum",
		"exclusiveMaximum",
		"maxProperties",
		"x-kubernetes-int-or-string",
		"x-kubernetes-preserve-unknown-fields",
		"x-kubernetes-validations",
	};
	const char *k, *pattern = jx_str(schema, "pattern");
	const json_t *v;
	regex_t re;
	size_t i;

	jx_foreach (schema, k, v) {
		for (i = 0; i < ARRAY_LEN(known) && !streq(known[i], k); i++)
			;
		if (i == ARRAY_LEN(known))
			fail_msg("the walker does not know \"%s\"", k);
	}
	if (pattern) {
		assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
		regfree(&re);
		/* Where POSIX and Go's regular expressions part ways. */
		assert_null(strstr(pattern, "(?"));
		assert_null(strpbrk(pattern, "\n"));
	}
	jx_foreach (jx_get(schema, "properties"), k, v)
		refuse_foreign(v);
	if (jx_get(schema, "additionalProperties"))
		refuse_foreign(jx_get(schema, "additionalProperties"));
}

static void the_schema_uses_only_what_the_walker_knows(void **state UNUSED)
{
	autofree char *text = xstrndup(
		presto_manifest("crd.yaml")->start,
		(size_t)(presto_manifest("crd.yaml")->end - presto_manifest("crd.yaml")->start));
	autojson json_t *crd = yaml(text);

	refuse_foreign(jx_path(crd, "spec.versions.0.schema.openAPIV3Schema.properties.spec"));
	refuse_foreign(jx_path(crd, "spec.versions.0.schema.openAPIV3Schema.properties.metadata"));
}

static void anything_but_an_object_is_refused(void **state UNUSED)
{
	static const char *const texts[] = {
		"[]",
		"text",
		"7",
		"{}",
		"{apiVersion: 7}",
		"{metadata: []}",
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: []}",
		"{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: 7}}",
		"{apiVersion: starburstdata.com/v1, kind: Presto, spec: {}}"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		autojson json_t *r = yaml(texts[i]);

		assert_true(presto_check(NULL, 0, r) > 0);
	}
	assert_true(presto_check(NULL, 0, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_resource_is_refused_at_its_place),
		cmocka_unit_test(a_resource_without_anything_is_fine),
		cmocka_unit_test(a_resource_with_everything_is_fine),
		cmocka_unit_test(the_examples_are_fine),
		cmocka_unit_test(everything_wrong_is_counted_and_only_what_fits_is_told),
		cmocka_unit_test(a_finding_points_into_the_file),
		cmocka_unit_test(what_does_not_fit_a_configmap_is_refused_with_the_numbers),
		cmocka_unit_test(connector_name_is_found_as_java_reads_properties),
		cmocka_unit_test(the_schema_uses_only_what_the_walker_knows),
		cmocka_unit_test(anything_but_an_object_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
