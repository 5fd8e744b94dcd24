/*
 * informer.c - the state machine of list and watch (docs/architecture.md has its table). Runs from
 * the loop only: one request at a time, a timer for backoff and one for silence.
 */
#include "k8s/informer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "k8s/client_internal.h"
#include "k8s/store.h"
#include "k8s/watch.h"

#define BACKOFF_MAX   (30 * NS_SEC)
#define BACKOFF_RESET (120 * NS_SEC)
#define SHORT_WATCH   NS_SEC

enum list_mode {
	LIST_CACHED, /* resourceVersion=0: whatever the server has in memory */
	LIST_NEWER,  /* not older than what we have seen */
	LIST_FRESH,  /* a quorum read, in pages */
};

enum next { NEXT_LIST, NEXT_WATCH };

struct informer {
	struct k8s *k;
	const struct k8s_res *res;
	char *ns, *label_selector;
	ns_t silence, watch_min, watch_max, backoff_min;
	struct store store;
	struct informer_stats stats;

	enum list_mode mode;
	enum next next;
	char *rv;   /* opaque; NULL before the first list */
	char *page; /* continue token of a list that goes on */
	bool synced, refused;

	struct http_call *call;
	int status;   /* of the watch, once its head has come */
	uint64_t got; /* events and bookmarks of this watch */
	ns_t started, listed_at, failed_at, backoff;
	struct loop_timer *retry, *quiet;
	uint64_t random;
	char last_error[480];
};

static void start_list(struct informer *i);
static void start_watch(struct informer *i);

static void on_retry(void *arg)
{
	struct informer *i = arg;

	if (i->next == NEXT_LIST)
		start_list(i);
	else
		start_watch(i);
}

static void on_silence(void *arg)
{
	struct informer *i = arg;

	http_call_free(TAKE(i->call));
	start_watch(i);
}

static ns_t or_default(ns_t v, ns_t fallback)
{
	return v ? v : fallback;
}

int informer_new(struct informer **out, struct k8s *k, const struct informer_opts *o,
		 const struct informer_ops *ops, struct err *e)
{
	if (!ops->project || !ops->entry_size)
		return err_set(e, ERR_INTERNAL, "informer without a projection");
	struct informer *i = xcalloc(1, sizeof(*i));
	i->k = k;
	i->res = o->res;
	i->ns = o->ns ? xstrdup(o->ns) : NULL;
	i->label_selector = o->label_selector ? xstrdup(o->label_selector) : NULL;
	i->silence = or_default(o->silence, 150 * NS_SEC);
	i->watch_min = or_default(o->watch_min, 300 * NS_SEC);
	i->watch_max = or_default(o->watch_max, 600 * NS_SEC);
	i->backoff_min = or_default(o->backoff_min, 800 * NS_MS);
	i->random = o->seed * 2654435761u + 88172645463325252u;
	store_init(&i->store, ops);
	i->retry = loop_timer_new(k8s_loop(k), on_retry, i);
	i->quiet = loop_timer_new(k8s_loop(k), on_silence, i);
	*out = i;
	return 0;
}

void informer_free(struct informer *i)
{
	if (!i)
		return;
	http_call_free(i->call);
	loop_timer_free(i->retry);
	loop_timer_free(i->quiet);
	store_release(&i->store);
	free(i->ns);
	free(i->label_selector);
	free(i->rv);
	free(i->page);
	free(i);
}

/* xorshift: jitter needs no more. Below n, or 0. */
static uint64_t random_below(struct informer *i, uint64_t n)
{
	i->random ^= i->random << 13;
	i->random ^= i->random >> 7;
	i->random ^= i->random << 17;
	return n ? i->random % n : 0;
}

/* --- failures --------------------------------------------------------------------------------- */

static ns_t next_backoff(struct informer *i)
{
	ns_t now = clock_mono();

	if (!i->backoff || now - i->failed_at > BACKOFF_RESET)
		i->backoff = i->backoff_min;
	else
		i->backoff = i->backoff * 2 < BACKOFF_MAX ? i->backoff * 2 : BACKOFF_MAX;
	i->failed_at = now;
	return i->backoff + (ns_t)random_below(i, (uint64_t)i->backoff);
}

static void fail(struct informer *i, const struct err *e, enum next next)
{
	ns_t delay = next_backoff(i);

	/* There is nobody to return it to: said once, until things are well again. */
	if (!*i->last_error)
		log_warn(NULL, "watching %s: %s", i->res->plural, e->msg);
	snprintf(i->last_error, sizeof(i->last_error), "%s", e->msg);
	i->stats.errors++;
	if (e->retry_after > delay)
		delay = e->retry_after;
	i->next = next;
	loop_timer_after(i->retry, delay);
}

