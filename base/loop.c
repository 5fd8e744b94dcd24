/*
 * loop.c - the one wait: curl_multi_poll over libcurl's sockets and one epoll with all the rest.
 * Callbacks run in the order curl, descriptors, timers, deferred. Everything that they may free
 * (descriptors, timers, deferred calls) is looked up again or only marked while they run.
 */
#include "base/loop.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

#define EVENTS_PER_TURN 32
#define LONGEST_POLL_MS (3600 * 1000)
/* Connections kept for reuse beside those that streams hold: libcurl counts both. */
#define IDLE_CONNECTIONS 8

struct loop_fd {
	struct loop *loop;
	int fd;
	unsigned events;
	loop_fd_fn *fn;
	void *arg;
	bool dead;
	struct loop_fd *next; /* among the dead */
};

enum timer_place { TIMER_IDLE, TIMER_HEAP, TIMER_DUE };

struct loop_timer {
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	ns_t at;
	uint64_t seq; /* equal times run in the order of arming */
	enum timer_place place;
	size_t index; /* in heap or due */
};

struct deferred {
	loop_fn *fn;
	void *arg;
	uint64_t seq;
	struct deferred *next;
};

struct loop {
	int epoll;
	CURLM *multi;
	void (*curl_done)(void *easy, int code);
	size_t streams;
	size_t fds, timers; /* how many exist: both must be 0 in the end */
	struct loop_fd *graves;
	struct loop_timer **heap, **due;
	size_t heap_len, heap_cap, due_len, due_cap;
	struct deferred *deferred, **deferred_end;
	uint64_t seq;
	struct loop_fd *signals;
	int signal_fd, signal;
	sigset_t mask_before;
	ns_t bound;
	bool calling; /* callbacks are running: no waits now */
	bool running; /* inside loop_run */
	bool stop;
};

int loop_new(struct loop **out, struct err *e)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->signal_fd = -1;
	l->deferred_end = &l->deferred;
	/* Pipes of children, and libcurl with NOSIGNAL: both would be killed by their peer
	 * otherwise. */
	signal(SIGPIPE, SIG_IGN);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return err_set(e, ERR_IO, "epoll_create1: %s", strerror(errno));
	}
	*out = l;
	return 0;
}

static void bury(struct loop *l)
{
	while (l->graves) {
		struct loop_fd *f = l->graves;

		l->graves = f->next;
		free(f);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!l->calling && !l->running);
	if (l->signals) {
		loop_fd_del(l->signals);
		close(l->signal_fd);
		/* A signal that nobody waited for any more takes its usual effect here. */
		pthread_sigmask(SIG_SETMASK, &l->mask_before, NULL);
	}
	bury(l);
	assert(l->fds == 0);
	assert(l->timers == 0);
	assert(l->streams == 0);
	assert(!l->deferred);
	if (l->multi)
		curl_multi_cleanup(l->multi);
	close(l->epoll);
	free(l->heap);
	free(l->due);
	free(l);
}

