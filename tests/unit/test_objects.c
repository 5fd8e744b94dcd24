/* test_objects.c - intents, the walk against live objects, and what is decided; the plan's text. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "base/file.h"
#include "base/version.h"
#include "provision/plan.h"

static json_t *js(const char *text)
{
	struct err e = ERR_INIT;
	json_t *o = NULL;

	assert_ok(jx_parse(&o, text, strlen(text), "test", &e), &e);
	return o;
}

static void the_walk_finds_the_first_difference(void **state UNUSED)
{
	static const struct {
		const char *want, *live, *where; /* NULL: it holds */
	} cases[] = {
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", NULL},
		{"{\"a\":1}", "{\"a\":2}", "a: 2, not 1"},
		{"{\"a\":1}", "{}", "a: absent, not 1"},
		{"{\"a\":1}", "{\"a\":1.0}", NULL},
		{"{\"a\":\"1\"}", "{\"a\":1}", "a: 1, not \"1\""},
		{"{\"a\":{}}", "{}", NULL},
		{"{\"a\":\"\",\"b\":[]}", "{}", NULL},
		{"{\"a\":[1,2]}", "{\"a\":[1]}", "a: [1], not [1,2]"},
		{"{\"a\":[{\"n\":\"x\"}]}", "{\"a\":[{\"n\":\"x\",\"d\":1}]}", NULL},
		{"{\"a\":[{\"n\":\"x\"}]}", "{\"a\":[{\"n\":\"y\"}]}", "a.0.n: \"y\", not \"x\""},
		{"{\"r\":{\"requests\":{\"memory\":\"1Gi\"}}}",
		 "{\"r\":{\"requests\":{\"memory\":\"1024Mi\"}}}", NULL},
		{"{\"r\":{\"limits\":{\"cpu\":1}}}", "{\"r\":{\"limits\":{\"cpu\":\"1\"}}}", NULL},
		{"{\"memory\":\"1Gi\"}", "{\"memory\":\"1024Mi\"}",
		 "memory: \"1024Mi\", not \"1Gi\""},
		{"{\"a\":true}", "{\"a\":false}", "a: false, not true"},
		{"{\"a\":null}", "{}", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *want = js(cases[i].want), *live = js(cases[i].live);
		char where[INTENT_WHERE];

		if (intent_holds(want, live, where) != (cases[i].where == NULL))
			fail_msg("%s against %s: %s", cases[i].want, cases[i].live, where);
		if (cases[i].where)
			assert_string_equal(where, cases[i].where);
	}
}

static const struct install in = {
	.env = "a", .ns = "ns", .image = "img:1", .pull_policy = "Always"};

static void manifests_are_filled_in(void **state UNUSED)
{
	autojson json_t *op = object_want(OBJ_OPERATOR, &in),
			*binding = object_want(OBJ_BINDING, &in);
	autojson json_t *crd = object_want(OBJ_CRD, &in);
	const json_t *env;
	bool told = false;

	assert_string_equal(jx_str(op, "metadata.namespace"), "ns");
	assert_string_equal(jx_str(op, "spec.template.spec.containers.0.image"), "img:1");
	assert_string_equal(jx_str(op, "spec.template.spec.containers.0.imagePullPolicy"),
			    "Always");
	env = jx_path(op, "spec.template.spec.containers.0.env");
	for (size_t i = 0; i < json_array_size(env); i++)
		told = told || (streq(jx_str(json_array_get(env, i), "name"), "OPERATOR_IMAGE") &&
				streq(jx_str(json_array_get(env, i), "value"), "img:1"));
	assert_true(told);
	assert_string_equal(jx_str(binding, "subjects.0.namespace"), "ns");
	assert_null(jx_path(crd, "metadata.namespace"));
	assert_string_equal(
		json_string_value(jx_get(jx_path(crd, "metadata.annotations"), VERSION_ANNOTATION)),
		version_text);
}

static void without_an_environment_there_are_no_marks(void **state UNUSED)
{
	const struct install plain = {.ns = "ns", .image = "img:1"};

	for (enum object_id id = 0; id < OBJ_PRESTO; id++) {
		autojson json_t *o = object_want(id, &plain);
		autofree char *text = jx_canonical(o);

		assert_null(strstr(text, "prestoctl"));
	}
}

static void label(json_t *o, const char *value)
{
	json_t *labels = jx_path(o, "metadata.labels");

	if (value)
		json_object_set_new(labels, ENV_LABEL, json_string(value));
	else
		json_object_del(labels, ENV_LABEL);
}

static struct object object(enum object_id id, const char *live_label)
{
	struct object o = {.want = object_want(id, &in)};

	o.live = json_deep_copy(o.want);
	label(o.live, live_label);
	return o;
}

