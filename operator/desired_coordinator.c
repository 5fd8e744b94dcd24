/* desired_coordinator.c - the coordinator's Deployment. Pure. */
#include "operator/desired_parts.h"

json_t *desired_coordinator(const struct presto *p, const struct pod_ctx *ctx)
{
	json_t *deployment = desired_deployment(p, ctx), *spec = jx_get(deployment, "spec");

	json_object_set_new(spec, "replicas", json_integer(1));
	/* Never two: the old one is gone before the new one comes. */
	json_object_set_new(spec, "strategy", pack("{s:s}", "type", "Recreate"));
	return deployment;
}
