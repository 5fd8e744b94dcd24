/*
 * desired.h - from a Presto resource to the objects that it means. Pure: no I/O, no clock, no environment,
 * no globals. The same input gives the same bytes, so intents can be hashed and compared.
 */
#ifndef OPERATOR_DESIRED_H
#define OPERATOR_DESIRED_H

#include "presto/names.h"
#include "presto/presto.h"

#define ANNOTATION_INTENT PRESTO_GROUP "/intent" /* hash of all that we set in the object */
#define ANNOTATION_TEMPLATE \
	PRESTO_GROUP        \
	"/template" /* Deployments: hash of the pod template without the agent's image */
#define ANNOTATION_AGENT_IMAGE \
	PRESTO_GROUP           \
	"/agent-image" /* Deployments: the image that the template takes the agent from */
#define ANNOTATION_CHECKSUM \
	PRESTO_GROUP "/checksum" /* pod templates: of the files that the role reads */

#define FIELD_MANAGER "presto-operator"
#define INTENT_SIZE   21 /* 20 hex digits and NUL */

/* What a living Deployment runs: its annotations of these names, NULL when there is none. */
struct desired_live {
	const char *agent_image, *template_hash;
};

struct desired_ctx {
	const char *agent_image; /* the operator's own image, which holds the agent */
	/*
	 * A newer operator image alone rolls nothing: as long as the rest of a role's template stays as it is, its
	 * pods keep the agent image that they were made with.
	 */
	struct desired_live coordinator, worker;
};

/*
 * desired_state - waves of objects, an array of arrays in the order in which they are to be written: ConfigMaps
 * and Services, then Deployments. Each object is a whole server-side apply intent with its ANNOTATION_INTENT.
 * Never empty. Returns 0, or -1 with ERR_INVALID that names the field.
 */
int desired_state(json_t **out_waves, const struct presto *p, const struct desired_ctx *ctx,
		  struct err *e) MUST_CHECK;
/* desired_find - the object of that kind and name, borrowed, or NULL. */
const json_t *desired_find(const json_t *waves, const char *kind, const char *name);
/* desired_intent - an object's ANNOTATION_INTENT. */
const char *desired_intent(const json_t *obj);

#endif