void loop_freep(struct loop **l)
{
	loop_free(*l);
	*l = NULL;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static uint32_t epoll_bits(unsigned events)
{
	return ((events & LOOP_READ) ? (uint32_t)EPOLLIN : 0) |
	       ((events & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0);
}

int loop_fd_add(struct loop_fd **out, struct loop *l, int fd, unsigned events, loop_fd_fn *fn,
		void *arg, struct err *e)
{
	struct loop_fd *f = xcalloc(1, sizeof(*f));
	struct epoll_event ev = {.events = epoll_bits(events), .data.ptr = f};

	*f = (struct loop_fd){.loop = l, .fd = fd, .events = events, .fn = fn, .arg = arg};
	if (events && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(f);
		if (errno == EPERM)
			return err_set(e, ERR_INVALID,
				       "descriptor %d cannot be waited for: a file?", fd);
		return err_set(e, ERR_IO, "epoll_ctl: %s", strerror(errno));
	}
	l->fds++;
	*out = f;
	return 0;
}

void loop_fd_events(struct loop_fd *f, unsigned events)
{
	struct epoll_event ev = {.events = epoll_bits(events), .data.ptr = f};
	int op;

	if (f->dead || events == f->events)
		return;
	/* epoll reports a hang-up even to those who asked for nothing: they must not be in it. */
	if (!events)
		op = EPOLL_CTL_DEL;
	else
		op = f->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	f->events = events;
	if (epoll_ctl(f->loop->epoll, op, f->fd, &ev) < 0)
		assert(!"epoll_ctl on a descriptor that was closed before loop_fd_del");
}

void loop_fd_del(struct loop_fd *f)
{
	if (!f)
		return;
	assert(!f->dead);
	if (f->events)
		epoll_ctl(f->loop->epoll, EPOLL_CTL_DEL, f->fd, NULL);
	f->dead = true;
	f->loop->fds--;
	f->next = f->loop->graves;
	f->loop->graves = f;
	if (!f->loop->calling)
		bury(f->loop);
}

static void run_fds(struct loop *l)
{
	struct epoll_event evs[EVENTS_PER_TURN];
	int n = epoll_wait(l->epoll, evs, EVENTS_PER_TURN, 0);

	for (int i = 0; i < n; i++) {
		struct loop_fd *f = evs[i].data.ptr;
		uint32_t bits = evs[i].events;
		unsigned ready = 0;

		if (f->dead)
			continue;
		if (bits & (EPOLLIN | EPOLLHUP | EPOLLERR))
			ready |= LOOP_READ;
		if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			ready |= LOOP_WRITE;
		if (ready & f->events)
			f->fn(ready & f->events, f->arg);
	}
}

/* --- timers: a binary heap -------------------------------------------------------------------- */

static bool earlier(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->index = i;
}

static void heap_up(struct loop *l, size_t i, struct loop_timer *t)
{
	for (; i > 0 && earlier(t, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_put(l, i, l->heap[(i - 1) / 2]);
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct loop_timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < l->heap_len && earlier(l->heap[child + 1], l->heap[child]))
			child++;
		if (child >= l->heap_len || !earlier(l->heap[child], t))
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *last = l->heap[--l->heap_len];
	size_t i = t->index;

	t->place = TIMER_IDLE;
	if (last == t)
		return;
	if (i > 0 && earlier(last, l->heap[(i - 1) / 2]))
		heap_up(l, i, last);
	else
		heap_down(l, i, last);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	*t = (struct loop_timer){.loop = l, .fn = fn, .arg = arg};
	l->timers++;
	return t;
}

void loop_timer_at(struct loop_timer *t, ns_t mono)
{
	struct loop *l = t->loop;

	loop_timer_stop(t);
	if (l->heap_len == l->heap_cap) {
		l->heap_cap = l->heap_cap ? 2 * l->heap_cap : 16;
		l->heap = xreallocarray(l->heap, l->heap_cap, sizeof(struct loop_timer *));
	}
	t->at = mono;
	t->seq = ++l->seq;
	t->place = TIMER_HEAP;
	heap_up(l, l->heap_len++, t);
}

void loop_timer_after(struct loop_timer *t, ns_t delay)
{
	loop_timer_at(t, clock_mono() + delay);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (t->place == TIMER_HEAP)
		heap_remove(t->loop, t);
	else if (t->place == TIMER_DUE)
		t->loop->due[t->index] = NULL;
	t->place = TIMER_IDLE;
}

bool loop_timer_armed(const struct loop_timer *t)
{
	return t->place != TIMER_IDLE;
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	loop_timer_stop(t);
	t->loop->timers--;
	free(t);
}

/* First all that are due are set aside: one that arms itself for now again waits for the next turn.
 */
static void run_timers(struct loop *l)
{
	ns_t now = clock_mono();

	l->due_len = 0;
	while (l->heap_len && l->heap[0]->at <= now) {
		struct loop_timer *t = l->heap[0];

		heap_remove(l, t);
		if (l->due_len == l->due_cap) {
			l->due_cap = l->due_cap ? 2 * l->due_cap : 16;
			l->due = xreallocarray(l->due, l->due_cap, sizeof(struct loop_timer *));
		}
		t->place = TIMER_DUE;
		t->index = l->due_len;
		l->due[l->due_len++] = t;
	}
	for (size_t i = 0; i < l->due_len; i++) {
		struct loop_timer *t = l->due[i];

		if (!t)
			continue;
		t->place = TIMER_IDLE;
		t->fn(t->arg);
	}
}

/* --- deferred calls --------------------------------------------------------------------------- */

void loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
	struct deferred *d = xcalloc(1, sizeof(*d));

	*d = (struct deferred){.fn = fn, .arg = arg, .seq = ++l->seq};
	*l->deferred_end = d;
	l->deferred_end = &d->next;
}

void loop_defer_cancel(struct loop *l, loop_fn *fn, void *arg)
{
	struct deferred **at = &l->deferred;

	while (*at) {
		struct deferred *d = *at;

		if (d->fn == fn && d->arg == arg) {
			*at = d->next;
			free(d);
		} else {
			at = &d->next;
		}
	}
	l->deferred_end = at;
}

static void run_deferred(struct loop *l)
{
	uint64_t last = l->seq; /* what these defer in their turn waits for the next round */

	while (l->deferred && l->deferred->seq <= last) {
		struct deferred d = *l->deferred;

		free(l->deferred);
		l->deferred = d.next;
		if (!l->deferred)
			l->deferred_end = &l->deferred;
		d.fn(d.arg);
	}
}

/* --- libcurl ---------------------------------------------------------------------------------- */

void *loop_curlm(struct loop *l)
{
	static bool initialised;

	if (l->multi)
		return l->multi;
	if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	initialised = true;
	l->multi = curl_multi_init();
	if (l->multi)
		loop_curl_streams(l, 0);
	return l->multi;
}

void loop_curl_done(struct loop *l, void (*fn)(void *easy, int code))
{
	l->curl_done = fn;
}

void loop_curl_streams(struct loop *l, int change)
{
	l->streams += (size_t)change;
	curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)(l->streams + IDLE_CONNECTIONS));
}

