#include "tests/unit/unit.h"

#include "base/jx.h"

static json_t *parse(const char *text)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	assert_ok(jx_parse(&v, text, strlen(text), "test", &e), &e);
	return v;
}

static void bad_text_is_refused_with_its_place(void **state UNUSED)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		{"", "t: line 1 column "},
		{"{\n  \"a\": }", "t: line 2 column 8"},
		{"{\"a\":1,\"a\":2}", "duplicate object key"},
		{"{} x", "end of file expected"},
		{"{\"a\":\"\\u0000\"}", "\\u0000 is not allowed"},
		{"[99999999999999999999]", "too big integer"},
		{"[1e999]", "real number overflow"},
		{"\xff", "t: line 1"},
		{"[1,]", "t: line 1 column 4"},
		{"nul", "t: line 1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		json_t *v = NULL;
		assert_int_equal(jx_parse(&v, cases[i].text, strlen(cases[i].text), "t", &e), -1);
		assert_int_equal(e.code, ERR_PROTOCOL);
		assert_has(e.msg, cases[i].place);
		assert_null(v);
	}
}

static void an_error_does_not_quote_the_text(void **state UNUSED)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;
	const char text[] = "{\"token\": s3cret}";

	assert_int_equal(jx_parse(&v, text, strlen(text), "t", &e), -1);
	assert_null(strstr(e.msg, "s3cret"));
}

static void depth_has_a_limit_and_strings_do_not_count(void **state UNUSED)
{
	char text[2 * JX_MAX_DEPTH + 3] = "";
	struct err e = ERR_INIT;
	json_t *v = NULL;

	memset(text, '[', JX_MAX_DEPTH);
	memset(text + JX_MAX_DEPTH, ']', JX_MAX_DEPTH);
	json_decref(parse(text));
	memset(text, '[', JX_MAX_DEPTH + 1);
	memset(text + JX_MAX_DEPTH + 1, ']', JX_MAX_DEPTH + 1);
	assert_int_equal(jx_parse(&v, text, strlen(text), "t", &e), -1);
	assert_has(e.msg, "t: line 1 column 129: more than 128 levels");
	memset(text, '[', sizeof(text) - 1);
	text[0] = text[sizeof(text) - 2] = '"';
	json_decref(parse(text));
}

static void paths_reach_into_objects_and_arrays(void **state UNUSED)
{
	autojson json_t *o = parse(
		"{\"a\":{\"b\":[{\"c\":\"x\"},7]},\"n\":5,\"r\":5.0,\"f\":5.5,\"t\":true,"
		"\"a.b\":\"dotted\",\"big\":1e300,\"min\":-9223372036854775808}");

	assert_string_equal(jx_str(o, "a.b.0.c"), "x");
	assert_int_equal(jx_int(o, "a.b.1"), 7);
	assert_null(jx_path(o, "a.b.2"));
	assert_null(jx_path(o, "a.b.-1"));
	assert_null(jx_path(o, "a.b.00"));
	assert_null(jx_path(o, "a.b."));
	assert_null(jx_path(o, "a.x.y"));
	assert_null(jx_path(NULL, "a"));
	assert_null(jx_str(o, "n"));
	assert_string_equal(jx_str_or(o, "n", "fallback"), "fallback");
	assert_string_equal(json_string_value(jx_get(o, "a.b")), "dotted");
	assert_int_equal(jx_int(o, "n"), 5);
	assert_int_equal(jx_int(o, "r"), 5);
	assert_int_equal(jx_int(o, "f"), 0);
	assert_int_equal(jx_int_or(o, "big", 9), 9);
	assert_true(jx_int(o, "min") == INT64_MIN);
	assert_true(jx_bool(o, "t"));
	assert_false(jx_bool(o, "n"));
}

