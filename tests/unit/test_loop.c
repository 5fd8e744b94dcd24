/* test_loop.c - waiting, timers, descriptors, deferred calls and signals of base/loop.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

static int setup(void **state)
{
	struct loop *l = NULL;
	struct err e = ERR_INIT;

	if (loop_new(&l, &e) < 0)
		return -1;
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

/* --- timers ----------------------------------------------------------------------------------- */

struct trace {
	struct loop *l;
	char text[64];
	struct loop_timer *t[8];
	bool done;
};

static void note(struct trace *tr, char c)
{
	size_t n = strlen(tr->text);

	assert_true(n + 1 < sizeof(tr->text));
	tr->text[n] = c;
}

static void note_a(void *arg)
{
	note(arg, 'a');
}

static void note_b(void *arg)
{
	note(arg, 'b');
}

static void note_c(void *arg)
{
	note(arg, 'c');
}

static void set_done(void *arg)
{
	struct trace *tr = arg;

	tr->done = true;
}

static void wait_done(struct trace *tr)
{
	struct err e = ERR_INIT;

	assert_int_equal(loop_wait(tr->l, &tr->done, clock_mono() + 5 * NS_SEC, &e), 0);
	tr->done = false;
}

static void timers_run_in_the_order_of_their_times_then_of_arming(void **state)
{
	struct trace tr = {.l = *state};
	ns_t now = clock_mono();

	tr.t[0] = loop_timer_new(tr.l, note_c, &tr);
	tr.t[1] = loop_timer_new(tr.l, note_a, &tr);
	tr.t[2] = loop_timer_new(tr.l, note_b, &tr);
	tr.t[3] = loop_timer_new(tr.l, set_done, &tr);
	loop_timer_at(tr.t[0], now + 20 * NS_MS);
	loop_timer_at(tr.t[1], now + 10 * NS_MS);
	loop_timer_at(tr.t[2], now + 10 * NS_MS);
	loop_timer_at(tr.t[3], now + 30 * NS_MS);
	wait_done(&tr);
	assert_string_equal(tr.text, "abc");
	assert_true(clock_mono() - now >= 30 * NS_MS);
	for (int i = 0; i < 4; i++) {
		assert_false(loop_timer_armed(tr.t[i]));
		loop_timer_free(tr.t[i]);
	}
}

struct many {
	ns_t last, at[500];
	size_t ran;
	bool ordered, done;
	struct loop_timer *t[500];
};

struct one_of_many {
	struct many *m;
	size_t i;
};

static void in_order(void *arg)
{
	struct one_of_many *o = arg;

	o->m->ordered = o->m->ordered && o->m->at[o->i] >= o->m->last;
	o->m->last = o->m->at[o->i];
	o->m->done = ++o->m->ran == 400;
}

static void five_hundred_timers_keep_order_with_every_fifth_stopped(void **state)
{
	struct loop *l = *state;
	struct many *m = xcalloc(1, sizeof(*m));
	struct one_of_many *each = xcalloc(500, sizeof(*each));
	struct err e = ERR_INIT;
	ns_t now = clock_mono();
	unsigned seed = 7;

	m->ordered = true;
	for (size_t i = 0; i < 500; i++) {
		seed = seed * 1103515245u + 12345u;
		m->at[i] = now + (ns_t)(seed >> 16) % 1000 * 20 * NS_US;
		each[i] = (struct one_of_many){m, i};
		m->t[i] = loop_timer_new(l, in_order, &each[i]);
		loop_timer_at(m->t[i], m->at[i]);
	}
	for (size_t i = 0; i < 500; i += 5)
		loop_timer_stop(m->t[i]);
	assert_int_equal(loop_wait(l, &m->done, now + 5 * NS_SEC, &e), 0);
	assert_true(m->ordered);
	assert_int_equal(m->ran, 400);
	for (size_t i = 0; i < 500; i++)
		loop_timer_free(m->t[i]);
	free(each);
	free(m);
}

