/* status.c - conditions and their words. Pure. */
#include "operator/status.h"

#include <stdarg.h>
#include <string.h>

#include "k8s/obj.h"
#include "presto/names.h"

#define WORDS_MAX 700

static const char *const our_conditions[] = {"Ready", "Progressing", "Accepted", "NameTaken"};
static const char *const our_fields[] = {"observedGeneration", "name",    "service",     "version",
					 "selector",           "message", "coordinator", "workers",
					 "conditions"};

struct verdict {
	bool ready, progressing;
	const char *reason;
	char words[WORDS_MAX];
};

static void say(struct verdict *v, bool ready, bool progressing, const char *reason,
		const char *fmt, ...) PRINTF_LIKE(5, 6);

static void say(struct verdict *v, bool ready, bool progressing, const char *reason,
		const char *fmt, ...)
{
	va_list ap;

	v->ready = ready;
	v->progressing = progressing;
	v->reason = reason;
	va_start(ap, fmt);
	vsnprintf(v->words, sizeof(v->words), fmt, ap);
	va_end(ap);
}

static bool coordinator_answers(const struct status_facts *f)
{
	if (f->coordinator.ready < 1)
		return false;
	return f->unreachable || (f->asked && !f->starting);
}

static int joined(const struct status_facts *f)
{
	if (f->unreachable || (f->asked && f->active < 0))
		return f->worker.ready;
	return f->asked ? f->active : 0;
}

/* What holds a role back, as the end of a sentence; "" when nothing is known. */
static const char *because(char out[WORDS_MAX / 2], const char *role, const struct role_facts *r)
{
	*out = '\0';
	if (r->failure)
		snprintf(out, WORDS_MAX / 2, "; %s pods cannot be made: %s", role, r->failure);
	else if (r->trouble)
		snprintf(out, WORDS_MAX / 2, "; %s %s", role, r->trouble);
	return out;
}

static void judge_coordinator(struct verdict *v, const struct status_facts *f)
{
	const struct role_facts *c = &f->coordinator;

	if (c->failure)
		say(v, false, false, "PodsRefused", "the coordinator's pod cannot be made: %s",
		    c->failure);
	else if (c->trouble)
		say(v, false, !c->fatal, c->fatal ? "CoordinatorFailing" : "CoordinatorWaiting",
		    "coordinator %s", c->trouble);
	else if (!c->exists || !c->replicas)
		say(v, false, true, "CoordinatorStarting", "waiting for the coordinator's pod");
	else
		say(v, false, true, "CoordinatorStarting", "the coordinator is starting");
}

static void judge_workers(struct verdict *v, const struct status_facts *f)
{
	const struct role_facts *w = &f->worker;
	char why[WORDS_MAX / 2];
	int n = joined(f);
	const char *plural = f->desired == 1 ? "" : "s";

	because(why, "worker", w);
	if (n < f->desired)
		say(v, false, !w->fatal && !w->failure,
		    w->fatal || w->failure ? "WorkersFailing" : "WorkersMissing",
		    "%d of %d worker%s %s joined%s", n, f->desired, plural, n == 1 ? "has" : "have",
		    why);
	else if (f->coordinator.observed && w->observed && w->updated >= f->desired &&
		 w->replicas <= f->desired)
		say(v, true, false, "Ready", "%d of %d worker%s %s joined", f->desired, f->desired,
		    plural, f->desired == 1 ? "has" : "have");
	else if (w->observed && w->updated < f->desired)
		say(v, true, !w->fatal, "RollingOut", "workers are being replaced: %d of %d done%s",
		    w->updated, f->desired, why);
	else
		say(v, true, true, "Ready",
		    "%d worker%s joined, %d asked for: the others are finishing their work", n,
		    n == 1 ? " has" : "s have", f->desired);
}

static void judge(struct verdict *v, const struct status_facts *f)
{
	if (f->invalid)
		say(v, false, false, f->invalid_reason, "%s", f->invalid);
	else if (f->taken)
		say(v, false, false, "NameTaken", "%s", f->taken);
	else if (f->failing)
		say(v, false, true, "WriteFailed", "%s", f->failing);
	else if (!coordinator_answers(f))
		judge_coordinator(v, f);
	else
		judge_workers(v, f);
}

/* The conditions of before that are ours, as a new array. */
static json_t *conditions_of(const json_t *old)
{
	const json_t *list = jx_get(old, "conditions");
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		for (size_t k = 0; k < ARRAY_LEN(our_conditions); k++) {
			if (streq(jx_str(c, "type"), our_conditions[k]))
				json_array_append_new(out, json_deep_copy(c));
		}
	}
	return out;
}

