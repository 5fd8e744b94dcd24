/*
 * desired_parts.h - what the desired_*.c files share among themselves. Pure, like all of it.
 */
#ifndef OPERATOR_DESIRED_PARTS_H
#define OPERATOR_DESIRED_PARTS_H

#include "base/sha256.h"
#include "operator/desired.h"

enum role { COORDINATOR, WORKER };

/* role_name - "coordinator", "worker": the label, and the agent's argument. */
const char *role_name(enum role role);
const struct presto_node *role_node(const struct presto *p, enum role role);

/* desired_object - apiVersion, kind and metadata (namespace, labels, controller reference). Owned. */
json_t *desired_object(const char *api_version, const char *kind, const char *name,
		       const struct presto *p, const char *role);
/* desired_labels - instance, role and managed-by. desired_selector - instance and role only. Owned. */
json_t *desired_labels(const struct presto *p, const char *role);
json_t *desired_selector(const struct presto *p, const char *role);
/* desired_hash - of the canonical text. */
void desired_hash(char out[INTENT_SIZE], const json_t *v);
/* pack - json_pack that cannot fail: formats are ours, and texts from outside have been checked to be UTF-8. */
json_t *pack(const char *fmt, ...);

/* One file that a role reads, with its place in the ConfigMap. */
struct etc_file {
	char *name;  /* "config.properties" */
	char *key;   /* "worker.config.properties", "etc.rules.json" */
	char *bytes; /* text, or decoded */
	size_t len;
	bool binary;
};
struct etc_files {
	struct etc_file *list;
	size_t n;
}; /* sorted by name */

/* desired_config.c: the etc/ files of a role, without the catalogs. */
int etc_files_of(struct etc_files *out, const struct presto *p, enum role role,
		 struct err *e) MUST_CHECK;
void etc_files_release(struct etc_files *f);
/* desired_config - the ConfigMap with the files of both roles. */
int desired_config(json_t **out, const struct presto *p, const struct etc_files *coordinator,
		   const struct etc_files *worker, struct err *e) MUST_CHECK;
/* config_fits - ERR_INVALID with the numbers when a ConfigMap would be larger than the API server takes. */
int config_fits(const json_t *map, const char *what, struct err *e) MUST_CHECK;

/* desired_catalogs.c */
/* catalog_texts - "tpch.properties" -> text, the built-in ones and the user's. Owned. */
int catalog_texts(json_t **out, const struct presto *p, struct err *e) MUST_CHECK;
int desired_catalogs(json_t **out, const struct presto *p, const json_t *texts,
		     struct err *e) MUST_CHECK;

/* desired_checksum - of what a role reads, as the agent computes it from the mounted files. */
void desired_checksum(char out[SHA256_HEX_SIZE], const struct etc_files *etc,
		      const json_t *catalogs);

/* desired_pod.c: the pod template of a role. */
struct pod_ctx {
	enum role role;
	const struct etc_files *etc;
	const json_t *catalogs;
	const char *agent_image; /* for a template that is new or changed */
	const struct desired_live *live;
};
/* desired_deployment - a Deployment without replicas and strategy, which desired_{coordinator,worker}.c add. */
json_t *desired_deployment(const struct presto *p, const struct pod_ctx *ctx);
json_t *desired_coordinator(const struct presto *p, const struct pod_ctx *ctx);
json_t *desired_worker(const struct presto *p, const struct pod_ctx *ctx);
/* desired_service.c */
json_t *desired_service(const struct presto *p);

#endif
