/*
 * checksum.h - what operator and agent must compute alike: the checksum of the files that a role
 * reads. The operator knows them as texts, the agent as mounted files; both feed them in this
 * order: etc/ files sorted by name (strcmp), then catalog/ files sorted by name.
 */
#ifndef OPERATOR_AGENT_CHECKSUM_H
#define OPERATOR_AGENT_CHECKSUM_H

#include <stdio.h>

#include "base/sha256.h"

/* checksum_file - @path: "etc/config.properties" or "catalog/tpch.properties". */
static inline void checksum_file(struct sha256 *s, const char *path, const void *bytes, size_t len)
{
	char size[24];

	snprintf(size, sizeof(size), "%zu", len);
	sha256_adds(s, path);
	sha256_adds(s, size);
	sha256_add(s, bytes, len);
}

/*
 * The contract of the pod template with the agent:
 *   init container: presto-agent install AGENT_DIR        (copies itself into an emptyDir)
 *   container:      AGENT_DIR/presto-agent run ROLE       (ROLE: coordinator | worker), PID 1
 *   probes:         AGENT_DIR/presto-agent probe ready | live
 * env: POD_ID (metadata.uid, becomes node.id), POD_IP (status.podIP, node.internal-address),
 *   PRESTO_CHECKSUM (of what is mounted), for workers PRESTO_COORDINATOR ("service:8080").
 * mounts: DATA_DIR (emptyDir), DATA_DIR/etc-origin (this role's files: config.properties,
 * jvm.config, node.properties, log.properties, extra files, memory.properties when the pod takes
 * the whole node), DATA_DIR/catalog-origin. The agent writes DATA_DIR/run/etc and starts java in
 * DATA_DIR/run. memory.properties (only with an empty memoryAllocation):
 * node-memory-headroom=BYTES, xmx-ratio=R, heap-headroom-ratio=R, query-max-total-ratio=R; then
 * @XMX@ in jvm.config (megabytes with "m"), and @HEAP_HEADROOM@,
 *   @QUERY_MAX_TOTAL_PER_NODE@, @QUERY_MAX_PER_NODE@ (DataSize texts) in config.properties are
 * filled in by the agent.
 */
#define AGENT_DIR      "/opt/presto-agent"
#define AGENT_PATH     AGENT_DIR "/presto-agent"
#define AGENT_IN_IMAGE "/usr/bin/presto-agent"
#define AGENT_DATA_DIR "/var/lib/presto/data"

#endif
