#include "tests/unit/unit.h"

#include <unistd.h>

#include "base/yaml.h"

static json_t *parse(const char *text, enum y2j_mode mode)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	assert_ok(y2j_parse(&v, NULL, text, strlen(text), "f.yaml", mode, &e), &e);
	return v;
}

struct reading {
	const char *yaml, *json;
};

static void check_readings(const struct reading *cases, size_t n, enum y2j_mode mode)
{
	for (size_t i = 0; i < n; i++) {
		autojson json_t *v = parse(cases[i].yaml, mode);
		autofree char *text = jx_canonical(v);
		if (!streq(text, cases[i].json))
			fail_msg("%s became %s, not %s", cases[i].yaml, text, cases[i].json);
	}
}

static void the_core_schema_is_read(void **state UNUSED)
{
	static const struct reading cases[] = {
		{"", "[]"},
		{"# only a comment\n---\n---\n# and another\n", "[]"},
		{"a: 1\n---\n- x\n---\nnull", "[{\"a\":1},[\"x\"],null]"},
		{"a: {b: [1, two, 3.5]}", "[{\"a\":{\"b\":[1,\"two\",3.5]}}]"},
		{"[true, True, FALSE, null, ~, '', \"\", Null]",
		 "[[true,true,false,null,null,\"\",\"\",null]]"},
		{"a:\nb: ~\n", "[{\"a\":null,\"b\":null}]"},
		{"[0, -1, +2, 0x1F, 9223372036854775807, -9223372036854775808]",
		 "[[0,-1,2,31,9223372036854775807,-9223372036854775808]]"},
		{"[0.5, -1., .25, 1e3, 2.5E-1]", "[[0.5,-1.0,0.25,1000.0,0.25]]"},
		{"['1', \"true\", !!str 5, ! 6]", "[[\"1\",\"true\",\"5\",\"6\"]]"},
		{"[!!int 5, !!float 5, !!float 1.5, !!bool true, !!null ~, !!map {}, !!seq []]",
		 "[[5,5,1.5,true,null,{},[]]]"},
		{"[10Gi, 1.2.3, -Xmx1G, localhost:5000/x, a:b, 08x, 2019-08-01, 1 2, -, +, ., e5, "
		 "0x, 12e]",
		 "[[\"10Gi\",\"1.2.3\",\"-Xmx1G\",\"localhost:5000/"
		 "x\",\"a:b\",\"08x\",\"2019-08-01\",\"1 2\","
		 "\"-\",\"+\",\".\",\"e5\",\"0x\",\"12e\"]]"},
		{"a: |\n  x\n    y\n\nb: >-\n  u\n  v\n", "[{\"a\":\"x\\n  y\\n\",\"b\":\"u v\"}]"},
		{"\"<<\": 1\n'yes': 2\n\"5\": 3", "[{\"5\":3,\"<<\":1,\"yes\":2}]"},
		{"'': 1", "[{\"\":1}]"},
		{"\xef\xbb\xbf"
		 "a: 1",
		 "[{\"a\":1}]"},
		{"%YAML 1.1\n---\na: 1\n", "[{\"a\":1}]"},
		{"{\"json\": [1, {\"is\": \"yaml\"}]}", "[{\"json\":[1,{\"is\":\"yaml\"}]}]"},
	};

	check_readings(cases, ARRAY_LEN(cases), Y2J_OWN);
	check_readings(cases, ARRAY_LEN(cases), Y2J_FOREIGN);
}

static void foreign_files_are_read_as_kubectl_reads_them(void **state UNUSED)
{
	static const struct reading cases[] = {
		{"[yes, No, on, OFF, y, N]", "[[true,false,true,false,\"y\",\"N\"]]"},
		{"[0644, 089, 0o17, 22:30, 0b101, 1_000, 007.5]",
		 "[[420,\"089\",\"0o17\",\"22:30\",\"0b101\",\"1_000\",\"007.5\"]]"},
		{"y: 1", "[{\"y\":1}]"},
	};

	check_readings(cases, ARRAY_LEN(cases), Y2J_FOREIGN);
}

struct refusal {
	const char *yaml, *message;
};

