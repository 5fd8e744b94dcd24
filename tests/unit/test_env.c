/* test_env.c - environment files: what is taken, and the place of everything that is refused. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "provision/env.h"
#include "provision/schema.h"

#define HEAD   "apiVersion: prestoctl/v1\nkind: Environment\nname: a\n"
#define LOCAL  "cluster: {provider: local}\n"
#define PRESTO "presto: {metadata: {name: p}, spec: {worker: {count: 1}}}\n"

static int parse(struct env **out, const char *text, struct buf *more, struct err *e)
{
	return env_parse(out, text, strlen(text), "f", "/tmp", more, e);
}

static void a_small_file_gets_its_defaults(void **state UNUSED)
{
	AUTO(buf_release) struct buf more = BUF_INIT(4096);
	AUTO(env_freep) struct env *v = NULL;
	struct err e = ERR_INIT;

	assert_ok(parse(&v, HEAD LOCAL PRESTO, &more, &e), &e);
	assert_string_equal(v->name, "a");
	assert_string_equal(v->provider, "local");
	assert_string_equal(v->ns, "a");
	assert_string_equal(v->operator_image, "localhost/presto-operator:dev");
	assert_null(v->cluster);
	assert_null(v->images);
	assert_string_equal(jx_str(v->presto, "apiVersion"), "starburstdata.com/v1");
	assert_string_equal(jx_str(v->presto, "metadata.namespace"), "a");
	assert_int_equal(jx_int(v->presto, "spec.worker.count"), 1);
}

static void a_full_file_is_taken_as_written(void **state UNUSED)
{
	AUTO(buf_release) struct buf more = BUF_INIT(4096);
	AUTO(env_freep) struct env *v = NULL;
	autofree char *path = NULL;
	struct err e = ERR_INIT;

	assert_ok(
		parse(&v,
		      HEAD
		      "cluster:\n  provider: existing\n  existing: {kubeconfig: kc, context: c}\n"
		      "images: [one.tar]\n"
		      "operator:\n  image: r.example/o:1\n  namespace: ns\n  resources: {limits: {memory: 64Mi, cpu: 1}}\n"
		      "presto:\n  metadata: {name: p, namespace: ns, labels: {a: b}}\n"
		      "verify:\n  queries:\n  - {sql: select 1, expect: 1}\n  catalogs: [tpch]\n",
		      &more, &e),
		&e);
	assert_string_equal(jx_str(v->cluster, "kubeconfig"), "kc");
	assert_string_equal(v->ns, "ns");
	assert_string_equal(v->operator_image, "r.example/o:1");
	assert_string_equal(jx_str(v->operator_resources, "limits.memory"), "64Mi");
	assert_int_equal(json_array_size(jx_get(v->verify, "queries")), 1);
	path = env_file(v, "kc");
	assert_string_equal(path, "/tmp/kc");
}

static void everything_wrong_is_refused_with_its_place(void **state UNUSED)
{
	static const struct {
		const char *text, *msg;
	} cases[] = {
		{"", "f:1:1: the file is empty"},
		{HEAD "---\n" HEAD, "f:1:1: 2 documents"},
		{"[]", "f:1:1: the file must be a map, but this is a list"},
		{"a: [", "f:"},
		{HEAD "name: b\n", "f:4:1: duplicate key"},
		{HEAD LOCAL "presto:\n  metadata: {name: p}\nopertor: {}\n",
		 "f:7:1: unknown key 'opertor'; did you mean 'operator'?"},
		{HEAD LOCAL PRESTO "qqqqqq: 1\n",
		 "f:6:1: unknown key 'qqqqqq'; known here: apiVersion"},
		{HEAD PRESTO, "'cluster' is missing"},
		{"apiVersion: prestoctl/v2\nkind: Environment\nname: a\n" LOCAL PRESTO,
		 "f:1:13: 'prestoctl/v2' is not known here"},
		{"apiVersion: prestoctl/v1\nkind: Environment\nname: A_\n" LOCAL PRESTO,
		 "f:3:7: 'A_' is no name"},
		{"apiVersion: prestoctl/v1\nkind: Environment\nname: 5\n" LOCAL PRESTO,
		 "f:3:7: name must be text, but this is a number; put it in quotes"},
		{HEAD "cluster: {provider: locl}\n" PRESTO,
		 "f:4:21: 'locl' is not one of local, existing, gke; did you mean 'local'?"},
		{HEAD "cluster: {provider: eks-d}\n" PRESTO,
		 "f:4:21: 'eks-d' is not known here; it must be one of local, existing, gke"},
		{HEAD "cluster:\n  provider: local\n  local: {nodes: 99}\n" PRESTO,
		 "f:6:18: 99 is out of range; it may be from 1 to 8"},
		{HEAD "cluster:\n  provider: local\n  local: {nodes: two}\n" PRESTO,
		 "f:6:18: nodes must be a whole number, but this is text"},
		{HEAD "cluster:\n  provider: local\n  existing: {}\n" PRESTO,
		 "f:6:3: 'existing' is for the provider existing, but provider is local"},
		{HEAD LOCAL "images: one.tar\n" PRESTO,
		 "f:5:9: images must be a list, but this is text"},
		{HEAD LOCAL "images: [one.tar, 3]\n" PRESTO, "f:5:19: an entry must be text"},
		{HEAD LOCAL "operator: {image: 'a b'}\n" PRESTO, "f:5:19: 'a b' is no image"},
		{HEAD LOCAL "operator: {namespace: on}\n" PRESTO, "f:5:23: "},
		{HEAD LOCAL "presto: {spec: {}}\n", "f:5:1: 'metadata' is missing"},
		{HEAD LOCAL "presto: {metadata: {}}\n", "'name' is missing"},
		{HEAD LOCAL "presto:\n  metadata: {name: p, namespace: other}\n",
		 "f:6:34: namespace is 'other', but the operator serves 'a'"},
		{HEAD LOCAL
		 "presto:\n  metadata: {name: p}\n  spec:\n    worker:\n      cuont: 2\n",
		 "f:9:7: spec.worker.cuont: unknown field"},
		{HEAD LOCAL
		 "presto:\n  metadata: {name: p}\n  spec:\n    worker:\n      count: '2'\n",
		 "f:9:14: spec.worker.count: Invalid value"},
		{HEAD LOCAL "presto: /nonexistent/p.yaml\n",
		 "f:5:9: /nonexistent/p.yaml: No such file"},
		{HEAD LOCAL PRESTO "verify: {queries: [{expect: 1}]}\n", "'sql' is missing"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(buf_release) struct buf more = BUF_INIT(16384);
		AUTO(env_freep) struct env *v = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(parse(&v, cases[i].text, &more, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		assert_has(e.msg, cases[i].msg);
		assert_null(v);
	}
}

static void every_finding_is_told(void **state UNUSED)
{
	AUTO(buf_release) struct buf more = BUF_INIT(16384);
	AUTO(env_freep) struct env *v = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(parse(&v,
			       "apiVersion: prestoctl/v1\nkind: Env\nname: A\nx: 1\n" LOCAL PRESTO,
			       &more, &e),
			 -1);
	assert_has(e.msg, "f:2:7:");
	assert_has(buf_str(&more), "f:3:7:");
	assert_has(buf_str(&more), "f:4:1:");
}

static char *write_file(char folder[], const char *name, const char *text)
{
	char *path = path_join(folder, name);
	struct err e = ERR_INIT;

	assert_ok(file_write_atomic(path, text, strlen(text), 0600, &e), &e);
	return path;
}

static void a_resource_of_its_own_is_found_beside_the_file(void **state UNUSED)
{
	char folder[] = "/tmp/test-env-XXXXXX";
	AUTO(buf_release) struct buf more = BUF_INIT(4096);
	AUTO(env_freep) struct env *v = NULL;
	struct err e = ERR_INIT;

	assert_non_null(mkdtemp(folder));
	autofree char *env = write_file(folder, "env.yaml", HEAD LOCAL "presto: p.yaml\n");
	autofree char *presto = write_file(
		folder, "p.yaml",
		"apiVersion: starburstdata.com/v1\nkind: Presto\nmetadata: {name: q}\n"
		"spec: {worker: {count: 3}}\n");

	assert_ok(env_load(&v, env, &more, &e), &e);
	assert_string_equal(jx_str(v->presto, "metadata.name"), "q");
	assert_string_equal(jx_str(v->presto, "metadata.namespace"), "a");
	env_freep(&v);

	/* A mistake in it is told with its own name and place. */
	free(TAKE(presto));
	presto = write_file(folder, "p.yaml", "metadata: {name: q}\nspec:\n  wroker: {}\n");
	assert_int_equal(env_load(&v, env, &more, &e), -1);
	assert_has(e.msg, "p.yaml:3:3: spec.wroker: unknown field");
	unlink(env);
	unlink(presto);
	rmdir(folder);
}

