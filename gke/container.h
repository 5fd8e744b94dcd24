/*
 * container.h - clusters, node pools and their operations (container v1). Clusters are json_t as
 * Google gave them: what is unknown here stays in them.
 */
#ifndef GKE_CONTAINER_H
#define GKE_CONTAINER_H

#include "gke/api.h"

/* Where something is; borrowed, checked by gke_check_* before. */
struct gke_ref {
	const char *project, *location, *name;
};

/* --- operations --------------------------------------------------------------------------------- */

#define GKE_OP_SIZE 128

/* A running change. An empty name: there was nothing to do. */
struct gke_op {
	char name[GKE_OP_SIZE];
};

enum gke_op_state { GKE_OP_PENDING, GKE_OP_RUNNING, GKE_OP_DONE, GKE_OP_ABORTING };

struct gke_op_status {
	enum gke_op_state state; /* an unknown word counts as running */
	char type[64];           /* "CREATE_CLUSTER" */
	char step[96];           /* "CLUSTER_DEPLOYING 3/12", or empty */
	char detail[200];
	double progress; /* 0 to 1, -1 unknown; rarely reaches 1 */
	bool failed;     /* with DONE or ABORTING: why tells */
	struct gke_error why;
};

/* gke_op_decode - pure. error, statusMessage and conditions are all looked at: DONE alone is not success. */
void gke_op_decode(struct gke_op_status *out, const json_t *op);
/* gke_op_next - how long until the next look: an eighth of elapsed, at least 1 s, at most 10 s. */
ns_t gke_op_next(ns_t elapsed);

/* How to wait, and where the long story goes. A zeroed one waits without end and says nothing. */
struct gke_wait {
	ns_t deadline; /* clock_mono; 0: none */
	ns_t shortest; /* first pause; 0: 1 s (tests with a fast server) */
	bool known;    /* the operation is an old one: a 404 is believed at once */
	void (*progress)(const struct gke_op_status *s, ns_t elapsed, void *arg);
	void *arg;
	struct gke_error *why;
	struct buf *detail;
};

/*
 * gke_op_wait - look until it is done. Passing failures of the looks do not end it; a 404 counts as
 * one during the first half minute. Returns 0, or -1 with the operation's own cause (as
 * gke_error_set), ERR_TIMEOUT saying what it was waiting for, ERR_NOT_FOUND (forgotten by Google:
 * look at the thing itself), ERR_CANCELLED.
 */
int gke_op_wait(struct gke *g, const struct gke_ref *where, const struct gke_op *op,
		const struct gke_wait *w, struct err *e) MUST_CHECK;
/* gke_op_list - operations of a location ("-": all); an array. */
int gke_op_list(json_t **out, struct gke *g, const char *project, const char *location,
		struct err *e) MUST_CHECK;
int gke_op_cancel(struct gke *g, const struct gke_ref *where, const struct gke_op *op,
		  struct err *e) MUST_CHECK;

/* --- clusters ----------------------------------------------------------------------------------- */

int container_get(json_t **out, struct gke *g, const struct gke_ref *r, struct err *e) MUST_CHECK;
/*
 * container_list - an array of clusters; location "-" for all. *missing (may be NULL) are zones that
 * did not answer, NULL when all did: absence means nothing then.
 */
int container_list(json_t **out, json_t **missing, struct gke *g, const char *project,
		   const char *location, struct err *e) MUST_CHECK;
/* container_where - where a cluster of that name is, for "did you mean"; NULL: nowhere. Owned. */
char *container_where(struct gke *g, const char *project, const char *name);

/*
 * The changes. Each fills *op and returns; gke_op_wait waits. One that is refused because another
 * operation runs waits for that one and asks again, until w->deadline. w may be NULL: then it is
 * ERR_CONFLICT with cause BUSY.
 *
 * container_create - never sent twice unless it surely had no effect. w->why tells EXISTS and lost
 * replies: the caller must look whose the cluster is.
 */