static void fail_with(struct informer *i, enum next next, enum err_code code, const char *what)
{
	struct err e = ERR_INIT;

	err_set(&e, code, "%s", what);
	fail(i, &e, next);
}

static void healthy(struct informer *i)
{
	if (*i->last_error)
		log_info(NULL, "watching %s again", i->res->plural);
	i->last_error[0] = '\0';
	i->refused = false;
}

/* The first 401 in a row may just mean that the token has been replaced meanwhile. */
static bool first_refusal(struct informer *i)
{
	bool first = !i->refused;

	i->refused = true;
	k8s_token_reread(i->k);
	return first;
}

/* --- list ------------------------------------------------------------------------------------- */

static char *list_path(const struct informer *i)
{
	char *path = k8s_path(i->res, &(struct k8s_ref){.ns = i->ns}, NULL);

	k8s_url_add(&path, "labelSelector", i->label_selector);
	if (i->mode == LIST_CACHED) {
		k8s_url_add(&path, "resourceVersion", "0");
	} else if (i->mode == LIST_NEWER) {
		k8s_url_add(&path, "resourceVersion", i->rv);
		k8s_url_add(&path, "resourceVersionMatch", "NotOlderThan");
	} else {
		k8s_url_add(&path, "limit", "500");
		k8s_url_add(&path, "continue", i->page);
	}
	return path;
}

static int on_item(const json_t *item, void *arg, struct err *e UNUSED)
{
	struct informer *i = arg;

	store_list_item(&i->store, item);
	return 0;
}

static void list_again(struct informer *i, enum list_mode mode)
{
	free(TAKE(i->page));
	i->mode = mode;
	start_list(i);
}

static void list_refused(struct informer *i, const struct http_resp *r)
{
	bool expired = r->status == 410 || k8s_status_too_new(r);
	struct err e = ERR_INIT;

	if (r->status == 401 && first_refusal(i)) {
		list_again(i, i->mode);
		return;
	}
	if (expired && i->mode != LIST_FRESH) {
		list_again(i, LIST_FRESH);
		return;
	}
	free(TAKE(i->page));
	k8s_status_err(r, &e);
	fail(i, &e, NEXT_LIST);
}

static void list_done(struct informer *i, const char *rv)
{
	free(i->rv);
	i->rv = xstrdup(rv);
	store_list_end(&i->store);
	i->mode = LIST_NEWER;
	i->listed_at = clock_mono();
	i->synced = true;
	healthy(i);
	start_watch(i);
}

static void list_page(struct informer *i, const struct http_resp *r)
{
	autojson json_t *meta = NULL;
	struct err e = ERR_INIT;

	if (jx_items_each(&meta, buf_str(&r->body), r->body.len, on_item, i, &e) < 0) {
		free(TAKE(i->page));
		fail(i, &e, NEXT_LIST);
		return;
	}
	const char *next = jx_str_or(meta, "metadata.continue", "");
	const char *rv = jx_str_or(meta, "metadata.resourceVersion", "");
	free(TAKE(i->page));
	if (*next) {
		i->page = xstrdup(next);
		start_list(i);
	} else if (!*rv) {
		fail_with(i, NEXT_LIST, ERR_PROTOCOL, "the list has no resourceVersion");
	} else {
		list_done(i, rv);
	}
}

static void on_list(struct http_resp *r, struct err *e, void *arg)
{
	struct informer *i = arg;

	http_call_free(TAKE(i->call)); /* r lives until we return */
	if (e->code != ERR_OK) {
		free(TAKE(i->page));
		fail(i, e, NEXT_LIST);
	} else if (r->status != 200) {
		list_refused(i, r);
	} else {
		list_page(i, r);
	}
}

static void start_list(struct informer *i)
{
	autofree char *path = list_path(i);
	struct http_req q = {.method = "GET",
			     .url = path,
			     .timeout = K8S_LIST_TIMEOUT,
			     .max_body = K8S_LIST_BODY};
	struct err e = ERR_INIT;

	i->stats.lists++;
	if (!i->page) {
		i->stats.relists += i->synced;
		store_list_begin(&i->store);
	}
	if (k8s_start(&i->call, i->k, &q, on_list, i, &e) < 0) {
		free(TAKE(i->page));
		fail(i, &e, NEXT_LIST);
	}
}

/* --- watch ------------------------------------------------------------------------------------ */

static void stop_watch(struct informer *i)
{
	loop_timer_stop(i->quiet);
	http_call_free(TAKE(i->call));
}

static void on_head(int status, void *arg)
{
	struct informer *i = arg;

	i->status = status;
	if (status == 200)
		healthy(i);
}

/* What we watched from is no longer there. A server that says so right after a list is in trouble. */
static void expired(struct informer *i, const struct err *e)
{
	if (!i->got && clock_mono() - i->listed_at < SHORT_WATCH) {
		i->mode = LIST_FRESH;
		fail(i, e, NEXT_LIST);
	} else {
		list_again(i, LIST_NEWER);
	}
}

