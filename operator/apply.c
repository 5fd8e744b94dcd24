/* apply.c - one pass: what to write is decided from the view alone, then written by server-side apply. */
#include "operator/apply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WAVE_MAX  32
#define PRUNE_MAX 64

/*
 * An apply with a resourceVersion is refused when the object exists in another version, and makes the object
 * when it does not exist: with a version that no object has, it is a create that never overwrites.
 */
#define CREATE_ONLY "1"

static const struct k8s_apply_opts apply_opts = {.field_manager = FIELD_MANAGER};

enum action { NOTHING, CREATE, CHANGE, CLEAN };

struct step {
	const json_t *want;
	const struct child *live; /* NULL: absent */
	enum action action;
};

static void note(struct buf *list, const json_t *obj)
{
	struct err full = ERR_INIT; /* a list too long for a sentence is cut */

	if (buf_addf(list, &full, "%s%s %s", list->len ? ", " : "", jx_str_or(obj, "kind", ""),
		     obj_name(obj)) < 0)
		err_clear(&full);
}

static void taken(struct apply_report *rep, const char *kind, const char *name, const char *owner)
{
	if (rep->taken)
		return;
	if (owner && *owner)
		rep->taken = xasprintf("%s %s belongs to %s", kind, name, owner);
	else
		rep->taken = xasprintf("%s %s is there already and is not this cluster's", kind,
				       name);
}

/* What an intent needs, as far as the view knows. */
static enum action decide(struct apply_report *rep, const struct apply_owner *o,
			  const struct step *s)
{
	const char *kind = jx_str(s->want, "kind"), *name = obj_name(s->want);
	const struct child *c = s->live;

	if (!c)
		return CREATE;
	if (strcmp(c->owner_uid, o->uid) != 0) {
		autofree char *owner = *c->owner ? xasprintf("the Presto resource %s", c->owner)
						 : NULL;

		if (c->deleting)
			rep->waiting = true;
		else
			taken(rep, kind, name, owner);
		return NOTHING;
	}
	if (c->deleting) {
		rep->waiting = true;
		return NOTHING;
	}
	if (strcmp(c->verified, desired_intent(s->want)) != 0)
		return CHANGE;
	return c->foreign ? CLEAN : NOTHING;
}

/* The intent, bound to the object that it is meant for: @uid NULL = to none that exists. */
static json_t *body_of(const json_t *want, const char *uid)
{
	json_t *body = json_copy((json_t *)(uintptr_t)want),
	       *meta = json_copy(jx_get(want, "metadata"));

	if (uid)
		json_object_set_new(meta, "uid",
				    json_string(uid)); /* not a namesake made meanwhile */
	else
		json_object_set_new(meta, "resourceVersion", json_string(CREATE_ONLY));
	json_object_set_new(body, "metadata", meta);
	return body;
}

static void written(struct apply_report *rep, struct applier *a, const json_t *want,
		    const json_t *answer, bool made)
{
	autofree char *key = child_key(obj_ns(answer), obj_name(answer));
	const struct child *c;

	rep->writes++;
	note(made ? &rep->made : &rep->changed, want);
	view_normal(a->view, want, answer);
	view_put(a->view, answer);
	/* The store takes our own writes without a word: nobody else would see what is left to do. */
	c = view_child(a->view, (enum child_kind)child_kind_of(want), key);
	rep->again = rep->again || (c && c->foreign);
}

/*
 * Somebody has an object of that name which the view does not show. When it is ours after all (made by a try whose
 * answer was lost, or somebody took its label off) it is written here, as no event may ever show it to the view.
 */
