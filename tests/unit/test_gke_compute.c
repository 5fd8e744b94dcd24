/* Quotas, rights, and the things that a deleted cluster leaves: which are ours, and which only look like it. */
#include "tests/unit/gke_fixture.h"

#include "gke/compute.h"
#include "gke/project.h"

#define C "/compute/v1/projects/demo-proj"

static struct gke_wait quick(void)
{
	return (struct gke_wait){.deadline = clock_mono() + 5 * NS_SEC, .shortest = NS_MS};
}

static json_t *json_of(const char *text)
{
	struct err e = ERR_INIT;
	json_t *o = NULL;

	assert_ok(jx_parse(&o, text, strlen(text), "test", &e), &e);
	return o;
}

/* --- project ---------------------------------------------------------------------------------- */

static void an_api_is_on_off_or_cannot_be_asked_about(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const char path[] = "/v1/projects/demo-proj/services/container.googleapis.com";
	static const struct {
		int status;
		const char *body;
		enum gke_service is;
	} cases[] = {
		{200, "{\"state\":\"ENABLED\"}", GKE_SERVICE_ENABLED},
		{200, "{\"state\":\"DISABLED\"}", GKE_SERVICE_DISABLED},
		{200, "{\"state\":\"HALF\"}", GKE_SERVICE_UNKNOWN},
		{403, "{\"error\":{\"code\":403,\"message\":\"no\"}}", GKE_SERVICE_UNKNOWN},
	};
	enum gke_service is;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fault_script(x->f, "GET", path, FAULT_STATUS(cases[i].status),
			     FAULT_BODY(cases[i].body));
		assert_ok(serviceusage_state(&is, g, "demo-proj", GKE_CONTAINER, &x->e), &x->e);
		assert_int_equal(is, cases[i].is);
	}
	fault_always(x->f, "GET", path, FAULT_STATUS(401), FAULT_BODY("{}"));
	assert_fails(serviceusage_state(&is, g, "demo-proj", GKE_CONTAINER, &x->e), &x->e,
		     ERR_DENIED);
}

static void missing_rights_are_named(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const char path[] = "/v1/projects/demo-proj:testIamPermissions";
	static const char *const asked[] = {"container.clusters.create",
					    "container.clusters.delete", "compute.disks.list"};
	autojson json_t *missing = NULL, *all = NULL;

	fault_script(x->f, "POST", path, FAULT_STATUS(503), FAULT_BODY("{}"));
	fault_script(x->f, "POST", path,
		     FAULT_BODY("{\"permissions\":[\"container.clusters.create\"]}"));
	assert_ok(resourcemanager_missing(&missing, g, "demo-proj", asked, 3, &x->e), &x->e);
	assert_int_equal(json_array_size(missing), 2);
	assert_string_equal(json_string_value(json_array_get(missing, 1)), "compute.disks.list");
	assert_string_equal(fault_request(x->f, 1)->body,
			    "{\"permissions\":[\"container.clusters.create\","
			    "\"container.clusters.delete\",\"compute.disks.list\"]}");
	fault_script(x->f, "POST", path, FAULT_BODY("{}"));
	assert_ok(resourcemanager_missing(&all, g, "demo-proj", asked, 3, &x->e), &x->e);
	assert_int_equal(json_array_size(all), 3);
}

/* --- quotas ----------------------------------------------------------------------------------- */

static void quotas_of_project_and_region_are_read(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	AUTO(compute_quotas_release) struct compute_quotas q = {0}, partly = {0};

	fault_script(
		x->f, "GET", C,
		FAULT_BODY("{\"quotas\":[{\"metric\":\"CPUS_ALL_REGIONS\",\"limit\":32,\"usage\":"
			   "8.0}]}"));
	fault_script(x->f, "GET", C "/regions/us-central1",
		     FAULT_BODY("{\"quotas\":[{\"metric\":\"CPUS\",\"limit\":24.0,\"usage\":3.0},{"
				"\"metric\":7},{\"limit\":1}]}"));
	assert_ok(compute_quotas_get(&q, g, "demo-proj", "us-central1", &x->e), &x->e);
	assert_int_equal(q.n, 2);
	assert_false(q.unknown);
	assert_true(compute_quota_find(&q, "CPUS", "us-central1")->limit == 24.0);
	assert_true(compute_quota_find(&q, "CPUS_ALL_REGIONS", NULL)->usage == 8.0);
	assert_null(compute_quota_find(&q, "CPUS", NULL));
	fault_script(x->f, "GET", C, FAULT_BODY("{}"));
	fault_script(x->f, "GET", C "/regions/us-central1",
		     FAULT_BODY("{\"warnings\":[{\"code\":\"QUOTA_INFO_UNAVAILABLE\"}]}"));
	assert_ok(compute_quotas_get(&partly, g, "demo-proj", "us-central1", &x->e), &x->e);
	assert_true(partly.unknown);
}