static void on_error_event(struct informer *i, const json_t *status)
{
	struct err e = ERR_INIT;

	k8s_status_json(status, &e);
	stop_watch(i);
	if (e.code == ERR_GONE)
		expired(i, &e);
	else
		fail(i, &e, NEXT_LIST);
}

static void on_line(const char *line, size_t len, void *arg)
{
	struct informer *i = arg;
	autojson json_t *obj = NULL;
	enum watch_type type;
	struct err e = ERR_INIT;

	loop_timer_after(i->quiet, i->silence);
	if (!len)
		return;
	if (watch_decode(&type, &obj, line, len, &e) < 0) {
		stop_watch(i);
		fail(i, &e, NEXT_LIST);
		return;
	}
	if (type == WATCH_ERROR) {
		on_error_event(i, obj);
		return;
	}
	i->got++;
	if (type == WATCH_BOOKMARK)
		i->stats.bookmarks++;
	else
		i->stats.events++;
	free(i->rv);
	i->rv = xstrdup(obj_rv(obj));
	if (type != WATCH_BOOKMARK)
		store_event(&i->store, obj, type == WATCH_DELETED);
}

/* The stream had begun. A connection that breaks later loses nothing: we go on where we were. */
static void watch_ended(struct informer *i, const struct err *e)
{
	if (e->code == ERR_INVALID)
		fail(i, e, NEXT_LIST);
	else if (i->got || clock_mono() - i->started >= SHORT_WATCH)
		start_watch(i);
	else if (e->code != ERR_OK)
		fail(i, e, NEXT_LIST);
	else
		fail_with(i, NEXT_LIST, ERR_UNAVAILABLE, "the watch ended at once");
}

static void watch_refused(struct informer *i, const struct http_resp *r)
{
	struct err e = ERR_INIT;

	if (r->status == 401 && first_refusal(i)) {
		start_watch(i);
		return;
	}
	k8s_status_err(r, &e);
	if (k8s_status_too_new(r)) {
		i->mode = LIST_FRESH;
		fail(i, &e, NEXT_LIST);
	} else if (r->status == 410) {
		expired(i, &e);
	} else {
		fail(i, &e, r->status == 401 || r->status == 429 ? NEXT_WATCH : NEXT_LIST);
	}
}

static void on_end(struct http_resp *r, struct err *e, void *arg)
{
	struct informer *i = arg;

	stop_watch(i); /* r lives until we return */
	if (i->status == 200)
		watch_ended(i, e);
	else if (e->code != ERR_OK)
		fail(i, e, NEXT_WATCH);
	else
		watch_refused(i, r);
}

static void start_watch(struct informer *i)
{
	uint64_t spread = (uint64_t)(i->watch_max > i->watch_min ? i->watch_max - i->watch_min : 0);
	ns_t length = i->watch_min + (ns_t)random_below(i, spread);
	const struct watch_opts o = {
		.ns = i->ns,
		.label_selector = i->label_selector,
		.rv = i->rv,
		.timeout_seconds = (long)((length + NS_SEC - 1) / NS_SEC),
	};
	const struct http_stream_cb cb = {on_head, on_line, on_end, i, 0, NULL};
	autofree char *path = watch_path(i->res, &o);
	struct http_req q = {.method = "GET", .url = path};
	struct err e = ERR_INIT;

	i->stats.watches++;
	i->status = 0;
	i->got = 0;
	i->started = clock_mono();
	if (k8s_stream(&i->call, i->k, &q, &cb, &e) < 0)
		fail(i, &e, NEXT_WATCH);
	else
		loop_timer_after(i->quiet, i->silence);
}

/* --- for the owner ---------------------------------------------------------------------------- */

int informer_start(struct informer *i, struct err *e)
{
	if (i->call || i->synced || loop_timer_armed(i->retry))
		return err_set(e, ERR_INTERNAL, "informer of %s started twice", i->res->plural);
	start_list(i);
	return 0;
}

bool informer_synced(const struct informer *i)
{
	return i->synced;
}

const bool *informer_synced_flag(const struct informer *i)
{
	return &i->synced;
}

const void *informer_get(const struct informer *i, const char *key)
{
	return store_get(&i->store, key);
}

void informer_put(struct informer *i, const json_t *obj)
{
	store_put(&i->store, obj);
}

void informer_each(const struct informer *i,
		   bool (*fn)(const char *key, const void *entry, void *arg), void *arg)
{
	store_each(&i->store, fn, arg);
}

size_t informer_len(const struct informer *i)
{
	return strmap_len(i->store.slots);
}

struct informer_stats informer_stats(const struct informer *i)
{
	return i->stats;
}

const char *informer_last_error(const struct informer *i)
{
	return i->last_error;
}