static void files_that_are_none_are_refused(void **state UNUSED)
{
	char folder[] = "/tmp/test-env-XXXXXX";
	AUTO(buf_release) struct buf more = BUF_INIT(4096);
	AUTO(env_freep) struct env *v = NULL;
	struct err e = ERR_INIT;

	assert_non_null(mkdtemp(folder));
	autofree char *path = write_file(folder, "x", "a\001b: c\n");

	assert_fails(env_load(&v, path, &more, &e), &e, ERR_INVALID);
	assert_int_equal(truncate(path, 20 << 20), 0);
	assert_int_equal(env_load(&v, path, &more, &e), -1);
	assert_has(e.msg, "larger than");
	err_clear(&e);
	unlink(path);
	assert_fails(env_load(&v, path, &more, &e), &e, ERR_NOT_FOUND);
	assert_int_equal(env_load(&v, folder, &more, &e), -1);
	rmdir(folder);
}

/* Patterns compile, every property says what it is for, and only known words are used. */
static void walk(const json_t *schema, const char *path)
{
	static const char *const known[] = {"type",        "properties", "additionalProperties",
					    "items",       "required",   "enum",
					    "pattern",     "minLength",  "minimum",
					    "maximum",     "maxItems",   "default",
					    "description", "x-remedy",   "x-elsewhere"};
	struct finding found;
	const json_t *v;
	const char *key;

	jx_foreach (schema, key, v) {
		bool ok = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			ok = ok || streq(known[i], key);
		if (!ok)
			fail_msg("%s: '%s' is not known to the checker", path, key);
	}
	if (jx_str(schema, "pattern")) {
		autojson json_t *empty = json_string("!");

		assert_int_equal(schema_check(&found, 1, schema, empty), 1);
		assert_non_null(jx_str(schema, "x-remedy"));
	}
	if (jx_get(schema, "items"))
		walk(jx_get(schema, "items"), path);
	jx_foreach (jx_get(schema, "properties"), key, v) {
		autofree char *below = xasprintf("%s.%s", path, key);

		if (!jx_str(v, "description"))
			fail_msg("%s has no description", below);
		walk(v, below);
	}
}

static void the_schema_itself_is_sound(void **state UNUSED)
{
	autojson json_t *schema = schema_environment();

	walk(schema, "");
}

static void fields_are_found_by_their_path(void **state UNUSED)
{
	autojson json_t *schema = schema_environment();
	const json_t *parent = NULL;
	char word[64];

	assert_ptr_equal(schema_at(schema, "", &parent, word), schema);
	assert_non_null(schema_at(schema, "cluster.local.nodes", &parent, word));
	assert_non_null(schema_at(schema, "verify.queries.sql", &parent, word));
	assert_null(schema_at(schema, "cluster.locl", &parent, word));
	assert_string_equal(word, "locl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_file_gets_its_defaults),
		cmocka_unit_test(a_full_file_is_taken_as_written),
		cmocka_unit_test(everything_wrong_is_refused_with_its_place),
		cmocka_unit_test(every_finding_is_told),
		cmocka_unit_test(a_resource_of_its_own_is_found_beside_the_file),
		cmocka_unit_test(files_that_are_none_are_refused),
		cmocka_unit_test(the_schema_itself_is_sound),
		cmocka_unit_test(fields_are_found_by_their_path),
	};

	return RUN(tests);
}
