/* test_manifests.c - what is embedded is what lies in presto/manifests, and it fits together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"
#include "presto/embed.h"
#include "presto/presto.h"

static json_t *parse(const char *name)
{
	const struct embedded *m = presto_manifest(name);
	json_t *docs = NULL;
	struct err e = ERR_INIT;

	assert_non_null(m);
	if (y2j_parse(&docs, NULL, m->start, (size_t)(m->end - m->start), name, Y2J_OWN, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(json_array_size(docs), 1);
	json_t *one = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return one;
}

static void every_manifest_on_disk_is_embedded_as_it_is(void **state UNUSED)
{
	DIR *d = opendir("presto/manifests");
	size_t found = 0;

	assert_non_null(d);
	for (struct dirent *f = readdir(d); f; f = readdir(d)) {
		if (!ends_with(f->d_name, ".yaml"))
			continue;
		const struct embedded *m = presto_manifest(f->d_name);
		autofree char *path = path_join("presto/manifests", f->d_name);
		autofree char *text = NULL;
		size_t len;
		struct err e = ERR_INIT;

		if (!m)
			fail_msg("%s is not in embed_table.c", f->d_name);
		assert_int_equal(file_read(&text, &len, path, 1 << 20, &e), 0);
		assert_int_equal(m->end - m->start, len);
		assert_memory_equal(m->start, text, len);
		found++;
	}
	closedir(d);
	assert_int_equal(found, presto_manifests_len);
}

static void the_definition_comes_first_and_the_operator_last(void **state UNUSED)
{
	static const char *const kinds[] = {"CustomResourceDefinition", "ServiceAccount", "Role",
					    "RoleBinding", "Deployment"};

	assert_int_equal(presto_manifests_len, ARRAY_LEN(kinds));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		autojson json_t *m = parse(presto_manifests[i].name);

		assert_string_equal(jx_str(m, "kind"), kinds[i]);
	}
	assert_null(presto_manifest("nothing.yaml"));
}

static void definition_says_what_presto_h_says(void **state UNUSED)
{
	autojson json_t *crd = parse("crd.yaml");

	assert_string_equal(jx_str(crd, "metadata.name"), PRESTO_CRD_NAME);
	assert_string_equal(jx_str(crd, "spec.group"), PRESTO_GROUP);
	assert_string_equal(jx_str(crd, "spec.names.kind"), PRESTO_KIND);
	assert_string_equal(jx_str(crd, "spec.versions.0.name"), "v1");
}

static void refuse_defaults(const json_t *schema)
{
	const char *k;
	const json_t *v;
	size_t n = json_array_size(schema);

	jx_foreach (schema, k, v) {
		assert_string_not_equal(k, "default");
		refuse_defaults(v);
	}
	for (size_t i = 0; i < n; i++)
		refuse_defaults(json_array_get(schema, i));
}

static void definition_carries_no_defaults(void **state UNUSED)
{
	autojson json_t *crd = parse("crd.yaml");

	refuse_defaults(crd);
}

static void the_operator_is_wired_to_its_account_and_cannot_do_more_than_it_must(
	void **state UNUSED)
{
	autojson json_t *operator= parse("operator.yaml");
	autojson json_t *account = parse("service_account.yaml");
	autojson json_t *role = parse("role.yaml");
	autojson json_t *binding = parse("role_binding.yaml");
	const json_t *pod = jx_path(operator, "spec.template.spec");
	const json_t *container = jx_path(pod, "containers.0");

	assert_string_equal(jx_str(pod, "serviceAccountName"), jx_str(account, "metadata.name"));
	assert_string_equal(jx_str(binding, "subjects.0.name"), jx_str(account, "metadata.name"));
	assert_string_equal(jx_str(binding, "roleRef.name"), jx_str(role, "metadata.name"));
	assert_string_equal(jx_str(operator, "spec.strategy.type"), "Recreate");
	assert_true(jx_bool(pod, "securityContext.runAsNonRoot"));
	assert_true(jx_bool(container, "securityContext.readOnlyRootFilesystem"));
	assert_string_equal(jx_str(container, "securityContext.capabilities.drop.0"), "ALL");
	assert_string_equal(jx_str(container, "env.3.name"), "OPERATOR_IMAGE");
	assert_string_equal(jx_str(container, "env.3.value"), jx_str(container, "image"));
}

static void the_role_has_no_wildcards_and_no_secrets(void **state UNUSED)
{
	autojson json_t *role = parse("role.yaml");
	autofree char *text = jx_canonical(role);

	assert_null(strchr(text, '*'));
	assert_null(strstr(text, "secrets"));
	assert_null(strstr(text, "escalate"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_manifest_on_disk_is_embedded_as_it_is),
		cmocka_unit_test(the_definition_comes_first_and_the_operator_last),
		cmocka_unit_test(definition_says_what_presto_h_says),
		cmocka_unit_test(definition_carries_no_defaults),
		cmocka_unit_test(
			the_operator_is_wired_to_its_account_and_cannot_do_more_than_it_must),
		cmocka_unit_test(the_role_has_no_wildcards_and_no_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
