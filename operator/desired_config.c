/*
 * desired_config.c - the files that each role reads in etc/, and the ConfigMap that holds them all. A role's
 * pod mounts only its own keys, and its checksum is of those alone. Pure.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/quantity.h"
#include "operator/agent/checksum.h"
#include "operator/desired_parts.h"
#include "operator/properties.h"

#define GIB ((int64_t)1 << 30)
#define CONFIG_MAX \
	((1u << 20) - (16u << 10)) /* the API server takes 1 MiB with names and metadata */
#define BIG_HEAP  (8 * GIB)
#define SIZE_TEXT 32 /* room for a number or a token */

/* The four sizes as texts: numbers, or tokens which the agent fills in on a node whose memory we do not know. */
struct sizes {
	bool whole_node, big_heap;
	char xmx[SIZE_TEXT], headroom[SIZE_TEXT], total[SIZE_TEXT], user[SIZE_TEXT];
	char query_max[SIZE_TEXT];
};

static int sizes_of(struct sizes *out, const struct presto *p, enum role role, struct err *e)
{
	const char *allocation = role_node(p, role)->memory_allocation;
	struct sizes s = {.whole_node = !*allocation};
	struct memory_plan plan;
	int64_t bytes;

	if (quantity_to_bytes(&bytes, p->memory_query_max, e) < 0)
		return err_wrap(e, "spec.memory.queryMaxMemory");
	memory_datasize(s.query_max, bytes);
	if (s.whole_node) {
		snprintf(s.xmx, sizeof(s.xmx), "@XMX@");
		snprintf(s.headroom, sizeof(s.headroom), "@HEAP_HEADROOM@");
		snprintf(s.total, sizeof(s.total), "@QUERY_MAX_TOTAL_PER_NODE@");
		snprintf(s.user, sizeof(s.user), "@QUERY_MAX_PER_NODE@");
		*out = s;
		return 0;
	}
	if (quantity_to_bytes(&bytes, allocation, e) < 0 ||
	    memory_plan_of(&plan, bytes, &p->ratios, e) < 0)
		return err_wrap(e, "spec.%s.memoryAllocation", role_name(role));
	s.big_heap = plan.xmx >= BIG_HEAP;
	snprintf(s.xmx, sizeof(s.xmx), "%" PRId64 "m", plan.xmx >> 20);
	memory_datasize(s.headroom, plan.heap_headroom_per_node);
	memory_datasize(s.total, plan.query_max_total_memory_per_node);
	memory_datasize(s.user, plan.query_max_memory_per_node);
	*out = s;
	return 0;
}

static int config_properties(char **out, const struct presto *p, enum role role,
			     const struct sizes *s, struct err *e)
{
	/* Other values of these make a node that nothing can reach, or two coordinators. */
	static const char *const fixed[] = {"coordinator", "http-server.http.port"};
	const char *theirs = role_node(p, role)->additional_properties;
	AUTO(buf_release) struct buf b = BUF_INIT(PROPERTIES_MAX);
	char service[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (!properties_has(theirs, fixed[i]))
			continue;
		err_set(e, ERR_INVALID, "spec.%s.additionalProperties: %s is set by the operator",
			role_name(role), fixed[i]);
		err_hint(e, "leave that line out");
		return -1;
	}
	presto_service_name(service, p);
	buf_fit(&b, "coordinator=%s\n", role == COORDINATOR ? "true" : "false");
	buf_fit(&b, "http-server.http.port=%d\n", PRESTO_PORT);
	if (role == COORDINATOR) {
		/* Its own address, so that a second pod of a Recreate gone wrong never announces itself to the first. */
		buf_fit(&b,
			"node-scheduler.include-coordinator=false\ndiscovery-server.enabled=true\n"
			"discovery.uri=http://127.0.0.1:%d\n",
			PRESTO_PORT);
	} else {
		buf_fit(&b, "discovery.uri=http://%s:%d\n", service, PRESTO_PORT);
		buf_fit(&b, "shutdown.grace-period=%ds\n", p->worker_shutdown_grace);
	}
	buf_fit(&b, "query.max-memory=%s\nquery.max-memory-per-node=%s\n", s->query_max, s->user);
	buf_fit(&b, "query.max-total-memory-per-node=%s\nmemory.heap-headroom-per-node=%s\n",
		s->total, s->headroom);
	if (properties_merge(out, buf_str(&b), theirs, e) < 0)
		return err_wrap(e, "spec.%s.additionalProperties", role_name(role));
	return 0;
}