static void emptiness(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool empty;
	} cases[] = {
		{"null", true}, {"{}", true},     {"[]", true},
		{"\"\"", true}, {"0", false},     {"false", false},
		{"[0]", false}, {"\"x\"", false}, {"{\"a\":null}", false},
	};

	assert_true(jx_is_empty(NULL));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *v = parse(cases[i].text);
		assert_int_equal(jx_is_empty(v), cases[i].empty);
	}
}

static void loops_nest_and_keep_the_order(void **state UNUSED)
{
	autojson json_t *o = parse("{\"z\":{\"y\":1,\"x\":2},\"a\":{\"b\":3},\"n\":4}");
	const char *k, *k2;
	const json_t *v, *v2;
	char seen[16] = "";
	size_t n = 0;

	jx_foreach (o, k, v) {
		seen[n++] = *k;
		jx_foreach (v, k2, v2) {
			seen[n++] = *k2;
			assert_true(json_is_integer(v2));
		}
	}
	assert_string_equal(seen, "zyxabn");
}

static void keys_are_sorted(void **state UNUSED)
{
	autojson json_t *o = parse("{\"b\":1,\"a\":1,\"c\":1}");
	size_t n = 9;
	const char **keys = jx_keys(o, &n);

	assert_int_equal(n, 3);
	assert_string_equal(keys[0], "a");
	assert_string_equal(keys[2], "c");
	free(keys);
	assert_null(jx_keys(NULL, &n));
	assert_int_equal(n, 0);
}

static void setting_makes_the_way(void **state UNUSED)
{
	autojson json_t *o = parse("{\"list\":[{},5],\"s\":\"x\"}");

	jx_set(o, "a.b.c", json_integer(1));
	jx_set(o, "a.b.c", json_integer(2));
	jx_set(o, "list.0.name", json_string("n"));
	jx_set(o, "list.1", json_integer(6));
	jx_set(o, "list.2", json_integer(7));
	jx_set(o, "s.t", json_true());
	autofree char *text = jx_canonical(o);
	assert_string_equal(
		text,
		"{\"a\":{\"b\":{\"c\":2}},\"list\":[{\"name\":\"n\"},6,7],\"s\":{\"t\":true}}");
}

static void formatted_strings_are_never_null(void **state UNUSED)
{
	autojson json_t *good = jx_strf("%s-%d", "\xc3\xa9", 1);
	autojson json_t *bad = jx_strf("a\xff%s", "b");

	assert_string_equal(json_string_value(good), "\xc3\xa9-1");
	assert_string_equal(json_string_value(bad), "a?b");
}

static void merging_follows_rfc_7386(void **state UNUSED)
{
	static const struct {
		const char *base, *patch, *want;
	} cases[] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		 "{\"a\":{\"b\":\"d\"}}"},
		{"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
		{"{\"a\":1}", "[1]", "{\"a\":1}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *base = parse(cases[i].base);
		autojson json_t *patch = parse(cases[i].patch);
		jx_merge(base, patch);
		autofree char *got = jx_canonical(base);
		assert_string_equal(got, cases[i].want);
	}
}

static void texts_are_canonical_or_pretty(void **state UNUSED)
{
	autojson json_t *o = parse("{\"b\": [1, 2.5], \"a\": {}}");
	autofree char *canonical = jx_canonical(o);
	autofree char *pretty = jx_pretty(o);
	autofree char *none = jx_canonical(NULL);

	assert_string_equal(canonical, "{\"a\":{},\"b\":[1,2.5]}");
	assert_string_equal(pretty, "{\n  \"b\": [\n    1,\n    2.5\n  ],\n  \"a\": {}\n}");
	assert_string_equal(none, "null");
}

struct items {
	char text[256];
	size_t stop_after;
};

static int collect(const json_t *item, void *arg, struct err *e)
{
	struct items *it = arg;
	autofree char *text = jx_canonical(item);

	(void)snprintf(it->text + strlen(it->text), sizeof(it->text) - strlen(it->text), "%s;",
		       text);
	if (it->stop_after && --it->stop_after == 0)
		return err_set(e, ERR_CANCELLED, "enough");
	return 0;
}

