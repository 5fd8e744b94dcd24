/*
 * view.h - what the operator knows of the cluster: informers for Presto resources, for the children that carry
 * our label, and for their pods, all kept as small entries. Nothing here writes.
 * Whether a live child still holds its intent is decided when its event comes, while the object is there as a
 * whole; what is kept of it is the hash of the intent that it was found to hold.
 */
#ifndef OPERATOR_VIEW_H
#define OPERATOR_VIEW_H

#include "k8s/informer.h"
#include "operator/desired.h"

#define UID_SIZE 40

/* A Presto resource. */
struct cr {
	char *text; /* compact JSON: name, namespace, uid, generation, spec, status */
	size_t len;
	char uid[UID_SIZE];
	char cluster[NAME_SIZE]; /* NAME */
	int64_t generation;
	bool deleting;
};

enum child_kind { CHILD_CONFIGMAP, CHILD_SERVICE, CHILD_DEPLOYMENT, CHILD_KINDS };

/* A ConfigMap, Service or Deployment with our label. */
struct child {
	char uid[UID_SIZE], rv[24];
	char owner[NAME_SIZE],
		owner_uid[UID_SIZE]; /* the controlling Presto resource; "" when there is none */
	char verified
		[INTENT_SIZE]; /* the intent that it holds; "" when it does not hold its owner's */
	bool deleting;
	char *foreign; /* a merge patch that takes others' keys out, NULL when there are none */
	/* Deployments */
	char *agent_image; /* annotations, see desired.h; NULL when absent */
	char template_hash[INTENT_SIZE];
	bool observed; /* the controller has seen this generation */
	int replicas, updated, ready, available;
	char *failure; /* why it cannot make pods (quota, admission), NULL when it can */
};

struct pod {
	char instance[NAME_SIZE];
	bool worker; /* else coordinator */
	bool ready, deleting, fatal;
	char ip[46];
	char *trouble; /* "ImagePullBackOff: ...", NULL when there is none to tell */
};

struct view;

struct view_opts {
	const char *ns; /* NULL: all */
	const char *agent_image;
	void (*changed)(const char *key,
			void *arg); /* this Presto resource needs a look: may only enqueue */
	void *arg;
};

int view_new(struct view **out, struct k8s *k, const struct view_opts *o, struct err *e) MUST_CHECK;
void view_free(struct view *s);
/* view_step - starts the children's informers once the Presto resources are there. Call after each turn of the loop. */
int view_step(struct view *s, struct err *e) MUST_CHECK;
bool view_synced(const struct view *s);
/* view_error - of the first informer that has one, or "". */
const char *view_error(const struct view *s);
struct informer_stats view_stats(const struct view *s); /* summed */

/* Entries are borrowed until the loop turns. */
const struct cr *view_cr(const struct view *s, const char *key);
size_t view_cr_count(const struct view *s);
void view_each_cr(const struct view *s, bool (*fn)(const char *key, const void *entry, void *arg),
		  void *arg);
const struct child *view_child(const struct view *s, enum child_kind kind, const char *key);
void view_each_child(const struct view *s, enum child_kind kind,
		     bool (*fn)(const char *key, const void *entry, void *arg), void *arg);
void view_each_pod(const struct view *s, bool (*fn)(const char *key, const void *entry, void *arg),
		   void *arg);

/* view_put - a child (or a Presto resource, after a write of its status) as a write of ours returned it. */
void view_put(struct view *s, const json_t *obj);
/*
 * view_normal - the API server answered @intent with an object that does not hold it word for word (a webhook
 * rewrites, a spelling is not canonical): from now on this answer is what the intent looks like.
 */
void view_normal(struct view *s, const json_t *intent, const json_t *answer);

/*
 * view_desired - desired_state with what the live Deployments run. *waves is borrowed until the next call.
 * Keeps the last answer, so that the children of one resource do not compute it again and again.
 */
int view_desired(const json_t **waves, struct view *s, const struct cr *cr,
		 struct err *e) MUST_CHECK;
/* cr_parse - the resource and its structure, which borrows from it. */
int cr_parse(json_t **resource, struct presto *p, const struct cr *cr, struct err *e) MUST_CHECK;

/* child_kind_of - by the object's kind; -1 when it is not a child's. child_res - its row. */
int child_kind_of(const json_t *obj);
const struct k8s_res *child_res(enum child_kind kind);
char *child_key(const char *ns, const char *name); /* "ns/name", owned */

/* project.c: pure */
int cr_project(struct cr *out, const json_t *obj);
void cr_release(void *entry);
/* child_facts - all but verified and foreign, which need the intent. */
int child_facts(struct child *out, enum child_kind kind, const json_t *obj);
void child_release(void *entry);
bool child_same(const struct child *a, const struct child *b); /* but for the resourceVersion */
int pod_project(struct pod *out, const json_t *obj);
void pod_release(void *entry);
bool pod_same(const struct pod *a, const struct pod *b);

#endif
