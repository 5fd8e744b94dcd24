/* test_room.c - do the pods fit, and the names of images. */
#include "tests/unit/unit.h"

#include "base/jx.h"
#include "provision/provider.h"
#include "provision/registry.h"
#include "provision/room.h"

static json_t *js(const char *text)
{
	struct err e = ERR_INIT;
	json_t *o = NULL;

	assert_ok(jx_parse(&o, text, strlen(text), "test", &e), &e);
	return o;
}

#define NODE(name, cpu, memory, more)                                                              \
	"{\"metadata\":{\"name\":\"" name "\",\"labels\":{\"disk\":\"" name "\"}},\"spec\":{" more \
	"},\"status\":{\"allocatable\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory                  \
	"\",\"pods\":\"10\"}}}"
#define POD(node, memory, instance)                                          \
	"{\"metadata\":{\"name\":\"p\",\"labels\":{\"instance\":\"" instance \
	"\"}},\"spec\":{\"nodeName\":\"" node                                \
	"\",\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"" memory "\"}}}]}}"

static const struct {
	const char *nodes, *pods;
	int workers;
	const char *memory, *cpu;
	enum room_answer answer;
	const char *words;
} cases[] = {
	{"[]", "[]", 1, "1Gi", "1", ROOM_UNKNOWN, ""},
	{"[" NODE("a", "4", "8Gi", "") "]", "[]", 2, "1Gi", "1", ROOM_FITS, ""},
	{"[" NODE("a", "4", "8Gi", "") "]", "[]", 2, "9Gi", "1", ROOM_NEVER,
	 "a worker asks for 9Gi of memory"},
	{"[" NODE("a", "4", "8Gi", "") "]", "[]", 2, "1Gi", "5", ROOM_NEVER, "5 CPU"},
	{"[" NODE("a", "4", "8Gi", "") "]", "[]", 4, "2Gi", "1", ROOM_NOT_NOW, "free are"},
	{"[" NODE("a", "4", "4Gi", "") "," NODE("b", "4", "4Gi", "") "]", "[]", 2, "2Gi", "1",
	 ROOM_FITS, ""},
	{"[" NODE("a", "4", "4Gi", "") "]", "[" POD("a", "3Gi", "x") "]", 1, "1Gi", "1",
	 ROOM_NOT_NOW, "free are: a 0 and"},
	{"[" NODE("a", "4", "4Gi", "") "]", "[" POD("a", "3Gi", "own") "]", 1, "1Gi", "1",
	 ROOM_FITS, ""},
	{"[" NODE("a", "4", "8Gi", "\"unschedulable\":true") "]", "[]", 1, "1Gi", "1", ROOM_UNKNOWN,
	 ""},
	{"[" NODE("a", "4", "8Gi", "\"taints\":[{\"effect\":\"NoSchedule\"}]") "]", "[]", 1, "1Gi",
	 "1", ROOM_UNKNOWN, ""},
	{"[" NODE("a", "4", "8Gi", "") "]", "[]", 2, "", "", ROOM_FITS, ""},
};

static void pods_are_placed_by_their_requests(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *nodes = js(cases[i].nodes), *pods = js(cases[i].pods);
		struct presto_node node = {.memory_allocation = cases[i].memory,
					   .cpu_request = cases[i].cpu};
		struct presto p = {
			.coordinator = node, .worker = node, .worker_count = cases[i].workers};
		char words[400];

		if (room_look(&p, nodes, pods, "own", words) != cases[i].answer)
			fail_msg("case %zu: %s", i, words);
		assert_has(words, cases[i].words);
	}
}

static void a_node_selector_narrows_the_nodes(void **state UNUSED)
{
	autojson json_t *nodes = js(
				"[" NODE("a", "4", "8Gi", "") "," NODE("b", "1", "1Gi", "") "]"),
			*pods = json_array();
	autojson json_t *selector = js("{\"disk\":\"b\"}");
	struct presto p = {.coordinator = {.memory_allocation = "1Gi"},
			   .worker = {.memory_allocation = "4Gi", .node_selector = selector},
			   .worker_count = 1};
	char words[400];

	assert_int_equal(room_look(&p, nodes, pods, NULL, words), ROOM_NEVER);
	p.worker.node_selector = NULL;
	assert_int_equal(room_look(&p, nodes, pods, NULL, words), ROOM_FITS);
}

static void image_names_are_read_as_registries_do(void **state UNUSED)
{
	static const struct {
		const char *ref, *host, *repository, *tag; /* host NULL: refused */
	} refs[] = {
		{"presto", "registry-1.docker.io", "library/presto", "latest"},
		{"a/presto:1", "registry-1.docker.io", "a/presto", "1"},
		{"docker.io/a/b", "registry-1.docker.io", "a/b", "latest"},
		{"localhost/presto:312", "localhost", "presto", "312"},
		{"r.example/p/q:1.0", "r.example", "p/q", "1.0"},
		{"127.0.0.1:5000/x", "127.0.0.1:5000", "x", "latest"},
		{"r.example/p:1@sha256:00", "r.example", "p", "sha256:00"},
		{"r.example/", NULL, NULL, NULL},
		{"r.example/P", NULL, NULL, NULL},
		{"a b", NULL, NULL, NULL},
		{"a:", NULL, NULL, NULL},
		{"", NULL, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		struct image_ref r;

		if (image_ref_parse(&r, refs[i].ref) != (refs[i].host != NULL))
			fail_msg("%s", refs[i].ref);
		if (!refs[i].host)
			continue;
		assert_string_equal(r.host, refs[i].host);
		assert_string_equal(r.repository, refs[i].repository);
		assert_string_equal(r.tag, refs[i].tag);
	}
}

static void an_image_counts_when_every_node_has_it(void **state UNUSED)
{
	autojson json_t *nodes = js(
		"[{\"status\":{\"images\":[{\"names\":[\"x@sha256:1\",\"localhost/p:1\"]}]}},"
		"{\"spec\":{\"unschedulable\":true}}]");
	autojson json_t *second = js("{\"status\":{\"images\":[]}}"), *none = json_array();

	assert_true(nodes_have_image(nodes, "localhost/p:1"));
	assert_false(nodes_have_image(nodes, "localhost/p:2"));
	json_array_append(nodes, second);
	assert_false(nodes_have_image(nodes, "localhost/p:1"));
	assert_false(nodes_have_image(none, "localhost/p:1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_are_placed_by_their_requests),
		cmocka_unit_test(a_node_selector_narrows_the_nodes),
		cmocka_unit_test(image_names_are_read_as_registries_do),
		cmocka_unit_test(an_image_counts_when_every_node_has_it),
	};

	return RUN(tests);
}
