/* test_status.c - words and conditions from facts. */
#include "tests/unit/unit.h"

#include "operator/status.h"
#include "operator/view.h"

#define NOW "2020-01-01T00:00:00Z"

static const struct role_facts up1 = {
	.exists = true, .observed = true, .replicas = 1, .updated = 1, .ready = 1, .available = 1};
static const struct role_facts up2 = {
	.exists = true, .observed = true, .replicas = 2, .updated = 2, .ready = 2, .available = 2};

static struct status_facts base(void)
{
	return (struct status_facts){.generation = 3,
				     .now = NOW,
				     .name = "example",
				     .service = "presto-coordinator-example",
				     .desired = 2,
				     .coordinator = up1,
				     .worker = up2,
				     .asked = true,
				     .active = 2,
				     .version = "312"};
}

static const json_t *condition(const json_t *status, const char *type)
{
	size_t i;
	json_t *c;

	json_array_foreach (jx_get(status, "conditions"), i, c) {
		if (streq(jx_str(c, "type"), type))
			return c;
	}
	return NULL;
}

static void expect(const struct status_facts *f, const char *ready, const char *progressing,
		   const char *reason, const char *words)
{
	json_t *s = status_of(f);
	const json_t *c = condition(s, "Ready");

	assert_string_equal(jx_str(s, "message"), words);
	assert_string_equal(jx_str(c, "message"), words);
	assert_string_equal(jx_str(c, "status"), ready);
	assert_string_equal(jx_str(c, "reason"), reason);
	assert_string_equal(jx_str(condition(s, "Progressing"), "status"), progressing);
	assert_int_equal(jx_int(s, "observedGeneration"), 3);
	assert_int_equal(jx_int(c, "observedGeneration"), 3);
	json_decref(s);
}

static void words_follow_a_cluster_from_nothing_to_ready(void **state UNUSED)
{
	struct status_facts f = base();

	f.coordinator = f.worker = (struct role_facts){0};
	f.asked = false;
	f.active = 0;
	expect(&f, "False", "True", "CoordinatorStarting", "waiting for the coordinator's pod");
	f.coordinator = up1;
	f.coordinator.ready = 0;
	expect(&f, "False", "True", "CoordinatorStarting", "the coordinator is starting");
	f.coordinator = up1;
	f.asked = f.starting = true;
	expect(&f, "False", "True", "CoordinatorStarting", "the coordinator is starting");
	f.starting = false;
	f.worker = up2;
	f.worker.ready = f.worker.available = 0;
	expect(&f, "False", "True", "WorkersMissing", "0 of 2 workers have joined");
	f.active = 1;
	expect(&f, "False", "True", "WorkersMissing", "1 of 2 workers has joined");
	f.active = 2;
	f.worker = up2;
	expect(&f, "True", "False", "Ready", "2 of 2 workers have joined");
	f.desired = f.active = 1;
	f.worker = up1;
	expect(&f, "True", "False", "Ready", "1 of 1 worker has joined");
}

static void trouble_is_named_and_stops_the_waiting_when_it_is_final(void **state UNUSED)
{
	struct status_facts f = base();

	f.coordinator.ready = 0;
	f.coordinator.trouble = "pod c-1: ImagePullBackOff: no such image";
	f.coordinator.fatal = true;
	expect(&f, "False", "False", "CoordinatorFailing",
	       "coordinator pod c-1: ImagePullBackOff: no such image");
	f.coordinator.trouble = "pod c-1: Unschedulable: 0/2 nodes are available";
	f.coordinator.fatal = false;
	expect(&f, "False", "True", "CoordinatorWaiting",
	       "coordinator pod c-1: Unschedulable: 0/2 nodes are available");
	f = base();
	f.active = 1;
	f.worker.trouble = "pod w-1: CrashLoopBackOff";
	f.worker.fatal = true;
	expect(&f, "False", "False", "WorkersFailing",
	       "1 of 2 workers has joined; worker pod w-1: CrashLoopBackOff");
	f.worker.failure = "exceeded quota";
	expect(&f, "False", "False", "WorkersFailing",
	       "1 of 2 workers has joined; worker pods cannot be made: exceeded quota");
}

static void scaling_and_rolling_are_told_apart(void **state UNUSED)
{
	struct status_facts f = base();

	f.desired = 3;
	expect(&f, "False", "True", "WorkersMissing", "2 of 3 workers have joined");
	f.desired = 1;
	expect(&f, "True", "True", "Ready",
	       "2 workers have joined, 1 asked for: the others are finishing their work");
	f = base();
	f.worker.updated = 1;
	expect(&f, "True", "True", "RollingOut", "workers are being replaced: 1 of 2 done");
}

static void a_coordinator_that_does_not_tell_is_judged_by_its_pods(void **state UNUSED)
{
	struct status_facts f = base();

	f.asked = false;
	f.active = 0;
	f.unreachable = true;
	expect(&f, "True", "False", "Ready", "2 of 2 workers have joined");
	f = base();
	f.active = -1; /* an engine without an open /v1/cluster */
	expect(&f, "True", "False", "Ready", "2 of 2 workers have joined");
}

static void an_invalid_resource_keeps_the_name_it_had(void **state UNUSED)
{
	struct status_facts f = base();
	json_t *old = status_of(&f), *s;

	f.old = old;
	f.name = NULL;
	f.invalid = "spec.nameOverride: no";
	f.invalid_reason = "NameChanged";
	expect(&f, "False", "False", "NameChanged", "spec.nameOverride: no");
	s = status_of(&f);
	assert_string_equal(jx_str(s, "name"), "example");
	assert_string_equal(jx_str(condition(s, "Accepted"), "status"), "False");
	json_decref(old);
	json_decref(s);
}