static void check_refusals(const struct refusal *cases, size_t n, enum y2j_mode mode)
{
	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		struct y2j_marks *marks = NULL;
		json_t *v = NULL;
		if (y2j_parse(&v, &marks, cases[i].yaml, strlen(cases[i].yaml), "f.yaml", mode,
			      &e) == 0)
			fail_msg("accepted %s", cases[i].yaml);
		assert_int_equal(e.code, ERR_INVALID);
		assert_has(e.msg, cases[i].message);
		assert_null(v);
		assert_null(marks);
	}
}

static void what_is_refused_everywhere_names_its_place(void **state UNUSED)
{
	static const struct refusal cases[] = {
		{"a: 1\nb: 2\na: 3", "f.yaml:3:1: duplicate key \"a\""},
		{"a: &x 1", "f.yaml:1:4: anchor \"x\""},
		{"a: &x {}", "f.yaml:1:4: anchor \"x\""},
		{"&k a: 1", "f.yaml:1:1: anchor \"k\""},
		{"a: *x", "f.yaml:1:4: an alias"},
		{"*x : 1", "f.yaml:1:1: an alias"},
		{"- a\n- <<: {b: 1}", "f.yaml:2:3: merge keys"},
		{"1: x", "f.yaml:1:1: key \"1\" is not a string: quote it"},
		{"true: x", "f.yaml:1:1: key \"true\" is not a string"},
		{"? \n: x", "f.yaml:1:2: an empty key"},
		{"? [a]\n: b", "f.yaml:1:3: a key must be a string"},
		{"a: !foo b", "f.yaml:1:4: tag \"!foo\""},
		{"a: !foo {}", "f.yaml:1:4: tag \"!foo\""},
		{"a: !!binary aGVsbG8=", "tag \"tag:yaml.org,2002:binary\""},
		{"a: !!int x", "tag \"tag:yaml.org,2002:int\""},
		{"a: !!map []", "tag \"tag:yaml.org,2002:map\""},
		{"[.inf]", "f.yaml:1:2: \".inf\""},
		{"[-.Inf]", "f.yaml:1:2: \"-.Inf\""},
		{"[.nan]", "f.yaml:1:2: \".nan\""},
		{"a: 9223372036854775808", "f.yaml:1:4: \"9223372036854775808\" does not fit"},
		{"a: 0xFFFFFFFFFFFFFFFF", "does not fit"},
		{"a: 1e999", "does not fit"},
		{"a: \"x\\0y\"", "f.yaml:1:4: a NUL character"},
		{"a: [1,\nb: 2", "f.yaml:"},
		{"a:\n\tb: 1", "f.yaml:2:1: found character that cannot start any token"},
		{"a: b: c", "f.yaml:1:5: mapping values are not allowed in this context"},
		{"a: 'x\n", "f.yaml:2:1: found unexpected end of stream (while scanning a quoted "
			    "scalar that starts in line 1)"},
		{"a: x\nb: \x01", "f.yaml:2:4: control characters are not allowed"},
		{"a: \xff", "f.yaml:1:4: invalid leading UTF-8 octet"},
		{"%YAML 3.0\n---\na: 1", "f.yaml:1:"},
	};

	check_refusals(cases, ARRAY_LEN(cases), Y2J_OWN);
	check_refusals(cases, ARRAY_LEN(cases), Y2J_FOREIGN);
}

static void own_files_must_quote_what_versions_of_yaml_read_differently(void **state UNUSED)
{
	static const struct refusal cases[] = {
		{"a: yes", "f.yaml:1:4: \"yes\" is a word to some programs and a boolean to "
			   "others: quote it, or write true"},
		{"a: Off", "quote it, or write false"},
		{"a: n", "quote it"},
		{"on: 1", "f.yaml:1:1: \"on\""},
		{"a: 0644", "f.yaml:1:4: \"0644\" has a leading zero"},
		{"a: -07", "leading zero"},
		{"a: 0o17", "leading zero"},
		{"a: 00.5", "leading zero"},
		{"a: 22:30", "\"22:30\" is a number in base 60"},
		{"a: 1:30:15.5", "base 60"},
		{"a: 0b101", "quote it"},
		{"a: 1_000", "quote it"},
		{"a: -0x1F", "quote it"},
	};

	check_refusals(cases, ARRAY_LEN(cases), Y2J_OWN);
}

