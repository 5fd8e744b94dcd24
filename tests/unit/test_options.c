/* test_options.c - command lines and what they mean. */
#include "tests/unit/unit.h"

#include "provision/app.h"
#include "provision/commands.h"

struct got {
	bool flag, other;
	const char *file, *format;
	int count;
	ns_t time;
	struct opt_texts many;
	struct opt_maybe maybe;
};

static const char *const formats[] = {"table", "csv", NULL};
static const struct opt table[] = {
	{"flag", 'a', OPT_FLAG, offsetof(struct got, flag), NULL, "", NULL},
	{"other", 'b', OPT_FLAG, offsetof(struct got, other), NULL, "", NULL},
	{"file", 'f', OPT_TEXT, offsetof(struct got, file), "FILE", "", NULL},
	{"format", 0, OPT_CHOICE, offsetof(struct got, format), "FORMAT", "", formats},
	{"count", 'c', OPT_COUNT, offsetof(struct got, count), "N", "", NULL},
	{"time", 0, OPT_DURATION, offsetof(struct got, time), "TIME", "", NULL},
	{"many", 'm', OPT_TEXTS, offsetof(struct got, many), "X", "", NULL},
	{"maybe", 'y', OPT_MAYBE, offsetof(struct got, maybe), "[X]", "", NULL},
	{0},
};

/* Words are separated by one space; the line is cut in place. */
static int parse(struct got *g, char *line, bool lead, int *argc, char **words, struct err *e)
{
	const struct opt_set set = {table, g};
	char *save = NULL, **argv = words;

	*argc = 0;
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		words[(*argc)++] = w;
	if (options_parse(&set, 1, lead, argc, &argv, e) < 0)
		return -1;
	if (lead)
		memmove(words, argv, (size_t)*argc * sizeof(*words));
	return 0;
}

static void options_are_taken_wherever_they_stand(void **state UNUSED)
{
	char line[] = "one -f x --count=3 two -ab --time 1m30s --format csv -mA --many B -- --flag";
	struct err e = ERR_INIT;
	struct got g = {0};
	char *words[32];
	int n;

	assert_ok(parse(&g, line, false, &n, words, &e), &e);
	assert_int_equal(n, 3);
	assert_string_equal(words[0], "one");
	assert_string_equal(words[2], "--flag");
	assert_true(g.flag && g.other);
	assert_string_equal(g.file, "x");
	assert_string_equal(g.format, "csv");
	assert_int_equal(g.count, 3);
	assert_true(g.time == 90 * NS_SEC);
	assert_int_equal(g.many.n, 2);
	assert_string_equal(g.many.v[1], "B");
}

static void leading_options_end_at_the_first_word(void **state UNUSED)
{
	char line[] = "-a up -b";
	struct err e = ERR_INIT;
	struct got g = {0};
	char *words[8];
	int n;

	assert_ok(parse(&g, line, true, &n, words, &e), &e);
	assert_int_equal(n, 2);
	assert_string_equal(words[0], "up");
	assert_true(g.flag && !g.other);
}

static void wrong_options_are_refused_with_a_remedy(void **state UNUSED)
{
	static const struct {
		const char *line, *msg, *hint;
	} cases[] = {
		{"--fiel x", "unknown option --fiel", "--file"},
		{"--zzzzzz", "unknown option --zzzzzz", ""},
		{"-z", "unknown option -z", ""},
		{"--file", "--file needs a value: FILE", ""},
		{"-f", "-f needs a value: FILE", ""},
		{"--file=", "--file: the FILE is empty", ""},
		{"--maybe=", "--maybe: the [X] is empty", ""},
		{"--flag=yes", "--flag takes no value", ""},
		{"--format xml", "'xml' is not one of table, csv", ""},
		{"--count -1", "'-1' is not a number from 0", ""},
		{"--count 1x", "'1x' is not a number", ""},
		{"--count 99999999999999999999", "is not a number", ""},
		{"--time 0s", "'0s' is not a duration", "90s"},
		{"--time soon", "'soon' is not a duration", "15m"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *line = xstrdup(cases[i].line);
		struct err e = ERR_INIT;
		struct got g = {0};
		char *words[8];
		int n;

		assert_int_equal(parse(&g, line, false, &n, words, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		assert_has(e.msg, cases[i].msg);
		assert_has(e.hint, cases[i].hint);
	}
}

static void a_value_may_be_left_out_before_the_end_and_before_options(void **state UNUSED)
{
	static const struct {
		const char *line, *value;
		bool flag;
	} cases[] = {
		{"--maybe", NULL, false},
		{"-y", NULL, false},
		{"--maybe x", "x", false},
		{"--maybe=x -a", "x", true},
		{"-yx", "x", false},
		{"-y x -a", "x", true},
		{"--maybe -a", NULL, true},
		{"-ay", NULL, true},
		{"--maybe --flag", NULL, true},
		{"--flag --maybe --", NULL, true},
		{"-a --maybe ./-x", "./-x", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *line = xstrdup(cases[i].line);
		struct err e = ERR_INIT;
		struct got g = {0};
		char *words[8];
		int n;

		assert_ok(parse(&g, line, false, &n, words, &e), &e);
		assert_true(g.maybe.given && n == 0);
		assert_true(streq(g.maybe.value, cases[i].value));
		assert_int_equal(g.flag, cases[i].flag);
	}
}

static void too_many_values_are_refused(void **state UNUSED)
{
	struct got g = {.many.n = OPT_TEXTS_MAX};
	char line[] = "-m x";
	struct err e = ERR_INIT;
	char *words[4];
	int n;

	assert_fails(parse(&g, line, false, &n, words, &e), &e, ERR_INVALID);
}

static void errors_become_exit_codes_by_class(void **state UNUSED)
{
	static const struct {
		enum err_code code;
		int exit;
	} cases[] = {
		{ERR_OK, 0},          {ERR_INVALID, 1},  {ERR_NOT_FOUND, 1}, {ERR_CONFLICT, 1},
		{ERR_TIMEOUT, 3},     {ERR_DENIED, 4},   {ERR_QUOTA, 5},     {ERR_CANCELLED, 130},
		{ERR_UNAVAILABLE, 1}, {ERR_PROTOCOL, 1}, {ERR_IO, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct err e = {.code = cases[i].code};

		assert_int_equal(app_exit_code(&e), cases[i].exit);
	}
}

/* Names are unique, no command's option hides a global one by its letter, and every row has a help text. */
static void the_tables_are_consistent(void **state UNUSED)
{
	for (size_t i = 0; i < commands_len; i++) {
		const char *near = NULL;

		assert_ptr_equal(command_find(commands[i]->name, &near), commands[i]);
		assert_non_null(commands[i]->summary);
		for (const struct opt *o = commands[i]->opts; o && o->name; o++) {
			assert_true(*o->help);
			assert_true((o->type == OPT_FLAG) == (o->arg == NULL));
			for (const struct opt *g = app_global_opts; g->name; g++)
				if ((o->letter && g->letter == o->letter) ||
				    /* up tells a kubeconfig of its cluster, or reads it there */
				    (streq(g->name, o->name) && o->type != OPT_MAYBE))
					fail_msg("%s: --%s is a global option too",
						 commands[i]->name, o->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_taken_wherever_they_stand),
		cmocka_unit_test(leading_options_end_at_the_first_word),
		cmocka_unit_test(wrong_options_are_refused_with_a_remedy),
		cmocka_unit_test(a_value_may_be_left_out_before_the_end_and_before_options),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(errors_become_exit_codes_by_class),
		cmocka_unit_test(the_tables_are_consistent),
	};

	return RUN(tests);
}
