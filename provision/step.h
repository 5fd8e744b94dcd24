/*
 * step.h - the steps of `up`. Each looks first and does only what is missing: a second run changes nothing, and one
 * that was killed goes on where it stopped. `plan` uses the same looks.
 */
#ifndef PROVISION_STEP_H
#define PROVISION_STEP_H

#include "k8s/k8s.h"
#include "presto/presto.h"
#include "presto/sql.h"
#include "provision/objects.h"
#include "provision/provider.h"

struct step;

#define STEPS_MAX 32

/* What a step has come to, for reports. */
struct step_report {
	bool ran;
	ns_t took;
	char failure[480]; /* empty: it went well */
};

struct step_ctx {
	struct app *app;
	struct env *env;
	struct state *state;
	const struct provider *provider;
	struct provider_ctx pc;
	const struct step *at; /* the running step */
	struct k8s *k;         /* from the step api on */
	struct cluster_facts cluster;
	struct object objects[OBJ_COUNT];
	struct presto presto; /* the environment's resource, decoded */
	bool crd_served;      /* established when it was looked at */
	char note[240];       /* what the step has to say at its end */
	char missing[400];    /* what a wait still waited for */
	char pods[200];       /* label selector of the pods that a wait depends on; "" = none */
	/* from the step presto-ready on */
	char service[64], instance[64];
	char answer[64];
	struct step_report reports[STEPS_MAX]; /* by the index in steps */
};

struct step {
	const char *name, *title;
	enum object_id object; /* for the steps that apply one */
	/* observe - look; only reads. NULL: nothing to look at. */
	int (*observe)(struct step_ctx *c, struct err *e);
	/* needed - by what was seen: is there anything to do? Pure. */
	bool (*needed)(const struct step_ctx *c);
	int (*run)(struct step_ctx *c, struct err *e);
};

extern const struct step steps[];
extern const size_t steps_len;

void step_ctx_init(struct step_ctx *c, struct app *a, struct env *env, struct state *s);
void step_ctx_release(struct step_ctx *c);
/*
 * steps_run - all of them, with progress. While the API server does not answer a step is tried again until the
 * time-out. A failure leaves in app->detail what was missing: pods, reasons, last log lines.
 */
int steps_run(struct step_ctx *c, struct err *e) MUST_CHECK;
/* step_went_well - by name: did it run, and without a failure? */
bool step_went_well(const struct step_ctx *c, const char *name);
/* step_say - the running step's closing words. */
void step_say(struct step_ctx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The functions of the table, by file. */
int step_cluster_observe(struct step_ctx *c, struct err *e);
bool step_cluster_needed(const struct step_ctx *c);
int step_cluster_run(struct step_ctx *c, struct err *e);
int step_api_run(struct step_ctx *c, struct err *e); /* connects, and looks at every object */

bool step_rights_needed(const struct step_ctx *c);
int step_rights_run(struct step_ctx *c, struct err *e);
bool step_room_needed(const struct step_ctx *c);
int step_room_run(struct step_ctx *c, struct err *e);
bool step_images_needed(const struct step_ctx *c);
int step_images_run(struct step_ctx *c, struct err *e);

bool step_object_needed(const struct step_ctx *c);
int step_object_run(struct step_ctx *c, struct err *e);

bool step_crd_wait_needed(const struct step_ctx *c);
int step_crd_wait_run(struct step_ctx *c, struct err *e);
int step_operator_wait_run(struct step_ctx *c, struct err *e);
int step_presto_wait_run(struct step_ctx *c, struct err *e);
int step_sql_run(struct step_ctx *c, struct err *e);

/* objects_observe - GET each object of the context and decide about it. */
int objects_observe(struct step_ctx *c, struct err *e) MUST_CHECK;
/* any_write - would any object be written? */
bool any_write(const struct step_ctx *c);

#endif
