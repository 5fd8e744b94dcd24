/*
 * rules.c - what the schema cannot say about a resource. They look at the values as they will be
 * used, defaults included, as a wish of the user may collide with a default.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "presto/findings.h"

/* The value of a quantity field, or its default. */
static const char *quantity_of(const json_t *resource, const char *path, char number[24])
{
	const char *text = quantity_text(jx_path(resource, path), number);

	return text ? text : field_fallback(path);
}

static double number_of(const json_t *resource, const char *path)
{
	const json_t *v = jx_path(resource, path);

	return json_is_number(v) ? json_number_value(v) : strtod(field_fallback(path), NULL);
}

/* --- memory ------------------------------------------------------------------------------------
 */

static struct memory_ratios ratios_of(const json_t *resource)
{
	return (struct memory_ratios){
		.xmx_to_total = number_of(resource, "spec.memory.xmxToTotalMemoryRatio"),
		.heap_headroom = number_of(resource, "spec.memory.heapHeadroomPerNodeRatio"),
		.query_max_total_per_node = number_of(
			resource, "spec.memory.queryMaxTotalMemoryPerNodePoolFraction"),
	};
}

static void check_quantity(struct findings *f, const json_t *resource, const char *path,
			   int64_t least)
{
	char number[24], q[QUOTED_SIZE];
	const char *text = quantity_of(resource, path, number);
	struct place at = place_of(path);
	struct err e = ERR_INIT;
	int64_t bytes;

	if (quantity_to_bytes(&bytes, text, &e) < 0)
		found(f, &at, "Invalid value: %s: %s", quoted(q, text), e.msg);
	else if (bytes < least)
		found(f, &at, "Invalid value: %s: must be at least %" PRId64 " bytes",
		      quoted(q, text), least);
}

static void check_plan(struct findings *f, const json_t *resource, const char *path)
{
	struct memory_ratios r = ratios_of(resource);
	struct place at = place_of(path);
	char number[24], q[QUOTED_SIZE];
	const char *text = quantity_of(resource, path, number);
	struct memory_plan plan;
	struct err e = ERR_INIT;
	int64_t bytes;

	if (!*text)
		return; /* the whole node: known only there */
	if (quantity_to_bytes(&bytes, text, &e) < 0 || memory_plan_of(&plan, bytes, &r, &e) < 0)
		found(f, &at, "Invalid value: %s: %s%s%s", quoted(q, text), e.msg,
		      *e.hint ? "; " : "", e.hint);
}

static void check_memory(struct findings *f, const json_t *resource)
{
	struct memory_ratios r = ratios_of(resource);
	struct place at = place_of("spec.memory");
	struct memory_plan plan;
	struct err e = ERR_INIT;

	check_quantity(f, resource, "spec.memory.nodeMemoryHeadroom", 0);
	check_quantity(f, resource, "spec.memory.queryMaxMemory", 1);
	/* The ratios by themselves first: with 1 TiB nothing but they can be at fault. */
	if (memory_plan_of(&plan, (int64_t)1 << 40, &r, &e) < 0) {
		found(f, &at, "Invalid value: \"object\": %s%s%s", e.msg, *e.hint ? "; " : "",
		      e.hint);
		return;
	}
	check_plan(f, resource, "spec.coordinator.memoryAllocation");
	check_plan(f, resource, "spec.worker.memoryAllocation");
}

/* --- CPU ---------------------------------------------------------------------------------------
 */

static bool cpu_of(int64_t *milli, struct findings *f, const json_t *resource, const char *path)
{
	char number[24], q[QUOTED_SIZE];
	const char *text = quantity_of(resource, path, number);
	struct place at = place_of(path);
	struct err e = ERR_INIT;

	if (!*text)
		return false;
	if (quantity_to_milli(milli, text, &e) == 0)
		return true;
	found(f, &at, "Invalid value: %s: %s", quoted(q, text), e.msg);
	return false;
}

static void check_cpu(struct findings *f, const json_t *resource, const char *request_path,
		      const char *limit_path)
{
	char asked[24], most[24];
	int64_t request, limit;

	if (!cpu_of(&request, f, resource, request_path) ||
	    !cpu_of(&limit, f, resource, limit_path) || request <= limit)
		return;
	bool said = quantity_text(jx_path(resource, request_path), asked) != NULL;
	/* Whoever wrote only the limit looks for the fault there. */
	struct place at = place_of(said ? request_path : limit_path);
	found(f, &at, "Invalid value: \"%s\": a cpuRequest of %s%s is more than the cpuLimit of %s",
	      quantity_of(resource, said ? request_path : limit_path, asked),
	      quantity_of(resource, request_path, asked), said ? "" : " (the default)",
	      quantity_of(resource, limit_path, most));
}

/* --- image -------------------------------------------------------------------------------------
 */

static bool is_path_part(const char *s, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < len; i++) {
		bool separator = s[i] == '.' || s[i] == '_' || s[i] == '-';

		if (!separator && !strchr(letters, s[i]))
			return false;
		if (separator && (i == 0 || i + 1 == len))
			return false;
	}
	return len > 0;
}