/*
 * Flags that Java 8 and Java 11 both know. Regions of 32M and a large code cache belong to large heaps: with
 * 16 regions G1 cannot place one large array. No heap dump: it would fill the node's disk before the exit.
 */
static bool other_collector(const char *lines)
{
	for (const char *at = strstr(lines, "-XX:+Use"); at; at = strstr(at + 1, "-XX:+Use")) {
		size_t len = strcspn(at, " \t\r\n");

		if (len > 2 && strncmp(at + len - 2, "GC", 2) == 0 &&
		    strncmp(at, "-XX:+UseG1GC", len) != 0)
			return true;
	}
	return false;
}

static int jvm_config(char **out, const struct presto *p, const struct sizes *s, struct err *e)
{
	AUTO(buf_release) struct buf b = BUF_INIT(PROPERTIES_MAX);
	const char *line = p->additional_jvm_config, *end;
	bool g1 = !other_collector(line); /* java refuses to start with two */

	buf_fit(&b, "-server\n-Xmx%s\n-XX:-UseBiasedLocking\n%s", s->xmx,
		g1 ? "-XX:+UseG1GC\n" : "");
	if (s->big_heap)
		buf_fit(&b, "%s-XX:ReservedCodeCacheSize=512M\n",
			g1 ? "-XX:G1HeapRegionSize=32M\n" : "");
	buf_fit(&b,
		"-XX:+ExplicitGCInvokesConcurrent\n-XX:+ExitOnOutOfMemoryError\n-XX:+UseGCOverheadLimit\n"
		"-Djdk.attach.allowAttachSelf=true\n-Djdk.nio.maxCachedBufferSize=2000000\n");
	for (; *line; line = *end ? end + 1 : end) {
		size_t len;

		end = strchrnul(line, '\n');
		line += strspn(line, " \t\r");
		len = end > line ? (size_t)(end - line) : 0;
		while (len && strchr(" \t\r", line[len - 1]))
			len--;
		if (!len || *line == '#')
			continue;
		if (buf_add(&b, line, len, e) < 0 || buf_adds(&b, "\n", e) < 0)
			return err_wrap(e, "spec.additionalJvmConfigProperties");
	}
	*out = buf_take(&b);
	return 0;
}

/* What the agent needs to do for itself what sizes_of could not. */
static char *memory_properties(const struct presto *p, struct err *e)
{
	int64_t headroom;

	if (quantity_to_bytes(&headroom, p->memory_node_headroom, e) < 0) {
		err_wrap(e, "spec.memory.nodeMemoryHeadroom");
		return NULL;
	}
	return xasprintf("node-memory-headroom=%" PRId64
			 "\nxmx-ratio=%.6g\nheap-headroom-ratio=%.6g\n"
			 "query-max-total-ratio=%.6g\n",
			 headroom, p->ratios.xmx_to_total, p->ratios.heap_headroom,
			 p->ratios.query_max_total_per_node);
}

static struct etc_file *find(const struct etc_files *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		if (streq(f->list[i].name, name))
			return &f->list[i];
	}
	return NULL;
}

static void put(struct etc_files *f, char *key, const char *name, char *bytes, size_t len,
		bool binary)
{
	struct etc_file *file = find(f, name);

	if (file) {
		free(file->name);
		free(file->key);
		free(file->bytes);
	} else {
		f->list = xreallocarray(f->list, f->n + 1, sizeof(*f->list));
		file = &f->list[f->n++];
	}
	*file = (struct etc_file){xstrdup(name), key, bytes, len, binary};
}

static void put_text(struct etc_files *f, enum role role, const char *name, char *text)
{
	put(f, xasprintf("%s.%s", role_name(role), name), name, text, strlen(text), false);
}

static bool key_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 240 &&
	       strspn(name, "-._ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
		       len &&
	       name[0] != '.';
}

