/*
 * agent.h - the parts of presto-agent: a static program that is PID 1 in every Presto pod.
 * It may use base's err, mem, buf and sha256 and presto's memory model, and nothing else: no loop,
 * no libraries. Waiting calls here are bounded; what could block longer runs in a forked child.
 */
#ifndef OPERATOR_AGENT_AGENT_H
#define OPERATOR_AGENT_AGENT_H

#include "base/buf.h"
#include "operator/agent/checksum.h"

#define AGENT_MAX_FILE  (2u << 20) /* a ConfigMap holds 1 MiB */
#define AGENT_MAX_FILES 2000

struct agent {
	const char *role;     /* "coordinator" or "worker" */
	const char *data_dir; /* AGENT_DATA_DIR unless PRESTO_DATA_DIR says otherwise */
	const char *pod_id, *pod_ip;
	const char *checksum;    /* expected, NULL: do not check */
	const char *coordinator; /* "host:port" for workers, NULL: unknown */
};

/* agent_log - one line on stderr. */
void agent_log(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* origin.c: the mounted files */
struct agent_file {
	char *path;
	char *bytes;
	size_t len;
}; /* path: "etc/config.properties", "catalog/tpch.properties" */
struct agent_files {
	struct agent_file *list;
	size_t n;
};
/* files_read - DATA_DIR/etc-origin and DATA_DIR/catalog-origin (absent: empty), in checksum order.
 */
int files_read(struct agent_files *out, const char *data_dir, struct err *e) MUST_CHECK;
void files_release(struct agent_files *f);
void files_checksum(const struct agent_files *f, char out[SHA256_HEX_SIZE]);
const struct agent_file *files_find(const struct agent_files *f, const char *path);

/* etc.c: what java gets to see */
/* etc_write - run/etc and its catalog folder anew; memory tokens filled when memory.properties is
 * there. @total: bytes of the node. */
int etc_write(const struct agent_files *f, const char *run_dir, int64_t node_total,
	      struct err *e) MUST_CHECK;
/* etc_node_total - what this container can use: the machine's memory, or its cgroup's limit if that
 * is less. */
int64_t etc_node_total(void);
/* etc_property - the value of a key in properties text, trimmed, the last one wins; false when
 * absent. */
bool etc_property(char *out, size_t size, const char *text, const char *key);

/* java.c: how java is started */
struct java_command {
	char **argv;
	size_t n;
};
/* java_command_of - everything that exec needs, from run/etc. ERR_NOT_FOUND says where it looked.
 */
int java_command_of(struct java_command *out, const struct agent *a, const char *run_dir,
		    struct err *e) MUST_CHECK;
void java_command_release(struct java_command *c);
/* java_link - run/lib and run/plugin as links into the image's Presto. */
int java_link(const char *run_dir, struct err *e) MUST_CHECK;

/* probe.c: a small HTTP client for one's own port */
/* http_ask - one request to host:port, whole answer within timeout_ms. @status and body (at most 64
 * KiB). */
int http_ask(int *status, struct buf *body, const char *host, const char *port, const char *method,
	     const char *path, const char *content, int timeout_ms, struct err *e) MUST_CHECK;
/* probe_run - "ready", "live": 0 and silence, or -1 with the reason. @port of this pod's Presto. */
int probe_run(const char *what, const char *port, struct err *e) MUST_CHECK;
/* agent_port - http-server.http.port of run/etc/config.properties, "8080" when it is not there. */
void agent_port(char out[8], const char *data_dir);

/* install.c */
int agent_install(const char *dir, struct err *e) MUST_CHECK;

/* run.c: PID 1. Returns the exit code of the pod's container. */
int agent_run(const struct agent *a);

#endif
