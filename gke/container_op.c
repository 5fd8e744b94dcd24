/* container_op.c - operations: what they say, and waiting for them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/container.h"

#define SHORTEST  NS_SEC
#define LONGEST   (10 * NS_SEC)
#define FORGIVE   (30 * NS_SEC) /* a new operation may be unknown for a moment */
#define MAX_TEXTS 8

/* --- reading ---------------------------------------------------------------------------------- */

/* 64-bit numbers come as texts, smaller ones as numbers. */
static double metric_value(const json_t *m)
{
	const char *text = jx_str(m, "intValue");
	const json_t *d = jx_get(m, "doubleValue");
	double v = text ? strtod(text, NULL)
		   : d  ? json_number_value(d)
			: json_number_value(jx_get(m, "intValue"));

	return v >= 0 && v < 1e9 ? v : 0;
}

static const json_t *find_metric(const json_t *metrics, const char *name, const char *suffix)
{
	autofree char *full = xasprintf("%s%s", name, suffix);

	for (size_t i = 0; i < json_array_size(metrics); i++)
		if (streq(jx_str(json_array_get(metrics, i), "name"), full))
			return json_array_get(metrics, i);
	return NULL;
}

static void take_progress(struct gke_op_status *out, const json_t *metrics)
{
	double done = 0, total = 0;

	for (size_t i = 0; i < json_array_size(metrics) && i < 64; i++) {
		const json_t *m = json_array_get(metrics, i);
		const char *name = jx_str_or(m, "name", "");
		const json_t *all = find_metric(metrics, name, "_TOTAL");
		double a, b;

		if (!all)
			continue;
		a = metric_value(m);
		b = metric_value(all);
		done += a < b ? a : b;
		total += b;
		/* The first that is not through is what it is at. */
		if (a < b && !*out->step)
			snprintf(out->step, sizeof(out->step), "%.60s %.0f/%.0f", name, a, b);
	}
	if (total > 0)
		out->progress = done / total;
}

/* Distinct texts of what went wrong, the most telling first. */
struct story {
	const char *texts[MAX_TEXTS];
	size_t n;
	const char *code;
};

static void tell(struct story *s, const char *text)
{
	for (size_t i = 0; text && i < s->n; i++)
		if (strstr(s->texts[i], text))
			return;
	if (text && *text && s->n < MAX_TEXTS)
		s->texts[s->n++] = text;
}

static void tell_conditions(struct story *s, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		const char *code = jx_str(c, "code");

		if (!code || streq(code, "UNKNOWN"))
			code = jx_str(c, "canonicalCode");
		if (code && !s->code)
			s->code = code;
		tell(s, jx_str(c, "message"));
		if (!jx_str(c, "message"))
			tell(s, code);
	}
}

/* google.rpc.Code, for what no text explains. */
static enum gke_cause cause_of_rpc(json_int_t code)
{
	switch (code) {
	case 2:
	case 4:
	case 13:
	case 14:
		return GKE_CAUSE_TRANSIENT;
	case 3:
	case 9:
		return GKE_CAUSE_INVALID;
	case 5:
		return GKE_CAUSE_MISSING;
	case 6:
		return GKE_CAUSE_EXISTS;
	case 7:
	case 16:
		return GKE_CAUSE_RIGHTS;
	case 8:
		return GKE_CAUSE_QUOTA;
	}
	return GKE_CAUSE_OTHER;
}

static bool take_story(struct gke_error *out, const struct story *s, json_int_t rpc)
{
	struct buf text = BUF_INIT(sizeof(out->message));
	struct err full = ERR_INIT;

	if (!s->n && !s->code && !rpc)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (buf_addf(&text, &full, "%s%.500s", i ? "; " : "", s->texts[i]) < 0)
			err_clear(&full);
	gke_error_text(out, s->code ? s->code : "",
		       text.len ? buf_str(&text) : "it failed without saying why");
	if (out->cause == GKE_CAUSE_OTHER)
		out->cause = cause_of_rpc(rpc);
	buf_release(&text);
	return true;
}

static bool take_failure(struct gke_error *out, const json_t *op)
{
	const json_t *error = jx_get(op, "error");
	json_int_t rpc = jx_int(error, "code");
	struct story s = {.n = 0};

	tell(&s, jx_str(error, "message"));
	tell_conditions(&s, jx_get(op, "clusterConditions"));
	tell_conditions(&s, jx_get(op, "nodepoolConditions"));
	tell(&s, jx_str(op, "statusMessage"));
	return take_story(out, &s, rpc);
}

