/* obj.c, res.c, watch.c and cond.c: looks at objects, and texts made from them. */
#include "tests/unit/unit.h"

#include "k8s/obj.h"
#include "k8s/wait.h"
#include "k8s/watch.h"

static json_t *parse(const char *text)
{
	struct err e = ERR_INIT;
	json_t *o = NULL;

	assert_ok(jx_parse(&o, text, strlen(text), "test", &e), &e);
	return o;
}

static void paths_name_group_namespace_object_and_part(void **state UNUSED)
{
	static const struct {
		const struct k8s_res *r;
		const char *ns, *name, *sub, *path;
	} cases[] = {
		{&K8S_POD, "ns", "p", NULL, "/api/v1/namespaces/ns/pods/p"},
		{&K8S_POD, "ns", NULL, "log", "/api/v1/namespaces/ns/pods"},
		{&K8S_POD, NULL, NULL, NULL, "/api/v1/pods"},
		{&K8S_POD, "", NULL, NULL, "/api/v1/pods"},
		{&K8S_NODE, "ns", "n", NULL, "/api/v1/nodes/n"},
		{&K8S_DEPLOYMENT, "ns", "d", "status",
		 "/apis/apps/v1/namespaces/ns/deployments/d/status"},
		{&K8S_PRESTO, "a b", "x/y", NULL,
		 "/apis/starburstdata.com/v1/namespaces/a%20b/prestos/x%2Fy"},
		{&K8S_CLUSTERROLE, NULL, "system:x", NULL,
		 "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct k8s_ref ref = {cases[i].ns, cases[i].name};
		autofree char *path = k8s_path(cases[i].r, &ref, cases[i].sub);
		assert_string_equal(path, cases[i].path);
	}
}

static void kinds_are_found_by_version_and_kind(void **state UNUSED)
{
	autojson json_t *d = parse("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}");
	autojson json_t *old = parse("{\"apiVersion\":\"apps/v1beta1\",\"kind\":\"Deployment\"}");

	assert_ptr_equal(k8s_res_of(d), &K8S_DEPLOYMENT);
	assert_null(k8s_res_of(old));
	assert_null(k8s_res_of(NULL));
	assert_string_equal(k8s_api_version(&K8S_DEPLOYMENT), "apps/v1");
	assert_string_equal(k8s_api_version(&K8S_POD), "v1");
	assert_string_equal(k8s_api_version(&K8S_PRESTO), "starburstdata.com/v1");
}

static void absent_things_are_null_and_owners_are_controllers(void **state UNUSED)
{
	autojson json_t *o = parse(
		"{\"kind\":\"K\",\"apiVersion\":\"g/v1\",\"metadata\":{\"name\":\"n\",\"namespace\":\"s\","
		"\"uid\":\"u\",\"labels\":{\"a.b/c\":\"1\"},\"generation\":3,\"deletionTimestamp\":\"x\","
		"\"ownerReferences\":[{\"uid\":\"1\"},{\"uid\":\"2\",\"controller\":true}]}}");
	autojson json_t *ref = obj_owner_ref(o);
	autofree char *key = obj_key(o);

	assert_string_equal(key, "s/n");
	assert_string_equal(obj_label(o, "a.b/c"), "1");
	assert_null(obj_label(o, "a"));
	assert_null(obj_annotation(o, "a"));
	assert_int_equal(obj_generation(o), 3);
	assert_true(obj_deleting(o));
	assert_string_equal(jx_str(obj_controller(o), "uid"), "2");
	assert_string_equal(jx_str(ref, "uid"), "u");
	assert_true(jx_bool(ref, "controller"));
	assert_true(jx_bool(ref, "blockOwnerDeletion"));
	assert_null(obj_name(NULL));
	assert_null(obj_controller(NULL));
	assert_null(obj_key(NULL));
	assert_false(obj_deleting(NULL));
}

static void a_conditions_time_moves_only_with_its_status(void **state UNUSED)
{
	autojson json_t *o = parse("{\"status\":{\"conditions\":[]}}");
	json_t *list = jx_path(o, "status.conditions");

	obj_condition_set(list, "Ready", false, "Starting", "one", 1, "t1");
	obj_condition_set(list, "Ready", false, "Starting", "two", 2, "t2");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(jx_str(obj_condition(o, "Ready"), "lastTransitionTime"), "t1");
	assert_string_equal(jx_str(obj_condition(o, "Ready"), "message"), "two");
	assert_false(obj_condition_true(o, "Ready"));
	obj_condition_set(list, "Ready", true, "Up", "", 3, "t3");
	assert_string_equal(jx_str(obj_condition(o, "Ready"), "lastTransitionTime"), "t3");
	assert_int_equal(jx_int(obj_condition(o, "Ready"), "observedGeneration"), 3);
	assert_true(obj_condition_true(o, "Ready"));
}

static void watch_lines_are_events_or_refused(void **state UNUSED)
{
	static const struct {
		const char *line, *message;
	} bad[] = {
		{"", "watch event"},
		{"{\"type\":\"ADDED\"", "watch event"},
		{"{\"type\":\"RENAMED\",\"object\":{}}", "unknown type \"RENAMED\""},
		{"{\"object\":{}}", "unknown type"},
		{"{\"type\":\"ADDED\",\"object\":[]}", "without an object"},
		{"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}",
		 "resourceVersion"},
		{"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}",
		 "without a name"},
		{"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\",\"resourceVersion\":"
		 "\"1\"}}}",
		 "without a name"},
		{"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"\"}}}",
		 "resourceVersion"},
	};
	const char *good = "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"a\","
			   "\"resourceVersion\":\"abc\"}}}";
	autojson json_t *o = NULL;
	enum watch_type type = WATCH_ERROR;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(watch_decode(&type, &o, bad[i].line, strlen(bad[i].line), &e), -1);
		assert_has(e.msg, bad[i].message);
		assert_fails(-1, &e, ERR_PROTOCOL);
		assert_null(o);
	}
	assert_ok(watch_decode(&type, &o, good, strlen(good), &e), &e);
	assert_int_equal(type, WATCH_DELETED);
	assert_string_equal(obj_rv(o), "abc");
}

