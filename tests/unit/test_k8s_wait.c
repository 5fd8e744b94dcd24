/* Waiting, events and pods' troubles against a server that misbehaves. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "k8s/event.h"
#include "k8s/wait.h"
#include "tests/fault/faultserver.h"

struct setup {
	struct fault *f;
	struct loop *l;
	struct k8s *k;
	char whys[2048];
};

static struct setup *current; /* on_change has only the condition's argument */

static int begin(void **state)
{
	struct setup *s = xcalloc(1, sizeof(*s));
	struct k8s_config c = K8S_CONFIG_INIT;
	const struct k8s_opts o = {.user_agent = "tests", .timeout = 2 * NS_SEC};
	struct err e = ERR_INIT;

	assert_ok(loop_new(&s->l, &e), &e);
	s->f = fault_start(NULL);
	c.server = xstrdup(fault_url(s->f));
	assert_ok(k8s_new(&s->k, s->l, &c, &o, &e), &e);
	*state = current = s;
	return 0;
}

static int end(void **state)
{
	struct setup *s = *state;

	k8s_free(s->k);
	loop_free(s->l);
	fault_stop(s->f);
	free(s);
	return 0;
}

#define PODS     "/api/v1/namespaces/ns/pods"
#define GET      PODS "/a"
#define WATCH    PODS "?watch=1"
#define META(rv) "\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"resourceVersion\":\"" rv "\"}"
#define POD(rv, ready)                                                                      \
	"{" META(rv) ",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"" ready \
		     "\",\"reason\":\"R" rv "\"}]}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define GONE                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":\"not found\",\"code\":404}"

static void on_change(const char *why, void *arg UNUSED)
{
	size_t len = strlen(current->whys);

	snprintf(current->whys + len, sizeof(current->whys) - len, "%s|", why);
}

static int wait_ready(struct setup *s, json_t **out, ns_t within, struct err *e)
{
	const struct k8s_ref ref = {"ns", "a"};
	char type[] = "Ready";

	return k8s_wait(out, s->k, &K8S_POD, &ref, k8s_cond_true, type, on_change,
			clock_mono() + within, e);
}

static void an_object_that_is_there_is_watched_from_its_version(void **state)
{
	struct setup *s = *state;
	autojson json_t *o = NULL;
	struct err e = ERR_INIT;

	fault_script(s->f, "GET", GET, FAULT_BODY(POD("5", "False")));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("MODIFIED", POD("6", "False"))),
		     FAULT_DELAY(50), FAULT_CHUNK(EVENT("MODIFIED", POD("7", "True"))), FAULT_HOLD);
	assert_ok(wait_ready(s, &o, 5 * NS_SEC, &e), &e);
	assert_string_equal(obj_rv(o), "7");
	/* Of states that come at once only the newest is looked at. */
	assert_int_equal(strncmp(s->whys, "R5|", 3), 0);
	assert_has(fault_request(s->f, 1)->target, "resourceVersion=5");
	assert_has(fault_request(s->f, 1)->target, "fieldSelector=metadata.name%3Da");
}

static void an_absent_object_is_watched_from_the_lists_version(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_script(s->f, "GET", GET, FAULT_STATUS(404), FAULT_BODY(GONE));
	fault_script(s->f, "GET", PODS "?!watch",
		     FAULT_BODY("{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":[]}"));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", POD("41", "True"))),
		     FAULT_HOLD);
	assert_ok(wait_ready(s, NULL, 5 * NS_SEC, &e), &e);
	assert_has(fault_request(s->f, 2)->target, "resourceVersion=40");
}

static void lost_expired_and_refused_watches_are_begun_again(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_always(s->f, "GET", GET, FAULT_BODY(POD("5", "False")));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK("{\"type\":\"MOD"), FAULT_RESET);
	fault_script(
		s->f, "GET", WATCH,
		FAULT_CHUNK(
			"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n"));
	fault_script(s->f, "GET", WATCH, FAULT_STATUS(503), FAULT_BODY("x"));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("MODIFIED", POD("9", "True"))),
		     FAULT_HOLD);
	assert_ok(wait_ready(s, NULL, 20 * NS_SEC, &e), &e);
	assert_string_equal(s->whys, "R5|");
}

static void gone_and_back_again_counts_as_gone(void **state)
{
	struct setup *s = *state;
	const struct k8s_ref ref = {"ns", "a"};
	struct err e = ERR_INIT;

	fault_script(s->f, "GET", GET, FAULT_BODY(POD("5", "False")));
	fault_script(
		s->f, "GET", WATCH,
		FAULT_CHUNK(EVENT("DELETED", POD("6", "False")) EVENT("ADDED", POD("7", "False"))),
		FAULT_HOLD);
	assert_ok(k8s_wait(NULL, s->k, &K8S_POD, &ref, k8s_cond_gone, NULL, NULL,
			   clock_mono() + 5 * NS_SEC, &e),
		  &e);
}

static void the_time_out_tells_what_was_missing(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_always(s->f, "GET", GET, FAULT_BODY(POD("5", "False")));
	fault_always(s->f, "GET", WATCH, FAULT_CHUNK(""), FAULT_HOLD);
	assert_int_equal(wait_ready(s, NULL, 300 * NS_MS, &e), -1);
	assert_string_equal(e.msg, "Pod ns/a: timed out: R5");
	assert_fails(-1, &e, ERR_TIMEOUT);
}

