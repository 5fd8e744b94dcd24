/* reconcile.c - one pass over one Presto resource. */
#include "operator/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "operator/status.h"

#define INVALID_AGAIN \
	(300 * NS_SEC) /* an invalid resource waits for an edit; rarely, the rules have changed */
#define TAKEN_AGAIN (30 * NS_SEC) /* nobody tells us when somebody else's object goes */
#define LOST_POLLS  5

/* The pods of one cluster, by role. Texts are owned. */
struct pods {
	const char *ns,
		*cluster; /* looked for; ns is as long as it is in the key, up to its slash */
	size_t ns_len;
	char ip[46];      /* of the coordinator's pod */
	char *trouble[2]; /* per role, coordinator first */
	bool fatal[2];
};

static bool look_at_pod(const char *key, const void *entry, void *arg)
{
	struct pods *p = arg;
	const struct pod *pod = entry;
	int role = pod->worker;

	if (pod->deleting || strcmp(pod->instance, p->cluster) != 0 ||
	    strncmp(key, p->ns, p->ns_len + 1) != 0)
		return true;
	if (!pod->worker && *pod->ip)
		snprintf(p->ip, sizeof(p->ip), "%s", pod->ip);
	if (pod->trouble && (!p->trouble[role] || (pod->fatal && !p->fatal[role]))) {
		free(p->trouble[role]);
		p->trouble[role] = xasprintf("pod %s: %s", key + p->ns_len + 1, pod->trouble);
		p->fatal[role] = pod->fatal;
	}
	return true;
}

static void pods_release(struct pods *p)
{
	free(p->trouble[0]);
	free(p->trouble[1]);
}

static struct role_facts role_facts(const struct view *v, const char *ns, const struct cr *cr,
				    const char *prefix, const struct pods *pods, int role)
{
	char name[NAME_SIZE];
	autofree char *key = NULL;
	struct role_facts f = {.trouble = pods->trouble[role], .fatal = pods->fatal[role]};
	const struct child *c;

	name_child(name, prefix, cr->cluster);
	key = child_key(ns, name);
	c = view_child(v, CHILD_DEPLOYMENT, key);
	if (!c || strcmp(c->owner_uid, cr->uid) != 0)
		return f;
	f.exists = true;
	f.observed = c->observed;
	f.replicas = c->replicas;
	f.updated = c->updated;
	f.ready = c->ready;
	f.available = c->available;
	f.failure = c->failure;
	return f;
}

/* What one pass found out; everything owned is released at its end. */
struct pass {
	const char *key;
	struct cr cr; /* a copy: entries do not outlive a wait */
	char ns[NAME_SIZE];
	json_t *resource; /* parsed text, valid or not */
	struct apply_report report;
	struct err invalid; /* ERR_OK: it can be used */
	const char *invalid_reason;
	char service[NAME_SIZE];
	int desired;
};

static void pass_release(struct pass *p)
{
	free(p->cr.text);
	json_decref(p->resource);
	apply_report_release(&p->report);
}

static struct event_ref about(const struct pass *p)
{
	return (struct event_ref){PRESTO_API_VERSION, PRESTO_KIND, p->ns, obj_name(p->resource),
				  p->cr.uid};
}

static void tell(struct reconciler *r, const struct pass *p, bool warning, const char *reason,
		 const char *text)
{
	struct event_ref ref = about(p);

	events_record_ref(r->events, &ref, warning, reason, text);
}

static void tell_writes(struct reconciler *r, const struct pass *p)
{
	static const char *const words[] = {"Created", "Updated", "Removed"};
	const struct buf *lists[] = {&p->report.made, &p->report.changed, &p->report.removed};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (!lists[i]->len)
			continue;
		tell(r, p, false, words[i], buf_str(lists[i]));
		log_info(p->key, "%s: %s", words[i], buf_str(lists[i]));
	}
}

/* A living cluster keeps its NAME: another one would mean a second cluster, and the loss of the first. */
static int check_name(struct pass *p)
{
	const char *known = jx_str(p->resource, "status.name");

	if (!known || streq(known, p->cr.cluster))
		return 0;
	err_set(&p->invalid, ERR_INVALID,
		"spec.nameOverride: the cluster is called %s and cannot become %s", known,
		p->cr.cluster);
	err_hint(&p->invalid, "undo the change, or delete the resource and create it anew");
	p->invalid_reason = "NameChanged";
	return -1;
}

/* The intent of the resource, written. Children of a resource that cannot be used stay as they are. */
static int write_children(struct reconciler *r, struct pass *p, struct err *e)
{
	const struct apply_owner owner = {p->key, p->ns, p->cr.uid};
	const json_t *borrowed = NULL;
	autojson json_t *resource = NULL, *waves = NULL;
	struct presto decoded;

	p->invalid_reason = "Invalid";
	if (check_name(p) < 0 || cr_parse(&resource, &decoded, &p->cr, &p->invalid) < 0)
		return 0;
	presto_service_name(p->service, &decoded);
	p->desired = decoded.worker_count;
	if (view_desired(&borrowed, r->view, &p->cr, &p->invalid) < 0)
		return 0;
	waves = json_incref((json_t *)(uintptr_t)borrowed); /* it may be replaced while we wait */
	if (apply_waves(&p->report, &r->applier, &owner, waves, e) < 0)
		return -1;
	if (p->report.refused) {
		err_set(&p->invalid, ERR_INVALID, "the API server refuses %s", p->report.refused);
		p->invalid_reason = "Refused";
	}
	tell_writes(r, p);
	return 0;
}

