/*
 * wait.c - waiting for an object to be as wanted: GET, then a watch of that one name from there.
 * The watch's callbacks only keep the newest object; conditions are looked at outside of them.
 */
#include "k8s/wait.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "k8s/client_internal.h"
#include "k8s/watch.h"

#define PAUSE      NS_SEC /* after a failure, and between looks where watching is not allowed */
#define LOOK_AGAIN (60 * NS_SEC) /* a silent watch is not trusted for longer */
#define WHY_SIZE   300

struct waiting {
	struct k8s *k;
	const struct k8s_res *res;
	const struct k8s_ref *ref;
	k8s_cond_fn *fn;
	void *arg;
	void (*on_change)(const char *why, void *arg);
	char why[WHY_SIZE];
	json_t *last;  /* what fn has seen last, NULL: absent */
	ns_t deadline; /* clock_mono, 0: none */
	bool never;    /* fn has said so */

	/* of the running watch: */
	bool woke, ended;
	bool deleted; /* it was gone in between, whatever newest is now */
	json_t *newest;
	int status;
	struct err end;
};

static void tell(struct waiting *w, const char *why)
{
	if (strcmp(w->why, why) == 0)
		return;
	snprintf(w->why, sizeof(w->why), "%s", why);
	if (w->on_change)
		w->on_change(w->why, w->arg);
}

/* 1 reached, 0 not yet, -1 never. Takes the object over. */
static int look(struct waiting *w, json_t *obj, struct err *e)
{
	char why[WHY_SIZE] = "";
	int rc;

	json_decref(w->last);
	w->last = obj;
	rc = w->fn(obj, why, sizeof(why), w->arg, e);
	w->never = rc < 0;
	if (rc == 0)
		tell(w, *why ? why : "not yet");
	return rc;
}

/* --- the watch -------------------------------------------------------------------------------- */

static void on_head(int status, void *arg)
{
	struct waiting *w = arg;

	w->status = status;
}

static void finish(struct waiting *w, const struct err *e)
{
	w->end = *e;
	w->ended = w->woke = true;
}

static void on_line(const char *line, size_t len, void *arg)
{
	struct waiting *w = arg;
	autojson json_t *obj = NULL;
	enum watch_type type;
	struct err e = ERR_INIT;

	if (!len || w->ended)
		return;
	if (watch_decode(&type, &obj, line, len, &e) < 0) {
		finish(w, &e);
	} else if (type == WATCH_ERROR) {
		k8s_status_json(obj, &e);
		finish(w, &e);
	} else if (type != WATCH_BOOKMARK && streq(obj_name(obj), w->ref->name)) {
		json_decref(w->newest);
		w->newest = type == WATCH_DELETED ? NULL : TAKE(obj);
		w->deleted = w->deleted || type == WATCH_DELETED;
		w->woke = true;
	}
}

static void on_end(struct http_resp *r, struct err *e, void *arg)
{
	struct waiting *w = arg;

	if (w->ended)
		return;
	if (e->code == ERR_OK && r->status / 100 != 2)
		k8s_status_err(r, e);
	finish(w, e);
}

/* What the watch has brought since the last look. */
static int look_at_news(struct waiting *w, struct err *e)
{
	int rc = 0;

	w->woke = w->ended;
	if (w->deleted) {
		w->deleted = false;
		rc = look(w, NULL, e);
	}
	if (rc == 0 && w->newest)
		rc = look(w, TAKE(w->newest), e);
	return rc;
}

static int follow(struct waiting *w, struct err *e)
{
	struct loop *l = k8s_loop(w->k);
	ns_t until = clock_mono() + LOOK_AGAIN;
	int rc = 0;

	while (rc == 0 && !w->ended) {
		if (loop_wait(l, &w->woke, until, e) < 0) {
			if (e->code != ERR_TIMEOUT || clock_mono() < until)
				return -1;
			err_clear(e);
			return 0;
		}
		rc = look_at_news(w, e);
		until = clock_mono() + LOOK_AGAIN;
	}
	return rc;
}