static void object_clear(struct object *o)
{
	json_decref(o->want);
	json_decref(o->live);
}

static void what_is_as_wanted_is_kept(void **state UNUSED)
{
	for (enum object_id id = 0; id < OBJ_PRESTO; id++) {
		struct object o = object(id, "a");
		struct err e = ERR_INIT;

		assert_ok(object_decide(&o, id, "a", &e), &e);
		if (o.action != OBJECT_KEEP || !o.ours)
			fail_msg("%s: %s", object_names[id], o.why);
		object_clear(&o);
	}
}

static void absent_and_leaving_objects_are_made(void **state UNUSED)
{
	struct object o = {.want = object_want(OBJ_ROLE, &in)};
	struct err e = ERR_INIT;

	assert_ok(object_decide(&o, OBJ_ROLE, "a", &e), &e);
	assert_int_equal(o.action, OBJECT_CREATE);
	o.live = json_deep_copy(o.want);
	jx_set(o.live, "metadata.deletionTimestamp", json_string("2020-01-01T00:00:00Z"));
	assert_ok(object_decide(&o, OBJ_ROLE, "a", &e), &e);
	assert_int_equal(o.action, OBJECT_CREATE);
	assert_has(o.why, "being removed");
	object_clear(&o);
}

static void drift_and_dropped_fields_are_changes(void **state UNUSED)
{
	struct object o = object(OBJ_OPERATOR, "a");
	struct err e = ERR_INIT;

	jx_set(o.live, "spec.replicas", json_integer(0));
	assert_ok(object_decide(&o, OBJ_OPERATOR, "a", &e), &e);
	assert_int_equal(o.action, OBJECT_CHANGE);
	assert_has(o.why, "spec.replicas: 0, not 1");
	jx_set(o.live, "spec.replicas", json_integer(1));
	json_object_set_new(jx_path(o.live, "metadata.annotations"), APPLIED_ANNOTATION,
			    json_string("0123456789abcdef"));
	assert_ok(object_decide(&o, OBJ_OPERATOR, "a", &e), &e);
	assert_int_equal(o.action, OBJECT_CHANGE);
	assert_has(o.why, "no longer");
	object_clear(&o);

	/* When both differ, the field is what a reader wants to know. */
	o = object(OBJ_OPERATOR, "a");
	json_object_set_new(jx_path(o.live, "metadata.annotations"), APPLIED_ANNOTATION,
			    json_string("0123456789abcdef"));
	jx_set(o.live, "spec.replicas", json_integer(0));
	assert_ok(object_decide(&o, OBJ_OPERATOR, "a", &e), &e);
	assert_has(o.why, "spec.replicas");
	object_clear(&o);
}

static void a_namespace_of_others_is_kept_as_it_is(void **state UNUSED)
{
	struct object o = object(OBJ_NAMESPACE, NULL);
	struct err e = ERR_INIT;

	json_object_del(jx_path(o.live, "metadata"), "annotations");
	assert_ok(object_decide(&o, OBJ_NAMESPACE, "a", &e), &e);
	assert_int_equal(o.action, OBJECT_KEEP);
	assert_false(o.ours);
	object_clear(&o);
}

