/* plan.h - what was seen and decided, as text or JSON. Pure: reads c->env, c->cluster and c->objects. */
#ifndef PROVISION_PLAN_H
#define PROVISION_PLAN_H

#include "provision/step.h"

#define PLAN_MAX (64u << 10)

void plan_text(struct buf *out, const struct step_ctx *c);
/* {"environment":N, "cluster":{"action":"make"|"keep","what":TEXT}, "objects":[{"action","kind","name","why"}], "changes":N} */
json_t *plan_json(const struct step_ctx *c);

#endif
