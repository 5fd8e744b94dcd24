/* view.c - the informers, and the verdict about each child when its event comes. */
#include "operator/view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/strmap.h"
#include "operator/drift.h"

struct watch {
	struct view *s;
	struct informer *informer;
	enum child_kind kind;
};

/* What an intent looks like after the API server's webhooks. */
struct normal {
	char intent[INTENT_SIZE], looks[INTENT_SIZE];
};

struct view {
	struct k8s *k;
	char *ns, *agent_image;
	void (*changed)(const char *key, void *arg);
	void *arg;
	struct watch crs, pods, children[CHILD_KINDS];
	bool children_started;
	struct strmap *by_cluster; /* "ns/NAME" -> key of the Presto resource */
	struct strmap *normals;    /* "Kind ns/name" -> struct normal */
	/* the last answer of view_desired */
	struct {
		char uid[UID_SIZE];
		int64_t generation;
		json_t *waves;
		char *agent_image[2];
		char template_hash[2][INTENT_SIZE];
	} last;
};

static const struct k8s_res *const child_rows[CHILD_KINDS] = {&K8S_CONFIGMAP, &K8S_SERVICE,
							      &K8S_DEPLOYMENT};

const struct k8s_res *child_res(enum child_kind kind)
{
	return child_rows[kind];
}

int child_kind_of(const json_t *obj)
{
	const char *kind = jx_str(obj, "kind");

	for (int i = 0; i < CHILD_KINDS; i++) {
		if (streq(child_rows[i]->kind, kind))
			return i;
	}
	return -1;
}

char *child_key(const char *ns, const char *name)
{
	return xasprintf("%s/%s", ns, name);
}

static char *sibling_key(const char *key, const char *name)
{
	const char *slash = strchr(key, '/');

	return slash ? xasprintf("%.*s/%s", (int)(slash - key), key, name) : xstrdup(name);
}

/* --- Presto resources --- */

static int project_cr(void *entry, const json_t *obj, void *arg UNUSED)
{
	return cr_project(entry, obj);
}

static void notify_cr(const char *key, const void *old, const void *new, void *arg)
{
	const struct watch *w = arg;
	const struct cr *a = old, *b = new;
	autofree char *cluster = sibling_key(key, b ? b->cluster : a->cluster);

	if (a && b && a->len == b->len && strcmp(a->text, b->text) == 0 &&
	    a->deleting == b->deleting)
		return;
	if (b)
		strmap_put(w->s->by_cluster, cluster, xstrdup(key));
	else if (streq(strmap_get(w->s->by_cluster, cluster), key))
		strmap_del(w->s->by_cluster, cluster);
	w->s->changed(key, w->s->arg);
}

int cr_parse(json_t **resource, struct presto *p, const struct cr *cr, struct err *e)
{
	autojson json_t *parsed = NULL;

	if (jx_parse(&parsed, cr->text, cr->len, "resource", e) < 0)
		return -1;
	if (presto_decode(p, parsed, e) < 0)
		return -1;
	*resource = TAKE(parsed);
	return 0;
}

/* --- children --- */

static void forget_last(struct view *s)
{
	json_decref(s->last.waves);
	free(s->last.agent_image[0]);
	free(s->last.agent_image[1]);
	memset(&s->last, 0, sizeof(s->last));
}

/* @live: what the two Deployments run, as far as it matters to the caller (a NULL entry: it does not). */
static bool last_fits(const struct view *s, const struct cr *cr, const struct child *const live[2])
{
	if (!s->last.waves || s->last.generation != cr->generation ||
	    strcmp(s->last.uid, cr->uid) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (live[i] && (!streq(live[i]->agent_image, s->last.agent_image[i]) ||
				strcmp(live[i]->template_hash, s->last.template_hash[i]) != 0))
			return false;
	}
	return true;
}

static struct desired_live live_of(const struct child *c)
{
	return (struct desired_live){c && c->agent_image ? c->agent_image : NULL,
				     c ? c->template_hash : NULL};
}