void gke_op_decode(struct gke_op_status *out, const json_t *op)
{
	const char *status = jx_str_or(op, "status", "");

	*out = (struct gke_op_status){.state = GKE_OP_RUNNING, .progress = -1};
	if (streq(status, "PENDING"))
		out->state = GKE_OP_PENDING;
	else if (streq(status, "DONE"))
		out->state = GKE_OP_DONE;
	else if (streq(status, "ABORTING"))
		out->state = GKE_OP_ABORTING;
	snprintf(out->type, sizeof(out->type), "%s", jx_str_or(op, "operationType", "operation"));
	snprintf(out->detail, sizeof(out->detail), "%s", jx_str_or(op, "detail", ""));
	take_progress(out, jx_path(op, "progress.metrics"));
	if (out->state == GKE_OP_DONE)
		out->failed = take_failure(&out->why, op);
}

bool container_trouble(struct gke_error *out, const json_t *cluster)
{
	struct story s = {.n = 0};

	tell_conditions(&s, jx_get(cluster, "conditions"));
	tell(&s, jx_str(cluster, "statusMessage"));
	return take_story(out, &s, 0);
}

/* --- waiting ---------------------------------------------------------------------------------- */

ns_t gke_op_next(ns_t elapsed)
{
	ns_t next = elapsed / 8;

	return next < SHORTEST ? SHORTEST : next > LONGEST ? LONGEST : next;
}

static ns_t pause_of(const struct gke_wait *w, ns_t elapsed)
{
	ns_t next = gke_op_next(elapsed);

	/* A test's fast server has everything shorter by the same measure. */
	return w->shortest ? (ns_t)((double)next * ((double)w->shortest / (double)SHORTEST)) : next;
}

static int look(json_t **out, struct gke *g, const struct gke_ref *where, const char *op,
		struct err *e)
{
	/* Never by selfLink: it has the project's number and /zones/ in it. */
	autofree char *path = gke_path("/projects/%s/locations/%s/operations/%s", where->project,
				       where->location, op);
	const struct gke_req q = {.api = GKE_CONTAINER, .method = "GET", .path = path};

	return gke_call(out, g, &q, e);
}

static bool may_look_again(const struct err *e, const struct gke_wait *w, ns_t elapsed)
{
	switch (e->code) {
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
	case ERR_THROTTLED:
	case ERR_PROTOCOL:
		return true;
	case ERR_NOT_FOUND:
		return !w->known && elapsed < FORGIVE;
	default:
		return false;
	}
}

static int waited_for(const struct gke_op_status *s, const char *op, struct err *e)
{
	return err_wrap(e, "waiting for %s (%s%s%s)", *s->type ? s->type : "an operation", op,
			*s->step ? ", at " : "", s->step);
}

static int timed_out(const struct gke_op_status *s, const char *op, ns_t spent, struct err *e)
{
	struct err last = *e;
	char text[DURATION_SIZE];

	duration_format(text, spent);
	err_clear(e);
	err_set(e, ERR_TIMEOUT, "not done after %s%s%.200s", text, *last.msg ? ": " : "", last.msg);
	return waited_for(s, op, e);
}

static int fail(const struct gke_op_status *s, const char *principal, const struct gke_wait *w,
		struct err *e)
{
	if (w->why)
		*w->why = s->why;
	gke_error_set(&s->why, principal, w->detail, e);
	return err_wrap(e, "%s failed", s->type);
}

int gke_op_wait(struct gke *g, const struct gke_ref *where, const struct gke_op *op,
		const struct gke_wait *w, struct err *e)
{
	struct gke_op_status s = {.progress = -1};
	ns_t start = clock_mono(), elapsed = 0;

	if (!*op->name)
		return 0;
	for (;;) {
		autojson json_t *o = NULL;
		ns_t pause = pause_of(w, elapsed);

		if (w->deadline && clock_mono() + pause > w->deadline)
			pause = w->deadline - clock_mono();
		if (pause > 0 && loop_sleep(gke_loop(g), pause, e) < 0)
			return waited_for(&s, op->name, e);
		elapsed = clock_mono() - start;
		if (look(&o, g, where, op->name, e) == 0) {
			gke_op_decode(&s, o);
			if (w->progress)
				w->progress(&s, elapsed, w->arg);
			if (s.state == GKE_OP_DONE)
				return s.failed ? fail(&s, auth_principal(gke_auth(g)), w, e) : 0;
		} else if (!may_look_again(e, w, elapsed)) {
			return waited_for(&s, op->name, e);
		}
		if (w->deadline && clock_mono() >= w->deadline)
			return timed_out(&s, op->name, clock_mono() - start, e);
		err_clear(e);
	}
}

int gke_op_list(json_t **out, struct gke *g, const char *project, const char *location,
		struct err *e)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/operations", project, location);

	return gke_list(out, g, GKE_CONTAINER, path, "operations", e);
}

int gke_op_cancel(struct gke *g, const struct gke_ref *where, const struct gke_op *op,
		  struct err *e)
{
	autofree char *path = gke_path("/projects/%s/locations/%s/operations/%s:cancel",
				       where->project, where->location, op->name);
	autojson json_t *body = json_object();
	const struct gke_req q = {.api = GKE_CONTAINER,
				  .method = "POST",
				  .path = path,
				  .body = body,
				  .repeatable = true};

	return gke_call(NULL, g, &q, e);
}