static int look(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		const json_t *want, struct err *e)
{
	const struct k8s_res *res = child_res((enum child_kind)child_kind_of(want));
	const struct k8s_ref ref = {o->ns, obj_name(want)};
	autojson json_t *live = NULL, *body = NULL, *answer = NULL;
	const json_t *controller;

	a->requests++;
	if (k8s_get(&live, a->k, res, &ref, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		err_clear(e); /* gone in between */
		rep->again = true;
		return 0;
	}
	controller = obj_controller(live);
	if (obj_deleting(live)) {
		rep->waiting = true;
	} else if (streq(jx_str(controller, "uid"), o->uid)) {
		body = body_of(want, obj_uid(live));
		a->requests++;
		if (k8s_apply(&answer, a->k, body, &apply_opts, e) < 0)
			return -1;
		written(rep, a, want, answer, false);
	} else {
		autofree char *owner = controller ? xasprintf("%s %s",
							      jx_str_or(controller, "kind",
									"something called"),
							      jx_str_or(controller, "name", ""))
						  : NULL;
		taken(rep, res->kind, ref.name, owner);
	}
	return 0;
}

/* 500 with these words is the server's way of saying that a field is not known. */
static bool is_refusal(const struct err *e)
{
	return e->code == ERR_INVALID ||
	       (e->http == 500 && strstr(e->msg, "failed to create typed patch object"));
}

static int failed(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		  const json_t *want, const struct err *why, struct err *e)
{
	bool other = why->code == ERR_CONFLICT || why->code == ERR_EXISTS ||
		     (why->code == ERR_INVALID && strstr(why->msg, "metadata.uid"));
	struct err asked = ERR_INIT;

	if (why->code == ERR_CANCELLED) {
		*e = *why;
		return -1;
	}
	if (other) {
		if (look(rep, a, o, want, &asked) == 0)
			return 0;
		if (asked.code == ERR_CANCELLED) {
			*e = asked;
			return -1;
		}
		why = &asked;
	}
	if (is_refusal(why)) {
		if (!rep->refused)
			rep->refused = xasprintf("%s %s: %s", jx_str_or(want, "kind", ""),
						 obj_name(want), why->msg);
	} else if (rep->retry.code == ERR_OK) {
		rep->retry = *why;
		err_wrap(&rep->retry, "%s %s", jx_str_or(want, "kind", ""), obj_name(want));
	}
	return 0;
}

/* Takes others' keys out of our ConfigMap: an apply leaves alone what it does not own. */
static int clean(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		 const struct step *s, struct err *e)
{
	const struct k8s_ref ref = {o->ns, obj_name(s->want)};
	autojson json_t *patch = NULL, *out = NULL;
	struct err why = ERR_INIT;

	assert(s->live && s->live->foreign);
	if (jx_parse(&patch, s->live->foreign, strlen(s->live->foreign), "patch", e) < 0)
		return -1;
	jx_set(patch, "metadata.resourceVersion", json_string(s->live->rv));
	a->requests++;
	if (k8s_merge_patch(&out, a->k, child_res((enum child_kind)child_kind_of(s->want)), &ref,
			    NULL, patch, &why) < 0)
		return failed(rep, a, o, s->want, &why, e);
	rep->writes++;
	note(&rep->changed, s->want);
	view_put(a->view, out);
	return 0;
}

static int send_wave(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		     const struct step *steps, size_t n, struct err *e)
{
	json_t *outs[WAVE_MAX] = {NULL};
	json_t *bodies[WAVE_MAX];
	const json_t *send[WAVE_MAX];
	struct err errs[WAVE_MAX] = {ERR_INIT};
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		send[i] = bodies[i] = body_of(steps[i].want,
					      steps[i].live ? steps[i].live->uid : NULL);
	a->requests += n;
	k8s_apply_all(outs, a->k, send, &apply_opts, errs, n);
	for (size_t i = 0; i < n; i++) {
		json_decref(bodies[i]);
		if (outs[i]) {
			written(rep, a, steps[i].want, outs[i], steps[i].action == CREATE);
		} else if (rc == 0) {
			rc = failed(rep, a, o, steps[i].want, &errs[i], e);
		}
		json_decref(outs[i]);
	}
	return rc;
}

static int apply_wave(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		      const json_t *wave, struct err *e)
{
	struct step steps[WAVE_MAX], cleans[WAVE_MAX];
	struct child held[WAVE_MAX]; /* entries do not outlive a wait */
	size_t n = 0, k = 0;
	int rc = 0;

	for (size_t i = 0; i < json_array_size(wave) && i < WAVE_MAX; i++) {
		struct step s = {.want = json_array_get(wave, i)};
		autofree char *key = child_key(o->ns, obj_name(s.want));

		s.live = view_child(a->view, (enum child_kind)child_kind_of(s.want), key);
		s.action = decide(rep, o, &s);
		if (s.live) {
			held[i] = *s.live;
			held[i].foreign = s.live->foreign ? xstrdup(s.live->foreign) : NULL;
			s.live = &held[i];
		}
		if (s.action == CLEAN && s.live)
			cleans[k++] = s;
		else if (s.action != NOTHING)
			steps[n++] = s;
		else if (s.live)
			free(TAKE(held[i].foreign));
	}
	if (n)
		rc = send_wave(rep, a, o, steps, n, e);
	for (size_t i = 0; i < k && rc == 0; i++)
		rc = clean(rep, a, o, &cleans[i], e);
	for (size_t i = 0; i < n; i++)
		free(steps[i].live ? steps[i].live->foreign : NULL);
	for (size_t i = 0; i < k; i++)
		free(cleans[i].live ? cleans[i].live->foreign : NULL);
	return rc;
}

/* --- prune --- */

struct leftover {
	enum child_kind kind;
	char name[NAME_SIZE], uid[UID_SIZE], rv[24];
};

struct pruning {
	const struct apply_owner *o;
	const json_t *waves;
	enum child_kind kind;
	struct leftover list[PRUNE_MAX];
	size_t n;
};

static bool find_leftover(const char *key, const void *entry, void *arg)
{
	struct pruning *p = arg;
	const struct child *c = entry;
	const char *name = strrchr(key, '/');

	if (strcmp(c->owner_uid, p->o->uid) != 0 || c->deleting || !name ||
	    desired_find(p->waves, child_res(p->kind)->kind, name + 1))
		return true;
	struct leftover *l = &p->list[p->n++];
	l->kind = p->kind;
	snprintf(l->name, sizeof(l->name), "%s", name + 1);
	snprintf(l->uid, sizeof(l->uid), "%s", c->uid);
	snprintf(l->rv, sizeof(l->rv), "%s", c->rv);
	return p->n < PRUNE_MAX;
}

static int prune(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		 const json_t *waves, struct err *e)
{
	struct pruning p = {.o = o, .waves = waves};
	struct err full = ERR_INIT;

	for (int kind = 0; kind < CHILD_KINDS && p.n < PRUNE_MAX; kind++) {
		p.kind = (enum child_kind)kind;
		view_each_child(a->view, p.kind, find_leftover, &p);
	}
	for (size_t i = 0; i < p.n; i++) {
		const struct leftover *l = &p.list[i];
		const struct k8s_delete_opts opts = {.uid = l->uid, .resource_version = l->rv};
		struct err why = ERR_INIT;

		a->requests++;
		if (k8s_delete(a->k, child_res(l->kind), &(struct k8s_ref){o->ns, l->name}, &opts,
			       &why) < 0) {
			if (why.code == ERR_CANCELLED) {
				*e = why;
				return -1;
			}
			if (why.code ==
			    ERR_CONFLICT) /* changed meanwhile: its event brings us back */
				rep->waiting = true;
			else if (rep->retry.code == ERR_OK)
				rep->retry = why;
			continue;
		}
		rep->writes++;
		if (buf_addf(&rep->removed, &full, "%s%s %s", rep->removed.len ? ", " : "",
			     child_res(l->kind)->kind, l->name) < 0)
			err_clear(&full);
	}
	return 0;
}

int apply_waves(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		const json_t *waves, struct err *e)
{
	size_t i;
	json_t *wave;

	if (!json_array_size(json_array_get(waves, 0)))
		return err_set(
			e, ERR_INTERNAL,
			"nothing is wanted of a living resource: refusing to remove everything");
	json_array_foreach (waves, i, wave) {
		if (apply_wave(rep, a, o, wave, e) < 0)
			return -1;
		/* Pods of the next wave would start with what this one did not get through. */
		if (rep->taken || rep->refused || rep->retry.code != ERR_OK || rep->waiting ||
		    rep->again)
			return 0;
	}
	return prune(rep, a, o, waves, e);
}

void apply_report_release(struct apply_report *rep)
{
	buf_release(&rep->made);
	buf_release(&rep->changed);
	buf_release(&rep->removed);
	free(TAKE(rep->taken));
	free(TAKE(rep->refused));
}