static void items_come_one_at_a_time(void **state UNUSED)
{
	static const struct {
		const char *text, *items, *meta;
	} cases[] = {
		{"{\"kind\":\"L\",\"items\":[{\"a\":1},{\"b\":\"]}\\\"\\\\\"}],\"metadata\":{\"x\":"
		 "[1]}}",
		 "{\"a\":1};{\"b\":\"]}\\\"\\\\\"};", "{\"kind\":\"L\",\"metadata\":{\"x\":[1]}}"},
		{" { \"items\" : [ ] } ", "", "{}"},
		{"{\"items\":null,\"n\":5}", "", "{\"n\":5}"},
		{"{\"items\":[1 , \"x\",null,[ ]]}", "1;\"x\";null;[];", "{}"},
		{"{\"it\\u0065ms\":[1]}", "1;", "{}"},
		{"{\"x\":{\"items\":[5]},\"items\":[1]}", "1;", "{\"x\":{\"items\":[5]}}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct items it = {0};
		struct err e = ERR_INIT;
		autojson json_t *meta = NULL;
		assert_ok(jx_items_each(&meta, cases[i].text, strlen(cases[i].text), collect, &it,
					&e),
			  &e);
		autofree char *text = jx_canonical(meta);
		assert_string_equal(it.text, cases[i].items);
		assert_string_equal(text, cases[i].meta);
	}
}

static void broken_lists_are_refused(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{",
		"{}",
		"{\"kind\":\"Status\"}",
		"{\"items\":[}",
		"{\"items\":[1",
		"{\"items\":[1,]}",
		"{\"items\":[1 2]}",
		"{\"items\":[]",
		"{\"items\":[]} x",
		"{\"items\":[],\"items\":[]}",
		"{\"a\":1,\"a\":2,\"items\":[]}",
		"{\"items\":{}}",
		"{\"items\":[],}",
		"{items:[]}",
		"{\"items\"[]}",
		"{\"items\":[\"a]}",
		"{\"items\":[{]}",
		"{\"items\":[\"\\",
		"{,\"items\":[]}",
		"{\"items\":[,1]}",
		"{\"items\":[[}]}",
		"{\"items\":null,\"items\":null}",
		"{\"items\":[]}}",
		"{1:2,\"items\":[]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct items it = {0};
		struct err e = ERR_INIT;
		json_t *meta = NULL;
		/* an exact copy, so that a look beyond the end is seen */
		size_t len = strlen(cases[i]);
		autofree char *copy = memcpy(xmalloc(len), cases[i], len);
		if (jx_items_each(&meta, copy, len, collect, &it, &e) == 0)
			fail_msg("accepted %s", cases[i]);
		assert_int_equal(e.code, ERR_PROTOCOL);
		assert_null(meta);
	}
}

static void a_callback_can_stop_the_walk(void **state UNUSED)
{
	struct items it = {.stop_after = 2};
	struct err e = ERR_INIT;
	json_t *meta = NULL;

	assert_int_equal(jx_items_each(&meta, "{\"items\":[1,2,3]}", 17, collect, &it, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_string_equal(it.text, "1;2;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_text_is_refused_with_its_place),
		cmocka_unit_test(an_error_does_not_quote_the_text),
		cmocka_unit_test(depth_has_a_limit_and_strings_do_not_count),
		cmocka_unit_test(paths_reach_into_objects_and_arrays),
		cmocka_unit_test(emptiness),
		cmocka_unit_test(loops_nest_and_keep_the_order),
		cmocka_unit_test(keys_are_sorted),
		cmocka_unit_test(setting_makes_the_way),
		cmocka_unit_test(formatted_strings_are_never_null),
		cmocka_unit_test(merging_follows_rfc_7386),
		cmocka_unit_test(texts_are_canonical_or_pretty),
		cmocka_unit_test(items_come_one_at_a_time),
		cmocka_unit_test(broken_lists_are_refused),
		cmocka_unit_test(a_callback_can_stop_the_walk),
	};

	return RUN(tests);
}