static void tabs_get_a_hint(void **state UNUSED)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	assert_int_equal(y2j_parse(&v, NULL, "a:\n\tb: 1", 8, "f", Y2J_OWN, &e), -1);
	assert_has(e.hint, "spaces");
}

static void sizes_have_limits(void **state UNUSED)
{
	size_t len = YAML_MAX_BYTES + 1;
	autofree char *text = xmalloc(len);
	struct err e = ERR_INIT;
	json_t *v = NULL;

	memset(text, ' ', len);
	assert_int_equal(y2j_parse(&v, NULL, text, len, "f", Y2J_OWN, &e), -1);
	assert_has(e.msg, "f: larger than 4 MiB");
	err_clear(&e);

	memset(text, '[', 65);
	assert_int_equal(y2j_parse(&v, NULL, text, 65, "f", Y2J_OWN, &e), -1);
	assert_has(e.msg, "f:1:65: more than 64 levels");
	err_clear(&e);

	memset(text + 64, ']', 64);
	assert_ok(y2j_parse(&v, NULL, text, 128, "f", Y2J_OWN, &e), &e);
	json_decref(v);
	v = NULL;

	for (size_t i = 0; i < 200001; i++)
		memcpy(text + 4 * i, "- a\n", 4);
	assert_int_equal(y2j_parse(&v, NULL, text, 4 * 200001, "f", Y2J_OWN, &e), -1);
	assert_has(e.msg, "f:200000:3: more than 200000 values");
	err_clear(&e);

	assert_int_equal(y2j_parse(&v, NULL, "a\n\0", 3, "f", Y2J_OWN, &e), -1);
	assert_string_equal(e.msg, "f:2:1: binary, not YAML");
}

