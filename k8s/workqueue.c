/* workqueue.c - keys, not objects: what is added twice before it is handed out is handed out once. */
#include "k8s/workqueue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/strmap.h"

#define BACKOFF_FIRST (5 * NS_MS)
#define BACKOFF_MAX   (60 * NS_SEC)

struct item {
	struct workqueue *q;
	char *key;
	bool queued; /* in the list of ready ones */
	bool dirty;  /* added while it was processed */
	bool processing;
	unsigned failures;
	ns_t due; /* of the timer, when that is armed */
	struct loop_timer *timer;
	struct item *next;
};

struct workqueue {
	struct loop *loop;
	struct strmap *items;
	struct item *first, **last;
	size_t ready;
};

static void item_free(void *p)
{
	struct item *i = p;

	loop_timer_free(i->timer);
	free(i->key);
	free(i);
}

struct workqueue *workqueue_new(struct loop *l)
{
	struct workqueue *q = xcalloc(1, sizeof(*q));

	q->loop = l;
	q->items = strmap_new(item_free);
	q->last = &q->first;
	return q;
}

void workqueue_free(struct workqueue *q)
{
	if (!q)
		return;
	strmap_free(q->items);
	free(q);
}

static void push(struct item *i)
{
	struct workqueue *q = i->q;

	if (i->processing) {
		i->dirty = true;
		return;
	}
	if (i->queued)
		return;
	i->queued = true;
	i->next = NULL;
	*q->last = i;
	q->last = &i->next;
	q->ready++;
}

static void on_due(void *arg)
{
	push(arg);
}

static struct item *item_of(struct workqueue *q, const char *key)
{
	struct item *i = strmap_get(q->items, key);

	if (i)
		return i;
	i = xcalloc(1, sizeof(*i));
	i->q = q;
	i->key = xstrdup(key);
	i->timer = loop_timer_new(q->loop, on_due, i);
	strmap_put(q->items, key, i);
	return i;
}

/* Nothing to remember about it: gone, or the map would grow with every key ever seen. */
static void drop_if_idle(struct item *i)
{
	if (!i->queued && !i->dirty && !i->processing && !i->failures &&
	    !loop_timer_armed(i->timer))
		strmap_del(i->q->items, i->key);
}

void workqueue_add(struct workqueue *q, const char *key)
{
	push(item_of(q, key));
}

static void delay_item(struct item *i, ns_t delay)
{
	ns_t due = clock_mono() + delay;

	if (delay <= 0) {
		push(i);
		return;
	}
	if (loop_timer_armed(i->timer) && i->due <= due)
		return;
	i->due = due;
	loop_timer_at(i->timer, due);
}

void workqueue_add_after(struct workqueue *q, const char *key, ns_t delay)
{
	delay_item(item_of(q, key), delay);
}

void workqueue_add_limited(struct workqueue *q, const char *key)
{
	struct item *i = item_of(q, key);
	ns_t delay = i->failures < 20 ? BACKOFF_FIRST << i->failures : BACKOFF_MAX;

	i->failures++;
	delay_item(i, delay < BACKOFF_MAX ? delay : BACKOFF_MAX);
}

void workqueue_forget(struct workqueue *q, const char *key)
{
	struct item *i = strmap_get(q->items, key);

	if (!i)
		return;
	i->failures = 0;
	drop_if_idle(i);
}

const char *workqueue_get(struct workqueue *q)
{
	struct item *i = q->first;

	if (!i)
		return NULL;
	q->first = i->next;
	if (!q->first)
		q->last = &q->first;
	q->ready--;
	i->queued = false;
	i->processing = true;
	loop_timer_stop(i->timer);
	return i->key;
}

void workqueue_done(struct workqueue *q, const char *key)
{
	struct item *i = strmap_get(q->items, key);

	assert(i && i->processing);
	i->processing = false;
	if (i->dirty) {
		i->dirty = false;
		push(i);
	}
	drop_if_idle(i);
}

size_t workqueue_len(const struct workqueue *q)
{
	return q->ready;
}
