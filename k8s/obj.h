/*
 * obj.h - typed looks at Kubernetes objects, which stay json_t. All borrow; absent is NULL or 0.
 */
#ifndef K8S_OBJ_H
#define K8S_OBJ_H

#include "base/jx.h"

const char *obj_name(const json_t *o);
const char *obj_ns(const json_t *o);
const char *obj_uid(const json_t *o);
const char *obj_rv(const json_t *o); /* opaque */
char *obj_key(
	const json_t *o); /* "ns/name", or "name" without a namespace; owned; NULL without a name */
const char *obj_label(const json_t *o, const char *key);
const char *obj_annotation(const json_t *o, const char *key);
json_int_t obj_generation(const json_t *o);
bool obj_deleting(const json_t *o);            /* has a deletionTimestamp */
const json_t *obj_controller(const json_t *o); /* the controller ownerReference, or NULL */
json_t *obj_owner_ref(
	const json_t *owner); /* a new controller reference with blockOwnerDeletion, owned */
const json_t *obj_condition(const json_t *o, const char *type); /* in status.conditions */
bool obj_condition_true(const json_t *o, const char *type);
/* obj_condition_set - new or changed condition in a conditions array (changed in place);
 * lastTransitionTime moves only when the status does. @now is RFC 3339. */
void obj_condition_set(json_t *conditions, const char *type, bool status, const char *reason,
		       const char *message, json_int_t generation, const char *now);

#endif
