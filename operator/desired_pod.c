/* desired_pod.c - the pod template that both roles share. Its contract with the agent: agent/checksum.h. Pure. */
#include <string.h>

#include "operator/agent/checksum.h"
#include "operator/desired_parts.h"

#define AGENT_VOLUME                  "presto-agent"
#define DATA_VOLUME                   "presto-data"
#define CONFIG_VOLUME                 "presto-config-volume"
#define CATALOG_VOLUME                "presto-catalogs-volume"
#define COORDINATOR_TERMINATION_GRACE 30

/* Any plain image works, so no user is forced; nothing in the pod needs a privilege. */
static json_t *container_security(void)
{
	return pack("{s:b, s:{s:[s]}}", "allowPrivilegeEscalation", 0, "capabilities", "drop",
		    "ALL");
}

static json_t *probe(const struct presto_probe *p, const char *what)
{
	json_t *out = pack("{s:{s:[s, s, s]}, s:i, s:i, s:i}", "exec", "command", AGENT_PATH,
			   "probe", what, "initialDelaySeconds", p->initial_delay, "periodSeconds",
			   p->period, "timeoutSeconds", p->timeout);

	if (p->failure_threshold)
		json_object_set_new(out, "failureThreshold", json_integer(p->failure_threshold));
	return out;
}

static json_t *resources(const struct presto_node *node)
{
	json_t *requests = json_object(), *limits = json_object(), *out = json_object();

	if (*node->cpu_request)
		json_object_set_new(requests, "cpu", json_string(node->cpu_request));
	if (*node->cpu_limit)
		json_object_set_new(limits, "cpu", json_string(node->cpu_limit));
	if (*node->memory_allocation) {
		json_object_set_new(requests, "memory", json_string(node->memory_allocation));
		json_object_set_new(limits, "memory", json_string(node->memory_allocation));
	}
	if (json_object_size(requests))
		json_object_set(out, "requests", requests);
	if (json_object_size(limits))
		json_object_set(out, "limits", limits);
	json_decref(requests);
	json_decref(limits);
	return out;
}

static json_t *env_field(const char *name, const char *field)
{
	return pack("{s:s, s:{s:{s:s}}}", "name", name, "valueFrom", "fieldRef", "fieldPath",
		    field);
}

static json_t *environment(const struct presto *p, enum role role, const char *checksum)
{
	json_t *env = pack("[o, o, {s:s, s:s}]", env_field("POD_ID", "metadata.uid"),
			   env_field("POD_IP", "status.podIP"), "name", "PRESTO_CHECKSUM", "value",
			   checksum);
	char service[NAME_SIZE];

	if (role == WORKER) {
		presto_service_name(service, p);
		json_array_append_new(env, pack("{s:s, s:o}", "name", "PRESTO_COORDINATOR", "value",
						jx_strf("%s:%d", service, PRESTO_PORT)));
	}
	return env;
}

static json_t *mount(const char *volume, const char *path, bool read_only)
{
	json_t *m = pack("{s:s, s:s}", "name", volume, "mountPath", path);

	if (read_only)
		json_object_set_new(m, "readOnly", json_true());
	return m;
}

static json_t *container(const struct presto *p, const struct pod_ctx *ctx, const char *checksum)
{
	const char *role = role_name(ctx->role);
	autofree char *image = presto_image(p);
	json_t *mounts = pack("[o, o, o, o]", mount(AGENT_VOLUME, AGENT_DIR, true),
			      mount(DATA_VOLUME, AGENT_DATA_DIR, false),
			      mount(CONFIG_VOLUME, AGENT_DATA_DIR "/etc-origin", true),
			      mount(CATALOG_VOLUME, AGENT_DATA_DIR "/catalog-origin", true));
	json_t *c = pack("{s:o, s:s, s:s, s:[s, s, s]}", "name", jx_strf("presto-%s", role),
			 "image", image, "imagePullPolicy", p->image_pull_policy, "command",
			 AGENT_PATH, "run", role);
	json_t *wants = resources(role_node(p, ctx->role));

	json_object_set_new(c, "env", environment(p, ctx->role, checksum));
	json_object_set_new(c, "ports",
			    pack("[{s:s, s:i, s:s}]", "name", "http", "containerPort", PRESTO_PORT,
				 "protocol", "TCP"));
	if (json_object_size(wants))
		json_object_set(c, "resources", wants);
	json_decref(wants);
	json_object_set_new(c, "readinessProbe", probe(&p->readiness, "ready"));
	json_object_set_new(c, "livenessProbe", probe(&p->liveness, "live"));
	json_object_set_new(c, "securityContext", container_security());
	json_object_set_new(c, "volumeMounts", mounts);
	return c;
}