static void rearm_for_now(void *arg)
{
	struct trace *tr = arg;

	note(tr, 'r');
	if (strlen(tr->text) < 4)
		loop_timer_after(tr->t[0], 0);
	else
		tr->done = true;
}

static void a_timer_may_arm_itself_again_for_now_without_starving_the_loop(void **state)
{
	struct trace tr = {.l = *state};

	tr.t[0] = loop_timer_new(tr.l, rearm_for_now, &tr);
	tr.t[1] = loop_timer_new(tr.l, note_b, &tr);
	loop_timer_after(tr.t[0], 0);
	loop_timer_after(tr.t[1], 0);
	wait_done(&tr);
	assert_string_equal(tr.text, "rbrr");
	loop_timer_free(tr.t[0]);
	loop_timer_free(tr.t[1]);
}

static void free_all_timers(void *arg)
{
	struct trace *tr = arg;

	note(tr, 'f');
	for (int i = 0; i < 3; i++)
		loop_timer_free(TAKE(tr->t[i]));
	loop_defer(tr->l, set_done, tr);
}

static void a_timer_may_free_itself_and_others_that_are_due(void **state)
{
	struct trace tr = {.l = *state};

	for (int i = 0; i < 3; i++) {
		tr.t[i] = loop_timer_new(tr.l, free_all_timers, &tr);
		loop_timer_after(tr.t[i], 0);
	}
	wait_done(&tr);
	assert_string_equal(tr.text, "f");
}

/* --- waits ------------------------------------------------------------------------------------ */

