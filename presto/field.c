/*
 * field.c - every field of the resource, once. A test compares paths, types and texts with the
 * schema of presto/manifests/crd.yaml, both ways.
 */
#include "presto/presto.h"

#include <stddef.h>

#define AT(member)  offsetof(struct presto, member)
#define GROUP(path) path, FIELD_GROUP, 0, NULL

const struct field presto_fields[] = {
	{"metadata.name", FIELD_STRING, AT(name), NULL,
	 "Name of the cluster. A label: lower-case letters, digits and dashes."},
	{GROUP("spec"), "What the cluster should look like. Everything has a default; defaults are "
			"not written into the resource."},
	{"spec.nameOverride", FIELD_STRING, AT(name_override), "",
	 "Used in place of the cluster's name and its unique suffix in the names and "
	 "labels of all objects. Default \"\": the suffix keeps the names unique. Cannot "
	 "be changed later."},
	{"spec.environment", FIELD_STRING, AT(environment), "",
	 "Name of the Presto environment (node.environment). Default \"\": made from the "
	 "name."},
	{"spec.imageNamePrefix", FIELD_STRING, AT(image_name_prefix), "",
	 "Put in front of every image name as it is, for instance "
	 "\"registry.example.org/mirror/\". Default: nothing."},
	{GROUP("spec.image"), "The image of coordinator and workers."},
	{"spec.image.name", FIELD_STRING, AT(image_name), "starburstdata/presto",
	 "Image name. Default starburstdata/presto. It may carry a tag or digest of "
	 "its own; then tag must not be set."},
	{"spec.image.tag", FIELD_STRING, AT(image_tag), "312-e.1-k8s-0.7",
	 "Tag of the image. Default 312-e.1-k8s-0.7, unless the name has a tag or "
	 "digest; \"\" is no tag."},
	{"spec.image.pullPolicy", FIELD_ENUM, AT(image_pull_policy), "IfNotPresent",
	 "When nodes pull the image. Default IfNotPresent."},
	{"spec.additionalJvmConfigProperties", FIELD_TEXT, AT(additional_jvm_config), "",
	 "Lines to be added to jvm.config, one option each, of coordinator and "
	 "workers. The heap is not set here: see memory and memoryAllocation. Default: "
	 "none."},
	{"spec.additionalCatalogs", FIELD_MAP, AT(additional_catalogs), NULL,
	 "Catalogs: their name, and the text of their properties file, which must have "
	 "a connector.name. Default: none; the catalog tpch is always there."},
	{"spec.additionalEtcPrestoTextFiles", FIELD_MAP, AT(etc_text_files), NULL,
	 "Further text files in etc/: file name and text. Default: none."},
	{"spec.additionalEtcPrestoBinaryFiles", FIELD_MAP, AT(etc_binary_files), NULL,
	 "Further binary files in etc/: file name and content in base64. Default: "
	 "none."},
	{GROUP("spec.service"), "The Service in front of the coordinator."},
	{"spec.service.type", FIELD_ENUM, AT(service_type), "ClusterIP",
	 "How the Service is reached. Default ClusterIP."},
	{"spec.service.name", FIELD_STRING, AT(service_name), "",
	 "Takes the place of the cluster's name in the name of the Service, "
	 "presto-coordinator-NAME. Default \"\"."},
	{"spec.service.nodePort", FIELD_INT, AT(service_node_port), "31234",
	 "Port on every node, only with type NodePort. Default 31234."},
	{"spec.service.additionalSpecProperties", FIELD_OBJECT, AT(service_additional), NULL,
	 "Merged into the specification of the Service, for instance loadBalancerIP. "
	 "Default: nothing."},
	{GROUP("spec.memory"), "How the memory of a pod is divided."},
	{"spec.memory.nodeMemoryHeadroom", FIELD_QUANTITY, AT(memory_node_headroom), "2Gi",
	 "Memory left to the node itself, where memoryAllocation is \"\". Default 2Gi."},
	{"spec.memory.xmxToTotalMemoryRatio", FIELD_NUMBER, AT(ratios.xmx_to_total), "0.9",
	 "Heap of the JVM, as a part of the memory of the pod. Default 0.9; about 0.5 "
	 "suits pods of 1Gi."},
	{"spec.memory.heapHeadroomPerNodeRatio", FIELD_NUMBER, AT(ratios.heap_headroom), "0.3",
	 "memory.heap-headroom-per-node, as a part of the heap. Default 0.3. Together "
	 "with queryMaxTotalMemoryPerNodePoolFraction less than 1."},
	{"spec.memory.queryMaxMemory", FIELD_QUANTITY, AT(memory_query_max), "1Pi",
	 "query.max-memory: what one query may use on all nodes together. Default 1Pi."},
	{"spec.memory.queryMaxTotalMemoryPerNodePoolFraction", FIELD_NUMBER,
	 AT(ratios.query_max_total_per_node), "0.333",
	 "query.max-total-memory-per-node, as a part of the heap. Default 0.333."},
	{GROUP("spec.coordinator"), "The coordinator."},
	{"spec.coordinator.cpuRequest", FIELD_QUANTITY, AT(coordinator.cpu_request), "16",
	 "CPU that a coordinator pod asks for, a quantity such as 4 or 500m (quote a "
	 "fraction: \"0.5\"). Default 16; \"\" asks for none."},
	{"spec.coordinator.cpuLimit", FIELD_QUANTITY, AT(coordinator.cpu_limit), "",
	 "CPU that a coordinator pod may use at most. Default \"\": no limit."},
	{"spec.coordinator.memoryAllocation", FIELD_QUANTITY, AT(coordinator.memory_allocation),
	 "60Gi",
	 "Memory of a coordinator pod, request and limit alike. Default 60Gi. With \"\" "
	 "the pod takes the memory of its whole node, less memory.nodeMemoryHeadroom."},
	{"spec.coordinator.nodeSelector", FIELD_MAP, AT(coordinator.node_selector), NULL,
	 "Labels that a node must carry to get a coordinator pod. Default: none, any "
	 "node."},
	{"spec.coordinator.affinity", FIELD_OBJECT, AT(coordinator.affinity), NULL,
	 "Affinity of a coordinator pod, as in the specification of a pod. Default: "
	 "none."},
	{"spec.coordinator.additionalProperties", FIELD_TEXT, AT(coordinator.additional_properties),
	 "", "Lines to be added to config.properties of a coordinator. Default: none."},
	{GROUP("spec.worker"), "The workers."},
	{"spec.worker.count", FIELD_INT, AT(worker_count), "2", "Number of workers. Default 2."},
	{"spec.worker.deploymentTerminationGracePeriodSeconds", FIELD_INT,
	 AT(worker_termination_grace), "7200",
	 "Seconds that a worker which is told to stop has got for finishing its "
	 "queries. Default 7200. Should be more than twice "
	 "prestoWorkerShutdownGracePeriodSeconds."},
	{"spec.worker.prestoWorkerShutdownGracePeriodSeconds", FIELD_INT, AT(worker_shutdown_grace),
	 "120",
	 "shutdown.grace-period of a worker, in seconds: a worker that stops waits "
	 "this long before and after its last task. Default 120."},
	{"spec.worker.cpuRequest", FIELD_QUANTITY, AT(worker.cpu_request), "16",
	 "CPU that a worker pod asks for, a quantity such as 4 or 500m (quote a "
	 "fraction: \"0.5\"). Default 16; \"\" asks for none."},
	{"spec.worker.cpuLimit", FIELD_QUANTITY, AT(worker.cpu_limit), "",
	 "CPU that a worker pod may use at most. Default \"\": no limit."},
	{"spec.worker.memoryAllocation", FIELD_QUANTITY, AT(worker.memory_allocation), "100Gi",
	 "Memory of a worker pod, request and limit alike. Default 100Gi. With \"\" the "
	 "pod takes the memory of its whole node, less memory.nodeMemoryHeadroom."},
	{"spec.worker.nodeSelector", FIELD_MAP, AT(worker.node_selector), NULL,
	 "Labels that a node must carry to get a worker pod. Default: none, any node."},
	{"spec.worker.affinity", FIELD_OBJECT, AT(worker.affinity), NULL,
	 "Affinity of a worker pod, as in the specification of a pod. Default: none."},
	{"spec.worker.additionalProperties", FIELD_TEXT, AT(worker.additional_properties), "",
	 "Lines to be added to config.properties of a worker. Default: none."},
	{GROUP("spec.readinessProbe"), "When a coordinator or worker counts as ready."},
	{"spec.readinessProbe.initialDelaySeconds", FIELD_INT, AT(readiness.initial_delay), "5",
	 "Seconds from the start of the container to the first readiness check. "
	 "Default 5."},
	{"spec.readinessProbe.periodSeconds", FIELD_INT, AT(readiness.period), "5",
	 "Seconds between two readiness checks. Default 5."},
	{"spec.readinessProbe.timeoutSeconds", FIELD_INT, AT(readiness.timeout), "15",
	 "Seconds after which a readiness check has failed. Default 15."},
	{GROUP("spec.livenessProbe"), "When a coordinator or worker is started anew."},
	{"spec.livenessProbe.initialDelaySeconds", FIELD_INT, AT(liveness.initial_delay), "300",
	 "Seconds from the start of the container to the first liveness check. Default "
	 "300."},
	{"spec.livenessProbe.periodSeconds", FIELD_INT, AT(liveness.period), "300",
	 "Seconds between two liveness checks. Default 300."},
	{"spec.livenessProbe.timeoutSeconds", FIELD_INT, AT(liveness.timeout), "15",
	 "Seconds after which a liveness check has failed. Default 15."},
	{"spec.livenessProbe.failureThreshold", FIELD_INT, AT(liveness.failure_threshold), "1",
	 "Failed checks in a row until the container is started anew. Default 1."},
};
const size_t presto_fields_len = sizeof(presto_fields) / sizeof(presto_fields[0]);
