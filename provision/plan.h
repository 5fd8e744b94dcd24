/* plan.h - what was seen and decided, as text or JSON. Pure: reads c->env, c->cluster and c->objects. What a provider
 * adds to it is described in provider.h (cluster_facts.details). */
#ifndef PROVISION_PLAN_H
#define PROVISION_PLAN_H

#include "provision/step.h"

#define PLAN_MAX (64u << 10)

void plan_text(struct buf *out, const struct step_ctx *c);
/*
 * {"environment":N, "cluster":{"action":"make"|"keep"|"change","what":TEXT, and the members of the details},
 *  "objects":[{"action","kind","name","why"}], "changes":N}
 */
json_t *plan_json(const struct step_ctx *c);
/*
 * plan_check - the first of details.problems as an error; the others, and the quotas that are short, are lines below it.
 * 0: there is none. @details may be NULL.
 */
int plan_check(const json_t *details, struct app *a, struct err *e) MUST_CHECK;

#endif