static void drop_condition(json_t *conditions, const char *type)
{
	for (size_t i = json_array_size(conditions); i-- > 0;) {
		if (streq(jx_str(json_array_get(conditions, i), "type"), type))
			json_array_remove(conditions, i);
	}
}

static void set_conditions(json_t *conditions, const struct status_facts *f,
			   const struct verdict *v)
{
	const char *settled = f->invalid || f->taken || !v->ready ? "Stuck" : "Settled";

	obj_condition_set(conditions, "Ready", v->ready, v->reason, v->words, f->generation,
			  f->now);
	obj_condition_set(conditions, "Progressing", v->progressing,
			  v->progressing ? "Working" : settled, v->words, f->generation, f->now);
	obj_condition_set(conditions, "Accepted", !f->invalid,
			  f->invalid ? f->invalid_reason : "Valid",
			  f->invalid ? f->invalid : "the resource is valid", f->generation, f->now);
	if (f->taken)
		obj_condition_set(conditions, "NameTaken", true, "NotOurs", f->taken, f->generation,
				  f->now);
	else
		drop_condition(conditions, "NameTaken");
}

static void set_text(json_t *status, const char *key, const char *text, const json_t *old)
{
	const char *value = text ? text : jx_str(old, key);

	if (value && *value)
		json_object_set_new(status, key, json_string(value));
}

json_t *status_of(const struct status_facts *f)
{
	json_t *status = json_object(), *conditions = conditions_of(f->old),
	       *workers = json_object();
	autofree char *selector = f->name ? xasprintf("instance=%s,role=" ROLE_WORKER, f->name)
					  : NULL;
	struct verdict v;

	judge(&v, f);
	set_conditions(conditions, f, &v);
	json_object_set_new(status, "observedGeneration", json_integer(f->generation));
	set_text(status, "name", f->name, f->old);
	set_text(status, "service", f->service, f->old);
	set_text(status, "selector", selector, f->old);
	set_text(status, "version", f->version && *f->version ? f->version : NULL, f->old);
	json_object_set_new(status, "message", json_string(v.words));
	json_object_set_new(status, "coordinator",
			    json_pack("{s:b}", "ready", coordinator_answers(f)));
	json_object_set_new(workers, "desired", json_integer(f->desired));
	json_object_set_new(workers, "ready", json_integer(f->worker.ready));
	json_object_set_new(workers, "active", json_integer(joined(f)));
	json_object_set_new(status, "workers", workers);
	json_object_set_new(status, "conditions", conditions);
	return status;
}

static const json_t *condition(const json_t *status, const char *type)
{
	const json_t *list = jx_get(status, "conditions");

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (streq(jx_str(json_array_get(list, i), "type"), type))
			return json_array_get(list, i);
	}
	return NULL;
}

static bool same_value(const json_t *a, const json_t *b)
{
	return (!a && !b) || (a && b && json_equal(a, b));
}

bool status_same(const json_t *old, const json_t *new)
{
	for (size_t i = 0; i < ARRAY_LEN(our_fields); i++) {
		if (strcmp(our_fields[i], "conditions") != 0 &&
		    !same_value(jx_get(old, our_fields[i]), jx_get(new, our_fields[i])))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(our_conditions); i++) {
		if (!same_value(condition(old, our_conditions[i]),
				condition(new, our_conditions[i])))
			return false;
	}
	return true;
}

bool status_progressing(const json_t *status)
{
	return streq(jx_str(condition(status, "Progressing"), "status"), "True");
}

void status_transitions(const json_t *old, const json_t *new,
			void (*fn)(bool warning, const char *reason, const char *message,
				   void *arg),
			void *arg)
{
	/* Progressing says what Ready says: one event is enough. */
	static const char *const told[] = {"Accepted", "NameTaken", "Ready"};

	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		const json_t *a = condition(old, told[i]), *b = condition(new, told[i]);
		const char *reason = jx_str_or(b, "reason", "");
		bool good = strcmp(told[i], "NameTaken") != 0 ? streq(jx_str(b, "status"), "True")
							      : !b;

		if (!b || (streq(jx_str(a, "status"), jx_str(b, "status")) &&
			   streq(jx_str(a, "reason"), reason)))
			continue;
		if (strcmp(told[i], "Ready") != 0 && good && !a)
			continue; /* a new resource that is valid: nothing to tell */
		/* What Ready repeats of the others has been told already. */
		if (streq(told[i], "Ready") &&
		    (streq(jx_str(condition(new, "Accepted"), "status"), "False") ||
		     condition(new, "NameTaken")))
			continue;
		fn(!good && (strcmp(told[i], "Ready") != 0 || !status_progressing(new)), reason,
		   jx_str_or(b, "message", ""), arg);
	}
}
