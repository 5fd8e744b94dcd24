#include "tests/unit/unit.h"

#include "base/clock.h"
#include "k8s/workqueue.h"

struct setup {
	struct loop *l;
	struct workqueue *q;
	ns_t now;
};

static int begin(void **state)
{
	struct setup *s = xcalloc(1, sizeof(*s));
	struct err e = ERR_INIT;

	assert_ok(loop_new(&s->l, &e), &e);
	s->q = workqueue_new(s->l);
	s->now = NS_SEC;
	clock_fake(s->now, s->now);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct setup *s = *state;

	workqueue_free(s->q);
	loop_free(s->l);
	clock_fake(-1, -1);
	free(s);
	return 0;
}

static void turn_once(void *arg)
{
	loop_stop(arg);
}

/* Move the clock and let the loop's timers see it. */
static void pass(struct setup *s, ns_t time)
{
	struct loop_timer *t = loop_timer_new(s->l, turn_once, s->l);
	struct err e = ERR_INIT;

	s->now += time;
	clock_fake(s->now, s->now);
	loop_timer_at(t, s->now);
	assert_ok(loop_run(s->l, NULL, NULL, &e), &e);
	loop_timer_free(t);
}

static void next_is(struct setup *s, const char *key)
{
	const char *got = workqueue_get(s->q);

	if (!streq(got, key))
		fail_msg("%s instead of %s", got ? got : "nothing", key ? key : "nothing");
}

static void keys_come_once_and_in_order(void **state)
{
	struct setup *s = *state;

	workqueue_add(s->q, "a");
	workqueue_add(s->q, "b");
	workqueue_add(s->q, "a");
	assert_int_equal(workqueue_len(s->q), 2);
	next_is(s, "a");
	next_is(s, "b");
	next_is(s, NULL);
	workqueue_done(s->q, "a");
	workqueue_done(s->q, "b");
	next_is(s, NULL);
}

static void added_while_processed_comes_again_afterwards(void **state)
{
	struct setup *s = *state;

	workqueue_add(s->q, "a");
	next_is(s, "a");
	workqueue_add(s->q, "a");
	workqueue_add(s->q, "a");
	next_is(s, NULL);
	workqueue_done(s->q, "a");
	next_is(s, "a");
	workqueue_done(s->q, "a");
	next_is(s, NULL);
}

static void the_earlier_of_two_delays_counts(void **state)
{
	struct setup *s = *state;

	workqueue_add_after(s->q, "a", 10 * NS_SEC);
	workqueue_add_after(s->q, "a", 5 * NS_SEC);
	workqueue_add_after(s->q, "a", 7 * NS_SEC);
	pass(s, 5 * NS_SEC - 1);
	next_is(s, NULL);
	pass(s, 1);
	next_is(s, "a");
	workqueue_done(s->q, "a");
	pass(s, 60 * NS_SEC);
	next_is(s, NULL);
}

static void a_delay_ends_when_the_key_is_handed_out(void **state)
{
	struct setup *s = *state;

	workqueue_add_after(s->q, "a", 10 * NS_SEC);
	workqueue_add(s->q, "a");
	next_is(s, "a");
	workqueue_done(s->q, "a");
	pass(s, 20 * NS_SEC);
	next_is(s, NULL);
}

static void a_delay_that_ends_while_processed_is_not_lost(void **state)
{
	struct setup *s = *state;

	workqueue_add(s->q, "a");
	next_is(s, "a");
	workqueue_add_after(s->q, "a", NS_SEC);
	pass(s, 2 * NS_SEC);
	next_is(s, NULL);
	workqueue_done(s->q, "a");
	next_is(s, "a");
	workqueue_done(s->q, "a");
}

static void failures_double_the_wait_up_to_a_minute_until_forgotten(void **state)
{
	struct setup *s = *state;

	for (int i = 0; i < 30; i++) {
		ns_t wait = i < 14 ? (5 * NS_MS) << i : 60 * NS_SEC;

		if (wait > 60 * NS_SEC)
			wait = 60 * NS_SEC;
		workqueue_add_limited(s->q, "a");
		pass(s, wait - 1);
		next_is(s, NULL);
		pass(s, 1);
		next_is(s, "a");
		workqueue_done(s->q, "a");
	}
	workqueue_forget(s->q, "a");
	workqueue_add_limited(s->q, "a");
	pass(s, 5 * NS_MS);
	next_is(s, "a");
	workqueue_done(s->q, "a");
}

static void keys_fail_each_on_their_own(void **state)
{
	struct setup *s = *state;

	for (int i = 0; i < 6; i++) {
		workqueue_add_limited(s->q, "bad");
		pass(s, 60 * NS_SEC);
		next_is(s, "bad");
		workqueue_done(s->q, "bad");
	}
	workqueue_add_limited(s->q, "good");
	pass(s, 5 * NS_MS);
	next_is(s, "good");
	workqueue_done(s->q, "good");
	workqueue_forget(s->q, "never seen");
}

static void zero_delay_is_at_once(void **state)
{
	struct setup *s = *state;

	workqueue_add_after(s->q, "a", 0);
	next_is(s, "a");
	workqueue_done(s->q, "a");
	workqueue_add_after(s->q, "b", NS_SEC); /* still armed when the queue is freed */
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(keys_come_once_and_in_order),
		T(added_while_processed_comes_again_afterwards),
		T(the_earlier_of_two_delays_counts),
		T(a_delay_ends_when_the_key_is_handed_out),
		T(a_delay_that_ends_while_processed_is_not_lost),
		T(failures_double_the_wait_up_to_a_minute_until_forgotten),
		T(keys_fail_each_on_their_own),
		T(zero_delay_is_at_once),
	};

	return RUN(tests);
}
