/* test_state.c - what is remembered: alone, whole, private. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "provision/state.h"

static char root[64];

static int setup(void **state UNUSED)
{
	snprintf(root, sizeof(root), "/tmp/test-state-XXXXXX");
	return !mkdtemp(root) || setenv("XDG_STATE_HOME", root, 1);
}

static int teardown(void **state UNUSED)
{
	autofree char *command = xasprintf("rm -rf '%s'", root);

	return system(command);
}

static void what_is_set_is_there_again_and_private(void **state UNUSED)
{
	struct state s = STATE_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	assert_ok(state_open(&s, "a", true, &e), &e);
	assert_false(s.found);
	assert_ok(state_set(&s, "made.cluster", json_true(), &e), &e);
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(&s);
	assert_ok(state_open(&s, "a", false, &e), &e);
	assert_true(s.found && jx_bool(s.doc, "made.cluster"));
	state_close(&s);
}

static void looking_writes_nothing(void **state UNUSED)
{
	autofree char *folder = path_join(root, "prestoctl");
	struct state s = STATE_INIT;
	struct err e = ERR_INIT;
	autojson json_t *names = NULL;

	assert_ok(state_open(&s, "a", false, &e), &e);
	state_close(&s);
	assert_false(file_exists(folder));
	assert_ok(state_names(&names, &e), &e);
	assert_int_equal(json_array_size(names), 0);
}

static void a_second_run_is_refused(void **state UNUSED)
{
	struct state one = STATE_INIT, two = STATE_INIT;
	struct err e = ERR_INIT;

	assert_ok(state_open(&one, "a", true, &e), &e);
	assert_int_equal(state_open(&two, "a", true, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_has(e.msg, "another prestoctl");
	err_clear(&e);
	/* Another environment, and looking, are fine. */
	assert_ok(state_open(&two, "b", true, &e), &e);
	state_close(&two);
	assert_ok(state_open(&two, "a", false, &e), &e);
	state_close(&two);
	state_close(&one);
	assert_ok(state_open(&two, "a", true, &e), &e);
	state_close(&two);
}

static void damage_counts_as_nothing_remembered(void **state UNUSED)
{
	static const char *const texts[] = {"", "{", "[]", "{\"version\":99}", "\001\002"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct state s = STATE_INIT;
		struct err e = ERR_INIT;

		assert_ok(state_open(&s, "a", true, &e), &e);
		assert_ok(file_write_atomic(s.path, texts[i], strlen(texts[i]), 0600, &e), &e);
		state_close(&s);
		assert_ok(state_open(&s, "a", true, &e), &e);
		assert_true(s.damaged && !s.found);
		assert_string_equal(jx_str(s.doc, "name"), "a");
		assert_ok(state_set(&s, "x", json_integer(1), &e), &e);
		state_close(&s);
		assert_ok(state_open(&s, "a", false, &e), &e);
		assert_true(s.found && !s.damaged);
		state_close(&s);
	}
}

/* A writer is killed again and again: what is there is always whole, and the lock never stays. */
static void a_killed_writer_leaves_a_whole_file(void **state UNUSED)
{
	struct err e = ERR_INIT;

	for (int i = 0; i < 25; i++) {
		struct state s = STATE_INIT;
		pid_t pid = fork();

		if (!pid) {
			if (state_open(&s, "a", true, &e) < 0)
				_exit(1);
			for (int n = 0;; n++)
				if (state_set(&s, "n", json_integer(n), &e) < 0)
					_exit(1);
		}
		usleep((useconds_t)(500 + i * 700));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_ok(state_open(&s, "a", true, &e), &e);
		assert_false(s.damaged);
		state_close(&s);
	}
}

static void names_are_listed_and_forgotten(void **state UNUSED)
{
	autojson json_t *names = NULL, *after = NULL;
	struct state s = STATE_INIT, b = STATE_INIT;
	struct err e = ERR_INIT;

	assert_ok(state_open(&b, "b", true, &e), &e);
	assert_ok(state_set(&b, "x", json_integer(1), &e), &e);
	assert_ok(state_open(&s, "a", true, &e), &e);
	assert_ok(state_set(&s, "x", json_integer(1), &e), &e);
	assert_ok(state_names(&names, &e), &e);
	assert_int_equal(json_array_size(names), 2);
	assert_string_equal(json_string_value(json_array_get(names, 0)), "a");
	assert_ok(state_remove(&s, &e), &e);
	assert_false(file_exists(s.folder));
	state_close(&s);
	state_close(&b);
	assert_ok(state_names(&after, &e), &e);
	assert_int_equal(json_array_size(after), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_set_is_there_again_and_private),
		T(looking_writes_nothing),
		T(a_second_run_is_refused),
		T(damage_counts_as_nothing_remembered),
		T(a_killed_writer_leaves_a_whole_file),
		T(names_are_listed_and_forgotten),
	};

	return RUN(tests);
}
