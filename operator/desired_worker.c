/* desired_worker.c - the workers' Deployment. Pure. */
#include "operator/desired_parts.h"

json_t *desired_worker(const struct presto *p, const struct pod_ctx *ctx)
{
	json_t *deployment = desired_deployment(p, ctx), *spec = jx_get(deployment, "spec");

	json_object_set_new(spec, "replicas", json_integer(p->worker_count));
	/*
	 * No surge, as a worker is sized to a node of its own. A quarter at a time, rounded down and at least one
	 * (which the Deployment controller sees to), so two and more never go to zero. A single worker has a gap
	 * during a roll: queries wait for it. A percentage does not depend on worker.count, nor on who scales.
	 */
	json_object_set_new(spec, "strategy",
			    pack("{s:s, s:{s:i, s:s}}", "type", "RollingUpdate", "rollingUpdate",
				 "maxSurge", 0, "maxUnavailable", "25%"));
	return deployment;
}
