/* cond.c - the conditions that k8s_wait is asked for most. Pure. */
#include <string.h>

#include "k8s/obj.h"
#include "k8s/wait.h"

int k8s_cond_gone(const json_t *obj, char *why, size_t why_size, void *arg UNUSED,
		  struct err *e UNUSED)
{
	const json_t *finalizers = jx_path(obj, "metadata.finalizers");

	if (!obj)
		return 1;
	if (!obj_deleting(obj))
		snprintf(why, why_size, "still there");
	else if (json_array_size(finalizers))
		snprintf(why, why_size, "being removed, held by finalizer %s",
			 json_string_value(json_array_get(finalizers, 0)));
	else
		snprintf(why, why_size, "being removed");
	return 0;
}

int k8s_cond_crd_established(const json_t *obj, char *why, size_t why_size, void *arg UNUSED,
			     struct err *e)
{
	const json_t *names = obj_condition(obj, "NamesAccepted");

	if (obj_condition_true(obj, "Established") && !obj_deleting(obj))
		return 1;
	if (streq(jx_str(names, "status"), "False"))
		return err_set(e, ERR_CONFLICT, "its names are taken: %.200s",
			       jx_str_or(names, "message", ""));
	snprintf(why, why_size, "%s",
		 !obj                ? "not there yet"
		 : obj_deleting(obj) ? "an older one is being removed"
				     : "not established yet");
	return 0;
}

/* What the controller says about being stuck, when it does. */
static const char *stuck(const json_t *obj)
{
	const json_t *failure = obj_condition(obj, "ReplicaFailure");
	const json_t *progress = obj_condition(obj, "Progressing");

	if (streq(jx_str(failure, "status"), "True"))
		return jx_str_or(failure, "message", "");
	if (streq(jx_str(progress, "status"), "False"))
		return jx_str_or(progress, "message", "");
	return "";
}

int k8s_cond_deployment_ready(const json_t *obj, char *why, size_t why_size, void *arg UNUSED,
			      struct err *e UNUSED)
{
	long long wanted = jx_int_or(obj, "spec.replicas", 1);
	long long all = jx_int(obj, "status.replicas");
	long long updated = jx_int(obj, "status.updatedReplicas");
	long long available = jx_int(obj, "status.availableReplicas");
	const char *more = stuck(obj), *sep = *more ? ": " : "";

	if (!obj)
		snprintf(why, why_size, "not there yet");
	else if (obj_deleting(obj))
		snprintf(why, why_size, "being removed");
	else if (jx_int(obj, "status.observedGeneration") < obj_generation(obj))
		snprintf(why, why_size, "its controller has not looked at it yet");
	else if (updated < wanted)
		snprintf(why, why_size, "%lld of %lld pods updated%s%s", updated, wanted, sep,
			 more);
	else if (all > updated)
		snprintf(why, why_size, "%lld old pods still there", all - updated);
	else if (available < wanted)
		snprintf(why, why_size, "%lld of %lld pods available%s%s", available, wanted, sep,
			 more);
	else
		return 1;
	return 0;
}

int k8s_cond_true(const json_t *obj, char *why, size_t why_size, void *arg, struct err *e UNUSED)
{
	const char *type = arg;
	const json_t *c = obj_condition(obj, type);
	const char *message = jx_str_or(c, "message", "");
	json_int_t generation = obj_generation(obj);

	if (!obj)
		snprintf(why, why_size, "not there yet");
	else if (!c)
		snprintf(why, why_size, "condition %s is not reported yet", type);
	else if (jx_int_or(c, "observedGeneration", generation) < generation)
		snprintf(why, why_size, "condition %s is about an older generation", type);
	else if (!streq(jx_str(c, "status"), "True"))
		snprintf(why, why_size, "%s%s%s", jx_str_or(c, "reason", type),
			 *message ? ": " : "", message);
	else
		return 1;
	return 0;
}
