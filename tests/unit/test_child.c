/* test_child.c - base/child.c with real children. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

struct fixture {
	struct loop *l;
	size_t fds;
	struct child_result r;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->fds = open_fds();
	*state = f;
	return loop_new(&f->l, &f->e);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	size_t fds;

	child_result_release(&f->r);
	loop_free(f->l);
	fds = open_fds();
	if (fds != f->fds)
		print_error("%zu descriptors before, %zu after\n", f->fds, fds);
	fds -= f->fds;
	free(f);
	return fds ? -1 : 0;
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void run_ok(struct fixture *f, const struct child_opts *o)
{
	child_result_release(&f->r);
	if (child_run(&f->r, f->l, o, &f->e) < 0)
		fail_msg("%s", f->e.msg);
}

static void run_fails(struct fixture *f, const struct child_opts *o, enum err_code code)
{
	assert_int_equal(child_run(&f->r, f->l, o, &f->e), -1);
	assert_string_equal(err_name(f->e.code), err_name(code));
}

static void both_outputs_and_the_exit_code_come_back(void **state)
{
	struct fixture *f = *state;

	run_ok(f, &(struct child_opts){.argv = ARGV("sh", "-c", "echo one; echo two >&2; exit 7")});
	assert_int_equal(f->r.exit_code, 7);
	assert_string_equal(buf_str(&f->r.out), "one\n");
	assert_string_equal(buf_str(&f->r.err), "two\n");
	run_ok(f, &(struct child_opts){.argv = ARGV("sh", "-c", "kill -9 $$")});
	assert_int_equal(f->r.exit_code, 128 + 9);
}

static void arguments_are_not_read_by_a_shell(void **state)
{
	struct fixture *f = *state;

	run_ok(f, &(struct child_opts){.argv = ARGV("printf", "%s|", "a b", "$HOME", "*", "")});
	assert_string_equal(buf_str(&f->r.out), "a b|$HOME|*||");
}

static void environment_and_folder_are_what_was_asked_for(void **state)
{
	struct fixture *f = *state;

	setenv("CHILD_TEST_KEPT", "kept", 1);
	setenv("CHILD_TEST_HIDDEN", "old", 1);
	run_ok(f, &(struct child_opts){
			  .argv = ARGV("sh", "-c", "echo $CHILD_TEST_KEPT $CHILD_TEST_HIDDEN; pwd"),
			  .env_add = ARGV("CHILD_TEST_HIDDEN=new"),
			  .cwd = "/",
		  });
	assert_string_equal(buf_str(&f->r.out), "kept new\n/\n");
	run_ok(f, &(struct child_opts){.argv = ARGV("/usr/bin/env"), .env = ARGV("ONLY=this")});
	assert_string_equal(buf_str(&f->r.out), "ONLY=this\n");
}

static void a_missing_program_is_not_found(void **state)
{
	struct fixture *f = *state;

	run_fails(f, &(struct child_opts){.argv = ARGV("no-such-program-here", "--token=hush")},
		  ERR_NOT_FOUND);
	assert_string_equal(f->e.msg, "no-such-program-here: no such program");
	err_clear(&f->e);
	run_fails(f, &(struct child_opts){.argv = ARGV("/etc/passwd")}, ERR_DENIED);
	err_clear(&f->e);
	run_fails(f, &(struct child_opts){.argv = ARGV("true"), .cwd = "/no/such/folder"},
		  ERR_NOT_FOUND);
	assert_has(f->e.msg, "/no/such/folder");
}

static void a_large_input_through_a_filter_does_not_deadlock(void **state)
{
	struct fixture *f = *state;
	size_t n = 8u << 20;
	autofree char *input = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		input[i] = (char)('a' + i % 26);
	run_ok(f, &(struct child_opts){
			  .argv = ARGV("cat"),
			  .stdin_bytes = input,
			  .stdin_len = n,
			  .max_output = n,
		  });
	assert_int_equal(f->r.out.len, n);
	assert_memory_equal(f->r.out.data, input, n);
}

static void a_child_that_does_not_read_its_input_is_fine(void **state)
{
	struct fixture *f = *state;
	size_t n = 1u << 20;
	autofree char *input = xcalloc(1, n);

	run_ok(f, &(struct child_opts){
			  .argv = ARGV("sh", "-c", "exec 0<&-; sleep 0.1; echo done"),
			  .stdin_bytes = input,
			  .stdin_len = n,
		  });
	assert_string_equal(buf_str(&f->r.out), "done\n");
	run_ok(f, &(struct child_opts){.argv = ARGV("cat")});
	assert_int_equal(f->r.out.len, 0);
}

static void too_much_output_ends_the_child(void **state)
{
	struct fixture *f = *state;
	ns_t start = clock_mono();

	run_fails(f, &(struct child_opts){.argv = ARGV("yes"), .max_output = 100000}, ERR_INVALID);
	assert_string_equal(f->e.msg, "yes: more than 100000 bytes of output");
	assert_true(clock_mono() - start < 3 * NS_SEC);
}

/* The pids of sleep commands that a script has noted in its first lines. */
struct noted {
	pid_t pid[4];
	size_t n;
};