static void a_server_that_is_down_is_borne_until_the_deadline(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_always(s->f, "GET", GET, FAULT_STATUS(503), FAULT_BODY("down"));
	assert_int_equal(wait_ready(s, NULL, 2 * NS_SEC, &e), -1);
	assert_has(e.msg, "the API server does not answer");
	assert_fails(-1, &e, ERR_TIMEOUT);
	fault_clear(s->f);
	fault_always(s->f, "GET", GET, FAULT_STATUS(403),
		     FAULT_BODY("{\"kind\":\"Status\",\"message\":\"no\"}"));
	assert_fails(wait_ready(s, NULL, 5 * NS_SEC, &e), &e, ERR_DENIED);
}

/* --- events ---------------------------------------------------------------------------------------- */

static const struct event_ref about = {"v1", "Pod", "ns", "a", "u"};
#define EVENTS "/api/v1/namespaces/ns/events"

static void turn(struct setup *s, ns_t time)
{
	struct err e = ERR_INIT;

	assert_ok(loop_sleep(s->l, time, &e), &e);
}

static void repeated_events_are_written_once_at_first(void **state)
{
	struct setup *s = *state;
	struct events *ev = events_new(s->k, "unit", "unit-0");
	autojson json_t *body = NULL;
	struct err e = ERR_INIT;

	fault_always(s->f, "POST", EVENTS, FAULT_STATUS(201), FAULT_BODY("{}"));
	for (int i = 0; i < 20; i++)
		events_record_ref(ev, &about, false, "Scaled", "to 3");
	turn(s, 100 * NS_MS);
	events_record_ref(ev, &about, false, "Scaled", "to 4");
	turn(s, 100 * NS_MS);
	assert_int_equal(fault_count_of(s->f, "POST", EVENTS), 2);
	assert_int_equal(fault_count(s->f), 2);
	const struct fault_request *r = fault_request(s->f, 0);
	assert_ok(jx_parse(&body, r->body, r->body_len, "event", &e), &e);
	assert_string_equal(jx_str(body, "involvedObject.uid"), "u");
	assert_string_equal(jx_str(body, "reason"), "Scaled");
	assert_string_equal(jx_str(body, "type"), "Normal");
	assert_string_equal(jx_str(body, "reportingComponent"), "unit");
	events_free(ev);
}

static void events_that_fail_do_not_matter_and_too_many_make_room(void **state)
{
	struct setup *s = *state;
	struct events *ev = events_new(s->k, "unit", "unit-0");
	char message[16];

	fault_always(s->f, "POST", EVENTS, FAULT_STATUS(403), FAULT_BODY("no"));
	for (int i = 0; i < 300; i++) {
		snprintf(message, sizeof(message), "m%d", i);
		events_record_ref(ev, &about, true, "Odd", message);
	}
	turn(s, 200 * NS_MS);
	events_free(ev); /* with calls and timers still running */
}

/* --- pods ------------------------------------------------------------------------------------------ */

static void troubles_of_pods_are_told_in_words(void **state)
{
	struct setup *s = *state;
	static const struct {
		const char *status, *text;
		bool fatal;
	} cases[] = {
		{"\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]",
		 NULL, false},
		{"\"phase\":\"Succeeded\"", NULL, false},
		{"\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
		 "\"message\":\"0/1 nodes are available: 1 Insufficient memory.\"}]",
		 "pod a: not scheduled: 0/1 nodes are available: 1 Insufficient memory.", false},
		{"\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"c\",\"image\":\"x:1\",\"state\":{"
		 "\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"not found\"}}}]",
		 "pod a: container c: ErrImagePull: image x:1: not found", false},
		{"\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"image\":\"x:1\",\"state\":{"
		 "\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off pulling image x:1\"}}}],"
		 "\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"PodInitializing\"}}}]",
		 "pod a: container i: ImagePullBackOff: Back-off pulling image x:1", true},
		{"\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":"
		 "\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":137,\"reason\":"
		 "\"OOMKilled\"}}}]",
		 "pod a: container c: CrashLoopBackOff\n  it ended with exit code 137 (OOMKilled)\n"
		 "  | line one\n  | line two",
		 true},
		{"\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":"
		 "\"ContainerCreating\"}}}]",
		 "pod a: container c is starting (ContainerCreating)", false},
		{"\"phase\":\"Running\"", "pod a: running, not ready yet", false},
		{"\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"disk\"",
		 "pod a: failed: Evicted: disk", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *body = xasprintf(
			"{\"metadata\":{},\"items\":[{" META("1") ",\"status\":{%s}}]}",
			cases[i].status);
		autofree char *text = NULL;
		bool fatal = true;
		struct err e = ERR_INIT;

		fault_clear(s->f);
		fault_script(s->f, "GET", PODS, FAULT_BODY(body));
		fault_script(s->f, "GET", GET "/log", FAULT_BODY("line one\nline two\n"));
		assert_ok(k8s_pods_trouble(&text, &fatal, s->k, "ns", "a=b", true, &e), &e);
		if (!streq(text, cases[i].text))
			fail_msg("case %zu: %s", i, text ? text : "nothing");
		assert_int_equal(fatal, cases[i].fatal);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_object_that_is_there_is_watched_from_its_version),
		T(an_absent_object_is_watched_from_the_lists_version),
		T(lost_expired_and_refused_watches_are_begun_again),
		T(gone_and_back_again_counts_as_gone),
		T(the_time_out_tells_what_was_missing),
		T(a_server_that_is_down_is_borne_until_the_deadline),
		T(repeated_events_are_written_once_at_first),
		T(events_that_fail_do_not_matter_and_too_many_make_room),
		T(troubles_of_pods_are_told_in_words),
	};

	return RUN(tests);
}
