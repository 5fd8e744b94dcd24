/*
 * workqueue.h - keys to be reconciled: queued, dirty, processing, as in client-go, with per-key
 * exponential backoff (5 ms x 2^n up to 60 s). One consumer. Delays are the loop's timers.
 */
#ifndef K8S_WORKQUEUE_H
#define K8S_WORKQUEUE_H

#include "base/loop.h"

struct workqueue;

struct workqueue *workqueue_new(struct loop *l);
void workqueue_free(struct workqueue *q);
void workqueue_add(struct workqueue *q,
		   const char *key); /* at once; while processed: again after */
void workqueue_add_after(struct workqueue *q, const char *key,
			 ns_t delay); /* the earlier of two delays counts */
void workqueue_add_limited(struct workqueue *q,
			   const char *key); /* after this key's backoff, which doubles */
void workqueue_forget(struct workqueue *q, const char *key); /* backoff back to the start */
/* workqueue_get - borrowed until done(); NULL: nothing is ready. A delay that is still pending for the key
 * ends here: whoever handles it now decides anew when to look again. */
const char *workqueue_get(struct workqueue *q);
void workqueue_done(struct workqueue *q, const char *key);
size_t workqueue_len(const struct workqueue *q); /* ready ones */

#endif