static void machine_types_count_against_their_family_s_quota(void **state UNUSED)
{
	static const struct {
		const char *type, *metric;
	} cases[] = {
		{"e2-standard-4", "CPUS"},
		{"n1-standard-1", "CPUS"},
		{"f1-micro", "CPUS"},
		{"custom-4-8192", "CPUS"},
		{"n2-standard-4", "N2_CPUS"},
		{"n2d-highmem-2", "N2D_CPUS"},
		{"c3-standard-4", "C3_CPUS"},
		{"t2a-standard-1", "T2A_CPUS"},
		{"odd", "CPUS"},
		{"", "CPUS"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char metric[64];

		compute_cpu_metric(metric, sizeof(metric), cases[i].type);
		assert_string_equal(metric, cases[i].metric);
	}
}

static void a_machine_type_has_a_size_or_does_not_exist(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const char path[] = C "/zones/us-central1-a/machineTypes/e2-standard-4";
	struct compute_machine m;
	autojson json_t *zones = NULL;

	fault_script(x->f, "GET", path, FAULT_BODY("{\"guestCpus\":4,\"memoryMb\":16384}"));
	assert_ok(compute_machine_get(&m, g, "demo-proj", "us-central1-a", "e2-standard-4", &x->e),
		  &x->e);
	assert_int_equal(m.cpus, 4);
	assert_true(m.memory_bytes == 16LL << 30);
	fault_script(x->f, "GET", path, FAULT_STATUS(404), FAULT_BODY("{}"));
	assert_int_equal(
		compute_machine_get(&m, g, "demo-proj", "us-central1-a", "e2-standard-4", &x->e),
		-1);
	assert_has(x->e.msg, "no machine type \"e2-standard-4\" in us-central1-a");
	assert_fails(-1, &x->e, ERR_NOT_FOUND);
	fault_script(
		x->f, "GET", C "/regions/us-central1",
		FAULT_BODY("{\"zones\":[\"https://x/zones/us-central1-a\",\"us-central1-b\",7]}"));
	assert_ok(compute_zones(&zones, g, "demo-proj", "us-central1", &x->e), &x->e);
	assert_int_equal(json_array_size(zones), 2);
	assert_string_equal(json_string_value(json_array_get(zones, 0)), "us-central1-a");
}

/* --- operations ------------------------------------------------------------------------------- */

#define OPERATION(more)                                                                           \
	"{\"name\":\"operation-5\",\"operationType\":\"delete\",\"zone\":\"https://x/projects/1/" \
	"zones/us-central1-a\"" more "}"
#define WAIT C "/zones/us-central1-a/operations/operation-5/wait"

static void a_compute_operation_is_waited_for_and_its_errors_count(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *op = json_of(OPERATION(",\"status\":\"RUNNING\""));
	autojson json_t *global = json_of("{\"name\":\"operation-6\",\"status\":\"PENDING\"}");
	struct gke_wait w = quick();
	struct gke_error why;

	w.why = &why;
	fault_script(x->f, "POST", WAIT, FAULT_BODY(OPERATION(",\"status\":\"RUNNING\"")));
	fault_script(x->f, "POST", WAIT, FAULT_BODY(OPERATION(",\"status\":\"DONE\"")));
	assert_ok(compute_op_wait(g, "demo-proj", op, &w, &x->e), &x->e);
	fault_script(x->f, "POST", C "/global/operations/operation-6/wait",
		     FAULT_BODY("{\"status\":\"DONE\"}"));
	assert_ok(compute_op_wait(g, "demo-proj", global, &w, &x->e), &x->e);
	fault_script(
		x->f, "POST", WAIT,
		FAULT_BODY(OPERATION(
			",\"status\":\"DONE\",\"httpErrorStatusCode\":403,\"error\":{\"errors\":[{"
			"\"code\":\"QUOTA_EXCEEDED\",\"message\":\"Quota 'CPUS' exceeded.  Limit: "
			"24.0 in region us-central1.\"}]}")));
	assert_fails(compute_op_wait(g, "demo-proj", op, &w, &x->e), &x->e, ERR_QUOTA);
	assert_int_equal(why.cause, GKE_CAUSE_QUOTA);
	fault_script(x->f, "POST", WAIT,
		     FAULT_BODY(OPERATION(",\"status\":\"DONE\",\"error\":{\"errors\":[{\"code\":"
					  "\"ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS\"}]}")));
	assert_fails(compute_op_wait(g, "demo-proj", op, &w, &x->e), &x->e, ERR_QUOTA);
	assert_int_equal(why.cause, GKE_CAUSE_STOCKOUT);
}

/* --- what is left ----------------------------------------------------------------------------- */

#define UID  "0b2f6c1e-1111-4222-8333-944455566677"
#define LB   "a0b2f6c1e11114222833394445556667" /* "a" and 31 of the uid's digits */
#define KUBE "aaaaaaaa-1111-4222-8333-944455566677"

static void only_what_was_written_down_is_ours(void **state UNUSED)
{
	autojson json_t *volumes = json_of(
		"[\"projects/demo-proj/zones/us-central1-a/disks/pvc-1\"]");
	autojson json_t *services = json_of("[\"" UID "\"]");
	autojson json_t *negs = json_of("[\"k8s1-abc\"]");
	autojson json_t *groups = json_of(
		"[\"https://x/projects/demo-proj/zones/us-central1-a/instanceGroupManagers/gke-demo-p-1-grp\"]");
	autojson json_t *names = json_of("[\"k8s2-xyz\"]");
	autojson json_t *paths = json_of(
		"[\"/projects/demo-proj/global/healthChecks/k8s-1-node\"]");
	const struct compute_marks m = {.cluster = "demo",
					.location = "us-central1-a",
					.cluster_id = "0123456789abcdef",
					.cluster_uid = KUBE,
					.volumes = volumes,
					.service_uids = services,
					.negs = negs,
					.instance_groups = groups,
					.names = names,
					.paths = paths};
	static const struct {
		enum compute_kind kind;
		const char *path, *thing;
		int ours; /* 1 ours, 0 looks like it, -1 no */
	} cases[] = {
		{COMPUTE_DISKS, "/projects/demo-proj/zones/us-central1-a/disks/pvc-1",
		 "{\"name\":\"pvc-1\"}", 1},
		{COMPUTE_DISKS, "/projects/demo-proj/zones/us-central1-b/disks/pvc-1",
		 "{\"name\":\"pvc-1\"}", -1},
		{COMPUTE_DISKS, "/projects/demo-proj/zones/us-central1-a/disks/pvc-2",
		 "{\"name\":\"pvc-2\",\"labels\":{\"goog-k8s-cluster-name\":\"demo\"}}", 0},
		{COMPUTE_DISKS, "/projects/demo-proj/zones/us-central1-a/disks/pvc-2",
		 "{\"name\":\"pvc-2\",\"labels\":{\"goog-k8s-cluster-name\":\"demo\","
		 "\"goog-k8s-cluster-location\":\"europe-west1\"}}",
		 -1},
		{COMPUTE_DISKS, "/projects/demo-proj/zones/us-central1-a/disks/gke-demo-p-1",
		 "{\"name\":\"gke-demo-p-1\"}", 0},
		{COMPUTE_FORWARDING_RULES, "/x", "{\"name\":\"" LB "\"}", 1},
		{COMPUTE_TARGET_POOLS, "/x", "{\"name\":\"" LB "\"}", 1},
		{COMPUTE_FIREWALLS, "/x", "{\"name\":\"k8s-fw-" LB "\"}", 1},
		{COMPUTE_FIREWALLS, "/x", "{\"name\":\"k8s-" LB "-http-hc\"}", 1},
		{COMPUTE_FORWARDING_RULES, "/x", "{\"name\":\"a0b2f6c1e1111\"}", -1},
		{COMPUTE_FIREWALLS, "/x", "{\"name\":\"gke-demo-01234567-all\"}", 1},
		{COMPUTE_FIREWALLS, "/x", "{\"name\":\"gke-demo-99999999-all\"}", 0},
		{COMPUTE_FIREWALLS, "/x", "{\"name\":\"gke-demonstration-1-all\"}", -1},
		{COMPUTE_NEGS, "/x", "{\"name\":\"k8s1-abc\"}", 1},
		{COMPUTE_NEGS, "/x",
		 "{\"name\":\"k8s1-xyz\",\"description\":\"{\\\"cluster-uid\\\":\\\"" KUBE
		 "\\\"}\"}",
		 1},
		{COMPUTE_NEGS, "/x", "{\"name\":\"k8s1-xyz\"}", -1},
		/* Clusters in other zones may give theirs the same name. */
		{COMPUTE_NEGS, "/x",
		 "{\"name\":\"k8s1-abc\",\"description\":\"{\\\"cluster-uid\\\":\\\"" KUBE
		 "\\\"}\"}",
		 1},
		{COMPUTE_NEGS, "/x",
		 "{\"name\":\"k8s1-abc\",\"description\":\"{\\\"cluster-uid\\\":\\\"other\\\"}\"}",
		 -1},
		{COMPUTE_INSTANCE_GROUPS, "/x", "{\"name\":\"gke-demo-p-1-grp\"}", 1},
		{COMPUTE_INSTANCE_GROUPS, "/x", "{\"name\":\"gke-demo-p-2-grp\"}", 0},
		{COMPUTE_ADDRESSES, "/x", "{\"name\":\"mine\"}", -1},
		{COMPUTE_BACKEND_SERVICES, "/x", "{\"name\":\"k8s2-xyz\"}", 1},
		{COMPUTE_HEALTH_CHECKS, "/projects/demo-proj/global/healthChecks/k8s-1-node",
		 "{\"name\":\"k8s-1-node\"}", 1},
		{COMPUTE_HEALTH_CHECKS, "/projects/demo-proj/global/healthChecks/k8s-2-node",
		 "{\"name\":\"k8s-2-node\"}", -1},
		/* For the cluster's nodes: Kubernetes' own, and somebody's. */
		{COMPUTE_FIREWALLS, "/x",
		 "{\"name\":\"k8s-1-node-http-hc\",\"targetTags\":[\"gke-demo-01234567-node\"]}",
		 1},
		{COMPUTE_FIREWALLS, "/x",
		 "{\"name\":\"webhook\",\"targetTags\":[\"gke-demo-01234567-node\"]}", 0},
		{COMPUTE_FIREWALLS, "/x",
		 "{\"name\":\"k8s-1-node-http-hc\",\"targetTags\":[\"gke-demo-99999999-node\"]}",
		 -1},
		/* A Service's pool whose uid nobody told, and one that has somebody else's instances. */
		{COMPUTE_TARGET_POOLS, "/x", "{\"name\":\"a99999999999999999999999999999999\"}",
		 -1},
		{COMPUTE_TARGET_POOLS, "/x",
		 "{\"name\":\"a9999999999999999999999999999999\",\"description\":"
		 "\"{\\\"kubernetes.io/service-name\\\":\\\"a/b\\\"}\",\"instances\":[\"x/gke-demo-p-1-ab\"]}",
		 1},
		{COMPUTE_TARGET_POOLS, "/x",
		 "{\"name\":\"a9999999999999999999999999999999\",\"description\":"
		 "\"{\\\"kubernetes.io/service-name\\\":\\\"a/b\\\"}\",\"instances\":[\"x/gke-demo-p-1-ab\","
		 "\"x/gke-demo-p-2-ab\"]}",
		 -1},
		{COMPUTE_ADDRESSES, "/x", "{}", -1},
	};
	const struct compute_marks none = {0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *thing = json_of(cases[i].thing);
		bool ours = false;
		const char *why = compute_match(&ours, cases[i].kind, cases[i].path, thing, &m);

		if ((why ? ours : -1) != cases[i].ours)
			fail_msg("%s: %s", cases[i].thing, why ? why : "no match");
		assert_null(compute_match(&ours, cases[i].kind, cases[i].path, thing, &none));
		assert_false(ours);
	}
}

static void leftovers_are_found_in_every_scope_and_page(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	AUTO(compute_things_release) struct compute_things t = {0};
	autojson json_t *volumes = json_of(
		"[\"projects/demo-proj/zones/us-central1-a/disks/pvc-1\"]");
	autojson json_t *services = json_of("[\"" UID "\"]");
	const struct compute_marks m = {
		.cluster = "demo", .volumes = volumes, .service_uids = services};

	fault_always(x->f, "GET", C "/*", FAULT_BODY("{}"));
	fault_always(
		x->f, "GET", C "/aggregated/disks?maxResults=500&!pageToken=two",
		FAULT_BODY(
			"{\"items\":{\"zones/us-central1-a\":{\"disks\":[{\"name\":\"pvc-1\","
			"\"users\":[\"vm\"]}]},\"zones/us-central1-b\":{\"warning\":{\"code\":"
			"\"NO_RESULTS_ON_PAGE\"}},\"../evil\":{\"disks\":[{\"name\":\"gke-demo-x\"}]}},"
			"\"nextPageToken\":\"two\"}"));
	fault_always(x->f, "GET", C "/aggregated/disks?maxResults=500&pageToken=two",
		     FAULT_BODY("{\"items\":{\"zones/us-central1-b\":{\"disks\":[{\"name\":"
				"\"gke-demo-boot\"},{\"name\":\"gke-demo-../x\"}]}}}"));
	fault_always(x->f, "GET", C "/global/firewalls?maxResults=500",
		     FAULT_BODY("{\"items\":[{\"name\":\"k8s-fw-" LB "\"}]}"));
	assert_ok(compute_leftovers(&t, g, "demo-proj", &m, NULL, &x->e), &x->e);
	assert_int_equal(t.n, 3);
	assert_false(t.partial);
	assert_string_equal(t.v[0].path, "/projects/demo-proj/global/firewalls/k8s-fw-" LB);
	assert_true(t.v[0].ours && !t.v[0].in_use);
	assert_string_equal(t.v[1].path, "/projects/demo-proj/zones/us-central1-a/disks/pvc-1");
	assert_true(t.v[1].ours && t.v[1].in_use);
	assert_string_equal(t.v[2].name, "gke-demo-boot");
	assert_false(t.v[2].ours);
}

#define P "https://www.googleapis.com/compute/v1/projects/demo-proj/"
#define LIST(kind, text)                                                   \
	fault_always(x->f, "GET", C "/aggregated/" kind "?maxResults=500", \
		     FAULT_BODY("{\"items\":{\"global\":{\"" kind "\":[" text "]}}}"))

/* An Ingress is a chain in which only the last link tells whose it is; one like it leads to somebody else's as well. */
static void what_leads_only_to_the_cluster_is_its_own(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	AUTO(compute_things_release) struct compute_things t = {0};
	autojson json_t *negs = json_of("[\"k8s1-abc\"]");
	const struct compute_marks m = {.cluster = "demo", .negs = negs};
	static const char *const want[] = {"k8s2-fr-1", "k8s2-tp-1", "k8s2-um-1",
					   "k8s1-be-1", "k8s1-hc-1", "k8s1-abc"};

	fault_always(x->f, "GET", C "/*", FAULT_BODY("{}"));
	LIST("forwardingRules",
	     "{\"name\":\"k8s2-fr-1\",\"target\":\"" P "global/targetHttpProxies/k8s2-tp-1\"},"
	     "{\"name\":\"mine\",\"target\":\"" P "global/targetHttpProxies/k8s2-tp-1\"}");
	LIST("targetHttpProxies", "{\"name\":\"k8s2-tp-1\",\"urlMap\":\"" P
				  "global/urlMaps/k8s2-um-1\",\"selfLink\":\"" P
				  "global/targetHttpProxies/k8s2-tp-1\"}");
	LIST("urlMaps",
	     "{\"name\":\"k8s2-um-1\",\"defaultService\":\"" P
	     "global/backendServices/k8s1-be-1\"},"
	     "{\"name\":\"k8s2-um-2\",\"defaultService\":\"" P
	     "global/backendServices/k8s1-be-1\",\"pathMatchers\":[{\"defaultService\":\"" P
	     "global/backendServices/other\"}]}");
	LIST("backendServices",
	     "{\"name\":\"k8s1-be-1\",\"healthChecks\":[\"" P "global/healthChecks/k8s1-hc-1\",\"" P
	     "global/healthChecks/k8s1-hc-2\"],\"backends\":[{\"group\":\"" P
	     "global/networkEndpointGroups/k8s1-abc\"}]},"
	     "{\"name\":\"k8s1-be-2\",\"healthChecks\":[\"" P
	     "global/healthChecks/k8s1-hc-2\"],\"backends\":[{\"group\":\"" P
	     "global/networkEndpointGroups/k8s1-xyz\"}]}");
	LIST("healthChecks", "{\"name\":\"k8s1-hc-1\"},{\"name\":\"k8s1-hc-2\"}");
	LIST("networkEndpointGroups", "{\"name\":\"k8s1-abc\"},{\"name\":\"k8s1-xyz\"}");
	assert_ok(compute_leftovers(&t, g, "demo-proj", &m, NULL, &x->e), &x->e);
	assert_int_equal(t.n, ARRAY_LEN(want));
	for (size_t i = 0; i < t.n; i++) {
		assert_string_equal(t.v[i].name, want[i]);
		assert_true(t.v[i].ours);
	}
}

/* What controllers have named, and what somebody has reserved to keep. */
static void an_address_that_is_somebody_s_own_stays_his(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	AUTO(compute_things_release) struct compute_things t = {0};
	autojson json_t *names = json_of("[\"k8s2-fr-1\"]");
	const struct compute_marks m = {.cluster = "demo", .names = names};
	static const char *const want[] = {"k8s2-fr-1", "k8s2-fs-1", "k8s-fw-1", "gkegw1-1"};
	static const char user[] = "\"users\":[\"" P "global/forwardingRules/k8s2-fr-1\"]";
	autofree char *list = xasprintf("{\"items\":{\"global\":{\"addresses\":["
					"{\"name\":\"k8s2-fs-1\",%s},{\"name\":\"k8s-fw-1\",%s},"
					"{\"name\":\"gkegw1-1\",%s},{\"name\":\"k8s-prod\",%s}]}}}",
					user, user, user, user);

	fault_always(x->f, "GET", C "/*", FAULT_BODY("{}"));
	LIST("forwardingRules", "{\"name\":\"k8s2-fr-1\"}");
	fault_always(x->f, "GET", C "/aggregated/addresses?maxResults=500", FAULT_BODY(list));
	assert_ok(compute_leftovers(&t, g, "demo-proj", &m, NULL, &x->e), &x->e);
	assert_int_equal(t.n, ARRAY_LEN(want));
	for (size_t i = 0; i < t.n; i++) {
		assert_string_equal(t.v[i].name, want[i]);
		assert_true(t.v[i].ours);
	}
}

static void what_kubernetes_made_is_weak_when_nobody_could_ask_the_cluster(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	AUTO(compute_things_release) struct compute_things t = {0};
	const struct compute_marks m = {.cluster = "demo", .since = "2026-01-02T00:00:00Z"};

	fault_always(x->f, "GET", C "/*", FAULT_BODY("{}"));
	LIST("networkEndpointGroups",
	     "{\"name\":\"k8s1-old\",\"creationTimestamp\":\"2026-01-01T00:00:00.000-00:00\"},"
	     "{\"name\":\"k8s1-new\",\"creationTimestamp\":\"2026-01-03T00:00:00.000-07:00\"},"
	     "{\"name\":\"mine\",\"creationTimestamp\":\"2026-01-03T00:00:00.000-07:00\"}");
	assert_ok(compute_leftovers(&t, g, "demo-proj", &m, NULL, &x->e), &x->e);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.v[0].name, "k8s1-new");
	assert_false(t.v[0].ours);
}