static json_t *new_status(struct reconciler *r, struct pass *p, const char *now)
{
	AUTO(pods_release)
	struct pods pods = {.ns = p->key, .ns_len = strlen(p->ns), .cluster = p->cr.cluster};
	struct poll_answer answer;
	struct status_facts f = {.generation = p->cr.generation,
				 .now = now,
				 .old = jx_get(p->resource, "status"),
				 .desired = p->desired,
				 .taken = p->report.taken};
	bool name_changed = streq(p->invalid_reason, "NameChanged");

	view_each_pod(r->view, look_at_pod, &pods);
	f.coordinator = role_facts(r->view, p->ns, &p->cr, "presto-coordinator", &pods, 0);
	f.worker = role_facts(r->view, p->ns, &p->cr, "presto-worker", &pods, 1);
	f.name = name_changed && p->invalid.code ? NULL : p->cr.cluster;
	f.service = *p->service ? p->service : NULL;
	if (p->invalid.code) {
		f.invalid = p->invalid.msg;
		f.invalid_reason = p->invalid_reason;
	}
	if (p->report.retry.code)
		f.failing = p->report.retry.msg;
	answer = poller_get(r->poller, p->key);
	f.asked = answer.asked;
	f.starting = answer.starting;
	f.active = answer.active;
	f.version = answer.version;
	f.unreachable = !answer.asked && answer.failures >= LOST_POLLS;

	json_t *status = status_of(&f);
	if (*pods.ip)
		poller_want(r->poller, p->key, pods.ip, status_progressing(status));
	else
		poller_forget(r->poller, p->key);
	return status;
}

struct telling {
	struct reconciler *r;
	const struct pass *p;
};

static void tell_transition(bool warning, const char *reason, const char *message, void *arg)
{
	struct telling *t = arg;

	tell(t->r, t->p, warning, reason, message);
	log_at(warning ? LOG_WARN_LEVEL : LOG_INFO_LEVEL, t->p->key, "%s: %s", reason, message);
}

static int write_status(struct reconciler *r, struct pass *p, struct err *e)
{
	static const struct k8s_apply_opts opts = {.field_manager = FIELD_MANAGER,
						   .subresource = "status"};
	const json_t *old = jx_get(p->resource, "status");
	struct telling telling = {r, p};
	char now[TIME_RFC3339_SIZE];
	autojson json_t *status = NULL, *body = NULL, *answer = NULL;

	time_format(now, clock_wall());
	status = new_status(r, p, now);
	if (status_same(old, status))
		return 0;
	body = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:O}", "apiVersion", PRESTO_API_VERSION,
			 "kind", PRESTO_KIND, "metadata", "name", obj_name(p->resource),
			 "namespace", p->ns, "uid", p->cr.uid, "status", status);
	r->applier.requests++;
	if (k8s_apply(&answer, r->applier.k, body, &opts, e) < 0) {
		/* Deleted, or deleted and made anew meanwhile: its event tells. */
		if (e->code == ERR_NOT_FOUND || e->code == ERR_CONFLICT ||
		    (e->code == ERR_INVALID && strstr(e->msg, "metadata.uid"))) {
			err_clear(e);
			return 0;
		}
		return err_wrap(e, "status");
	}
	view_put(r->view, answer);
	status_transitions(old, status, tell_transition, &telling);
	return 0;
}

static int copy_cr(struct pass *p, const struct cr *cr, struct err *e)
{
	const char *slash = strchr(p->key, '/');

	p->cr = *cr;
	p->cr.text = xstrdup(cr->text);
	snprintf(p->ns, sizeof(p->ns), "%.*s", slash ? (int)(slash - p->key) : 0, p->key);
	return jx_parse(&p->resource, p->cr.text, p->cr.len, "resource", e);
}

static int finish(const struct pass *p, struct reconcile_result *res, struct err *e)
{
	if (p->report.retry.code) {
		*e = p->report.retry;
		return -1;
	}
	res->again = res->again || p->report.again;
	if (p->report.taken)
		res->requeue_after = TAKEN_AGAIN;
	else if (p->invalid.code)
		res->requeue_after = INVALID_AGAIN;
	return 0;
}

int reconcile(struct reconciler *r, const char *key, bool busy, struct reconcile_result *res,
	      struct err *e)
{
	const struct cr *cr = view_cr(r->view, key);
	AUTO(pass_release) struct pass p = {.key = key, .report = APPLY_REPORT_INIT};

	if (!cr || cr->deleting) { /* its children go by the garbage collector */
		poller_forget(r->poller, key);
		return 0;
	}
	if (copy_cr(&p, cr, e) < 0 || write_children(r, &p, e) < 0)
		return -1;
	if (busy && p.report.writes && !p.report.retry.code) {
		res->again = true;
		return 0;
	}
	if (write_status(r, &p, e) < 0)
		return -1;
	return finish(&p, res, e);
}
