/*
 * intent.h - does a live object already have every field that we would set? Pure: it is what makes a
 * second `up` write nothing and `plan` say what would change.
 */
#ifndef PROVISION_INTENT_H
#define PROVISION_INTENT_H

#include "base/jx.h"

#define INTENT_WHERE 256

/*
 * intent_holds - each field of want is in live with the same value; what only live has is not looked at.
 * An empty want ({}, [], "") equals absence; amounts under requests and limits are compared by value; lists must
 * have the same length. When it does not hold, @where says the first difference: "spec.worker.count: 3, not 2".
 */
bool intent_holds(const json_t *want, const json_t *live, char where[INTENT_WHERE]);

#endif
