#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static char *folder;

static int make_folder(void **state UNUSED)
{
	folder = xstrdup("/tmp/unit-file.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state UNUSED)
{
	const char *const names[] = {"f", "lock", "d/e/f", "d/e", "d", "target", "link"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		autofree char *path = path_join(folder, names[i]);
		if (unlink(path) < 0)
			(void)rmdir(path);
	}
	int rc = rmdir(folder); /* fails when a test left something behind */
	free(folder);
	return rc;
}

static void what_is_written_is_read_with_its_mode(void **state UNUSED)
{
	autofree char *path = path_join(folder, "f");
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	size_t len;

	assert_ok(file_write_atomic(path, "a\0b", 3, 0600, &e), &e);
	assert_ok(file_write_atomic(path, "c\0de", 4, 0640, &e), &e);
	assert_ok(file_read(&text, &len, path, 4, &e), &e);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "c\0de", 5);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void reading_has_a_limit(void **state UNUSED)
{
	autofree char *path = path_join(folder, "f");
	char *text = NULL;
	struct err e = ERR_INIT;
	size_t len = 7;

	assert_ok(file_write_atomic(path, "12345", 5, 0600, &e), &e);
	assert_fails(file_read(&text, &len, path, 4, &e), &e, ERR_INVALID);
	assert_null(text);
	assert_int_equal(len, 7);
	/* files that say nothing about their size have one too */
	assert_fails(file_read(&text, &len, "/dev/zero", 10000, &e), &e, ERR_INVALID);
}

static void files_without_a_size_are_read_to_the_end(void **state UNUSED)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	size_t len;

	assert_ok(file_read(&text, &len, "/proc/self/status", 1 << 20, &e), &e);
	assert_true(len > 100 && strlen(text) == len);
}

static void errors_tell_what_is_wrong(void **state UNUSED)
{
	char *text = NULL;
	struct err e = ERR_INIT;
	size_t len;
	int fd = -1;

	assert_int_equal(file_read(&text, &len, "/nonexistent/x", 10, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "/nonexistent/x: No such file or directory");
	err_clear(&e);
	assert_fails(file_read(&text, &len, "/tmp", 10, &e), &e, ERR_INVALID);
	assert_fails(file_write_atomic("/nonexistent/x", "", 0, 0600, &e), &e, ERR_NOT_FOUND);
	assert_fails(file_lock(&fd, "/nonexistent/x", &e), &e, ERR_NOT_FOUND);
	assert_int_equal(fd, -1);
}

static void writing_replaces_a_link_and_leaves_its_target(void **state UNUSED)
{
	autofree char *target = path_join(folder, "target");
	autofree char *link = path_join(folder, "link");
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	size_t len;

	assert_ok(file_write_atomic(target, "old", 3, 0600, &e), &e);
	assert_int_equal(symlink(target, link), 0);
	assert_ok(file_write_atomic(link, "new", 3, 0600, &e), &e);
	assert_ok(file_read(&text, &len, target, 10, &e), &e);
	assert_string_equal(text, "old");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void writing_never_replaces_what_is_no_file(void **state UNUSED)
{
	autofree char *pipe = path_join(folder, "f"), *link = path_join(folder, "link");
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(symlink(pipe, link), 0);
	assert_fails(file_write_atomic(pipe, "x", 1, 0600, &e), &e, ERR_EXISTS);
	assert_fails(file_write_atomic(link, "x", 1, 0600, &e), &e, ERR_EXISTS);
	assert_int_equal(lstat(pipe, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void a_failed_write_leaves_nothing_behind(void **state UNUSED)
{
	struct err e = ERR_INIT;

	/* the rename fails: the target is a folder; remove_folder sees a forgotten temp file */
	autofree char *path = path_join(folder, "d");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void folders_are_made_with_their_parents(void **state UNUSED)
{
	autofree char *deep = path_join(folder, "d/e//f/");
	autofree char *file = path_join(folder, "f");
	autofree char *below = path_join(folder, "f/x");
	struct err e = ERR_INIT;
	struct stat st;
	mode_t old = umask(0077);

	assert_ok(file_mkdirs(deep, 0755, &e), &e);
	assert_ok(file_mkdirs(deep, 0700, &e), &e);
	(void)umask(old);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_ok(file_mkdirs("/", 0755, &e), &e);
	assert_ok(file_write_atomic(file, "", 0, 0600, &e), &e);
	assert_fails(file_mkdirs(file, 0755, &e), &e, ERR_EXISTS);
	assert_fails(file_mkdirs(below, 0755, &e), &e, ERR_EXISTS);
	assert_fails(file_mkdirs("", 0755, &e), &e, ERR_NOT_FOUND);
}

static void a_lock_is_held_by_one(void **state UNUSED)
{
	autofree char *path = path_join(folder, "lock");
	struct err e = ERR_INIT;
	struct stat st;
	int first = -1, second = -1;

	assert_ok(file_lock(&first, path, &e), &e);
	assert_int_equal(fstat(first, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_fails(file_lock(&second, path, &e), &e, ERR_CONFLICT);
	assert_int_equal(second, -1);
	(void)close(first);
	assert_ok(file_lock(&second, path, &e), &e);
	(void)close(second);
}

static void removing_what_is_absent_is_fine(void **state UNUSED)
{
	autofree char *path = path_join(folder, "f");
	struct err e = ERR_INIT;

	assert_ok(file_write_atomic(path, "", 0, 0600, &e), &e);
	assert_true(file_exists(path));
	assert_ok(file_remove(path, &e), &e);
	assert_false(file_exists(path));
	assert_ok(file_remove(path, &e), &e);
	assert_fails(file_remove("/proc/self", &e), &e, ERR_DENIED);
}

static void paths_are_joined_and_split(void **state UNUSED)
{
	static const struct {
		const char *a, *b, *joined, *folder;
	} cases[] = {
		{"a", "b", "a/b", "a"},
		{"a/", "b", "a/b", "a"},
		{"", "b", "b", "."},
		{"/", "b", "/b", "/"},
		{"/a/b", "c/d", "/a/b/c/d", "/a/b/c"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *joined = path_join(cases[i].a, cases[i].b);
		autofree char *dir = path_dir(joined);
		assert_string_equal(joined, cases[i].joined);
		assert_string_equal(dir, cases[i].folder);
	}
}

static void home_is_the_environments_or_the_passwd_entry(void **state UNUSED)
{
	autofree char *old = getenv("HOME") ? xstrdup(getenv("HOME")) : NULL;

	(void)setenv("HOME", "/some/where", 1);
	autofree char *named = path_home();
	assert_string_equal(named, "/some/where");
	(void)unsetenv("HOME");
	autofree char *entry = path_home();
	if (getuid() == 0)
		assert_string_equal(entry, "/root");
	if (old)
		(void)setenv("HOME", old, 1);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(what_is_written_is_read_with_its_mode),
		WITH_FOLDER(reading_has_a_limit),
		cmocka_unit_test(files_without_a_size_are_read_to_the_end),
		cmocka_unit_test(errors_tell_what_is_wrong),
		WITH_FOLDER(writing_replaces_a_link_and_leaves_its_target),
		WITH_FOLDER(writing_never_replaces_what_is_no_file),
		WITH_FOLDER(a_failed_write_leaves_nothing_behind),
		WITH_FOLDER(folders_are_made_with_their_parents),
		WITH_FOLDER(a_lock_is_held_by_one),
		WITH_FOLDER(removing_what_is_absent_is_fine),
		cmocka_unit_test(paths_are_joined_and_split),
		cmocka_unit_test(home_is_the_environments_or_the_passwd_entry),
	};

	return RUN(tests);
}
