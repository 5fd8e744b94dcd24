/* Clusters, node pools and operations: bodies as Google's own client sends them, and every way in which
 * an operation can end. */
#include "tests/unit/gke_fixture.h"

#include "gke/container.h"

#define WHERE "/v1/projects/demo-proj/locations/us-central1-a"
#define DEMO  WHERE "/clusters/demo"
#define OP    WHERE "/operations/operation-1"

static const struct gke_ref demo = {"demo-proj", "us-central1-a", "demo"};
static const char started[] =
	"{\"name\":\"operation-1\",\"operationType\":\"CREATE_CLUSTER\",\"status\":\"RUNNING\","
	"\"selfLink\":\"https://container.googleapis.com/v1/projects/123456789/zones/us-central1-a/"
	"operations/operation-1\"}";

struct watch {
	unsigned looks;
	double last;
	char step[96];
};

static void on_progress(const struct gke_op_status *s, ns_t elapsed, void *arg)
{
	struct watch *w = arg;

	assert_true(elapsed > 0);
	w->looks++;
	w->last = s->progress;
	memcpy(w->step, s->step, sizeof(w->step));
}

static struct gke_wait quick(struct watch *w)
{
	return (struct gke_wait){
		.deadline = clock_mono() + 5 * NS_SEC,
		.shortest = 10 * NS_MS,
		.progress = w ? on_progress : NULL,
		.arg = w,
	};
}

static int wait_for(struct gke_fix *x, struct gke *g, const struct gke_wait *w)
{
	const struct gke_op op = {"operation-1"};

	return gke_op_wait(g, &demo, &op, w, &x->e);
}

static json_t *json_of(const char *text)
{
	struct err e = ERR_INIT;
	json_t *o = NULL;

	assert_ok(jx_parse(&o, text, strlen(text), "test", &e), &e);
	return o;
}

/* --- operations ------------------------------------------------------------------------------- */