static void a_wait_ends_at_its_deadline(void **state)
{
	bool never = false;
	struct err e = ERR_INIT;
	ns_t start = clock_mono();

	assert_int_equal(loop_wait(*state, &never, start + 20 * NS_MS, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_true(clock_mono() - start >= 20 * NS_MS);
	assert_true(clock_mono() - start < 2 * NS_SEC);
}

static void a_wait_for_what_is_done_ends_at_once_even_past_its_deadline(void **state)
{
	bool done = true;
	struct err e = ERR_INIT;

	assert_int_equal(loop_wait(*state, &done, 1, &e), 0);
}

static void the_overall_deadline_bounds_waits_and_sleeps(void **state)
{
	struct loop *l = *state;
	bool never = false;
	struct err e = ERR_INIT;

	assert_int_equal(loop_deadline(l, clock_mono() + 20 * NS_MS), 0);
	assert_int_equal(loop_wait(l, &never, 0, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	err_clear(&e);
	assert_int_equal(loop_sleep(l, NS_SEC, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	err_clear(&e);
	assert_true(loop_deadline(l, 0) > 0);
	assert_int_equal(loop_sleep(l, NS_MS, &e), 0);
}

static void tidying_up_may_wait_past_the_overall_deadline(void **state)
{
	struct trace tr = {.l = *state};
	struct err e = ERR_INIT;
	ns_t bound = clock_mono() - 1;

	loop_deadline(tr.l, bound);
	tr.t[0] = loop_timer_new(tr.l, set_done, &tr);
	loop_timer_after(tr.t[0], 5 * NS_MS);
	assert_int_equal(loop_wait_cleanup(tr.l, &tr.done, 0, &e), 0);
	assert_true(loop_deadline(tr.l, 0) == bound);
	loop_timer_free(tr.t[0]);
}

static void wait_in_callback(void *arg)
{
	bool never = false;
	struct err e = ERR_INIT;

	if (loop_wait(arg, &never, clock_mono() + NS_MS, &e) == 0)
		abort();
}

static void waiting_inside_a_callback_is_a_defect(void **state)
{
	struct loop *l = *state;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit no_core = {0, 0};
		struct err e = ERR_INIT;

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		loop_defer(l, wait_in_callback, l);
		_exit(loop_sleep(l, NS_SEC, &e) == 0 ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* --- loop_run --------------------------------------------------------------------------------- */

static void wait_a_little(void *arg)
{
	struct trace *tr = arg;
	struct err e = ERR_INIT;

	note(tr, 'i');
	assert_int_equal(loop_sleep(tr->l, 2 * NS_MS, &e), 0);
	note(tr, 'w');
	if (strlen(tr->text) >= 6)
		loop_stop(tr->l);
	else
		loop_timer_after(tr->t[0], NS_MS);
}

static void idle_may_wait_and_the_loop_goes_on(void **state)
{
	struct trace tr = {.l = *state};
	struct err e = ERR_INIT;

	tr.t[0] = loop_timer_new(tr.l, note_a, &tr);
	assert_int_equal(loop_run(tr.l, wait_a_little, &tr, &e), 0);
	assert_true(starts_with(tr.text, "iwa"));
	loop_timer_free(tr.t[0]);
}

/* --- deferred --------------------------------------------------------------------------------- */

static void defer_again(void *arg)
{
	struct trace *tr = arg;

	note(tr, 'd');
	if (strlen(tr->text) < 3)
		loop_defer(tr->l, defer_again, tr);
	else
		tr->done = true;
}

static void deferred_calls_run_in_order_and_may_defer(void **state)
{
	struct trace tr = {.l = *state};

	loop_defer(tr.l, note_a, &tr);
	loop_defer(tr.l, note_b, &tr);
	loop_defer(tr.l, note_a, &tr);
	loop_defer_cancel(tr.l, note_a, &tr);
	loop_defer(tr.l, defer_again, &tr);
	wait_done(&tr);
	assert_string_equal(tr.text, "bdd");
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct pipes {
	struct trace tr;
	int in[2], out[2];
	struct loop_fd *f[2];
};

static void read_one(unsigned events, void *arg)
{
	struct pipes *p = arg;
	char c;

	assert_int_equal(events, LOOP_READ);
	if (read(p->in[0], &c, 1) == 1) {
		note(&p->tr, c);
	} else {
		loop_fd_del(TAKE(p->f[0]));
		p->tr.done = true;
	}
}

static void a_descriptor_tells_bytes_and_the_end(void **state)
{
	struct pipes p = {.tr.l = *state};
	struct err e = ERR_INIT;

	assert_int_equal(pipe2(p.in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(loop_fd_add(&p.f[0], p.tr.l, p.in[0], LOOP_READ, read_one, &p, &e), 0);
	assert_int_equal(write(p.in[1], "xyz", 3), 3);
	close(p.in[1]);
	wait_done(&p.tr);
	assert_string_equal(p.tr.text, "xyz");
	close(p.in[0]);
}

static void a_descriptor_without_interest_does_not_spin_on_a_hang_up(void **state)
{
	struct pipes p = {.tr.l = *state};
	struct err e = ERR_INIT;
	struct rusage before, after;

	assert_int_equal(pipe2(p.in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(loop_fd_add(&p.f[0], p.tr.l, p.in[0], LOOP_READ, read_one, &p, &e), 0);
	loop_fd_events(p.f[0], 0);
	close(p.in[1]);
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(loop_sleep(p.tr.l, 100 * NS_MS, &e), 0);
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
			    before.ru_stime.tv_sec <=
		    1);
	assert_true(after.ru_nvcsw - before.ru_nvcsw < 50);
	assert_string_equal(p.tr.text, "");
	loop_fd_events(p.f[0], LOOP_READ);
	wait_done(&p.tr);
	close(p.in[0]);
}

static void delete_both(unsigned events UNUSED, void *arg)
{
	struct pipes *p = arg;

	note(&p->tr, 'x');
	loop_fd_del(TAKE(p->f[0]));
	loop_fd_del(TAKE(p->f[1]));
	close(p->in[0]);
	close(p->out[0]);
	p->tr.done = true;
}

static void a_callback_may_delete_itself_and_another_that_is_ready(void **state)
{
	struct pipes p = {.tr.l = *state};
	struct err e = ERR_INIT;

	assert_int_equal(pipe2(p.in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(p.out, O_CLOEXEC), 0);
	assert_int_equal(loop_fd_add(&p.f[0], p.tr.l, p.in[0], LOOP_READ, delete_both, &p, &e), 0);
	assert_int_equal(loop_fd_add(&p.f[1], p.tr.l, p.out[0], LOOP_READ, delete_both, &p, &e), 0);
	assert_int_equal(write(p.in[1], "1", 1), 1);
	assert_int_equal(write(p.out[1], "1", 1), 1);
	wait_done(&p.tr);
	assert_string_equal(p.tr.text, "x");
	close(p.in[1]);
	close(p.out[1]);
}

static void a_regular_file_cannot_be_waited_for(void **state)
{
	struct loop_fd *f = NULL;
	struct err e = ERR_INIT;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(loop_fd_add(&f, *state, fileno(file), LOOP_READ, read_one, NULL, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	fclose(file);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void send_term(void *arg UNUSED)
{
	kill(getpid(), SIGTERM);
}

static void a_signal_ends_waits_until_it_is_reset(void **state)
{
	struct trace tr = {.l = *state};
	bool never = false;
	struct err e = ERR_INIT;

	assert_int_equal(loop_signals(tr.l, &e), 0);
	loop_defer(tr.l, send_term, NULL);
	assert_int_equal(loop_wait(tr.l, &never, clock_mono() + 5 * NS_SEC, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(loop_signalled(tr.l), SIGTERM);
	err_clear(&e);
	assert_int_equal(loop_sleep(tr.l, NS_MS, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	err_clear(&e);
	tr.t[0] = loop_timer_new(tr.l, set_done, &tr);
	loop_timer_after(tr.t[0], NS_MS);
	assert_int_equal(loop_wait_cleanup(tr.l, &tr.done, 0, &e), 0);
	assert_int_equal(loop_signalled(tr.l), SIGTERM);
	loop_signal_reset(tr.l);
	assert_int_equal(loop_sleep(tr.l, NS_MS, &e), 0);
	loop_defer(tr.l, send_term, NULL);
	assert_int_equal(loop_sleep(tr.l, 5 * NS_SEC, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	loop_timer_free(tr.t[0]);
}

static void a_signal_ends_loop_run_which_is_success(void **state)
{
	struct loop *l = *state;
	struct err e = ERR_INIT;

	assert_int_equal(loop_signals(l, &e), 0);
	loop_defer(l, send_term, NULL);
	assert_int_equal(loop_run(l, NULL, NULL, &e), 0);
	assert_int_equal(loop_signalled(l), SIGTERM);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(timers_run_in_the_order_of_their_times_then_of_arming),
		T(five_hundred_timers_keep_order_with_every_fifth_stopped),
		T(a_timer_may_arm_itself_again_for_now_without_starving_the_loop),
		T(a_timer_may_free_itself_and_others_that_are_due),
		T(a_wait_ends_at_its_deadline),
		T(a_wait_for_what_is_done_ends_at_once_even_past_its_deadline),
		T(the_overall_deadline_bounds_waits_and_sleeps),
		T(tidying_up_may_wait_past_the_overall_deadline),
		T(waiting_inside_a_callback_is_a_defect),
		T(idle_may_wait_and_the_loop_goes_on),
		T(deferred_calls_run_in_order_and_may_defer),
		T(a_descriptor_tells_bytes_and_the_end),
		T(a_descriptor_without_interest_does_not_spin_on_a_hang_up),
		T(a_callback_may_delete_itself_and_another_that_is_ready),
		T(a_regular_file_cannot_be_waited_for),
		T(a_signal_ends_waits_until_it_is_reset),
		T(a_signal_ends_loop_run_which_is_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
