/* down.c - see down.h. Every delete is conditional on the very object that was looked at. */
#include "provision/down.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "k8s/obj.h"
#include "k8s/wait.h"
#include "presto/names.h"
#include "presto/presto.h"
#include "provision/objects.h"

#define LOOK_EVERY (400 * NS_MS)
#define BEFORE_CRASH \
	(2 * 60 * NS_SEC) /* when the cluster goes anyway, its pods may take that long */
#define OPERATOR_PODS "name=presto-operator"

static void line(struct buf *to, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(struct buf *to, const char *fmt, ...)
{
	struct err full = ERR_INIT;
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)!buf_addf(to, &full, "%s\n", text);
}

/* A refusal leaves that one thing behind and lets the rest go on; anything else ends the run. */
static int survive(struct down *d, const char *what, struct err *e)
{
	if (e->code != ERR_DENIED && e->code != ERR_CONFLICT && e->code != ERR_INVALID)
		return -1;
	line(&d->failed, "%s: %s", what, e->msg);
	d->failures++;
	err_clear(e);
	return 0;
}

static void on_why(const char *why, void *arg)
{
	struct down *d = arg;

	progress_say(d->app->progress, "%s", why);
}

static int delete_and_wait(struct down *d, const struct k8s_res *res, const json_t *live,
			   struct err *e)
{
	const struct k8s_ref ref = {.ns = obj_ns(live), .name = obj_name(live)};
	const struct k8s_delete_opts o = {.uid = obj_uid(live)};

	if (!obj_deleting(live) && k8s_delete(d->t->k, res, &ref, &o, e) < 0)
		return err_wrap(e, "removing %s %s", res->kind, ref.name);
	return k8s_wait(NULL, d->t->k, res, &ref, k8s_cond_gone, d, on_why, d->app->deadline, e);
}

static bool is_ours(const struct down *d, const json_t *live)
{
	return streq(obj_label(live, ENV_LABEL), d->t->name);
}

/* What still carries the label instance=NAME. */
static int children_left(struct down *d, const char *selector, size_t *left, char words[120],
			 struct err *e)
{
	static const struct k8s_res *const kinds[] = {&K8S_POD, &K8S_DEPLOYMENT, &K8S_SERVICE,
						      &K8S_CONFIGMAP};
	const struct k8s_list_opts o = {.label_selector = selector};

	*left = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		autojson json_t *all = NULL;

		if (k8s_list(&all, d->t->k, kinds[i], d->t->ns, &o, e) < 0)
			return -1;
		if (json_array_size(all) && !*left)
			snprintf(words, 120, "%s %.80s is still there", kinds[i]->kind,
				 obj_name(json_array_get(all, 0)));
		*left += json_array_size(all);
	}
	return 0;
}

static int wait_children(struct down *d, const char *selector, struct err *e)
{
	ns_t deadline = d->whole_cluster ? clock_mono() + BEFORE_CRASH : 0;
	char words[120] = "";
	size_t left = 1;

	for (;;) {
		if (children_left(d, selector, &left, words, e) < 0)
			return -1;
		if (!left)
			return 0;
		progress_say(d->app->progress, "%s (%zu in all)", words, left);
		if (deadline && clock_mono() > deadline) {
			progress_warn(d->app->progress, "%s; the cluster goes with it", words);
			return 0;
		}
		if (loop_sleep(d->app->loop, LOOK_EVERY, e) < 0) {
			app_detail(d->app, "waited for: %s", words);
			return -1;
		}
	}
}

static int remove_presto(struct down *d, const json_t *live, struct err *e)
{
	char name[NAME_SIZE], selector[NAME_SIZE + 16];
	const char *known = jx_str(live, "status.name");

	if (known)
		snprintf(name, sizeof(name), "%s", known);
	else
		name_of(name, obj_name(live), obj_uid(live),
			jx_str_or(live, "spec.nameOverride", ""));
	snprintf(selector, sizeof(selector), "instance=%s", name);
	if (delete_and_wait(d, &K8S_PRESTO, live, e) < 0)
		return -1;
	return wait_children(d, selector, e);
}

/* All Presto resources of a namespace, or of the cluster; none where the type is not there. */
static int list_prestos(json_t **out, struct down *d, const char *ns, const char *selector,
			struct err *e)
{
	const struct k8s_list_opts o = {.label_selector = selector};

