/* test_golden.c - resources in, objects out: tests/golden/cases/NAME.yaml against tests/golden/expected/NAME.yaml. */
#include <dirent.h>
#include <stdio.h>

#include "tests/unit/unit.h"

#include "base/file.h"
#include "base/yaml.h"
#include "operator/desired.h"

#define CASES    "tests/golden/cases"
#define EXPECTED "tests/golden/expected"
#define UID      "0d9f6b52-7c1e-4a52-9b40-2f1a35c0b7aa"

static bool update;

static json_t *load(const char *path)
{
	json_t *docs = NULL, *one;
	struct err e = ERR_INIT;

	assert_ok(y2j_file(&docs, NULL, path, Y2J_FOREIGN, &e), &e);
	one = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return one;
}

/* What the API server adds to a resource, and what the operator finds in a living cluster. */
static char *objects_of(json_t *resource)
{
	struct desired_ctx ctx = {.agent_image = "registry.example.org/presto-operator:2"};
	json_t *live = json_incref(jx_get(resource, "live"));
	AUTO(buf_release) struct buf out = BUF_INIT(4u << 20);
	json_t *waves = NULL, *wave, *obj;
	struct presto p;
	struct err e = ERR_INIT;
	size_t i, k;

	json_object_del(resource, "live");
	jx_set(resource, "metadata.namespace", json_string("default"));
	jx_set(resource, "metadata.uid", json_string(UID));
	jx_set(resource, "metadata.generation", json_integer(1));
	if (live) {
		ctx.coordinator = (struct desired_live){jx_str(live, "coordinator.image"),
							jx_str(live, "coordinator.template")};
		ctx.worker = (struct desired_live){jx_str(live, "worker.image"),
						   jx_str(live, "worker.template")};
	}
	if (presto_decode(&p, resource, &e) < 0 || desired_state(&waves, &p, &ctx, &e) < 0) {
		json_decref(live);
		return xasprintf("refused: %s%s%s\n", e.msg, *e.hint ? "\nhint: " : "", e.hint);
	}
	json_array_foreach (waves, i, wave) {
		json_array_foreach (wave, k, obj) {
			autofree char *text = y2j_emit(obj);

			buf_fit(&out, "--- # wave %zu\n%s%s", i + 1, text,
				ends_with(text, "\n") ? "" : "\n");
		}
	}
	json_decref(waves);
	json_decref(live);
	return buf_take(&out);
}

static void check_case(const char *name)
{
	autofree char *in = xasprintf(CASES "/%s.yaml", name),
		      *out = xasprintf(EXPECTED "/%s.yaml", name);
	autofree char *expected = NULL, *got = NULL, *again = NULL;
	json_t *resource = load(in), *copy = json_deep_copy(resource);
	struct err e = ERR_INIT;
	size_t len;

	got = objects_of(resource);
	again = objects_of(copy);
	json_decref(resource);
	json_decref(copy);
	assert_string_equal(got, again);
	if (update) {
		assert_ok(file_write_atomic(out, got, strlen(got), 0644, &e), &e);
		return;
	}
	assert_ok(file_read(&expected, &len, out, 4u << 20, &e), &e);
	if (strcmp(expected, got) != 0) {
		autofree char *differs = xasprintf("build/golden-%s.yaml", name);

		assert_ok(file_write_atomic(differs, got, strlen(got), 0644, &e), &e);
		fail_msg("%s: the objects differ: diff -u %s %s", in, out, differs);
	}
}

static void every_case_gives_its_expected_objects(void **state UNUSED)
{
	struct dirent **names = NULL;
	int n = scandir(CASES, &names, NULL, alphasort), seen = 0;

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		if (ends_with(names[i]->d_name, ".yaml")) {
			autofree char *name = xstrndup(names[i]->d_name,
						       strlen(names[i]->d_name) - strlen(".yaml"));

			check_case(name);
			seen++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(seen > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_gives_its_expected_objects)};

	update = getenv("GOLDEN_UPDATE") != NULL;
	return RUN(tests);
}
