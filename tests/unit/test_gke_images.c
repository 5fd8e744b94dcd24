/* Images of a GKE environment: what is named after the registry, and what is left as it was written. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "presto/presto.h"
#include "provision/gke_images.h"
#include "provision/image_home.h"
#include "provision/registry.h"

#define HEAD "apiVersion: prestoctl/v1\nkind: Environment\nname: a\n"
#define HOME "us-central1-docker.pkg.dev/demo-proj/prestoctl"

static struct env *file(const char *registry, const char *image, const char *spec)
{
	AUTO(buf_release) struct buf more = BUF_INIT(4096);
	autofree char *text = xasprintf(
		HEAD
		"cluster: {provider: gke, gke: {project: demo-proj, location: us-central1-a%s%s}}\n"
		"operator: {%s}\npresto: {metadata: {name: p}, spec: {worker: {count: 1}%s%s}}\n",
		*registry ? ", registry: " : "", registry, image, *spec ? ", " : "", spec);
	struct err e = ERR_INIT;
	struct env *v = NULL;

	assert_ok(env_parse(&v, text, strlen(text), "f", "/tmp", &more, &e), &e);
	return v;
}

static char *presto_of(const struct env *v)
{
	struct err e = ERR_INIT;
	struct presto p;

	assert_ok(presto_decode(&p, v->presto, &e), &e);
	return presto_image(&p);
}

static void what_names_no_registry_comes_from_the_one_of_the_file(void **state UNUSED)
{
	static const struct {
		const char *image, *spec, *operator_is, *presto_is;
	} cases[] = {
		{"", "", HOME "/presto-operator:dev", HOME "/starburstdata/presto:312-e.1-k8s-0.7"},
		{"image: 'presto-operator:1.2'", "image: {name: presto, tag: '312'}",
		 HOME "/presto-operator:1.2", HOME "/presto:312"},
		{"image: 'localhost/presto-operator:x'",
		 "image: {name: localhost/presto, tag: '312'}", HOME "/presto-operator:x",
		 HOME "/presto:312"},
		{"", "image: {name: 'localhost/presto:312'}", HOME "/presto-operator:dev",
		 HOME "/presto:312"},
		/* Registries of their own. */
		{"image: 'r.example/o:1'", "image: {name: r.example/presto, tag: a}",
		 "r.example/o:1", "r.example/presto:a"},
		{"image: 'localhost:5000/o:1'", "image: {name: 'docker.io/x/presto', tag: a}",
		 "localhost:5000/o:1", "docker.io/x/presto:a"},
		{"", "imageNamePrefix: my.example/", HOME "/presto-operator:dev",
		 "my.example/starburstdata/presto:312-e.1-k8s-0.7"},
		/* Empty is said, too. */
		{"", "imageNamePrefix: '', image: {name: localhost/presto, tag: a}",
		 HOME "/presto-operator:dev", "localhost/presto:a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(env_freep)
		struct env *v = file("{repository: prestoctl}", cases[i].image, cases[i].spec);
		struct err e = ERR_INIT;

		assert_ok(gke_images_rename(v, HOME, true, true, &e), &e);
		autofree char *presto = presto_of(v);
		assert_string_equal(v->operator_image, cases[i].operator_is);
		assert_string_equal(presto, cases[i].presto_is);
	}
}

static void an_operator_image_that_was_asked_for_stays(void **state UNUSED)
{
	AUTO(env_freep) struct env *v = file("{repository: prestoctl}", "", "");
	struct err e = ERR_INIT;

	assert_ok(gke_images_rename(v, HOME, false, true, &e), &e);
	assert_string_equal(v->operator_image, "localhost/presto-operator:dev");
	assert_string_equal(jx_str(v->presto, "spec.imageNamePrefix"), HOME "/");
}

static void a_prefix_that_makes_no_name_is_refused(void **state UNUSED)
{
	AUTO(env_freep) struct env *v = file("{host: r.example}", "", "");
	struct err e = ERR_INIT;

	assert_int_equal(gke_images_rename(v, "r.example/UPPER", true, true, &e), -1);
	assert_has(e.msg, "spec.imageNamePrefix");
	assert_fails(-1, &e, ERR_INVALID);
}