	if (k8s_list(out, d->t->k, &K8S_PRESTO, ns, &o, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return err_wrap(e, "listing Presto resources");
	err_clear(e);
	*out = json_array();
	return 0;
}

int down_presto(struct down *d, struct err *e)
{
	autofree char *selector = xasprintf("%s=%s", ENV_LABEL, d->t->name);
	autojson json_t *all = NULL;
	size_t n;

	progress_begin(d->app->progress, "presto", "Presto resource");
	if (list_prestos(&all, d, d->t->ns, selector, e) < 0)
		goto failed;
	n = json_array_size(all);
	for (size_t i = 0; i < n; i++)
		if (remove_presto(d, json_array_get(all, i), e) < 0 && survive(d, "Presto", e) < 0)
			goto failed;
	progress_end(d->app->progress, true,
		     d->failures ? "not all of it could be removed"
		     : n         ? "removed, with its pods"
				 : "none of this environment is there");
	return 0;
failed:
	progress_end(d->app->progress, false, "%s", e->msg);
	return -1;
}

/* One of the operator's objects: removed when it carries our label. */
static int remove_own(struct down *d, enum object_id id, size_t *removed, struct err *e)
{
	const struct install in = {.ns = d->t->ns, .image = ""};
	const struct k8s_res *res = object_res(id);
	autojson json_t *want = object_want(id, &in), *live = NULL;
	const struct k8s_ref ref = {.ns = obj_ns(want), .name = obj_name(want)};

	if (k8s_get(&live, d->t->k, res, &ref, e) < 0) {
		if (e->code == ERR_NOT_FOUND) {
			err_clear(e);
			return 0;
		}
		return survive(d, res->kind, e);
	}
	if (!is_ours(d, live)) {
		line(&d->stays, "%s %s: it was not made for this environment", res->kind, ref.name);
		return 0;
	}
	if (delete_and_wait(d, res, live, e) < 0)
		return survive(d, res->kind, e);
	++*removed;
	return 0;
}

int down_operator(struct down *d, struct err *e)
{
	static const enum object_id order[] = {OBJ_OPERATOR, OBJ_BINDING, OBJ_ROLE, OBJ_ACCOUNT};
	autojson json_t *others = NULL;
	size_t removed = 0;

	progress_begin(d->app->progress, "operator", "operator");
	if (list_prestos(&others, d, d->t->ns, NULL, e) < 0)
		goto failed;
	if (json_array_size(others)) {
		line(&d->stays, "operator in namespace %s: Presto %s needs it", d->t->ns,
		     obj_name(json_array_get(others, 0)));
		progress_end(d->app->progress, true, "stays for other clusters");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (remove_own(d, order[i], &removed, e) < 0)
			goto failed;
	if (removed && wait_children(d, OPERATOR_PODS, e) < 0)
		goto failed;
	progress_end(d->app->progress, true, removed ? "removed, with its rights" : "not there");
	return 0;
failed:
	progress_end(d->app->progress, false, "%s", e->msg);
	return -1;
}

/* CRD and namespace: shared, so there are reasons to stay. @why empty: go. */
static int remove_shared(struct down *d, enum object_id id, const char *title, const char *other_ns,
			 struct err *e)
{
	const struct install in = {.ns = d->t->ns, .image = ""};
	const struct k8s_res *res = object_res(id);
	autojson json_t *want = object_want(id, &in), *live = NULL, *others = NULL;
	const struct k8s_ref ref = {.name = obj_name(want)};

	progress_begin(d->app->progress, object_names[id], title);
	if (k8s_get(&live, d->t->k, res, &ref, e) < 0) {
		if (e->code != ERR_NOT_FOUND && survive(d, res->kind, e) < 0)
			goto failed;
		err_clear(e);
		progress_end(d->app->progress, true, "not there");
		return 0;
	}
	if (!is_ours(d, live)) {
		line(&d->stays, "%s %s: it was not made for this environment", res->kind, ref.name);
		progress_end(d->app->progress, true,
			     "stays: it was there before, or is another environment's");
		return 0;
	}
	if (list_prestos(&others, d, other_ns, NULL, e) < 0)
		goto failed;
	if (json_array_size(others)) {
		const json_t *one = json_array_get(others, 0);

		line(&d->stays, "%s %s: Presto %s in namespace %s is left", res->kind, ref.name,
		     obj_name(one), obj_ns(one));
		progress_end(d->app->progress, true, "stays: Presto %s is left", obj_name(one));
		return 0;
	}
	if (delete_and_wait(d, res, live, e) < 0 && survive(d, res->kind, e) < 0)
		goto failed;
	progress_end(d->app->progress, true, "removed");
	return 0;
failed:
	progress_end(d->app->progress, false, "%s", e->msg);
	return -1;
}

int down_crd(struct down *d, struct err *e)
{
	return remove_shared(d, OBJ_CRD, "resource type", NULL, e);
}

int down_namespace(struct down *d, struct err *e)
{
	return remove_shared(d, OBJ_NAMESPACE, "namespace", d->t->ns, e);
}