static void what_cannot_be_listed_is_not_taken_for_absent(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	AUTO(compute_things_release) struct compute_things t = {0};
	static const struct {
		const char *reply;
		bool partial;
	} cases[] = {
		{"{\"items\":{\"zones/a\":{\"warning\":{\"code\":\"UNREACHABLE\"}}}}", true},
		{"{\"unreachables\":[\"zones/a\"]}", true},
		{"{\"warning\":{\"code\":\"UNREACHABLE\"}}", true},
		{"{\"warning\":{\"code\":\"NO_RESULTS_ON_PAGE\"}}", false},
	};
	const struct compute_marks m = {.cluster = "demo"};
	struct buf detail = BUF_INIT(4096);

	fault_always(x->f, "GET", C "/*", FAULT_BODY("{}"));
	fault_always(x->f, "GET", C "/global/firewalls?maxResults=500", FAULT_STATUS(403),
		     FAULT_BODY("{\"error\":{\"code\":403,\"message\":\"Required "
				"'compute.firewalls.list' permission\"}}"));
	assert_ok(compute_leftovers(&t, g, "demo-proj", &m, &detail, &x->e), &x->e);
	assert_true(t.partial);
	assert_has(buf_str(&detail), "cannot list firewalls: ");
	buf_release(&detail);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(compute_things_release) struct compute_things u = {0};

		fault_clear(x->f);
		fault_always(x->f, "GET", C "/*", FAULT_BODY(cases[i].reply));
		assert_ok(compute_leftovers(&u, g, "demo-proj", &m, NULL, &x->e), &x->e);
		assert_int_equal(u.partial, cases[i].partial);
	}
	fault_clear(x->f);
	fault_always(x->f, "GET", C "/*", FAULT_STATUS(403), FAULT_BODY("{}"));
	struct compute_things none = {0};
	assert_fails(compute_leftovers(&none, g, "demo-proj", &m, NULL, &x->e), &x->e, ERR_DENIED);
}