static void note_pid(const char *line, bool is_stderr UNUSED, void *arg)
{
	struct noted *p = arg;

	if (p->n < ARRAY_LEN(p->pid))
		p->pid[p->n++] = (pid_t)atoi(line);
}

/* Gone, or a zombie that its new parent has not yet looked at. */
static bool is_gone(pid_t pid)
{
	char path[64], text[256] = "";
	FILE *stat;
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	if (!stat)
		return true;
	if (!fgets(text, sizeof(text), stat))
		text[0] = '\0';
	fclose(stat);
	end = strrchr(text, ')');
	return !end || end[2] == 'Z' || end[2] == 'X';
}

static void check_gone(const struct noted *p, size_t n)
{
	assert_int_equal(p->n, n);
	for (size_t i = 0; i < n; i++) {
		for (int tries = 0; tries < 100 && !is_gone(p->pid[i]); tries++)
			usleep(10000);
		assert_true(is_gone(p->pid[i]));
	}
}

static void a_timeout_ends_the_child_with_its_grandchildren(void **state)
{
	struct fixture *f = *state;
	struct noted p = {0};
	ns_t start = clock_mono();

	run_fails(
		f,
		&(struct child_opts){
			.argv = ARGV("sh", "-c", "sleep 300 & echo $!; sleep 301 & echo $!; wait"),
			.timeout = 200 * NS_MS,
			.on_line = note_pid,
			.arg = &p,
		},
		ERR_TIMEOUT);
	assert_string_equal(f->e.msg, "sh: timed out");
	assert_true(clock_mono() - start < 3 * NS_SEC);
	check_gone(&p, 2);
}

static void who_ignores_sigterm_is_killed_five_seconds_later(void **state)
{
	struct fixture *f = *state;
	struct noted p = {0};
	ns_t start = clock_mono(), took;

	run_fails(f,
		  &(struct child_opts){
			  .argv = ARGV(
				  "sh", "-c",
				  "trap '' TERM; (trap '' TERM; exec sleep 300) & echo $!; wait"),
			  .timeout = 100 * NS_MS,
			  .on_line = note_pid,
			  .arg = &p,
		  },
		  ERR_TIMEOUT);
	took = clock_mono() - start;
	assert_true(took > 4 * NS_SEC && took < 8 * NS_SEC);
	check_gone(&p, 1);
}

static void a_descendant_that_stays_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct noted p = {0};
	ns_t start = clock_mono();

	run_ok(f, &(struct child_opts){.argv = ARGV("sh", "-c", "sleep 300 & echo $!"),
				       .on_line = note_pid,
				       .arg = &p});
	assert_true(clock_mono() - start < 3 * NS_SEC);
	assert_int_equal(p.n, 1);
	assert_false(is_gone(p.pid[0]));
	kill(p.pid[0], SIGKILL);
}

static void interrupt_us(const char *line UNUSED, bool is_stderr UNUSED, void *arg UNUSED)
{
	kill(getpid(), SIGINT);
}

static void a_signal_ends_the_child_and_the_wait(void **state)
{
	struct fixture *f = *state;
	ns_t start = clock_mono();

	assert_ok(loop_signals(f->l, &f->e), &f->e);
	run_fails(f,
		  &(struct child_opts){.argv = ARGV("sh", "-c", "echo started; sleep 300"),
				       .on_line = interrupt_us},
		  ERR_CANCELLED);
	assert_true(clock_mono() - start < 3 * NS_SEC);
	assert_int_equal(loop_signalled(f->l), SIGINT);
}

