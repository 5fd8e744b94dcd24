/*
 * presto.h - the Presto resource as a C structure. The table in field.c is the only place that knows
 * path, type, default, limits and help of each field; decode, defaults, `explain` and the test against
 * the CRD's schema all walk it. The CRD itself carries no `default:`, so that an explicit wish and a
 * default can be told apart.
 */
#ifndef PRESTO_PRESTO_H
#define PRESTO_PRESTO_H

#include "base/jx.h"
#include "presto/memory.h"
#include "presto/names.h"

#define PRESTO_GROUP       "starburstdata.com"
#define PRESTO_API_VERSION "starburstdata.com/v1"
#define PRESTO_KIND        "Presto"
#define PRESTO_PORT        8080
#define PRESTO_CRD_NAME    "prestos.starburstdata.com"

/* coordinator and worker alike */
struct presto_node {
	const char *cpu_request, *cpu_limit;    /* quantities; "" = none */
	const char *memory_allocation;          /* quantity; "" = the whole node */
	const json_t *node_selector, *affinity; /* borrowed objects, NULL when not set */
	const char *additional_properties;
};

struct presto_probe {
	int initial_delay, period, timeout, failure_threshold; /* seconds; counts */
};

/*
 * Everything borrows from the resource (json) that presto_decode was given, or is static, or, where a
 * quantity is written as a number, lives in the structure: do not copy it by value.
 */
struct presto {
	const json_t *resource;
	const char *name, *ns, *uid;
	int64_t generation;
	const char *name_override, *environment;
	const char *image_name_prefix, *image_name, *image_tag, *image_pull_policy;
	const char *additional_jvm_config;
	const json_t *additional_catalogs;               /* name -> properties text, or NULL */
	const json_t *etc_text_files, *etc_binary_files; /* file name -> text, base64; or NULL */
	const char *service_type, *service_name;
	int service_node_port;
	const json_t *service_additional;
	const char *memory_node_headroom, *memory_query_max; /* quantities */
	struct memory_ratios ratios;
	struct presto_node coordinator, worker;
	int worker_count;
	int worker_termination_grace, worker_shutdown_grace; /* seconds */
	struct presto_probe readiness, liveness;
	/* derived; both empty as long as the resource has neither a UID nor a nameOverride */
	char cluster[64];    /* NAME */
	char env[64];        /* node.environment */
	char numbers[8][24]; /* quantities that were numbers, as text */
};

enum field_type {
	FIELD_STRING,
	FIELD_TEXT,
	FIELD_INT,
	FIELD_NUMBER,
	FIELD_BOOL,
	FIELD_QUANTITY,
	FIELD_ENUM,
	FIELD_MAP,
	FIELD_OBJECT,
	FIELD_LIST,
	FIELD_GROUP /* has fields of its own; no offset, no fallback */
};

struct field {
	const char *path; /* "spec.worker.count" */
	enum field_type type;
	size_t offset;        /* in struct presto */
	const char *fallback; /* the default as text; NULL: none */
	const char *help;     /* one or two sentences */
};
extern const struct field presto_fields[];
extern const size_t presto_fields_len;

/*
 * presto_decode - a resource (whole object) into the structure with defaults. Checks as presto_check
 * does first, but does not look at the status. ERR_INVALID names the field path. No I/O.
 */
int presto_decode(struct presto *out, const json_t *resource, struct err *e) MUST_CHECK;

/* One finding of the schema or of the rules beyond it. */
struct presto_cause {
	char path[200];    /* "spec.worker.count"; as the API server writes it */
	char pointer[200]; /* JSON pointer of the same place, for y2j_mark */
	char msg[300]; /* the server's wording: 'Invalid value: "x": spec.a in body must be ...' */
};
/*
 * presto_check - what the API server would say to a new resource (the embedded CRD's own openAPIV3Schema,
 * structural subset, unknown fields refused as with strict validation); when it would say nothing, our
 * rules beyond the schema (ratios, quantities, catalogs, files, JVM options, image, sizes).
 * Returns the number of findings (0 = fine), at most max are filled. @out may be NULL with max 0.
 */
size_t presto_check(struct presto_cause *out, size_t max, const json_t *resource);
/* presto_image - "prefix + name[:tag]"; no tag when it is "" or the name has a tag or digest. Owned. */
char *presto_image(const struct presto *p);
/* presto_service_name - of the coordinator's Service, which workers and people use. */
void presto_service_name(char out[NAME_SIZE], const struct presto *p);

#endif
