/* project.c - whole objects to the few bytes that the store keeps. Pure. */
#include <stdlib.h>
#include <string.h>

#include "operator/view.h"

#define TROUBLE_MAX 300

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static char *dup_or_null(const char *text)
{
	return text && *text ? xstrdup(text) : NULL;
}

int cr_project(struct cr *out, const json_t *obj)
{
	static const char *const kept[] = {"name", "namespace", "uid", "generation"};
	autojson json_t *slim = json_object();
	json_t *meta;

	if (!obj_name(obj) || !obj_uid(obj))
		return -1;
	meta = json_object();
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		json_object_set(meta, kept[i], jx_get(jx_get(obj, "metadata"), kept[i]));
	json_object_set_new(slim, "apiVersion", json_string(PRESTO_API_VERSION));
	json_object_set_new(slim, "kind", json_string(PRESTO_KIND));
	json_object_set_new(slim, "metadata", meta);
	if (jx_get(obj, "spec"))
		json_object_set(slim, "spec", jx_get(obj, "spec"));
	if (jx_get(obj, "status"))
		json_object_set(slim, "status", jx_get(obj, "status"));
	out->text = json_dumps(slim, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!out->text)
		return -1;
	out->len = strlen(out->text);
	copy(out->uid, sizeof(out->uid), obj_uid(obj));
	name_of(out->cluster, obj_name(obj), obj_uid(obj), jx_str_or(obj, "spec.nameOverride", ""));
	out->generation = obj_generation(obj);
	out->deleting = obj_deleting(obj);
	return 0;
}

void cr_release(void *entry)
{
	struct cr *cr = entry;

	free(cr->text);
}

static void deployment_facts(struct child *out, const json_t *obj)
{
	const json_t *failure = obj_condition(obj, "ReplicaFailure");

	out->agent_image = dup_or_null(obj_annotation(obj, ANNOTATION_AGENT_IMAGE));
	copy(out->template_hash, sizeof(out->template_hash),
	     obj_annotation(obj, ANNOTATION_TEMPLATE));
	out->observed = jx_int(obj, "status.observedGeneration") >= obj_generation(obj);
	out->replicas = (int)jx_int(obj, "status.replicas");
	out->updated = (int)jx_int(obj, "status.updatedReplicas");
	out->ready = (int)jx_int(obj, "status.readyReplicas");
	out->available = (int)jx_int(obj, "status.availableReplicas");
	if (streq(jx_str(failure, "status"), "True"))
		out->failure = xstrndup(jx_str_or(failure, "message", "pods cannot be made"),
					TROUBLE_MAX);
}

int child_facts(struct child *out, enum child_kind kind, const json_t *obj)
{
	const json_t *owner = obj_controller(obj);

	if (!obj_name(obj) || !obj_uid(obj))
		return -1;
	copy(out->uid, sizeof(out->uid), obj_uid(obj));
	copy(out->rv, sizeof(out->rv), obj_rv(obj));
	out->deleting = obj_deleting(obj);
	if (streq(jx_str(owner, "kind"), PRESTO_KIND) &&
	    starts_with(jx_str_or(owner, "apiVersion", ""), PRESTO_GROUP "/")) {
		copy(out->owner, sizeof(out->owner), jx_str(owner, "name"));
		copy(out->owner_uid, sizeof(out->owner_uid), jx_str(owner, "uid"));
	}
	if (kind == CHILD_DEPLOYMENT)
		deployment_facts(out, obj);
	return 0;
}

void child_release(void *entry)
{
	struct child *c = entry;

	free(c->foreign);
	free(c->agent_image);
	free(c->failure);
}

bool child_same(const struct child *a, const struct child *b)
{
	return streq(a->uid, b->uid) && streq(a->owner_uid, b->owner_uid) &&
	       streq(a->verified, b->verified) && a->deleting == b->deleting &&
	       streq(a->foreign, b->foreign) && streq(a->agent_image, b->agent_image) &&
	       streq(a->template_hash, b->template_hash) && a->observed == b->observed &&
	       a->replicas == b->replicas && a->updated == b->updated && a->ready == b->ready &&
	       a->available == b->available && streq(a->failure, b->failure);
}