static void the_prefix_is_the_repository_or_the_other_registry(void **state UNUSED)
{
	static const struct {
		const char *registry, *prefix;
	} cases[] = {
		{"{repository: prestoctl}", HOME},
		{"{repository: team}", "us-central1-docker.pkg.dev/demo-proj/team"},
		{"{repository: prestoctl, location: europe}",
		 "europe-docker.pkg.dev/demo-proj/prestoctl"},
		{"{host: 'r.example:5000'}", "r.example:5000"},
		{"{host: r.example, path: a/b}", "r.example/a/b"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(env_freep) struct env *v = file(cases[i].registry, "", "");
		struct app app = {0};
		struct state none = {.lock = -1, .doc = json_object()};
		struct provider_ctx c = {.app = &app, .env = v, .state = &none};
		autofree char *prefix = NULL;
		struct err e = ERR_INIT;

		assert_ok(image_home_prefix(&prefix, &c, v, &e), &e);
		assert_string_equal(prefix, cases[i].prefix);
		assert_ok(gke_images_prepare(&c, v, &e), &e);
		assert_true(starts_with(v->operator_image, prefix));
		assert_null(app.google); /* nobody was asked who we are */
		state_close(&none);
	}
}

static void without_a_registry_only_what_is_only_here_is_renamed(void **state UNUSED)
{
	static const struct {
		const char *image, *spec, *operator_is, *presto_is;
	} cases[] = {
		{"", "", HOME "/presto-operator:dev", "starburstdata/presto:312-e.1-k8s-0.7"},
		{"image: 'r.example/o:1'", "image: {name: localhost/presto, tag: '312'}",
		 "r.example/o:1", HOME "/presto:312"},
		{"image: 'r.example/o:1'", "", "r.example/o:1",
		 "starburstdata/presto:312-e.1-k8s-0.7"},
		/* The nodes have them already. */
		{"imagePullPolicy: Never",
		 "image: {name: localhost/presto, tag: '312', pullPolicy: Never}",
		 "localhost/presto-operator:dev", "localhost/presto:312"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(env_freep) struct env *v = file("", cases[i].image, cases[i].spec);
		struct app app = {0};
		struct state none = {.lock = -1, .doc = json_object()};
		struct provider_ctx c = {.app = &app, .env = v, .state = &none};
		struct err e = ERR_INIT;

		assert_ok(gke_images_prepare(&c, v, &e), &e);
		autofree char *presto = presto_of(v);
		assert_string_equal(v->operator_image, cases[i].operator_is);
		assert_string_equal(presto, cases[i].presto_is);
		assert_int_equal(jx_get(v->cluster, "registry") != NULL, i < 2);
		state_close(&none);
	}
}

static void archives_are_named_below_the_prefix(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{"localhost/presto:312", "presto:312"},
		{"presto:312", "presto:312"},
		{"docker.io/library/postgres:13", "postgres:13"},
		{"docker.io/starburstdata/presto:1", "starburstdata/presto:1"},
		{"localhost:5000/team/hive:3", "team/hive:3"},
		{"localhost/hive", "hive:latest"},
		{"r.example/hive@sha256:0", "hive@sha256:0"},
		{HOME "/presto:312", "presto:312"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *place = gke_images_place(HOME, cases[i][0]);

		assert_string_equal(place, cases[i][1]);
	}
}

static void a_registry_is_told_from_a_folder(void **state UNUSED)
{
	static const struct {
		const char *ref, *path;
		bool named;
	} cases[] = {
		{"presto", "presto", false},
		{"starburstdata/presto:1", "starburstdata/presto:1", false},
		{"localhost/presto:1", "presto:1", false},
		{"localhost:5000/presto:1", "presto:1", true},
		{"r.example/presto", "presto", true},
		{"docker.io/library/presto", "presto", true},
		{"presto:1.2/x", "x", true},
		{"presto:1.2", "presto:1.2", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool named;

		assert_string_equal(image_path(cases[i].ref, &named), cases[i].path);
		assert_int_equal(named, cases[i].named);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_names_no_registry_comes_from_the_one_of_the_file),
		cmocka_unit_test(an_operator_image_that_was_asked_for_stays),
		cmocka_unit_test(a_prefix_that_makes_no_name_is_refused),
		cmocka_unit_test(the_prefix_is_the_repository_or_the_other_registry),
		cmocka_unit_test(without_a_registry_only_what_is_only_here_is_renamed),
		cmocka_unit_test(archives_are_named_below_the_prefix),
		cmocka_unit_test(a_registry_is_told_from_a_folder),
	};

	return RUN(tests);
}
