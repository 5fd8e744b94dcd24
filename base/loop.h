/*
 * loop.h - one thread, one loop, one wait.
 * The wait is curl_multi_poll() on the loop's CURLM plus one epoll descriptor that holds all
 * others. Straight-line code waits by turning this very loop (loop_wait), one level deep, so
 * that watches and health answers go on meanwhile. Callbacks must not wait and must not block.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"

struct loop;
struct loop_fd;
struct loop_timer;

#define LOOP_READ  1u
#define LOOP_WRITE 2u

typedef void loop_fd_fn(unsigned events, void *arg);
typedef void loop_fn(void *arg);

int loop_new(struct loop **out, struct err *e) MUST_CHECK; /* SIGPIPE is ignored from now on */
void loop_free(struct loop *l); /* NULL is fine; every fd, timer and call must be gone (asserted) */
void loop_freep(struct loop **l);

/* loop_fd_add - call fn when fd is ready. The fd stays the caller's; loop_fd_del before close(). */
int loop_fd_add(struct loop_fd **out, struct loop *l, int fd, unsigned events, loop_fd_fn *fn,
		void *arg, struct err *e) MUST_CHECK;
void loop_fd_events(struct loop_fd *f, unsigned events);
void loop_fd_del(struct loop_fd *f); /* NULL is fine; safe inside any callback */

/* loop_timer_new - a timer that is not armed. fn runs once per arming, from the loop. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg);
void loop_timer_at(struct loop_timer *t, ns_t mono); /* arms or re-arms */
void loop_timer_after(struct loop_timer *t, ns_t delay);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine; safe inside any callback */

/*
 * loop_signals - SIGINT and SIGTERM end waits with ERR_CANCELLED from now on.
 * loop_signalled - which signal came, 0 when none. loop_signal_reset forgets it, so that a command
 * can clean up after Ctrl-C with waits of its own; a second signal ends those too.
 */
int loop_signals(struct loop *l, struct err *e) MUST_CHECK;
int loop_signalled(const struct loop *l);
void loop_signal_reset(struct loop *l);

/*
 * loop_wait - turn the loop until *done, or the deadline on clock_mono (0 = none), or a signal.
 * Returns 0, or -1 with ERR_TIMEOUT or ERR_CANCELLED. Waiting inside a callback that a wait is
 * running is a defect (asserted): one level of nesting under loop_run, and no more.
 */
int loop_wait(struct loop *l, const bool *done, ns_t deadline, struct err *e) MUST_CHECK;
int loop_sleep(struct loop *l, ns_t duration, struct err *e) MUST_CHECK;
/*
 * loop_wait_cleanup - the same for tidying up after a signal or past the overall deadline: neither
 * ends it, only a further signal does.
 */
int loop_wait_cleanup(struct loop *l, const bool *done, ns_t deadline, struct err *e) MUST_CHECK;
/* loop_tidy_begin, loop_tidy_end - the same for everything that waits between the two. */
struct loop_tidy {
	int signal;
	ns_t bound;
};
void loop_tidy_begin(struct loop *l, struct loop_tidy *t);
void loop_tidy_end(struct loop *l, const struct loop_tidy *t);
/*
 * loop_run - the outer level of a daemon: turns until loop_stop() or a signal (both are success:
 * see loop_signalled). Before the first turn and after each it calls idle(arg), from which, and
 * only from which, loop_wait may be used. idle does all there is to do: the next turn may sleep for
 * long. NULL idle is fine.
 */
int loop_run(struct loop *l, loop_fn *idle, void *arg, struct err *e) MUST_CHECK;
void loop_stop(struct loop *l);

/*
 * loop_deadline - a bound on every loop_wait from now on, whatever its own deadline (0 lifts it):
 * the CLI's --timeout. It ends waits with ERR_TIMEOUT. Returns the old bound.
 */
ns_t loop_deadline(struct loop *l, ns_t mono);

/*
 * For base/http*.c only. loop_curlm - the CURLM, made when first asked for; NULL when libcurl
 * cannot start. loop_curl_done - who is told of a finished transfer, after curl_multi_perform has
 * returned. loop_curl_streams - so many more (or fewer) connections are held by streams.
 */
void *loop_curlm(struct loop *l);
void loop_curl_done(struct loop *l, void (*fn)(void *easy, int curl_code));
void loop_curl_streams(struct loop *l, int change);
/* loop_defer - run fn once, after the current callbacks, before the next sleep. */
void loop_defer(struct loop *l, loop_fn *fn, void *arg);
void loop_defer_cancel(struct loop *l, loop_fn *fn, void *arg);

#endif
