/*
 * objects.h - what prestoctl puts into a cluster: the embedded manifests with an environment's values filled in,
 * and the decision what to do about each, given what is there. Pure.
 */
#ifndef PROVISION_OBJECTS_H
#define PROVISION_OBJECTS_H

#include "k8s/res.h"
#include "provision/env.h"
#include "provision/intent.h"

#define APPLIED_ANNOTATION \
	"prestoctl.io/applied" /* hash of the intent: finds fields that are no longer set */
#define VERSION_ANNOTATION "prestoctl.io/version" /* on the CRD: a newer one is never downgraded */

enum object_id { /* in the order of making them */
		 OBJ_NAMESPACE,
		 OBJ_CRD,
		 OBJ_ACCOUNT,
		 OBJ_ROLE,
		 OBJ_BINDING,
		 OBJ_OPERATOR,
		 OBJ_PRESTO,
		 OBJ_COUNT,
};

enum object_action { OBJECT_KEEP, OBJECT_CREATE, OBJECT_CHANGE };

struct object {
	json_t *want; /* owned; what would be applied */
	json_t *live; /* owned; NULL: absent */
	enum object_action action;
	bool ours;              /* live carries this environment's label */
	char why[INTENT_WHERE]; /* of a change, or what is special about keeping it; may be empty */
};

struct install {         /* what the manifests are filled in with; the pointers are borrowed */
	const char *env; /* NULL: no label */
	const char *ns, *image, *pull_policy;
	const json_t *resources;
};

extern const char *const object_names[OBJ_COUNT]; /* "namespace", "crd", ... : step names */
const struct k8s_res *object_res(enum object_id id);

/* object_want - the intent for one object (not for OBJ_PRESTO). Owned. */
json_t *object_want(enum object_id id, const struct install *in);
/* object_want_presto - the environment's resource with our label. Owned. */
json_t *object_want_presto(const struct env *v);
/* objects_of - all intents of an environment. */
void objects_of(struct object o[OBJ_COUNT], const struct env *v);
void objects_release(struct object o[OBJ_COUNT]);

/*
 * object_decide - from want and live: action, ours, why. want may lose our label (a CRD that others installed stays
 * theirs). Returns 0, or -1 with ERR_CONFLICT: it belongs to another environment.
 */
int object_decide(struct object *o, enum object_id id, const char *env, struct err *e) MUST_CHECK;
/* version_cmp - "0.10.0" is after "0.9.2": <0, 0, >0. Texts that are no versions come first. */
int version_cmp(const char *a, const char *b);

#endif