static json_t *init_container(const char *image)
{
	return pack("{s:s, s:s, s:s, s:[s, s, s], s:o, s:[o]}", "name", "presto-agent", "image",
		    image, "imagePullPolicy", "IfNotPresent", "command", AGENT_IN_IMAGE, "install",
		    AGENT_DIR, "securityContext", container_security(), "volumeMounts",
		    mount(AGENT_VOLUME, AGENT_DIR, false));
}

static json_t *volumes(const struct presto *p, const struct etc_files *etc)
{
	char config[NAME_SIZE], catalogs[NAME_SIZE];
	json_t *items = json_array();

	name_child(config, "presto-config", p->cluster);
	name_child(catalogs, "presto-catalog", p->cluster);
	for (size_t i = 0; i < etc->n; i++)
		json_array_append_new(items, pack("{s:s, s:s}", "key", etc->list[i].key, "path",
						  etc->list[i].name));
	return pack("[{s:s, s:{}}, {s:s, s:{}}, {s:s, s:{s:s, s:o}}, {s:s, s:{s:s}}]", "name",
		    AGENT_VOLUME, "emptyDir", "name", DATA_VOLUME, "emptyDir", "name",
		    CONFIG_VOLUME, "configMap", "name", config, "items", items, "name",
		    CATALOG_VOLUME, "configMap", "name", catalogs);
}

static json_t *template_of(const struct presto *p, const struct pod_ctx *ctx)
{
	const struct presto_node *node = role_node(p, ctx->role);
	char checksum[SHA256_HEX_SIZE];
	json_t *spec, *labels = desired_labels(p, role_name(ctx->role));
	int grace = ctx->role == WORKER ? p->worker_termination_grace
					: COORDINATOR_TERMINATION_GRACE;

	desired_checksum(checksum, ctx->etc, ctx->catalogs);
	spec = pack("{s:b, s:b, s:i, s:{s:{s:s}}, s:[o], s:o}", "automountServiceAccountToken", 0,
		    "enableServiceLinks", 0, "terminationGracePeriodSeconds", grace,
		    "securityContext", "seccompProfile", "type", "RuntimeDefault", "containers",
		    container(p, ctx, checksum), "volumes", volumes(p, ctx->etc));
	if (!jx_is_empty(node->node_selector))
		json_object_set_new(spec, "nodeSelector", json_deep_copy(node->node_selector));
	if (!jx_is_empty(node->affinity))
		json_object_set_new(spec, "affinity", json_deep_copy(node->affinity));
	return pack("{s:{s:o, s:{s:s}}, s:o}", "metadata", "labels", labels, "annotations",
		    ANNOTATION_CHECKSUM, checksum, "spec", spec);
}

json_t *desired_deployment(const struct presto *p, const struct pod_ctx *ctx)
{
	const char *role = role_name(ctx->role), *agent_image = ctx->agent_image;
	autofree char *prefix = xasprintf("presto-%s", role);
	char name[NAME_SIZE], hash[INTENT_SIZE];
	json_t *deployment, *template = template_of(p, ctx);

	/* Hashed without the agent's image, so that a change of that alone can be told from all others. */
	desired_hash(hash, template);
	if (ctx->live->agent_image && streq(ctx->live->template_hash, hash))
		agent_image = ctx->live->agent_image;
	json_object_set_new(jx_get(template, "spec"), "initContainers",
			    pack("[o]", init_container(agent_image)));
	name_child(name, prefix, p->cluster);
	deployment = desired_object("apps/v1", "Deployment", name, p, role);
	json_object_set_new(
		jx_get(deployment, "metadata"), "annotations",
		pack("{s:s, s:s}", ANNOTATION_TEMPLATE, hash, ANNOTATION_AGENT_IMAGE, agent_image));
	json_object_set_new(deployment, "spec",
			    pack("{s:i, s:{s:o}, s:o}", "revisionHistoryLimit", 3, "selector",
				 "matchLabels", desired_selector(p, role), "template", template));
	return deployment;
}