/* [host[:port]/]part[/part]... without tag and digest; only the host may have capitals and a port.
 */
static bool is_repository(const char *s)
{
	const char *slash = strchr(s, '/');

	if (slash) {
		size_t host = (size_t)(slash - s), name = strcspn(s, ":");

		if (memchr(s, '.', host) || name < host ||
		    (host == 9 && !strncmp(s, "localhost", 9))) {
			if (host == 0 ||
			    (name < host && strspn(s + name + 1, "0123456789") != host - name - 1))
				return false;
			s = slash + 1;
		}
	}
	while (*s) {
		size_t len = strcspn(s, "/");

		if (!is_path_part(s, len) || streq(s + len, "/"))
			return false;
		s += len + (s[len] == '/');
	}
	return true;
}

static void check_image(struct findings *f, const json_t *resource)
{
	const char *prefix = jx_str_or(resource, "spec.imageNamePrefix", "");
	const char *name = jx_str_or(resource, "spec.image.name",
				     field_fallback("spec.image.name"));
	const char *tag = jx_str_or(resource, "spec.image.tag", "");
	struct place at = place_of("spec.image.name");
	char q[QUOTED_SIZE];

	const char *own = image_tag_of(name);
	if (*tag && own) {
		at = place_of("spec.image.tag");
		found(f, &at, "Invalid value: %s: image.name has a tag or digest of its own",
		      quoted(q, tag));
		return;
	}
	size_t bare = own ? (size_t)(own - name) : strlen(name);
	autofree char *repository = xasprintf("%s%.*s", prefix, (int)bare, name);
	if (strlen(repository) > 255 || !is_repository(repository) || (own && !own[1])) {
		autofree char *unprefixed = xstrndup(name, bare);

		if (*prefix && is_repository(unprefixed))
			at = place_of("spec.imageNamePrefix");
		found(f, &at, "Invalid value: %s: not the name of an image", quoted(q, repository));
	}
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void check_service(struct findings *f, const json_t *resource)
{
	static const char *const ours[] = {"selector", "type"};
	struct place at = place_of("spec.service.nodePort");
	const json_t *more = jx_path(resource, "spec.service.additionalSpecProperties");

	if (json_is_number(jx_path(resource, "spec.service.nodePort")) &&
	    !streq(jx_str(resource, "spec.service.type"), "NodePort"))
		found(f, &at, "Invalid value: \"object\": nodePort needs type NodePort");
	at = place_of("spec.service.additionalSpecProperties");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		struct place p = place_child(&at, ours[i]);

		if (jx_get(more, ours[i]))
			found(f, &p, "Forbidden: %s is set by the operator", ours[i]);
	}
}

/* The server would drop such an entry without a word; whoever wrote it meant something. */
static void check_nulls(struct findings *f, const json_t *resource)
{
	static const char *const maps[] = {
		"spec.additionalCatalogs", "spec.additionalEtcPrestoTextFiles",
		"spec.additionalEtcPrestoBinaryFiles", "spec.coordinator.nodeSelector",
		"spec.worker.nodeSelector"};
	const char *k;
	const json_t *v;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct place at = place_of(maps[i]);

		jx_foreach (jx_path(resource, maps[i]), k, v) {
			struct place p = place_child(&at, k);

			if (json_is_null(v))
				found(f, &p, "Required value: has no text");
		}
	}
}

static const char *jvm_line_fault(const char *line)
{
	static const char *const heap[] = {"-Xmx", "-XX:MaxHeapSize", "-XX:MaxRAM"};

	if (*line != '-')
		return "each line is one option and begins with '-'";
	for (size_t i = 0; i < ARRAY_LEN(heap); i++)
		if (starts_with(line, heap[i]))
			return "the heap follows from memoryAllocation and "
			       "memory.xmxToTotalMemoryRatio";
	return NULL;
}

static void check_jvm(struct findings *f, const json_t *resource)
{
	const char *text = jx_str_or(resource, "spec.additionalJvmConfigProperties", "");
	struct place at = place_of("spec.additionalJvmConfigProperties");

	while (*text) {
		text += strspn(text, " \t\r\n");
		size_t len = strcspn(text, "\r\n");
		autofree char *line = xstrndup(text, len);
		char q[QUOTED_SIZE];
		const char *fault = *line && *line != '#' ? jvm_line_fault(line) : NULL;

		if (fault)
			found(f, &at, "Invalid value: %s: %s", quoted(q, line), fault);
		text += len;
	}
}

void rules_check(struct findings *f, const json_t *resource)
{
	check_nulls(f, resource);
	check_image(f, resource);
	check_jvm(f, resource);
	rules_files_check(f, jx_get(resource, "spec"));
	check_service(f, resource);
	check_memory(f, resource);
	check_cpu(f, resource, "spec.coordinator.cpuRequest", "spec.coordinator.cpuLimit");
	check_cpu(f, resource, "spec.worker.cpuRequest", "spec.worker.cpuLimit");
}