static void deleting_waits_for_what_uses_a_thing_and_is_done_when_it_is_gone(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick();
	char name[] = "pvc-1", path[] = "/projects/demo-proj/zones/us-central1-a/disks/pvc-1";
	struct compute_thing t = {.kind = COMPUTE_DISKS, .name = name, .path = path, .ours = true};
	static const char disk[] = C "/zones/us-central1-a/disks/pvc-1";

	fault_script(
		x->f, "DELETE", disk, FAULT_STATUS(400),
		FAULT_BODY(
			"{\"error\":{\"code\":400,\"message\":\"The disk is already being used\","
			"\"errors\":[{\"reason\":\"resourceInUseByAnotherResource\"}]}}"));
	fault_script(x->f, "DELETE", disk, FAULT_BODY(OPERATION(",\"status\":\"RUNNING\"")));
	fault_script(x->f, "POST", WAIT, FAULT_STATUS(404), FAULT_BODY("{}"));
	fault_script(x->f, "DELETE", disk, FAULT_STATUS(404), FAULT_BODY("{}"));
	assert_ok(compute_delete(g, "demo-proj", &t, &w, &x->e), &x->e);
	assert_int_equal(fault_unused(x->f), 0);
	fault_always(
		x->f, "DELETE", disk, FAULT_STATUS(400),
		FAULT_BODY("{\"error\":{\"code\":400,\"message\":\"x\",\"errors\":[{\"reason\":"
			   "\"resourceInUseByAnotherResource\"}]}}"));
	assert_fails(compute_delete(g, "demo-proj", &t, &w, &x->e), &x->e, ERR_CONFLICT);
	/* What only looks like ours is never sent for. */
	fault_clear(x->f);
	t.ours = false;
	assert_fails(compute_delete(g, "demo-proj", &t, &w, &x->e), &x->e, ERR_INVALID);
	assert_int_equal(fault_count(x->f), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_api_is_on_off_or_cannot_be_asked_about),
		T(missing_rights_are_named),
		T(quotas_of_project_and_region_are_read),
		cmocka_unit_test(machine_types_count_against_their_family_s_quota),
		T(a_machine_type_has_a_size_or_does_not_exist),
		T(a_compute_operation_is_waited_for_and_its_errors_count),
		cmocka_unit_test(only_what_was_written_down_is_ours),
		T(leftovers_are_found_in_every_scope_and_page),
		T(what_leads_only_to_the_cluster_is_its_own),
		T(an_address_that_is_somebody_s_own_stays_his),
		T(what_kubernetes_made_is_weak_when_nobody_could_ask_the_cluster),
		T(what_cannot_be_listed_is_not_taken_for_absent),
		T(deleting_waits_for_what_uses_a_thing_and_is_done_when_it_is_gone),
	};

	return RUN(tests);
}