static void looks_come_after_an_eighth_within_one_and_ten_seconds(void **state UNUSED)
{
	static const struct {
		ns_t elapsed, next;
	} cases[] = {{0, NS_SEC},
		     {2 * NS_SEC, NS_SEC},
		     {8 * NS_SEC, NS_SEC},
		     {16 * NS_SEC, 2 * NS_SEC},
		     {40 * NS_SEC, 5 * NS_SEC},
		     {80 * NS_SEC, 10 * NS_SEC},
		     {3600 * NS_SEC, 10 * NS_SEC}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(gke_op_next(cases[i].elapsed) == cases[i].next);
	/* So the end of an operation is seen within a second, or an eighth of its time. */
	for (ns_t op = NS_SEC; op < 120 * NS_SEC; op += NS_SEC / 3) {
		ns_t t = 0;

		while (t < op)
			t += gke_op_next(t);
		assert_true(t - op <= NS_SEC || t - op <= op / 8);
	}
}

static void progress_is_what_is_done_of_all_its_metrics(void **state UNUSED)
{
	autojson json_t *op = json_of(
		"{\"status\":\"RUNNING\",\"operationType\":\"CREATE_CLUSTER\",\"progress\":{"
		"\"metrics\":[{\"name\":\"CLUSTER_CONFIGURING\",\"intValue\":\"8\"},"
		"{\"name\":\"CLUSTER_CONFIGURING_TOTAL\",\"intValue\":\"8\"},"
		"{\"name\":\"CLUSTER_DEPLOYING\",\"intValue\":3},"
		"{\"name\":\"CLUSTER_DEPLOYING_TOTAL\",\"doubleValue\":12.0},"
		"{\"name\":\"NODES\",\"intValue\":\"4\"},"
		"{\"name\":\"BAD\",\"intValue\":\"-9\"},{\"name\":\"BAD_TOTAL\",\"stringValue\":"
		"\"x\"}]}}");
	struct gke_op_status s;

	gke_op_decode(&s, op);
	assert_true(s.progress == 11.0 / 20.0);
	assert_string_equal(s.step, "CLUSTER_DEPLOYING 3/12");
	assert_false(s.failed);
}

static void done_is_success_only_without_any_trouble(void **state UNUSED)
{
	static const struct {
		const char *op;
		bool failed;
		enum gke_cause cause;
		const char *message;
	} cases[] = {
		{"{\"status\":\"DONE\"}", false, GKE_CAUSE_OTHER, ""},
		{"{\"status\":\"DONE\",\"error\":{},\"statusMessage\":\"\",\"clusterConditions\":[]}",
		 false, GKE_CAUSE_OTHER, ""},
		{"{\"status\":\"RUNNING\",\"error\":{\"code\":8}}", false, GKE_CAUSE_OTHER, ""},
		{"{\"status\":\"SOMETHING_NEW\"}", false, GKE_CAUSE_OTHER, ""},
		{"{\"status\":\"DONE\",\"error\":{\"code\":13,\"message\":\"internal\"}}", true,
		 GKE_CAUSE_TRANSIENT, "internal"},
		{"{\"status\":\"DONE\",\"statusMessage\":\"it broke\"}", true, GKE_CAUSE_OTHER,
		 "it broke"},
		{"{\"status\":\"DONE\",\"clusterConditions\":[{\"code\":\"GCE_STOCKOUT\","
		 "\"message\":\"does not have enough resources available to fulfill request: "
		 "us-central1-a\"}]}",
		 true, GKE_CAUSE_STOCKOUT, "us-central1-a"},
		{"{\"status\":\"DONE\",\"nodepoolConditions\":[{\"canonicalCode\":"
		 "\"RESOURCE_EXHAUSTED\",\"code\":\"GCE_STOCKOUT\"}]}",
		 true, GKE_CAUSE_STOCKOUT, "GCE_STOCKOUT"},
		{"{\"status\":\"DONE\",\"clusterConditions\":[{\"canonicalCode\":"
		 "\"RESOURCE_EXHAUSTED\",\"code\":\"GCE_QUOTA_EXCEEDED\",\"message\":\"Instance 'a' "
		 "creation failed: Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 8.0 in region "
		 "us-central1.\"}],\"error\":{\"code\":8,\"message\":\"Instance 'a' creation "
		 "failed: Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 8.0 in region us-central1.\"},"
		 "\"detail\":\"x\"}",
		 true, GKE_CAUSE_QUOTA, "IN_USE_ADDRESSES"},
		{"{\"status\":\"DONE\",\"error\":{\"code\":8,\"message\":\"no room\"}}", true,
		 GKE_CAUSE_QUOTA, "no room"},
		{"{\"status\":\"DONE\",\"error\":{\"code\":7}}", true, GKE_CAUSE_RIGHTS,
		 "without saying why"},
		{"{\"status\":\"DONE\",\"error\":{\"code\":13,\"message\":\"first\"},"
		 "\"statusMessage\":\"second\"}",
		 true, GKE_CAUSE_TRANSIENT, "first; second"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *op = json_of(cases[i].op);
		struct gke_op_status s;

		gke_op_decode(&s, op);
		if (s.failed != cases[i].failed)
			fail_msg("%s", cases[i].op);
		assert_int_equal(s.why.cause, cases[i].cause);
		assert_has(s.why.message, cases[i].message);
	}
}

static void waiting_follows_an_operation_to_its_end(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct watch seen = {0};
	struct gke_wait w = quick(&seen);

	fault_script(x->f, "GET", OP, FAULT_STATUS(404), FAULT_BODY("{}"));
	fault_script(
		x->f, "GET", OP,
		FAULT_BODY("{\"status\":\"RUNNING\",\"progress\":{\"metrics\":[{\"name\":\"A\","
			   "\"intValue\":\"3\"},{\"name\":\"A_TOTAL\",\"intValue\":\"9\"}]}}"));
	fault_script(x->f, "GET", OP, FAULT_STATUS(400), FAULT_BODY("{}"));
	assert_fails(wait_for(x, g, &w), &x->e, ERR_INVALID);
	assert_int_equal(seen.looks, 1);
	assert_string_equal(seen.step, "A 3/9");
	fault_script(x->f, "GET", OP, FAULT_RESET);
	fault_script(x->f, "GET", OP, FAULT_BODY("{\"status\":\"DONE\"}"));
	assert_ok(wait_for(x, g, &w), &x->e);
}

static void a_failed_operation_is_told_with_its_cause(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick(NULL);
	struct gke_error why;
	struct buf detail = BUF_INIT(4096);

	w.why = &why;
	w.detail = &detail;
	fault_script(
		x->f, "GET", OP,
		FAULT_BODY("{\"status\":\"DONE\",\"operationType\":\"CREATE_CLUSTER\",\"error\":{"
			   "\"code\":8,\"message\":\"Quota 'CPUS' exceeded.  Limit: 24.0 in "
			   "region us-central1.\"}}"));
	assert_int_equal(wait_for(x, g, &w), -1);
	assert_has(x->e.msg, "CREATE_CLUSTER failed: not enough quota: CPUS is used up");
	assert_has(buf_str(&detail), "CPUS ");
	assert_int_equal(why.cause, GKE_CAUSE_QUOTA);
	assert_fails(-1, &x->e, ERR_QUOTA);
	buf_release(&detail);
}

static void a_time_out_says_what_it_waited_for(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick(NULL);

	w.deadline = clock_mono() + 200 * NS_MS;
	fault_always(x->f, "GET", OP,
		     FAULT_BODY("{\"status\":\"RUNNING\",\"operationType\":\"CREATE_CLUSTER\","
				"\"progress\":{\"metrics\":[{\"name\":\"CLUSTER_DEPLOYING\","
				"\"intValue\":\"3\"},{\"name\":\"CLUSTER_DEPLOYING_TOTAL\","
				"\"intValue\":\"9\"}]}}"));
	assert_int_equal(wait_for(x, g, &w), -1);
	assert_has(
		x->e.msg,
		"waiting for CREATE_CLUSTER (operation-1, at CLUSTER_DEPLOYING 3/9): not done after");
	assert_fails(-1, &x->e, ERR_TIMEOUT);
}

/* --- changes ---------------------------------------------------------------------------------- */

static void a_cluster_is_asked_for_as_gcloud_asks(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *cluster = json_of(
		"{\"nodePools\":[{\"name\":\"default-pool\",\"initialNodeCount\":3}]}");
	struct gke_op op;

	fault_script(x->f, "POST", WHERE "/clusters", FAULT_BODY(started));
	assert_ok(container_create(&op, g, &demo, cluster, NULL, &x->e), &x->e);
	assert_string_equal(op.name, "operation-1");
	assert_string_equal(
		fault_request(x->f, 0)->body,
		"{\"cluster\":{\"name\":\"demo\",\"nodePools\":[{\"initialNodeCount\":3,"
		"\"name\":\"default-pool\"}]},\"parent\":\"projects/demo-proj/locations/"
		"us-central1-a\"}");
	assert_null(jx_get(cluster, "name"));
}

static void a_lost_reply_to_a_create_is_not_repeated_but_told(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *cluster = json_object();
	struct gke_wait w = quick(NULL);
	struct gke_error why;
	struct gke_op op;

	w.why = &why;
	fault_script(x->f, "POST", WHERE "/clusters", FAULT_RESET);
	assert_fails(container_create(&op, g, &demo, cluster, &w, &x->e), &x->e, ERR_UNAVAILABLE);
	assert_true(why.lost);
	assert_int_equal(fault_count(x->f), 1);
	fault_script(
		x->f, "POST", WHERE "/clusters", FAULT_STATUS(409),
		FAULT_BODY("{\"error\":{\"code\":409,\"message\":\"Already exists: "
			   "projects/demo-proj/zones/us-central1-a/clusters/demo.\",\"status\":"
			   "\"ALREADY_EXISTS\"}}"));
	assert_fails(container_create(&op, g, &demo, cluster, &w, &x->e), &x->e, ERR_EXISTS);
	assert_int_equal(why.cause, GKE_CAUSE_EXISTS);
}

#define BUSY(op)                                                                               \
	"{\"error\":{\"code\":400,\"message\":\"Cluster is running incompatible operation " op \
	".\",\"status\":\"FAILED_PRECONDITION\"}}"

static void an_incompatible_operation_is_waited_out(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick(NULL);
	struct gke_op op;

	fault_script(x->f, "DELETE", DEMO, FAULT_STATUS(400), FAULT_BODY(BUSY("operation-7")));
	fault_script(x->f, "GET", WHERE "/operations/operation-7",
		     FAULT_BODY("{\"status\":\"RUNNING\"}"));
	fault_script(x->f, "GET", WHERE "/operations/operation-7",
		     FAULT_BODY("{\"status\":\"DONE\",\"error\":{\"code\":13,\"message\":\"its own "
				"trouble\"}}"));
	fault_script(x->f, "DELETE", DEMO, FAULT_BODY(started));
	assert_ok(container_delete(&op, g, &demo, &w, &x->e), &x->e);
	assert_string_equal(op.name, "operation-1");
	assert_int_equal(fault_unused(x->f), 0);
	/* One that Google has forgotten is over. */
	fault_script(x->f, "DELETE", DEMO, FAULT_STATUS(400), FAULT_BODY(BUSY("operation-7")));
	fault_script(x->f, "GET", WHERE "/operations/operation-7", FAULT_STATUS(404),
		     FAULT_BODY("{}"));
	fault_script(x->f, "DELETE", DEMO, FAULT_BODY(started));
	assert_ok(container_delete(&op, g, &demo, &w, &x->e), &x->e);
	assert_int_equal(fault_unused(x->f), 0);
	/* Without leave to wait it is an error with the operation's name. */
	struct gke_error why;
	struct gke_wait none = {.deadline = 1, .why = &why};
	fault_script(x->f, "DELETE", DEMO, FAULT_STATUS(400), FAULT_BODY(BUSY("operation-7")));
	assert_fails(container_delete(&op, g, &demo, &none, &x->e), &x->e, ERR_CONFLICT);
	assert_string_equal(why.operation, "operation-7");
}

static void a_delete_whose_reply_was_lost_ends_well(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick(NULL);
	struct gke_op op;

	fault_script(x->f, "DELETE", DEMO, FAULT_RESET);
	fault_script(x->f, "DELETE", DEMO, FAULT_STATUS(400), FAULT_BODY(BUSY("operation-7")));
	fault_script(x->f, "GET", WHERE "/operations/operation-7",
		     FAULT_BODY("{\"status\":\"DONE\"}"));
	fault_script(x->f, "DELETE", DEMO, FAULT_STATUS(404),
		     FAULT_BODY("{\"error\":{\"code\":404,\"message\":\"Not found\"}}"));
	assert_ok(container_delete(&op, g, &demo, &w, &x->e), &x->e);
	assert_string_equal(op.name, "");
	assert_ok(gke_op_wait(g, &demo, &op, &w, &x->e), &x->e);
}

static void labels_are_merged_under_the_fingerprint(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick(NULL);
	autojson json_t *labels = json_of("{\"owner\":\"me\",\"old\":null}");
	struct gke_op op;

	fault_script(x->f, "GET", DEMO,
		     FAULT_BODY("{\"resourceLabels\":{\"old\":\"1\",\"keep\":\"2\"},"
				"\"labelFingerprint\":\"aa\"}"));
	fault_script(
		x->f, "POST", DEMO ":setResourceLabels", FAULT_STATUS(412),
		FAULT_BODY("{\"error\":{\"code\":412,\"message\":\"Labels could not be set due to "
			   "fingerprint mismatch.\"}}"));
	fault_script(x->f, "GET", DEMO,
		     FAULT_BODY("{\"resourceLabels\":{\"old\":\"1\",\"keep\":\"3\"},"
				"\"labelFingerprint\":\"bb\"}"));
	fault_script(x->f, "POST", DEMO ":setResourceLabels", FAULT_BODY(started));
	assert_ok(container_label(&op, g, &demo, labels, &w, &x->e), &x->e);
	assert_string_equal(
		fault_request(x->f, 3)->body,
		"{\"labelFingerprint\":\"bb\",\"name\":\"projects/demo-proj/locations/"
		"us-central1-a/clusters/demo\",\"resourceLabels\":{\"keep\":\"3\",\"owner\":"
		"\"me\"}}");
	/* Nothing to change: no write. */
	fault_script(x->f, "GET", DEMO, FAULT_BODY("{\"resourceLabels\":{\"owner\":\"me\"}}"));
	assert_ok(container_label(&op, g, &demo, labels, &w, &x->e), &x->e);
	assert_string_equal(op.name, "");
	assert_int_equal(fault_count(x->f), 5);
	/* Somebody who is always faster ends it. */
	fault_clear(x->f);
	fault_always(x->f, "GET", DEMO, FAULT_BODY("{\"labelFingerprint\":\"x\"}"));
	fault_always(x->f, "POST", DEMO ":setResourceLabels", FAULT_STATUS(412), FAULT_BODY("{}"));
	assert_fails(container_label(&op, g, &demo, labels, &w, &x->e), &x->e, ERR_CONFLICT);
	assert_int_equal(fault_count_of(x->f, "POST", "*"), 10);
}

static void node_pools_are_changed_by_their_own_verbs(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *pool = json_of("{\"name\":\"extra\"}"),
			*scaling = json_of("{\"enabled\":true,\"minNodeCount\":1}"),
			*version = json_of("{\"nodeVersion\":\"1.32\"}");
	struct gke_op op;

#define NAME "\"name\":\"projects/demo-proj/locations/us-central1-a/clusters/demo/nodePools/extra\""
	fault_always(x->f, NULL, "*", FAULT_BODY(started));
	assert_ok(container_pool_create(&op, g, &demo, pool, NULL, &x->e), &x->e);
	assert_ok(container_pool_size(&op, g, &demo, "extra", 2, NULL, &x->e), &x->e);
	assert_ok(container_pool_set(&op, g, &demo, "extra", "setAutoscaling", "autoscaling",
				     scaling, NULL, &x->e),
		  &x->e);
	assert_ok(container_pool_update(&op, g, &demo, "extra", version, NULL, &x->e), &x->e);
	assert_ok(container_pool_delete(&op, g, &demo, "extra", NULL, &x->e), &x->e);
	static const struct {
		const char *method, *target, *body;
	} sent[] = {
		{"POST", DEMO "/nodePools",
		 "{\"nodePool\":{\"name\":\"extra\"},\"parent\":\"projects/demo-proj/locations/"
		 "us-central1-a/clusters/demo\"}"},
		{"POST", DEMO "/nodePools/extra:setSize", "{" NAME ",\"nodeCount\":2}"},
		{"POST", DEMO "/nodePools/extra:setAutoscaling",
		 "{\"autoscaling\":{\"enabled\":true,\"minNodeCount\":1}," NAME "}"},
		{"PUT", DEMO "/nodePools/extra", "{" NAME ",\"nodeVersion\":\"1.32\"}"},
		{"DELETE", DEMO "/nodePools/extra", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		const struct fault_request *r = fault_request(x->f, i);

		assert_string_equal(r->method, sent[i].method);
		assert_string_equal(r->target, sent[i].target);
		assert_string_equal(r->body, sent[i].body);
	}
}

static void an_update_changes_one_aspect(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *one = json_of("{\"desiredNodeVersion\":\"1.32\"}"),
			*two = json_of("{\"desiredNodeVersion\":\"1\",\"desiredLocations\":[]}");
	struct gke_op op;

	fault_script(x->f, "PUT", DEMO, FAULT_BODY(started));
	assert_ok(container_update(&op, g, &demo, one, NULL, &x->e), &x->e);
	assert_string_equal(
		fault_request(x->f, 0)->body,
		"{\"name\":\"projects/demo-proj/locations/us-central1-a/clusters/demo\","
		"\"update\":{\"desiredNodeVersion\":\"1.32\"}}");
	assert_fails(container_update(&op, g, &demo, two, NULL, &x->e), &x->e, ERR_INTERNAL);
	assert_int_equal(fault_count(x->f), 1);
}

static void replies_without_an_operation_are_refused(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const char *const bodies[] = {"{}", "{\"name\":\"\"}", "{\"name\":\"../x\"}",
					     "{\"name\":7}"};
	autojson json_t *cluster = json_object();
	struct gke_op op;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		fault_script(x->f, "POST", WHERE "/clusters", FAULT_BODY(bodies[i]));
		assert_fails(container_create(&op, g, &demo, cluster, NULL, &x->e), &x->e,
			     ERR_PROTOCOL);
	}
}

/* --- reading ---------------------------------------------------------------------------------- */

static void an_empty_project_has_an_empty_list(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *all = NULL, *missing = NULL, *more = NULL;
	autofree char *where = NULL;

	fault_script(x->f, "GET", "/v1/projects/demo-proj/locations/-/clusters", FAULT_BODY("{}"));
	assert_ok(container_list(&all, &missing, g, "demo-proj", "-", &x->e), &x->e);
	assert_int_equal(json_array_size(all), 0);
	assert_null(missing);
	fault_script(x->f, "GET", "/v1/projects/demo-proj/locations/-/clusters",
		     FAULT_BODY("{\"clusters\":[{\"name\":\"demo\",\"location\":\"us-east1\"}],"
				"\"missingZones\":[\"us-west1-a\"]}"));
	assert_ok(container_list(&more, &missing, g, "demo-proj", "-", &x->e), &x->e);
	assert_int_equal(json_array_size(more), 1);
	assert_string_equal(json_string_value(json_array_get(missing, 0)), "us-west1-a");
	fault_script(
		x->f, "GET", "/v1/projects/demo-proj/locations/-/clusters",
		FAULT_BODY(
			"{\"clusters\":[{\"name\":\"x\",\"location\":\"a-1\"},{\"name\":\"demo\","
			"\"zone\":\"us-east1-b\"}]}"));
	where = container_where(g, "demo-proj", "demo");
	assert_string_equal(where, "us-east1-b");
}

/* "-----BEGIN CERTIFICATE-----\n" */
#define CA        "\"masterAuth\":{\"clusterCaCertificate\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\"}"
#define CPE(more) "\"controlPlaneEndpointsConfig\":{" more "}"

static void an_endpoint_is_taken_when_it_is_there(void **state UNUSED)
{
	static const struct {
		const char *cluster;
		enum gke_way way;
		enum err_code code;
		const char *server;
		bool ca;
	} cases[] = {
		{"{\"status\":\"PROVISIONING\"}", GKE_WAY_PUBLIC, ERR_UNAVAILABLE, NULL, false},
		{"{\"endpoint\":\"34.1.2.3\"}", GKE_WAY_PUBLIC, ERR_UNAVAILABLE, NULL, false},
		{"{\"endpoint\":\"34.1.2.3\"," CA "}", GKE_WAY_PUBLIC, ERR_OK, "https://34.1.2.3",
		 true},
		{"{\"endpoint\":\"127.0.0.1:6443\"," CA "}", GKE_WAY_PUBLIC, ERR_OK,
		 "https://127.0.0.1:6443", true},
		{"{\"endpoint\":\"2600:1::2\"," CA "}", GKE_WAY_PUBLIC, ERR_OK,
		 "https://[2600:1::2]", true},
		{"{\"endpoint\":\"10.0.0.2\"," CPE(
			 "\"ipEndpointsConfig\":{\"publicEndpoint\":\"34.1.2.3\",\"privateEndpoint\":"
			 "\"10.0.0.2\"}") "," CA "}",
		 GKE_WAY_PUBLIC, ERR_OK, "https://34.1.2.3", true},
		{"{\"privateClusterConfig\":{\"privateEndpoint\":\"10.0.0.2\"}," CA "}",
		 GKE_WAY_PRIVATE, ERR_OK, "https://10.0.0.2", true},
		{"{\"endpoint\":\"34.1.2.3\"," CA "}", GKE_WAY_PRIVATE, ERR_UNAVAILABLE, NULL,
		 false},
		{"{" CPE("\"dnsEndpointConfig\":{\"endpoint\":\"gke-x-1.us-central1.gke.goog\","
			 "\"allowExternalTraffic\":true}") "}",
		 GKE_WAY_DNS, ERR_OK, "https://gke-x-1.us-central1.gke.goog", false},
		{"{" CPE("\"dnsEndpointConfig\":{\"endpoint\":\"gke-x-1.us-central1.gke.goog\"}") "}",
		 GKE_WAY_DNS, ERR_INVALID, NULL, false},
		{"{\"endpoint\":\"evil/@x\"," CA "}", GKE_WAY_PUBLIC, ERR_INVALID, NULL, false},
		{"{\"endpoint\":\"34.1.2.3\",\"masterAuth\":{\"clusterCaCertificate\":\"!!\"}}",
		 GKE_WAY_PUBLIC, ERR_INVALID, NULL, false},
		{"{\"endpoint\":\"34.1.2.3\",\"masterAuth\":{\"clusterCaCertificate\":\"aGk=\"}}",
		 GKE_WAY_PUBLIC, ERR_INVALID, NULL, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *c = json_of(cases[i].cluster);
		struct gke_access a = {0};
		struct err e = ERR_INIT;
		int rc = container_access(&a, c, cases[i].way, &e);

		if (cases[i].code != ERR_OK) {
			assert_fails(rc, &e, cases[i].code);
			continue;
		}
		assert_ok(rc, &e);
		assert_string_equal(a.server, cases[i].server);
		assert_int_equal(a.ca_pem != NULL, cases[i].ca);
		gke_access_release(&a);
	}
}

static void states_that_are_newer_than_this_program_are_no_error(void **state UNUSED)
{
	static const struct {
		const char *cluster;
		enum gke_state state;
	} cases[] = {
		{"{}", GKE_STATE_UNKNOWN},
		{"{\"status\":\"HIBERNATING\"}", GKE_STATE_UNKNOWN},
		{"{\"status\":\"RECONCILING\"}", GKE_STATE_RECONCILING},
		{"{\"status\":\"DEGRADED\"}", GKE_STATE_DEGRADED},
		{"{\"status\":\"ERROR\"}", GKE_STATE_ERROR},
	};
	autojson json_t *bad = json_of(
		"{\"status\":\"ERROR\",\"conditions\":[{\"code\":\"GCE_STOCKOUT\"}]}");
	struct gke_error why;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *c = json_of(cases[i].cluster);

		assert_int_equal(container_state(c), cases[i].state);
		assert_false(container_trouble(&why, c));
	}
	assert_true(container_trouble(&why, bad));
	assert_int_equal(why.cause, GKE_CAUSE_STOCKOUT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_come_after_an_eighth_within_one_and_ten_seconds),
		cmocka_unit_test(progress_is_what_is_done_of_all_its_metrics),
		cmocka_unit_test(done_is_success_only_without_any_trouble),
		T(waiting_follows_an_operation_to_its_end),
		T(a_failed_operation_is_told_with_its_cause),
		T(a_time_out_says_what_it_waited_for),
		T(a_cluster_is_asked_for_as_gcloud_asks),
		T(a_lost_reply_to_a_create_is_not_repeated_but_told),
		T(an_incompatible_operation_is_waited_out),
		T(a_delete_whose_reply_was_lost_ends_well),
		T(labels_are_merged_under_the_fingerprint),
		T(node_pools_are_changed_by_their_own_verbs),
		T(an_update_changes_one_aspect),
		T(replies_without_an_operation_are_refused),
		T(an_empty_project_has_an_empty_list),
		cmocka_unit_test(an_endpoint_is_taken_when_it_is_there),
		cmocka_unit_test(states_that_are_newer_than_this_program_are_no_error),
	};

	return RUN(tests);
}