/* Reasons that end only when somebody changes something. */
static bool is_fatal(const char *reason)
{
	static const char *const fatal[] = {"ImagePullBackOff",     "ErrImagePull",
					    "InvalidImageName",     "ErrImageNeverPull",
					    "CrashLoopBackOff",     "CreateContainerConfigError",
					    "CreateContainerError", "RunContainerError"};

	for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
		if (streq(reason, fatal[i]))
			return true;
	}
	return false;
}

static char *trouble_text(const char *reason, const char *message)
{
	char text[TROUBLE_MAX + 1];

	if (message && *message)
		snprintf(text, sizeof(text), "%s: %s", reason, message);
	else
		snprintf(text, sizeof(text), "%s", reason);
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ')
			*at = ' ';
	}
	return xstrdup(text);
}

/* The state of one container; true when it is worth telling. */
static bool container_trouble(struct pod *out, const json_t *status)
{
	const json_t *waiting = jx_path(status, "state.waiting"),
		     *last = jx_path(status, "lastState.terminated");
	const char *reason = jx_str(waiting, "reason");
	autofree char *exit = NULL;

	if (!reason || streq(reason, "ContainerCreating") || streq(reason, "PodInitializing")) {
		waiting = jx_path(status, "state.terminated");
		if (!waiting || !jx_int(waiting, "exitCode"))
			return false;
		last = waiting;
		reason = jx_str_or(waiting, "reason", "Error");
	}
	if (last)
		exit = xasprintf("%s ended with %s, exit code %d, %d restart(s)",
				 jx_str_or(status, "name", "container"),
				 jx_str_or(last, "reason", "an error"),
				 (int)jx_int(last, "exitCode"),
				 (int)jx_int(status, "restartCount"));
	out->trouble = trouble_text(reason, exit ? exit : jx_str(waiting, "message"));
	out->fatal = is_fatal(reason);
	return true;
}

static void pod_trouble(struct pod *out, const json_t *obj)
{
	static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
	const json_t *scheduled = obj_condition(obj, "PodScheduled");

	if (streq(jx_str(scheduled, "status"), "False")) {
		out->trouble = trouble_text(jx_str_or(scheduled, "reason", "Unschedulable"),
					    jx_str(scheduled, "message"));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const json_t *list = jx_get(jx_get(obj, "status"), lists[i]);

		for (size_t k = 0; k < json_array_size(list); k++) {
			if (container_trouble(out, json_array_get(list, k)))
				return;
		}
	}
	if (streq(jx_str(obj, "status.phase"), "Failed"))
		out->trouble = trouble_text(jx_str_or(obj, "status.reason", "Failed"),
					    jx_str(obj, "status.message"));
}

int pod_project(struct pod *out, const json_t *obj)
{
	const char *role = obj_label(obj, "role"), *instance = obj_label(obj, "instance");

	if (!role || !instance ||
	    (strcmp(role, ROLE_WORKER) != 0 && strcmp(role, ROLE_COORDINATOR) != 0))
		return -1;
	copy(out->instance, sizeof(out->instance), instance);
	out->worker = streq(role, ROLE_WORKER);
	out->ready = obj_condition_true(obj, "Ready");
	out->deleting = obj_deleting(obj);
	copy(out->ip, sizeof(out->ip), jx_str(obj, "status.podIP"));
	if (!out->deleting && !out->ready)
		pod_trouble(out, obj);
	return 0;
}

void pod_release(void *entry)
{
	struct pod *p = entry;

	free(p->trouble);
}

bool pod_same(const struct pod *a, const struct pod *b)
{
	return streq(a->instance, b->instance) && a->worker == b->worker && a->ready == b->ready &&
	       a->deleting == b->deleting && a->fatal == b->fatal && streq(a->ip, b->ip) &&
	       streq(a->trouble, b->trouble);
}