static void times_move_only_with_the_status(void **state UNUSED)
{
	struct status_facts f = base();
	json_t *old = status_of(&f), *same, *other;

	f.old = old;
	f.now = "2021-01-01T00:00:00Z";
	same = status_of(&f);
	assert_true(status_same(old, same));
	f.active = 1;
	other = status_of(&f);
	assert_false(status_same(old, other));
	assert_string_equal(jx_str(condition(other, "Ready"), "lastTransitionTime"),
			    "2021-01-01T00:00:00Z");
	assert_string_equal(jx_str(condition(other, "Accepted"), "lastTransitionTime"), NOW);
	json_decref(old);
	json_decref(same);
	json_decref(other);
}

static void what_others_write_into_the_status_is_not_ours_to_undo(void **state UNUSED)
{
	struct status_facts f = base();
	json_t *old = status_of(&f), *new = status_of(&f);

	json_object_set_new(old, "other", json_true());
	json_array_append_new(jx_get(old, "conditions"),
			      json_pack("{s:s, s:s}", "type", "Theirs", "status", "True"));
	assert_true(status_same(old, new));
	f.taken = "Service x is there already";
	json_decref(new);
	new = status_of(&f);
	assert_false(status_same(old, new));
	assert_false(status_same(new, old));
	json_decref(old);
	json_decref(new);
}

static void count(bool warning, const char *reason, const char *message UNUSED, void *arg)
{
	struct buf *b = arg;

	buf_fit(b, "%s%s ", warning ? "!" : "", reason);
}

static void each_transition_is_told_once(void **state UNUSED)
{
	AUTO(buf_release) struct buf told = BUF_INIT(1000);
	struct status_facts f = base();
	json_t *ready = status_of(&f), *missing, *taken, *invalid;

	f.active = 1;
	missing = status_of(&f);
	f.taken = "Service x is there already";
	taken = status_of(&f);
	f.taken = NULL;
	f.invalid = "no";
	f.invalid_reason = "Invalid";
	invalid = status_of(&f);
	status_transitions(NULL, missing, count, &told);
	status_transitions(missing, ready, count, &told);
	status_transitions(ready, ready, count, &told);
	status_transitions(ready, taken, count, &told);
	status_transitions(taken, ready, count, &told);
	status_transitions(ready, invalid, count, &told);
	status_transitions(invalid, ready, count, &told);
	assert_string_equal(buf_str(&told),
			    "WorkersMissing Ready !NotOurs Ready !Invalid Valid Ready ");
	json_decref(ready);
	json_decref(missing);
	json_decref(taken);
	json_decref(invalid);
}

static const struct {
	const char *status, *trouble;
	bool fatal;
} pods[] = {
	{"{'conditions':[{'type':'Ready','status':'True'}]}", NULL, false},
	{"{'containerStatuses':[{'name':'p','state':{'waiting':{'reason':'ContainerCreating'}}}]}",
	 NULL, false},
	{"{'containerStatuses':[{'name':'p','state':{'waiting':{'reason':'ImagePullBackOff','message':'Back-off'}}}]}",
	 "ImagePullBackOff: Back-off", true},
	{"{'initContainerStatuses':[{'name':'i','state':{'waiting':{'reason':'ErrImagePull','message':'no\\nsuch'}}}]}",
	 "ErrImagePull: no such", true},
	{"{'containerStatuses':[{'name':'p','restartCount':3,'state':{'waiting':{'reason':'CrashLoopBackOff'}},"
	 "'lastState':{'terminated':{'reason':'OOMKilled','exitCode':137}}}]}",
	 "CrashLoopBackOff: p ended with OOMKilled, exit code 137, 3 restart(s)", true},
	{"{'conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':'0/1 nodes'}]}",
	 "Unschedulable: 0/1 nodes", false},
	{"{'phase':'Failed','reason':'Evicted','message':'low on memory'}",
	 "Evicted: low on memory", false},
};

static void pods_tell_their_trouble(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(pods); i++) {
		autofree char *text = xasprintf(
			"{'metadata':{'name':'p','labels':{'instance':'a','role':'worker'}},'status':%s}",
			pods[i].status);
		struct pod pod = {0};
		json_t *obj;

		for (char *at = text; *at; at++)
			*at = *at == '\'' ? '"' : *at;
		obj = json_loads(text, 0, NULL);
		assert_non_null(obj);
		assert_int_equal(pod_project(&pod, obj), 0);
		if (!streq(pod.trouble, pods[i].trouble) || pod.fatal != pods[i].fatal)
			fail_msg("%s: \"%s\"", pods[i].status, pod.trouble ? pod.trouble : "");
		pod_release(&pod);
		json_decref(obj);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_follow_a_cluster_from_nothing_to_ready),
		cmocka_unit_test(trouble_is_named_and_stops_the_waiting_when_it_is_final),
		cmocka_unit_test(scaling_and_rolling_are_told_apart),
		cmocka_unit_test(a_coordinator_that_does_not_tell_is_judged_by_its_pods),
		cmocka_unit_test(an_invalid_resource_keeps_the_name_it_had),
		cmocka_unit_test(times_move_only_with_the_status),
		cmocka_unit_test(what_others_write_into_the_status_is_not_ours_to_undo),
		cmocka_unit_test(each_transition_is_told_once),
		cmocka_unit_test(pods_tell_their_trouble),
	};

	return RUN(tests);
}