int container_create(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		     const json_t *cluster, const struct gke_wait *w, struct err *e) MUST_CHECK;
/* container_create_body - what that sends: for plans. Owned. */
json_t *container_create_body(const struct gke_ref *r, const json_t *cluster);
/* container_delete - a cluster that is not there is success with an empty op. */
int container_delete(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		     const struct gke_wait *w, struct err *e) MUST_CHECK;
/* container_update - one aspect: {"desiredNodeVersion": ...}. */
int container_update(struct gke_op *op, struct gke *g, const struct gke_ref *r,
		     const json_t *update, const struct gke_wait *w, struct err *e) MUST_CHECK;
/*
 * container_label - merge labels (null removes) under the fingerprint; read again when somebody else
 * was faster, ten times. Nothing to change: an empty op and no write.
 */
int container_label(struct gke_op *op, struct gke *g, const struct gke_ref *r, const json_t *labels,
		    const struct gke_wait *w, struct err *e) MUST_CHECK;
/*
 * container_set - one of the settings that have a verb of their own: verb "setMaintenancePolicy" with member
 * "maintenancePolicy".
 */
int container_set(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *verb,
		  const char *member, const json_t *value, const struct gke_wait *w,
		  struct err *e) MUST_CHECK;
int container_server_config(json_t **out, struct gke *g, const char *project, const char *location,
			    struct err *e) MUST_CHECK;

/* container_pool_create - asked again after a lost reply: ERR_EXISTS may mean that the first one came through. */
int container_pool_create(struct gke_op *op, struct gke *g, const struct gke_ref *r,
			  const json_t *pool, const struct gke_wait *w, struct err *e) MUST_CHECK;
int container_pool_delete(struct gke_op *op, struct gke *g, const struct gke_ref *r,
			  const char *pool, const struct gke_wait *w, struct err *e) MUST_CHECK;
/* container_pool_size - nodes per zone. */
int container_pool_size(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *pool,
			int count, const struct gke_wait *w, struct err *e) MUST_CHECK;
/* container_pool_set - autoscaling or management: verb "setAutoscaling" with member "autoscaling". */
int container_pool_set(struct gke_op *op, struct gke *g, const struct gke_ref *r, const char *pool,
		       const char *verb, const char *member, const json_t *value,
		       const struct gke_wait *w, struct err *e) MUST_CHECK;
/* container_pool_update - fields of UpdateNodePoolRequest: nodeVersion, imageType, ... */
int container_pool_update(struct gke_op *op, struct gke *g, const struct gke_ref *r,
			  const char *pool, const json_t *fields, const struct gke_wait *w,
			  struct err *e) MUST_CHECK;

/* --- what a cluster says --------------------------------------------------------------------------- */

enum gke_state {
	GKE_STATE_UNKNOWN, /* a word that is newer than this program */
	GKE_STATE_PROVISIONING,
	GKE_STATE_RUNNING,
	GKE_STATE_RECONCILING, /* usable, work goes on */
	GKE_STATE_STOPPING,
	GKE_STATE_ERROR,
	GKE_STATE_DEGRADED,
};
enum gke_state container_state(const json_t *cluster);
/* container_trouble - conditions and statusMessage of a cluster as a cause; false when there are none. */
bool container_trouble(struct gke_error *out, const json_t *cluster);

enum gke_way { GKE_WAY_PUBLIC, GKE_WAY_PRIVATE, GKE_WAY_DNS };
struct gke_access {
	char *server; /* "https://34.1.2.3" */
	char *ca_pem; /* NULL: a public CA (DNS endpoint) */
};
/*
 * container_access - how its API server is reached. ERR_UNAVAILABLE: it has no such endpoint yet;
 * ERR_INVALID: it will have none, or says nonsense.
 */
int container_access(struct gke_access *out, const json_t *cluster, enum gke_way way,
		     struct err *e) MUST_CHECK;
void gke_access_release(struct gke_access *a);

#endif
