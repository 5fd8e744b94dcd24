#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/log.h"

static char said[1 << 16];

/* Runs with stderr going into a pipe's place; what came out is in said. */
static void listen(void (*talk)(void))
{
	char path[] = "/tmp/unit-log.XXXXXX";
	int saved = dup(STDERR_FILENO), fd = mkstemp(path);

	assert_true(fd >= 0 && saved >= 0);
	(void)unlink(path);
	(void)dup2(fd, STDERR_FILENO);
	clock_fake(0, 1564654830 * NS_SEC);
	talk();
	clock_fake(-1, -1);
	(void)dup2(saved, STDERR_FILENO);
	ssize_t n = pread(fd, said, sizeof(said) - 1, 0);
	assert_true(n >= 0);
	said[n] = '\0';
	(void)close(fd);
	(void)close(saved);
}

static void talk_text(void)
{
	log_setup(LOG_INFO_LEVEL, false);
	log_debug(NULL, "not heard");
	log_info("default/example", "created %d", 3);
	log_warn(NULL, "a\nb\tc \x1b[31m\xff \xc2\x85 \xc3\xa9 \"q\" \\");
}

static void lines_for_people(void **state UNUSED)
{
	listen(talk_text);
	assert_string_equal(
		said,
		"2019-08-01T10:20:30Z info  default/example: created 3\n"
		"2019-08-01T10:20:30Z warn  a\\nb\\tc \\x1b[31m\\xff \\u0085 \xc3\xa9 \"q\" \\\n");
}

static void talk_json(void)
{
	log_setup(LOG_DEBUG_LEVEL, true);
	log_error("default/\"x\"", "a\nb\tc \x1b[31m\xff \xc2\x85 \xc3\xa9 \"q\" \\");
}

static void lines_for_programs(void **state UNUSED)
{
	autojson json_t *line = NULL;
	struct err e = ERR_INIT;

	listen(talk_json);
	assert_ok(jx_parse(&line, said, strlen(said), "line", &e), &e);
	assert_string_equal(jx_str(line, "time"), "2019-08-01T10:20:30Z");
	assert_string_equal(jx_str(line, "level"), "error");
	assert_string_equal(jx_str(line, "key"), "default/\"x\"");
	assert_string_equal(jx_str(line, "msg"),
			    "a\nb\tc \x1b[31m\xef\xbf\xbd \xc2\x85 \xc3\xa9 \"q\" \\");
	assert_int_equal(json_object_size(line), 4);
}

static void talk_secret(void)
{
	struct err e = ERR_INIT;

	log_setup(LOG_INFO_LEVEL, false);
	log_secret("hunter2-and-more");
	log_secret("line1\nline2");
	err_set(&e, ERR_DENIED, "refused hunter2-and-more");
	err_hint(&e, "do not use hunter2-and-more");
	log_err(LOG_ERROR_LEVEL, "ns/hunter2-and-more", &e, "signing in");
	log_info(NULL, "%s", "key line1\nline2 end");
}

static void secrets_never_reach_a_line(void **state UNUSED)
{
	listen(talk_secret);
	assert_null(strstr(said, "hunter2"));
	assert_null(strstr(said, "line1"));
	assert_has(said, "ns/[redacted]: signing in: refused [redacted] (do not use [redacted])\n");
	assert_has(said, "key [redacted] end\n");
}

static void talk_long(void)
{
	char text[20000];

	log_setup(LOG_INFO_LEVEL, false);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	/* the secret lies across the place where the line is cut */
	memcpy(text + 8190, "hunter2-and-more", 16);
	log_info(NULL, "%s", text);
}

static void long_lines_are_cut_after_redaction(void **state UNUSED)
{
	log_secret("hunter2-and-more");
	listen(talk_long);
	assert_true(strlen(said) < 9000);
	assert_null(strstr(said, "hu"));
	assert_true(ends_with(said, "\n"));
}

static void known_forms_are_redacted_in_place(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"nothing here", "nothing here"},
		{"Authorization: Bearer abcdefghijkl.mno", "Authorization: Bearer [redacted]"},
		{"bearer abcdefghijkl, next", "bearer [redacted], next"},
		{"Basic dXNlcjpwYXNzd29yZA==", "Basic [redacted]"},
		{"?token=abcdefghijkl&x=1", "?token=[redacted]&x=1"},
		{"access_token=abcdefghijkl", "access_token=[redacted]"},
		{"password=x", "password=*"},
		{"password=xyz12 rest", "password=*** rest"},
		{"{\"password\":\"abcdefghijkl\"}", "{\"password\":\"[redacted]\"}"},
		{"token: abcdefghijkl", "token: [redacted]"},
		{"token: Bearer abcdefghijkl", "token: Bearer [redacted]"},
		{"the token is fine", "the token is fine"},
		{"token=", "token="},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *text = xstrdup(cases[i].text);
		log_redact(text);
		assert_string_equal(text, cases[i].want);
	}
}

static void the_longest_secret_wins_and_short_ones_are_ignored(void **state UNUSED)
{
	char text[] = "abcdefgh abcdefghijklmn abc secret7";

	log_secret("abcdefgh");
	log_secret("abcdefghijklmn");
	log_secret("abc");
	log_secret("secret7");
	log_secret(NULL);
	log_redact(text);
	assert_string_equal(text, "*** [redacted] abc ***");
}

static void the_oldest_secret_is_forgotten_first(void **state UNUSED)
{
	char name[32];

	log_secret("kept-by-renewal");
	log_secret("the-oldest-secret");
	for (int i = 0; i < 63; i++) {
		(void)snprintf(name, sizeof(name), "secret-number-%d.", i);
		log_secret(name);
		log_secret("kept-by-renewal");
	}
	char text[] = "the-oldest-secret kept-by-renewal secret-number-0. secret-number-62.";
	log_redact(text);
	assert_string_equal(text, "the-oldest-secret [redacted] [redacted] [redacted]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_for_people),
		cmocka_unit_test(lines_for_programs),
		cmocka_unit_test(secrets_never_reach_a_line),
		cmocka_unit_test(long_lines_are_cut_after_redaction),
		cmocka_unit_test(known_forms_are_redacted_in_place),
		cmocka_unit_test(the_longest_secret_wins_and_short_ones_are_ignored),
		cmocka_unit_test(the_oldest_secret_is_forgotten_first),
	};

	return RUN(tests);
}