static void objects_of_another_environment_are_refused(void **state UNUSED)
{
	struct object o = object(OBJ_OPERATOR, "b");
	struct err e = ERR_INIT;

	assert_int_equal(object_decide(&o, OBJ_OPERATOR, "a", &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_has(e.msg, "environment 'b'");
	object_clear(&o);
}

static void the_crd_is_shared_and_never_downgraded(void **state UNUSED)
{
	static const struct {
		const char *label, *version;
		bool drift;
		enum object_action action;
	} cases[] = {
		{"a", "0.0.1", false, OBJECT_CHANGE}, {"a", "99.0.0", true, OBJECT_KEEP},
		{"b", NULL, false, OBJECT_KEEP},      {NULL, NULL, false, OBJECT_KEEP},
		{NULL, NULL, true, OBJECT_CHANGE},    {"b", "0.0.1", true, OBJECT_CHANGE},
		{"b", "99.0.0", true, OBJECT_KEEP},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct object o = object(OBJ_CRD, cases[i].label);
		json_t *annotations = jx_path(o.live, "metadata.annotations");
		struct err e = ERR_INIT;

		if (cases[i].version)
			json_object_set_new(annotations, VERSION_ANNOTATION,
					    json_string(cases[i].version));
		else
			json_object_clear(annotations);
		if (cases[i].drift)
			jx_set(o.live, "spec.versions.0.served", json_false());
		assert_ok(object_decide(&o, OBJ_CRD, "a", &e), &e);
		if (o.action != cases[i].action)
			fail_msg("case %zu: %d, %s", i, (int)o.action, o.why);
		/* What is another's stays another's. */
		if (o.action == OBJECT_CHANGE)
			assert_true(streq(json_string_value(jx_get(
						  jx_path(o.want, "metadata.labels"), ENV_LABEL)),
					  cases[i].label));
		object_clear(&o);
	}
}

static void two_environments_do_not_rewrite_the_crd_in_turns(void **state UNUSED)
{
	const struct install other = {.env = "b", .ns = "x", .image = "img:2"};
	struct object o = {.want = object_want(OBJ_CRD, &in), .live = object_want(OBJ_CRD, &other)};
	struct err e = ERR_INIT;

	assert_ok(object_decide(&o, OBJ_CRD, "a", &e), &e);
	assert_int_equal(o.action, OBJECT_KEEP);
	assert_false(o.ours);
	object_clear(&o);
}

static void versions_are_compared_as_numbers(void **state UNUSED)
{
	assert_true(version_cmp("0.10.0", "0.9.2") > 0);
	assert_true(version_cmp("1.0", "1.0.1") < 0);
	assert_true(version_cmp("1.2.3", "1.2.3") == 0);
	assert_true(version_cmp("junk", "0.0.1") < 0);
	assert_true(version_cmp(NULL, NULL) == 0);
}

/* The plan's text against tests/golden/plan; GOLDEN_UPDATE=1 writes it anew. */
static void compare(const char *name, const char *got)
{
	autofree char *path = xasprintf("tests/golden/plan/%s.txt", name), *expected = NULL;
	struct err e = ERR_INIT;
	size_t len;

	if (getenv("GOLDEN_UPDATE")) {
		assert_ok(file_write_atomic(path, got, strlen(got), 0644, &e), &e);
		return;
	}
	assert_ok(file_read(&expected, &len, path, 1u << 20, &e), &e);
	assert_string_equal(got, expected);
}

static void plans_read_as_expected(void **state UNUSED)
{
	static const char text[] =
		"apiVersion: prestoctl/v1\nkind: Environment\nname: a\ncluster: {provider: local}\n"
		"presto: {metadata: {name: p}, spec: {worker: {count: 3}}}\n";
	AUTO(buf_release) struct buf out = BUF_INIT(PLAN_MAX), more = BUF_INIT(1024);
	AUTO(env_freep) struct env *v = NULL;
	struct step_ctx c = {.cluster = {.words = "default is absent"}};
	autojson json_t *json = NULL;
	struct err e = ERR_INIT;

	assert_ok(env_parse(&v, text, strlen(text), "f", "/tmp", &more, &e), &e);
	c.env = v;
	objects_of(c.objects, v);
	for (size_t i = 0; i < OBJ_COUNT; i++)
		assert_ok(object_decide(&c.objects[i], (enum object_id)i, "a", &e), &e);
	plan_text(&out, &c);
	compare("from-nothing", buf_str(&out));

	c.cluster = (struct cluster_facts){
		.ready = true, .exists = true, .words = "default, 2 nodes"};
	for (size_t i = 0; i < OBJ_COUNT; i++) {
		c.objects[i].live = json_deep_copy(c.objects[i].want);
		if (i == OBJ_PRESTO)
			jx_set(c.objects[i].live, "spec.worker.count", json_integer(2));
		assert_ok(object_decide(&c.objects[i], (enum object_id)i, "a", &e), &e);
	}
	buf_clear(&out);
	plan_text(&out, &c);
	compare("one-change", buf_str(&out));
	json = plan_json(&c);
	assert_int_equal(jx_int(json, "changes"), 1);
	assert_string_equal(jx_str(json, "objects.6.action"), "change");
	objects_release(c.objects);
}

static const char details[] =
	"{\"version\":\"1.32.4-gke.1415000\",\"changes\":[\"pool workers: 3 nodes per zone, not 2\"],"
	"\"requests\":[{\"method\":\"POST\",\"url\":\"/projects/p/locations/us-central1/clusters\","
	"\"body\":{\"cluster\":{\"name\":\"a\"}}}],"
	"\"quotas\":[{\"metric\":\"CPUS\",\"where\":\"us-central1\",\"needed\":36,\"available\":72,"
	"\"limit\":72,\"short\":false},"
	"{\"metric\":\"SSD_TOTAL_GB\",\"where\":\"us-central1\",\"needed\":900,\"available\":480.5,"
	"\"limit\":500,\"short\":true},"
	"{\"metric\":\"C4_CPUS\",\"where\":\"us-central1\",\"needed\":4,\"available\":null,"
	"\"limit\":null,\"short\":false}],"
	"\"warnings\":[\"something is not known\"],"
	"\"problems\":[{\"code\":\"denied\",\"text\":\"me lacks 1 permission\",\"hint\":\"grant it\","
	"\"lines\":[\"missing: one\"]},"
	"{\"code\":\"quota\",\"text\":\"not enough quota\",\"hint\":\"ask for more\"}]}";

/* What a provider adds is shown, and its first problem is the error. */
static void a_provider_s_details_are_part_of_the_plan(void **state UNUSED)
{
	static const char text[] =
		"apiVersion: prestoctl/v1\nkind: Environment\nname: a\ncluster: {provider: local}\n"
		"presto: {metadata: {name: p}, spec: {worker: {count: 3}}}\n";
	AUTO(buf_release) struct buf out = BUF_INIT(PLAN_MAX), more = BUF_INIT(1024);
	AUTO(env_freep) struct env *v = NULL;
	struct app a = {.detail = BUF_INIT(APP_DETAIL_MAX)};
	struct step_ctx c = {.cluster = {.words = "GKE cluster a is absent"}};
	autojson json_t *json = NULL, *good = json_object();
	struct err e = ERR_INIT;

	assert_ok(jx_parse(&c.cluster.details, details, strlen(details), "details", &e), &e);
	assert_ok(env_parse(&v, text, strlen(text), "f", "/tmp", &more, &e), &e);
	c.env = v;
	objects_of(c.objects, v);
	for (size_t i = 0; i < OBJ_COUNT; i++)
		assert_ok(object_decide(&c.objects[i], (enum object_id)i, "a", &e), &e);
	plan_text(&out, &c);
	compare("with-problems", buf_str(&out));
	json = plan_json(&c);
	assert_string_equal(jx_str(json, "cluster.requests.0.body.cluster.name"), "a");
	assert_string_equal(jx_str(json, "cluster.action"), "make");
	assert_true(jx_bool(json, "cluster.quotas.1.short"));
	assert_int_equal(jx_int(json, "changes"), 8);

	assert_ok(plan_check(NULL, &a, &e), &e);
	assert_ok(plan_check(good, &a, &e), &e);
	assert_int_equal(plan_check(c.cluster.details, &a, &e), -1);
	assert_string_equal(e.msg, "me lacks 1 permission");
	assert_string_equal(e.hint, "grant it");
	assert_string_equal(
		buf_str(&a.detail),
		"missing: one\nalso: not enough quota (ask for more)\n"
		"quota              where                       needed      left     limit\n"
		"SSD_TOTAL_GB       us-central1                    900     480.5       500"
		"  short by 419.5\n\n");
	assert_fails(-1, &e, ERR_DENIED);
	buf_release(&a.detail);
	json_decref(c.cluster.details);
	objects_release(c.objects);
}

/* A reply can be as long as it likes. */
static void details_that_do_not_fit_are_left_out(void **state UNUSED)
{
	static const char text[] =
		"apiVersion: prestoctl/v1\nkind: Environment\nname: a\ncluster: {provider: local}\n"
		"presto: {metadata: {name: p}, spec: {worker: {count: 3}}}\n";
	AUTO(buf_release) struct buf out = BUF_INIT(PLAN_MAX), more = BUF_INIT(1024);
	AUTO(env_freep) struct env *v = NULL;
	struct step_ctx c = {.cluster = {.words = "x", .details = json_object()}};
	json_t *warnings = json_array();
	struct err e = ERR_INIT;

	for (size_t i = 0; i < 3000; i++)
		json_array_append_new(warnings,
				      jx_strf("a warning of %s", "forty characters and some"));
	json_object_set_new(c.cluster.details, "warnings", warnings);
	assert_ok(env_parse(&v, text, strlen(text), "f", "/tmp", &more, &e), &e);
	c.env = v;
	objects_of(c.objects, v);
	plan_text(&out, &c);
	assert_in_range(out.len, PLAN_MAX / 2, PLAN_MAX);
	json_decref(c.cluster.details);
	objects_release(c.objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_finds_the_first_difference),
		cmocka_unit_test(manifests_are_filled_in),
		cmocka_unit_test(without_an_environment_there_are_no_marks),
		cmocka_unit_test(what_is_as_wanted_is_kept),
		cmocka_unit_test(absent_and_leaving_objects_are_made),
		cmocka_unit_test(drift_and_dropped_fields_are_changes),
		cmocka_unit_test(a_namespace_of_others_is_kept_as_it_is),
		cmocka_unit_test(objects_of_another_environment_are_refused),
		cmocka_unit_test(the_crd_is_shared_and_never_downgraded),
		cmocka_unit_test(two_environments_do_not_rewrite_the_crd_in_turns),
		cmocka_unit_test(versions_are_compared_as_numbers),
		cmocka_unit_test(plans_read_as_expected),
		cmocka_unit_test(a_provider_s_details_are_part_of_the_plan),
		cmocka_unit_test(details_that_do_not_fit_are_left_out),
	};

	return RUN(tests);
}