static void run_curl(struct loop *l)
{
	int running, queued;
	CURLMsg *m;

	if (!l->multi)
		return;
	curl_multi_perform(l->multi, &running);
	while ((m = curl_multi_info_read(l->multi, &queued)))
		if (m->msg == CURLMSG_DONE)
			l->curl_done(m->easy_handle, m->data.result);
}

/* --- turning ---------------------------------------------------------------------------------- */

static int poll_ms(const struct loop *l, ns_t until)
{
	ns_t left;

	if (l->deferred)
		return 0;
	if (l->heap_len && (!until || l->heap[0]->at < until))
		until = l->heap[0]->at;
	if (!until)
		return LONGEST_POLL_MS;
	left = until - clock_mono();
	if (left <= 0)
		return 0;
	if (left > LONGEST_POLL_MS * NS_MS)
		return LONGEST_POLL_MS;
	return (int)((left + NS_MS - 1) / NS_MS);
}

static int sleep_until_ready(struct loop *l, int ms, struct err *e)
{
	if (l->multi) {
		struct curl_waitfd w = {.fd = l->epoll, .events = CURL_WAIT_POLLIN};
		CURLMcode rc = curl_multi_poll(l->multi, &w, 1, ms, NULL);

		if (rc != CURLM_OK)
			return err_set(e, ERR_INTERNAL, "curl_multi_poll: %s",
				       curl_multi_strerror(rc));
	} else {
		struct pollfd p = {.fd = l->epoll, .events = POLLIN};

		if (poll(&p, 1, ms) < 0 && errno != EINTR)
			return err_set(e, ERR_IO, "poll: %s", strerror(errno));
	}
	return 0;
}

static int turn(struct loop *l, ns_t until, struct err *e)
{
	if (sleep_until_ready(l, poll_ms(l, until), e) < 0)
		return -1;
	l->calling = true;
	run_curl(l);
	run_fds(l);
	run_timers(l);
	run_deferred(l);
	l->calling = false;
	bury(l);
	return 0;
}

int loop_wait(struct loop *l, const bool *done, ns_t deadline, struct err *e)
{
	assert(!l->calling); /* a callback must not wait */
	while (!*done) {
		ns_t until = deadline;

		if (l->signal)
			return err_set(e, ERR_CANCELLED, "interrupted");
		if (l->bound && (!until || l->bound < until))
			until = l->bound;
		if (until && clock_mono() >= until)
			return err_set(e, ERR_TIMEOUT, "timed out");
		if (turn(l, until, e) < 0)
			return -1;
	}
	return 0;
}

void loop_tidy_begin(struct loop *l, struct loop_tidy *t)
{
	*t = (struct loop_tidy){l->signal, l->bound};
	l->signal = 0;
	l->bound = 0;
}

void loop_tidy_end(struct loop *l, const struct loop_tidy *t)
{
	l->bound = t->bound;
	if (!l->signal)
		l->signal = t->signal;
}

int loop_wait_cleanup(struct loop *l, const bool *done, ns_t deadline, struct err *e)
{
	struct loop_tidy t;
	int rc;

	loop_tidy_begin(l, &t);
	rc = loop_wait(l, done, deadline, e);
	loop_tidy_end(l, &t);
	return rc;
}

int loop_sleep(struct loop *l, ns_t duration, struct err *e)
{
	const bool never = false;
	ns_t end = clock_mono() + duration;

	if (loop_wait(l, &never, end, e) < 0 && e->code == ERR_TIMEOUT &&
	    (!l->bound || end < l->bound)) {
		err_clear(e);
		return 0;
	}
	return -1;
}

int loop_run(struct loop *l, loop_fn *idle, void *arg, struct err *e)
{
	int rc = 0;

	assert(!l->calling && !l->running);
	l->running = true;
	l->stop = false;
	while (rc == 0) {
		if (idle && !l->stop && !l->signal)
			idle(arg);
		if (l->stop || l->signal)
			break;
		rc = turn(l, 0, e);
	}
	l->running = false;
	return rc;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

ns_t loop_deadline(struct loop *l, ns_t mono)
{
	ns_t before = l->bound;

	l->bound = mono;
	return before;
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_signal(unsigned events UNUSED, void *arg)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	if (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		l->signal = (int)info.ssi_signo;
}

/* A descriptor and not a handler: threads of libcurl inherit the mask, so none of them is hit. */
int loop_signals(struct loop *l, struct err *e)
{
	sigset_t set;

	if (l->signals)
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0)
		return err_set(e, ERR_IO, "signalfd: %s", strerror(errno));
	if (loop_fd_add(&l->signals, l, l->signal_fd, LOOP_READ, on_signal, l, e) < 0) {
		close(l->signal_fd);
		l->signal_fd = -1;
		return -1;
	}
	pthread_sigmask(SIG_BLOCK, &set, &l->mask_before);
	return 0;
}

int loop_signalled(const struct loop *l)
{
	return l->signal;
}

void loop_signal_reset(struct loop *l)
{
	l->signal = 0;
}