/* Files of the user's, the same for both roles. */
static int put_extra(struct etc_files *f, const json_t *files, bool binary, struct err *e)
{
	static const char *const ours[] = {"config.properties", "jvm.config", "node.properties",
					   "memory.properties"};
	const char *field = binary ? "spec.additionalEtcPrestoBinaryFiles"
				   : "spec.additionalEtcPrestoTextFiles";
	const char *name;
	json_t *value;

	jx_foreach (files, name, value) {
		const char *text = json_string_value(value);
		char *bytes = NULL;
		size_t len = 0;

		if (!text)
			return err_set(e, ERR_INVALID, "%s.%s: must be a text", field, name);
		if (!key_ok(name))
			return err_set(
				e, ERR_INVALID,
				"%s: \"%.80s\" is not a file name of letters, digits, '-', '_' and '.'",
				field, name);
		for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
			if (!streq(name, ours[i]))
				continue;
			err_set(e, ERR_INVALID, "%s.%s: this file is written by the operator",
				field, name);
			return err_hint(
				e, "use additionalProperties or additionalJvmConfigProperties");
		}
		if (find(f, name) && strcmp(name, "log.properties") != 0)
			return err_set(e, ERR_INVALID, "%s.%s: is among the text files too", field,
				       name);
		if (binary && base64_decode(&bytes, &len, text, e) < 0)
			return err_wrap(e, "%s.%s", field, name);
		put(f, xasprintf("etc.%s", name), name, binary ? bytes : xstrdup(text),
		    binary ? len : strlen(text), binary);
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct etc_file *)a)->name, ((const struct etc_file *)b)->name);
}

int etc_files_of(struct etc_files *out, const struct presto *p, enum role role, struct err *e)
{
	AUTO(etc_files_release) struct etc_files f = {0};
	struct sizes sizes;
	char *text = NULL;

	if (sizes_of(&sizes, p, role, e) < 0 || config_properties(&text, p, role, &sizes, e) < 0)
		return -1;
	put_text(&f, role, "config.properties", text);
	if (jvm_config(&text, p, &sizes, e) < 0)
		return -1;
	put_text(&f, role, "jvm.config", text);
	put_text(&f, role, "node.properties",
		 xasprintf("node.environment=%s\nnode.data-dir=%s\n", p->env, AGENT_DATA_DIR));
	put_text(&f, role, "log.properties", xstrdup("io.prestosql=INFO\n"));
	if (sizes.whole_node) {
		text = memory_properties(p, e);
		if (!text)
			return -1;
		put_text(&f, role, "memory.properties", text);
	}
	if (put_extra(&f, p->etc_text_files, false, e) < 0 ||
	    put_extra(&f, p->etc_binary_files, true, e) < 0)
		return -1;
	qsort(f.list, f.n, sizeof(*f.list), by_name);
	*out = f;
	f = (struct etc_files){0};
	return 0;
}

void etc_files_release(struct etc_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].name);
		free(f->list[i].key);
		free(f->list[i].bytes);
	}
	free(f->list);
	*f = (struct etc_files){0};
}

static void add_files(json_t *data, json_t *binary, const struct etc_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct etc_file *file = &f->list[i];
		autofree char *text = file->binary ? base64_encode(file->bytes, file->len) : NULL;

		json_object_set_new(file->binary ? binary : data, file->key,
				    json_string(text ? text : file->bytes));
	}
}

int desired_config(json_t **out, const struct presto *p, const struct etc_files *coordinator,
		   const struct etc_files *worker, struct err *e)
{
	autojson json_t *map = NULL;
	json_t *data = json_object(), *binary = json_object();
	char name[NAME_SIZE];

	name_child(name, "presto-config", p->cluster);
	map = desired_object("v1", "ConfigMap", name, p, ROLE_CONFIGURATION);
	add_files(data, binary, coordinator);
	add_files(data, binary, worker);
	json_object_set_new(map, "data", data);
	if (json_object_size(binary))
		json_object_set(map, "binaryData", binary);
	json_decref(binary);
	if (config_fits(map, "the configuration with its additional etc files", e) < 0)
		return -1;
	*out = TAKE(map);
	return 0;
}

int config_fits(const json_t *map, const char *what, struct err *e)
{
	static const char *const sections[] = {"data", "binaryData"};
	size_t total = 0;

	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		const char *key;
		json_t *value;

		jx_foreach (jx_get(map, sections[i]), key, value)
			total += strlen(key) + json_string_length(value);
	}
	if (total <= CONFIG_MAX)
		return 0;
	err_set(e, ERR_INVALID, "%s: %zu bytes, more than the %u that fit into a ConfigMap", what,
		total, CONFIG_MAX);
	return err_hint(e, "put large files into the image, or into a volume");
}
