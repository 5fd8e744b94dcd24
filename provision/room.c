/* room.c - first fit of the pods, the largest first, into what the nodes have left. */
#include "provision/room.h"

#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "k8s/obj.h"

struct amount {
	int64_t memory, cpu; /* bytes, thousandths */
};

struct room_node {
	const char *name;
	const json_t *labels;
	struct amount all, free;
	int64_t pods; /* how many more it takes */
};

struct asked {
	const char *role;
	struct amount each;
	const json_t *selector;
	int count;
};

static int64_t memory_of(const char *text)
{
	struct err e = ERR_INIT;
	int64_t n = 0;

	return text && *text && quantity_to_bytes(&n, text, &e) == 0 ? n : 0;
}

static int64_t cpu_of(const char *text)
{
	struct err e = ERR_INIT;
	int64_t n = 0;

	return text && *text && quantity_to_milli(&n, text, &e) == 0 ? n : 0;
}

/* Nodes that the scheduler would not use for pods without tolerations. */
static bool takes_pods(const json_t *node)
{
	const json_t *taints = jx_path(node, "spec.taints");

	if (jx_bool(node, "spec.unschedulable"))
		return false;
	for (size_t i = 0; i < json_array_size(taints); i++) {
		const char *effect = jx_str_or(json_array_get(taints, i), "effect", "");

		if (streq(effect, "NoSchedule") || streq(effect, "NoExecute"))
			return false;
	}
	return true;
}

static size_t read_nodes(struct room_node *out, const json_t *nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);
		struct room_node *r = &out[n];

		if (!takes_pods(node))
			continue;
		r->name = obj_name(node);
		r->labels = jx_path(node, "metadata.labels");
		r->all.memory = memory_of(jx_str(node, "status.allocatable.memory"));
		r->all.cpu = cpu_of(jx_str(node, "status.allocatable.cpu"));
		r->pods = memory_of(jx_str_or(node, "status.allocatable.pods", "110"));
		r->free = r->all;
		n++;
	}
	return n;
}

static struct amount requests_of(const json_t *pod)
{
	const json_t *containers = jx_path(pod, "spec.containers");
	struct amount sum = {0};

	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *one = json_array_get(containers, i);

		sum.memory += memory_of(jx_str(one, "resources.requests.memory"));
		sum.cpu += cpu_of(jx_str(one, "resources.requests.cpu"));
	}
	return sum;
}

static void subtract_pods(struct room_node *r, size_t n, const json_t *pods, const char *own)
{
	for (size_t i = 0; i < json_array_size(pods); i++) {
		const json_t *pod = json_array_get(pods, i);
		const char *node = jx_str(pod, "spec.nodeName"),
			   *phase = jx_str_or(pod, "status.phase", "");
		struct amount a;

		if (!node || streq(phase, "Succeeded") || streq(phase, "Failed") ||
		    (own && *own && streq(obj_label(pod, "instance"), own)))
			continue;
		a = requests_of(pod);
		for (size_t j = 0; j < n; j++) {
			if (!streq(r[j].name, node))
				continue;
			r[j].free.memory -= a.memory;
			r[j].free.cpu -= a.cpu;
			r[j].pods--;
		}
	}
}

static bool selected(const struct room_node *r, const json_t *selector)
{
	const json_t *want;
	const char *key;

	jx_foreach (selector, key, want)
		if (!streq(json_string_value(jx_get(r->labels, key)), json_string_value(want)))
			return false;
	return true;
}

static bool within(struct amount a, struct amount b)
{
	return a.memory <= b.memory && a.cpu <= b.cpu;
}

/* The requests that the operator will give the pods: memoryAllocation is request and limit; a CPU limit alone counts as
 * a request too, as the API server makes it one. */
static struct asked asked_of(const char *role, const struct presto_node *node, int count)
{
	const char *cpu = node->cpu_request && *node->cpu_request ? node->cpu_request
								  : node->cpu_limit;

	return (struct asked){role,
			      {memory_of(node->memory_allocation), cpu_of(cpu)},
			      node->node_selector,
			      count};
}

static void say(char words[400], const struct asked *a, const struct room_node *r, size_t n,
		bool empty)
{
	char memory[QUANTITY_SIZE], cpu[QUANTITY_SIZE];
	size_t len;

	quantity_format_bytes(memory, a->each.memory);
	quantity_format_milli(cpu, a->each.cpu);
	snprintf(words, 400, "a %s asks for %s of memory and %s CPU; %s: ", a->role, memory, cpu,
		 empty ? "the nodes have" : "free are");
	for (size_t i = 0; i < n && i < 4; i++) {
		const struct amount *have = empty ? &r[i].all : &r[i].free;

		quantity_format_bytes(memory, have->memory > 0 ? have->memory : 0);
		quantity_format_milli(cpu, have->cpu > 0 ? have->cpu : 0);
		len = strlen(words);
		snprintf(words + len, 400 - len, "%s%.60s %s and %s CPU", i ? ", " : "", r[i].name,
			 memory, cpu);
	}
	len = strlen(words);
	if (n > 4)
		snprintf(words + len, 400 - len, ", and %zu more nodes", n - 4);
}

static bool place(const struct asked *a, struct room_node *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!selected(&r[i], a->selector) || r[i].pods < 1 || !within(a->each, r[i].free))
			continue;
		r[i].free.memory -= a->each.memory;
		r[i].free.cpu -= a->each.cpu;
		r[i].pods--;
		return true;
	}
	return false;
}

static bool could_ever(const struct asked *a, const struct room_node *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (selected(&r[i], a->selector) && within(a->each, r[i].all))
			return true;
	return false;
}

enum room_answer room_look(const struct presto *p, const json_t *nodes, const json_t *pods,
			   const char *own, char words[400])
{
	struct room_node *r = xcalloc(json_array_size(nodes) + 1, sizeof(*r));
	autofree struct room_node *holder = r;
	struct asked asked[] = {asked_of("worker", &p->worker, p->worker_count),
				asked_of("coordinator", &p->coordinator, 1)};
	size_t n = read_nodes(r, nodes);
	bool larger = asked[1].each.memory > asked[0].each.memory;

	words[0] = '\0';
	(void)holder;
	if (!n)
		return ROOM_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		if (asked[i].count && !could_ever(&asked[i], r, n)) {
			say(words, &asked[i], r, n, true);
			return ROOM_NEVER;
		}
	}
	subtract_pods(r, n, pods, own);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		const struct asked *a = &asked[larger ? 1 - i : i];

		for (int k = 0; k < a->count; k++) {
			if (place(a, r, n))
				continue;
			say(words, a, r, n, false);
			return ROOM_NOT_NOW;
		}
	}
	return ROOM_FITS;
}