static void a_child_has_no_blocked_or_ignored_signals_and_no_descriptors_of_ours(void **state)
{
	struct fixture *f = *state;
	unsigned long long blocked, ignored;
	int leak = dup(0); /* without close-on-exec on purpose */

	assert_ok(loop_signals(f->l, &f->e), &f->e);
	run_ok(f, &(struct child_opts){
			  .argv = ARGV(
				  "sh", "-c",
				  "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd")});
	/* The upper bits are the two signals that glibc keeps for itself. */
	close(leak);
	assert_int_equal(
		sscanf(buf_str(&f->r.out), "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	assert_int_equal(blocked & 0x7fffffff, 0);
	assert_int_equal(ignored & 0x7fffffff, 0);
	assert_has(buf_str(&f->r.out), "\n0\n1\n2\n3\n");
}

struct lines {
	size_t out, err, longest;
	char last[32];
};

static void count_line(const char *line, bool is_stderr, void *arg)
{
	struct lines *n = arg;
	size_t len = strlen(line);

	*(is_stderr ? &n->err : &n->out) += 1;
	if (len > n->longest)
		n->longest = len;
	snprintf(n->last, sizeof(n->last), "%.20s", line);
}

static void lines_are_told_as_they_come_and_only_the_last_bytes_are_kept(void **state)
{
	struct fixture *f = *state;
	struct lines n = {0};

	run_ok(f, &(struct child_opts){
			  .argv = ARGV("sh", "-c", "seq 1 100000; echo oops >&2; printf end"),
			  .on_line = count_line,
			  .arg = &n,
			  .max_output = 1000,
		  });
	assert_int_equal(n.out, 100001);
	assert_int_equal(n.err, 1);
	assert_int_equal(f->r.out.len, 1000);
	assert_string_equal(buf_str(&f->r.out) + 1000 - 10, "100000\nend");
}

static void a_line_longer_than_64_kib_is_cut(void **state)
{
	struct fixture *f = *state;
	struct lines n = {0};

	run_ok(f, &(struct child_opts){
			  .argv = ARGV("sh", "-c",
				       "head -c 200000 /dev/zero | tr '\\0' x; echo; echo y"),
			  .on_line = count_line,
			  .arg = &n,
		  });
	assert_int_equal(n.out, 2);
	assert_int_equal(n.longest, 65536);
	assert_string_equal(n.last, "y");
}

static void the_loop_goes_on_while_a_child_runs_tick(void *arg)
{
	int *ticks = arg;

	++*ticks;
}

static void the_loop_goes_on_while_a_child_runs(void **state)
{
	struct fixture *f = *state;
	int ticks = 0;
	struct loop_timer *t = loop_timer_new(f->l, the_loop_goes_on_while_a_child_runs_tick,
					      &ticks);

	loop_timer_after(t, 10 * NS_MS);
	run_ok(f, &(struct child_opts){.argv = ARGV("sleep", "0.2")});
	assert_int_equal(ticks, 1);
	loop_timer_free(t);
}

static void two_hundred_children_leave_nothing_behind(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 200; i++)
		run_ok(f, &(struct child_opts){.argv = ARGV("true")});
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(both_outputs_and_the_exit_code_come_back),
		T(arguments_are_not_read_by_a_shell),
		T(environment_and_folder_are_what_was_asked_for),
		T(a_missing_program_is_not_found),
		T(a_large_input_through_a_filter_does_not_deadlock),
		T(a_child_that_does_not_read_its_input_is_fine),
		T(too_much_output_ends_the_child),
		T(a_timeout_ends_the_child_with_its_grandchildren),
		T(who_ignores_sigterm_is_killed_five_seconds_later),
		T(a_descendant_that_stays_is_not_waited_for),
		T(a_signal_ends_the_child_and_the_wait),
		T(a_child_has_no_blocked_or_ignored_signals_and_no_descriptors_of_ours),
		T(lines_are_told_as_they_come_and_only_the_last_bytes_are_kept),
		T(a_line_longer_than_64_kib_is_cut),
		T(the_loop_goes_on_while_a_child_runs),
		T(two_hundred_children_leave_nothing_behind),
	};

	return RUN(tests);
}