/* One watch from rv to its end: 1 reached, 0 look again, -1. A refused one is in w->end. */
static int watch(struct waiting *w, const char *rv, struct err *e)
{
	autofree char *selector = xasprintf("metadata.name=%s", w->ref->name);
	const struct watch_opts o = {
		.ns = w->res->namespaced ? w->ref->ns : NULL,
		.field_selector = selector,
		.rv = rv,
		.timeout_seconds = 300,
	};
	const struct http_stream_cb cb = {on_head, on_line, on_end, w, 0, NULL};
	autofree char *path = watch_path(w->res, &o);
	struct http_req q = {.method = "GET", .url = path};
	struct http_call *call = NULL;
	int rc;

	w->woke = w->ended = w->deleted = false;
	w->status = 0;
	w->end = (struct err)ERR_INIT;
	if (k8s_token_refresh(w->k, false, e) < 0 || k8s_stream(&call, w->k, &q, &cb, e) < 0)
		return -1;
	rc = follow(w, e);
	http_call_free(call);
	json_decref(TAKE(w->newest));
	return rc;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* Absent: the list of that one name tells from where on to watch, and has it if it came just now. */
static int look_by_list(struct waiting *w, char **rv, struct err *e)
{
	autofree char *selector = xasprintf("metadata.name=%s", w->ref->name);
	autojson json_t *list = NULL;
	struct k8s_call c = {
		.method = "GET",
		.path = k8s_path(w->res, &(struct k8s_ref){.ns = w->ref->ns}, NULL),
	};
	json_t *obj = NULL;

	k8s_url_add(&c.path, "fieldSelector", selector);
	if (k8s_send_one(&list, w->k, &c, e) < 0)
		return -1;
	obj = json_array_get(jx_get(list, "items"), 0);
	*rv = xstrdup(jx_str_or(list, "metadata.resourceVersion", ""));
	return look(w, json_incref(obj), e);
}

static int look_now(struct waiting *w, char **rv, struct err *e)
{
	json_t *obj = NULL;

	if (k8s_get(&obj, w->k, w->res, w->ref, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		err_clear(e);
		int rc = look(w, NULL, e);
		if (rc != 0)
			return rc;
		return look_by_list(w, rv, e);
	}
	*rv = xstrdup(obj_rv(obj) ? obj_rv(obj) : "");
	return look(w, obj, e);
}

/* The server may come back: does waiting longer make sense? Then 0 after a pause. */
static int bear(struct waiting *w, struct err *e)
{
	struct err why = *e;
	char text[WHY_SIZE];

	if (w->never || (w->deadline && clock_mono() >= w->deadline))
		return -1;
	if (e->http == 0 && e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT)
		return -1;
	if (e->http && e->http != 429 && e->http < 500)
		return -1;
	err_clear(e);
	snprintf(text, sizeof(text), "the API server does not answer: %.220s", why.msg);
	tell(w, text);
	return loop_sleep(k8s_loop(w->k), why.retry_after > PAUSE ? why.retry_after : PAUSE, e);
}

/* After a watch: what does its end mean? 0: go on. */
static int after_watch(struct waiting *w, ns_t started, struct err *e)
{
	struct loop *l = k8s_loop(w->k);

	if (w->end.http == 401)
		return k8s_token_refresh(w->k, true, e);
	if (w->end.code == ERR_INVALID && w->end.http) {
		*e = w->end;
		return -1;
	}
	/* Refused, too old, broken: look again, but not at once for ever. */
	if (w->end.code != ERR_OK || clock_mono() - started < PAUSE)
		return loop_sleep(l, PAUSE, e);
	return 0;
}

static int wait_all(struct waiting *w, struct err *e)
{
	for (;;) {
		autofree char *rv = NULL;
		ns_t started = clock_mono();
		int rc = look_now(w, &rv, e);

		if (rc == 0 && rv)
			rc = watch(w, rv, e);
		if (rc > 0)
			return 0;
		if (rc < 0 && bear(w, e) < 0)
			return -1;
		if (rc == 0 && after_watch(w, started, e) < 0)
			return -1;
	}
}

int k8s_wait(json_t **out, struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
	     k8s_cond_fn *fn, void *arg, void (*on_change)(const char *why, void *arg),
	     ns_t deadline, struct err *e)
{
	struct waiting w = {
		.k = k, .res = r, .ref = ref, .fn = fn, .arg = arg, .on_change = on_change};
	struct loop *l = k8s_loop(k);
	ns_t outer = loop_deadline(l, 0);
	int rc;

	w.deadline = deadline && (!outer || deadline < outer) ? deadline : outer;
	loop_deadline(l, w.deadline);
	rc = wait_all(&w, e);
	loop_deadline(l, outer);
	json_decref(w.newest);
	if (rc == 0 && out)
		*out = json_incref(w.last);
	json_decref(w.last);
	if (rc == 0)
		return 0;
	if (e->code == ERR_TIMEOUT && *w.why) {
		struct err timed_out = ERR_INIT;

		err_set(&timed_out, ERR_TIMEOUT, "timed out: %s", w.why);
		*e = timed_out;
	}
	return err_wrap(e, "%s %s%s%s", r->kind, ref->ns && r->namespaced ? ref->ns : "",
			ref->ns && r->namespaced ? "/" : "", ref->name);
}