static void marks_tell_where_everything_is(void **state UNUSED)
{
	static const char text[] =
		"apiVersion: x\nspec:\n  worker:\n    count: 2\n  list:\n  - a\n  - b: 1\n"
		"  a/b~c: d\n---\nsecond: \xc3\xa9 # x\n";
	static const struct {
		const char *pointer;
		bool key;
		int line, column;
	} cases[] = {
		{"/0", false, 1, 1},
		{"/0/apiVersion", false, 1, 13},
		{"/0/apiVersion", true, 1, 1},
		{"/0/spec/worker/count", false, 4, 12},
		{"/0/spec/worker/count", true, 4, 5},
		{"/0/spec/worker", true, 3, 3},
		{"/0/spec/worker", false, 4, 5},
		{"/0/spec/list/0", false, 6, 5},
		{"/0/spec/list/1/b", false, 7, 8},
		{"/0/spec/a~1b~0c", true, 8, 3},
		{"/1/second", false, 10, 9},
		/* unknown: the nearest parent's value, whatever was asked */
		{"/0/spec/worker/memory", false, 4, 5},
		{"/0/spec/worker/memory", true, 4, 5},
		{"/0/spec/list/7", false, 6, 3},
		{"/0/spec/list/00", false, 6, 3},
	};
	struct err e = ERR_INIT;
	autojson json_t *v = NULL;
	AUTO(y2j_marks_freep) struct y2j_marks *marks = NULL;
	int line = 0, column = 0;

	assert_ok(y2j_parse(&v, &marks, text, strlen(text), "f", Y2J_OWN, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(y2j_mark(marks, cases[i].pointer, cases[i].key, &line, &column));
		if (line != cases[i].line || column != cases[i].column)
			fail_msg("%s: %d:%d", cases[i].pointer, line, column);
	}
	assert_false(y2j_mark(marks, "/2", false, &line, &column));
	assert_false(y2j_mark(marks, "", false, &line, &column));
	assert_false(y2j_mark(NULL, "/0", false, &line, &column));
}

static void files_are_read_with_their_name_in_messages(void **state UNUSED)
{
	char path[] = "/tmp/unit-yaml.XXXXXX";
	int fd = mkstemp(path);
	struct err e = ERR_INIT;
	autojson json_t *v = NULL;
	json_t *none = NULL;

	assert_int_equal(write(fd, "a: 1\n", 5), 5);
	assert_ok(y2j_file(&v, NULL, path, Y2J_OWN, &e), &e);
	assert_int_equal(jx_int(v, "0.a"), 1);
	assert_int_equal(write(fd, "a: 2\n", 5), 5);
	assert_int_equal(y2j_file(&none, NULL, path, Y2J_OWN, &e), -1);
	assert_true(starts_with(e.msg, path));
	assert_has(e.msg, ":2:1: duplicate key");
	err_clear(&e);
	assert_int_equal(ftruncate(fd, YAML_MAX_BYTES + 1), 0);
	assert_fails(y2j_file(&none, NULL, path, Y2J_OWN, &e), &e, ERR_INVALID);
	(void)close(fd);
	(void)unlink(path);
	assert_fails(y2j_file(&none, NULL, path, Y2J_OWN, &e), &e, ERR_NOT_FOUND);
}

static void emitted_as_kubectl_would(void **state UNUSED)
{
	static const struct reading cases[] = {
		{"a: 1\nb:\n  c: x\n  d:\n  - 1\n  - k: v\n    l: w\n  - - 2\n    - 3\n",
		 "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[1,{\"k\":\"v\",\"l\":\"w\"},[2,3]]}}"},
		{"{}\n", "{}"},
		{"[]\n", "[]"},
		{"e: {}\nf: []\ng: null\nh: true\n", "{\"e\":{},\"f\":[],\"g\":null,\"h\":true}"},
		{"text: |\n  a\n    b\n\n  c\nz: |-\n  x\n  y\nk: |+\n  q\n\n",
		 "{\"text\":\"a\\n  b\\n\\nc\\n\",\"z\":\"x\\ny\",\"k\":\"q\\n\\n\"}"},
		{"- |\n  a\n  b\n", "[\"a\\nb\\n\"]"},
		{"- \"yes\"\n- \"1\"\n- \"\"\n- \"null\"\n- \"010\"\n- \"22:30\"\n- "
		 "\"2019-08-01\"\n- \"1e3\"\n- \"~\"\n",
		 "[\"yes\",\"1\",\"\",\"null\",\"010\",\"22:30\",\"2019-08-01\",\"1e3\",\"~\"]"},
		{"- 10Gi\n- -Xmx1G\n- localhost:5000/x:312\n- a b\n- \"a: b\"\n- \"a #b\"\n- \"a "
		 "\"\n- \"- a\"\n- \"*a\"\n",
		 "[\"10Gi\",\"-Xmx1G\",\"localhost:5000/x:312\",\"a b\",\"a: b\",\"a #b\",\"a "
		 "\",\"- a\",\"*a\"]"},
		{"- \"tab\\tquote\\\"back\\\\slash\\u0007\"\n- \"\\u0085\\u2028\\uFEFF\"\n- "
		 "\"\xc3\xa9\xf0\x9f\x98\x80\"\n",
		 "[\"tab\\tquote\\\"back\\\\slash\\u0007\",\"\\u0085\\u2028\\ufeff\","
		 "\"\xc3\xa9\xf0\x9f\x98\x80\"]"},
		{"\"yes\": 1\n\"1\": 2\n\"\": 3\na.b/c: 4\n",
		 "{\"yes\":1,\"1\":2,\"\":3,\"a.b/c\":4}"},
		{"plain\n", "\"plain\""},
		{"1.0\n", "1.0"},
		{"- 0.3\n- 1e300\n- 0.1\n", "[0.3,1e300,0.1]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		autojson json_t *v = NULL;
		assert_ok(jx_parse(&v, cases[i].json, strlen(cases[i].json), "case", &e), &e);
		autofree char *text = y2j_emit(v);
		assert_string_equal(text, cases[i].yaml);
	}
}

/* --- a round trip of whatever a generator comes up with ------------------------------------------
 */

static uint32_t seed;

static unsigned dice(unsigned sides)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % sides;
}

static json_t *any_string(void)
{
	static const char *const pieces[] = {
		"a",
		"b",
		"yes",
		"no",
		"~",
		"null",
		"1",
		"0",
		".",
		"-",
		"+",
		":",
		" ",
		"\n",
		"\t",
		"#",
		"'",
		"\"",
		"\\",
		"{",
		"}",
		"[",
		"]",
		",",
		"&",
		"*",
		"!",
		"|",
		">",
		"%",
		"@",
		"`",
		"?",
		"<<",
		"=",
		"e5",
		"0x",
		"---",
		"...",
		"_",
		"\r",
		"\x01",
		"\x7f",
		"  ",
		"\n\n",
		": ",
		" #",
		"- ",
		"/",
		"1e",
		"True",
		"on",
		"\xc2\x85",
		"\xe2\x80\xa8",
		"\xef\xbb\xbf",
		"\xc3\xa9",
		"\xf0\x9f\x98\x80",
		"\xef\xbf\xbe",
		"\xc2\xa0",
		"long words that go on and on and on ",
	};
	char text[400] = "";
	size_t len = 0;

	for (unsigned n = dice(7); n > 0; n--) {
		const char *piece = pieces[dice(ARRAY_LEN(pieces))];
		size_t size = strlen(piece);
		memcpy(text + len, piece, size + 1);
		len += size;
	}
	return json_string(text);
}

static json_t *any_value(int depth)
{
	json_t *v;

	switch (dice(depth > 0 ? 9 : 6)) {
	case 0:
		return json_integer((json_int_t)dice(2000) - 1000);
	case 1:
		return json_real((dice(2000) - 1000.0) / (1 + dice(50)) * (dice(2) ? 1 : 1e30));
	case 2:
		return dice(3) ? json_boolean(dice(2)) : json_null();
	case 3:
	case 4:
	case 5:
		return any_string();
	case 6:
		v = json_array();
		for (unsigned n = dice(5); n > 0; n--)
			(void)json_array_append_new(v, any_value(depth - 1));
		return v;
	default:
		v = json_object();
		for (unsigned n = dice(5); n > 0; n--) {
			autojson json_t *key = any_string();
			(void)json_object_set_new(v, json_string_value(key), any_value(depth - 1));
		}
		return v;
	}
}

static void whatever_is_emitted_reads_back_the_same(void **state UNUSED)
{
	for (seed = 1; seed < 0xFFFF0000u; seed = seed * 7 + 13) {
		static int rounds;
		if (++rounds > 4000)
			break;
		uint32_t start = seed;
		struct err e = ERR_INIT;
		autojson json_t *v = any_value(5);
		autojson json_t *back = NULL;
		autofree char *text = y2j_emit(v);
		if (y2j_parse(&back, NULL, text, strlen(text), "round", Y2J_OWN, &e) < 0)
			fail_msg("seed %u: %s in\n%s", start, e.msg, text);
		if (!json_equal(json_array_get(back, 0), v) || json_array_size(back) != 1) {
			autofree char *was = jx_canonical(v);
			autofree char *is = jx_canonical(back);
			fail_msg("seed %u:\n%s\nbecame\n%s\nby\n%s", start, was, is, text);
		}
		seed = start;
	}
}

static void very_long_keys_survive(void **state UNUSED)
{
	char key[3001];
	autojson json_t *v = json_object();
	autojson json_t *back = NULL;
	struct err e = ERR_INIT;

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	(void)json_object_set_new(v, key, json_pack("{s:[i,{s:s}]}", "a", 1, "b", "x\ny\n"));
	key[0] = 'l';
	(void)json_object_set_new(v, key, json_integer(5));
	key[0] = 'm';
	(void)json_object_set_new(v, key, json_pack("[{s:i}]", "n", 1));
	autofree char *text = y2j_emit(v);
	assert_ok(y2j_parse(&back, NULL, text, strlen(text), "f", Y2J_OWN, &e), &e);
	assert_true(json_equal(json_array_get(back, 0), v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_core_schema_is_read),
		cmocka_unit_test(foreign_files_are_read_as_kubectl_reads_them),
		cmocka_unit_test(what_is_refused_everywhere_names_its_place),
		cmocka_unit_test(own_files_must_quote_what_versions_of_yaml_read_differently),
		cmocka_unit_test(tabs_get_a_hint),
		cmocka_unit_test(sizes_have_limits),
		cmocka_unit_test(marks_tell_where_everything_is),
		cmocka_unit_test(files_are_read_with_their_name_in_messages),
		cmocka_unit_test(emitted_as_kubectl_would),
		cmocka_unit_test(whatever_is_emitted_reads_back_the_same),
		cmocka_unit_test(very_long_keys_survive),
	};

	return RUN(tests);
}