static void deployments_are_ready_when_all_pods_are_new_and_available(void **state UNUSED)
{
	static const struct {
		const char *object, *why; /* why NULL: ready */
	} cases[] = {
		{NULL, "not there yet"},
		{"{\"metadata\":{\"generation\":2},\"status\":{\"observedGeneration\":1}}",
		 "has not looked"},
		{"{\"spec\":{\"replicas\":2},\"status\":{\"updatedReplicas\":1}}",
		 "1 of 2 pods updated"},
		{"{\"spec\":{\"replicas\":2},\"status\":{\"updatedReplicas\":2,\"replicas\":3}}",
		 "1 old pods still there"},
		{"{\"spec\":{\"replicas\":2},\"status\":{\"updatedReplicas\":2,\"replicas\":2,"
		 "\"availableReplicas\":1,\"conditions\":[{\"type\":\"Progressing\",\"status\":\"False\","
		 "\"message\":\"too slow\"}]}}",
		 "1 of 2 pods available: too slow"},
		{"{\"status\":{\"updatedReplicas\":1,\"replicas\":1,\"availableReplicas\":1}}",
		 NULL},
		{"{\"spec\":{\"replicas\":0},\"status\":{}}", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *o = cases[i].object ? parse(cases[i].object) : NULL;
		struct err e = ERR_INIT;
		char why[200] = "";
		int rc = k8s_cond_deployment_ready(o, why, sizeof(why), NULL, &e);

		assert_int_equal(rc, cases[i].why ? 0 : 1);
		assert_has(why, cases[i].why ? cases[i].why : "");
	}
}

static void a_definition_whose_names_are_taken_never_gets_established(void **state UNUSED)
{
	autojson json_t *taken = parse(
		"{\"status\":{\"conditions\":[{\"type\":\"NamesAccepted\","
		"\"status\":\"False\",\"message\":\"prestos is in use\"}]}}");
	autojson json_t *good = parse("{\"status\":{\"conditions\":[{\"type\":\"Established\","
				      "\"status\":\"True\"}]}}");
	char why[200] = "";
	struct err e = ERR_INIT;

	assert_int_equal(k8s_cond_crd_established(NULL, why, sizeof(why), NULL, &e), 0);
	assert_int_equal(k8s_cond_crd_established(good, why, sizeof(why), NULL, &e), 1);
	assert_int_equal(k8s_cond_crd_established(taken, why, sizeof(why), NULL, &e), -1);
	assert_has(e.msg, "prestos is in use");
}

static void a_condition_of_an_older_generation_does_not_count(void **state UNUSED)
{
	autojson json_t *o = parse(
		"{\"metadata\":{\"generation\":2},\"status\":{\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"True\",\"observedGeneration\":1}]}}");
	char why[200] = "", type[] = "Ready";
	struct err e = ERR_INIT;

	assert_int_equal(k8s_cond_true(o, why, sizeof(why), type, &e), 0);
	assert_has(why, "older generation");
	json_object_set_new(jx_path(o, "metadata"), "generation", json_integer(1));
	assert_int_equal(k8s_cond_true(o, why, sizeof(why), type, &e), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_name_group_namespace_object_and_part),
		cmocka_unit_test(kinds_are_found_by_version_and_kind),
		cmocka_unit_test(absent_things_are_null_and_owners_are_controllers),
		cmocka_unit_test(a_conditions_time_moves_only_with_its_status),
		cmocka_unit_test(watch_lines_are_events_or_refused),
		cmocka_unit_test(deployments_are_ready_when_all_pods_are_new_and_available),
		cmocka_unit_test(a_definition_whose_names_are_taken_never_gets_established),
		cmocka_unit_test(a_condition_of_an_older_generation_does_not_count),
	};

	return RUN(tests);
}