static int compute(struct view *s, const struct cr *cr, const struct child *const live[2],
		   struct err *e)
{
	autojson json_t *resource = NULL;
	struct presto p;
	const struct desired_ctx ctx = {s->agent_image, live_of(live[0]), live_of(live[1])};
	json_t *waves = NULL;

	if (cr_parse(&resource, &p, cr, e) < 0 || desired_state(&waves, &p, &ctx, e) < 0)
		return -1;
	forget_last(s);
	s->last.waves = waves;
	s->last.generation = cr->generation;
	snprintf(s->last.uid, sizeof(s->last.uid), "%s", cr->uid);
	for (int i = 0; i < 2; i++) {
		if (!live[i])
			continue;
		s->last.agent_image[i] = live[i]->agent_image ? xstrdup(live[i]->agent_image)
							      : NULL;
		snprintf(s->last.template_hash[i], INTENT_SIZE, "%s", live[i]->template_hash);
	}
	return 0;
}

/* The living Deployments of a cluster, but only those that are this resource's. */
static const struct child *live_deployment(const struct view *s, const char *ns,
					   const struct cr *cr, const char *prefix)
{
	static const struct child none;
	char name[NAME_SIZE];
	autofree char *key = NULL;
	const struct child *c;

	name_child(name, prefix, cr->cluster);
	key = child_key(ns, name);
	c = view_child(s, CHILD_DEPLOYMENT, key);
	return c && strcmp(c->owner_uid, cr->uid) == 0 ? c : &none;
}

static const char *ns_in(const struct cr *cr, char *out, size_t size)
{
	/* The compact text is ours: metadata comes third, its namespace second. */
	const char *at = strstr(cr->text, "\"namespace\":\"");

	if (at)
		snprintf(out, size, "%.*s", (int)strcspn(at + 13, "\""), at + 13);
	else
		*out = '\0';
	return out;
}

int view_desired(const json_t **waves, struct view *s, const struct cr *cr, struct err *e)
{
	char ns[NAME_SIZE];
	const struct child *live[2];

	ns_in(cr, ns, sizeof(ns));
	live[0] = live_deployment(s, ns, cr, "presto-coordinator");
	live[1] = live_deployment(s, ns, cr, "presto-worker");
	if (!last_fits(s, cr, live) && compute(s, cr, live, e) < 0)
		return -1;
	*waves = s->last.waves;
	return 0;
}

/* The intent of a child whose event is here: its own annotations count, not those of an older entry. */
static const json_t *intent_of(struct view *s, enum child_kind kind, const struct cr *cr,
			       const struct child *c, const json_t *obj)
{
	const struct child *live[2] = {NULL, NULL};
	struct err e = ERR_INIT;

	if (kind == CHILD_DEPLOYMENT)
		live[streq(obj_label(obj, "role"), ROLE_WORKER)] = c;
	if (!last_fits(s, cr, live)) {
		/* The other one as the store has it, so that the answer serves its event too. */
		const char *ns = obj_ns(obj);

		if (!live[0])
			live[0] = live_deployment(s, ns, cr, "presto-coordinator");
		if (!live[1])
			live[1] = live_deployment(s, ns, cr, "presto-worker");
		if (compute(s, cr, live, &e) < 0)
			return NULL; /* an invalid resource: its reconcile says so */
	}
	return desired_find(s->last.waves, child_rows[kind]->kind,
			    obj_name(obj)); /* list items do not say their kind */
}

static char *normal_key(const json_t *obj)
{
	return xasprintf("%s %s/%s", jx_str_or(obj, "kind", ""), obj_ns(obj) ? obj_ns(obj) : "",
			 obj_name(obj));
}

static void looks_of(char out[INTENT_SIZE], const json_t *intent, const json_t *live)
{
	autojson json_t *seen = drift_restrict(intent, live);
	autofree char *text = jx_canonical(seen);
	char hex[SHA256_HEX_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	sha256_adds(&hash, text);
	sha256_hex(&hash, hex);
	snprintf(out, INTENT_SIZE, "%.20s", hex);
}

static bool is_normal(const struct view *s, const json_t *intent, const json_t *live)
{
	autofree char *key = normal_key(intent);
	const struct normal *n = strmap_get(s->normals, key);
	char looks[INTENT_SIZE];

	if (!n || !streq(n->intent, desired_intent(intent)))
		return false;
	looks_of(looks, intent, live);
	return streq(looks, n->looks);
}

static int project_child(void *entry, const json_t *obj, void *arg)
{
	struct watch *w = arg;
	struct child *c = entry;
	autofree char *owner = NULL;
	autojson json_t *foreign = NULL;
	const struct cr *cr;
	const json_t *intent;

	if (child_facts(c, w->kind, obj) < 0)
		return -1;
	if (!*c->owner || !obj_ns(obj))
		return 0;
	owner = child_key(obj_ns(obj), c->owner);
	cr = view_cr(w->s, owner);
	if (!cr || strcmp(cr->uid, c->owner_uid) != 0)
		return 0;
	intent = intent_of(w->s, w->kind, cr, c, obj);
	if (!intent || (!drift_covers(intent, obj, NULL, 0) && !is_normal(w->s, intent, obj)))
		return 0;
	snprintf(c->verified, sizeof(c->verified), "%s", desired_intent(intent));
	foreign = drift_foreign(intent, obj);
	if (foreign)
		c->foreign = jx_canonical(foreign);
	return 0;
}

static void notify_child(const char *key, const void *old, const void *new, void *arg)
{
	const struct watch *w = arg;
	const struct child *a = old, *b = new;
	const char *name = b && *b->owner ? b->owner : NULL;
	autofree char *owner = NULL;

	if (a && b && child_same(a, b))
		return;
	if (!name && a && *a->owner)
		name = a->owner; /* gone, or orphaned by hand: tell the one that it belonged to */
	if (name) {
		owner = sibling_key(key, name);
		w->s->changed(owner, w->s->arg);
	}
}

static int project_pod(void *entry, const json_t *obj, void *arg UNUSED)
{
	return pod_project(entry, obj);
}

static void notify_pod(const char *key, const void *old, const void *new, void *arg)
{
	const struct watch *w = arg;
	const struct pod *a = old, *b = new;
	autofree char *cluster = sibling_key(key, b ? b->instance : a->instance);
	const char *owner = strmap_get(w->s->by_cluster, cluster);

	if (owner && !(a && b && pod_same(a, b)))
		w->s->changed(owner, w->s->arg);
}

/* --- life --- */

static int watch_new(struct watch *w, struct view *s, const struct k8s_res *res,
		     const struct informer_ops *like, struct err *e)
{
	static const char selector[] = LABEL_MANAGED_BY "=" MANAGED_BY;
	struct informer_ops ops = *like;
	const struct informer_opts o = {.res = res,
					.ns = s->ns,
					.label_selector = res == &K8S_PRESTO ? NULL : selector,
					.seed = (unsigned)getpid()};

	w->s = s;
	ops.arg = w;
	return informer_new(&w->informer, s->k, &o, &ops, e);
}

int view_new(struct view **out, struct k8s *k, const struct view_opts *o, struct err *e)
{
	static const struct informer_ops cr_ops = {sizeof(struct cr), project_cr, notify_cr,
						   cr_release, NULL};
	static const struct informer_ops child_ops = {sizeof(struct child), project_child,
						      notify_child, child_release, NULL};
	static const struct informer_ops pod_ops = {sizeof(struct pod), project_pod, notify_pod,
						    pod_release, NULL};
	struct view *s = xcalloc(1, sizeof(*s));
	int rc;

	s->k = k;
	s->ns = o->ns && *o->ns ? xstrdup(o->ns) : NULL;
	s->agent_image = xstrdup(o->agent_image);
	s->changed = o->changed;
	s->arg = o->arg;
	s->by_cluster = strmap_new(free);
	s->normals = strmap_new(free);
	rc = watch_new(&s->crs, s, &K8S_PRESTO, &cr_ops, e);
	for (int i = 0; !rc && i < CHILD_KINDS; i++) {
		s->children[i].kind = (enum child_kind)i;
		rc = watch_new(&s->children[i], s, child_rows[i], &child_ops, e);
	}
	if (!rc)
		rc = watch_new(&s->pods, s, &K8S_POD, &pod_ops, e);
	if (!rc)
		rc = informer_start(s->crs.informer, e);
	if (rc < 0) {
		view_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void view_free(struct view *s)
{
	if (!s)
		return;
	informer_free(s->pods.informer);
	for (int i = 0; i < CHILD_KINDS; i++)
		informer_free(s->children[i].informer);
	informer_free(s->crs.informer);
	forget_last(s);
	strmap_free(s->by_cluster);
	strmap_free(s->normals);
	free(s->ns);
	free(s->agent_image);
	free(s);
}

int view_step(struct view *s, struct err *e)
{
	/* In this order, because a child is judged against its owner. */
	if (s->children_started || !informer_synced(s->crs.informer))
		return 0;
	s->children_started = true;
	for (int i = 0; i < CHILD_KINDS; i++) {
		if (informer_start(s->children[i].informer, e) < 0)
			return -1;
	}
	return informer_start(s->pods.informer, e);
}

bool view_synced(const struct view *s)
{
	bool all = s->children_started && informer_synced(s->crs.informer) &&
		   informer_synced(s->pods.informer);

	for (int i = 0; i < CHILD_KINDS; i++)
		all = all && informer_synced(s->children[i].informer);
	return all;
}

static const struct watch *nth(const struct view *s, int i)
{
	return i == 0 ? &s->crs : i == 1 ? &s->pods : &s->children[i - 2];
}

const char *view_error(const struct view *s)
{
	for (int i = 0; i < CHILD_KINDS + 2; i++) {
		const char *text = informer_last_error(nth(s, i)->informer);

		if (text && *text)
			return text;
	}
	return "";
}

struct informer_stats view_stats(const struct view *s)
{
	struct informer_stats sum = {0};

	for (int i = 0; i < CHILD_KINDS + 2; i++) {
		struct informer_stats one = informer_stats(nth(s, i)->informer);

		sum.lists += one.lists;
		sum.watches += one.watches;
		sum.events += one.events;
		sum.bookmarks += one.bookmarks;
		sum.errors += one.errors;
		sum.relists += one.relists;
	}
	return sum;
}

const struct cr *view_cr(const struct view *s, const char *key)
{
	return informer_get(s->crs.informer, key);
}

size_t view_cr_count(const struct view *s)
{
	return informer_len(s->crs.informer);
}

void view_each_cr(const struct view *s, bool (*fn)(const char *, const void *, void *), void *arg)
{
	informer_each(s->crs.informer, fn, arg);
}

const struct child *view_child(const struct view *s, enum child_kind kind, const char *key)
{
	return informer_get(s->children[kind].informer, key);
}

void view_each_child(const struct view *s, enum child_kind kind,
		     bool (*fn)(const char *, const void *, void *), void *arg)
{
	informer_each(s->children[kind].informer, fn, arg);
}

void view_each_pod(const struct view *s, bool (*fn)(const char *, const void *, void *), void *arg)
{
	informer_each(s->pods.informer, fn, arg);
}

void view_put(struct view *s, const json_t *obj)
{
	int kind = child_kind_of(obj);

	if (kind >= 0)
		informer_put(s->children[kind].informer, obj);
	else if (streq(jx_str(obj, "kind"), PRESTO_KIND))
		informer_put(s->crs.informer, obj);
}

void view_normal(struct view *s, const json_t *intent, const json_t *answer)
{
	autofree char *key = normal_key(intent);
	struct normal *n;

	if (drift_covers(intent, answer, NULL, 0)) {
		strmap_del(s->normals, key);
		return;
	}
	n = xcalloc(1, sizeof(*n));
	snprintf(n->intent, sizeof(n->intent), "%s", desired_intent(intent));
	looks_of(n->looks, intent, answer);
	strmap_put(s->normals, key, n);
}
