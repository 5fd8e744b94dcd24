/* test_gke_spec.c - cluster.gke: what is refused and where, what is sent for it, what a live cluster differs in. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "provision/gke_spec.h"
#include "provision/gke_spec_same.h"

#define NOW    (1795336931 * NS_SEC)
#define HEAD   "apiVersion: prestoctl/v1\nkind: Environment\nname: demo\n"
#define PRESTO "presto: {metadata: {name: p}, spec: {worker: {count: 1}}}\n"
#define GKE    HEAD "cluster:\n  provider: gke\n  gke:\n" /* what follows begins in line 7 */

/* --- what is refused --------------------------------------------------------------------------- */

static const struct {
	const char *section, *finding; /* "LINE:COLUMN: what; remedy" */
} bad[] = {
	/* By the schema. */
	{"    locaton: a\n", "7:5: unknown key 'locaton'; did you mean 'location'?"},
	{"    mode: auto\n",
	 "7:11: 'auto' is not known here; it must be one of standard, autopilot"},
	{"    nodePools: [{name: a, count: two}]\n",
	 "7:34: count must be a whole number, but this is text"},
	{"    nodePools: [{count: 1}]\n", "7:17: 'name' is missing"},
	{"    version: 1.33\n",
	 "7:14: version must be text, but this is a number; put it in quotes"},
	{"    version: \"1.x\"\n", "7:14: '1.x' is no version; write it as \"1.33\""},
	{"    controlPlaneRange: 172.16.0.0/24\n",
	 "7:24: '172.16.0.0/24' is no controlPlaneRange; write it as 172.16.0.0/28"},
	{"    authorizedNetworks: [everybody]\n",
	 "7:26: 'everybody' is no entry of this list; write it as 203.0.113.0/24"},
	{"    labels: {team: 5}\n",
	 "7:20: team must be text, but this is a number; put it in quotes"},
	{"    nodePools: [{name: a, taints: [{key: k, effect: NO_SCHEDULE}]}]\n",
	 "7:53: 'NO_SCHEDULE' is not one of NoSchedule, PreferNoSchedule, NoExecute; did you mean"},
	/* By Google's rules. */
	{"    project: \"123456789\"\n", "7:14: \"123456789\" is not a project id; this is a "
					 "project number: give the project's id"},
	{"    name: UPPER_bad\n", "7:11: \"UPPER_bad\" cannot be the name of a cluster; 1 to 40"},
	{"    name: a-name-of-more-than-forty-letters-is-long\n",
	 "7:11: \"a-name-of-more-than-forty-letters-is-long\" cannot be the name of a cluster; 1 to 40"},
	{"    location: us_central1\n",
	 "7:15: \"us_central1\" is not a location; a region as us-central1, or a zone"},
	{"    location: [us-central1-a, us-central1]\n",
	 "7:31: us-central1 is a region; a list is of zones, a region is written alone"},
	{"    location: [us-central1-a, us-central1-a]\n", "7:31: us-central1-a is there twice"},
	{"    location: []\n", "7:15: location is an empty list; name a zone or a region"},
	{"    labels:\n      ok: fine\n      Team: a\n",
	 "9:7: \"Team\" cannot be the key of a label; 1 to 63"},
	{"    labels: {team: Data}\n",
	 "7:20: \"Data\" cannot be the value of label team; at most 63"},
	{"    labels: {prestoctl-run: x}\n", "7:14: labels that begin with prestoctl- are set"},
	{"    labels: {goog-x: x}\n", "7:14: labels that begin with goog- are Google's own"},
	{"    nodePools:\n    - name: a\n    - name: a\n",
	 "9:13: two node pools are named 'a'; give one another name"},
	{"    nodePools:\n    - name: a_b\n", "8:13: \"a_b\" cannot be the name of a node pool"},
	{"    nodePools: []\n", "7:16: a cluster needs a node pool; name one, or leave"},
	{"    nodePools:\n    - name: a\n      autoscaling: {min: 5, max: 2}\n",
	 "9:26: min is 5, and max is 2; min must not be above max"},
	{"    nodePools:\n    - name: a\n      count: 9\n      autoscaling: {max: 2}\n",
	 "9:14: count is 9, outside of autoscaling's 0 to 2; change one of them"},
	{"    nodePools: [{name: a, labels: {a/b/c: x}}]\n",
	 "7:36: 'a/b/c' is no key in Kubernetes; write it as"},
	{"    nodePools: [{name: a, labels: {a: \"x \"}}]\n",
	 "7:39: 'x ' is no value of a label; at most 63"},
	{"    nodePools: [{name: a, taints: [{key: -k, effect: NoExecute}]}]\n",
	 "7:42: '-k' is no key in Kubernetes; write it as"},
	/* Fields that exclude or need each other. */
	{"    mode: autopilot\n    location: us-central1-a\n",
	 "8:15: Autopilot runs in a region, and us-central1-a is a zone; write us-central1"},
	{"    mode: autopilot\n    location: [us-central1-a]\n",
	 "8:15: Autopilot runs in a region, not in zones; write one as us-central1"},
	{"    mode: autopilot\n    nodePools: [{name: a}]\n",
	 "8:5: Autopilot chooses its nodes by itself; remove nodePools"},
	{"    mode: autopilot\n    dataplane: calico\n", "8:16: Autopilot has Dataplane V2 only"},
	{"    mode: autopilot\n    releaseChannel: none\n",
	 "8:21: Autopilot is always in a channel"},
	{"    mode: autopilot\n    workloadIdentity: false\n",
	 "8:23: Autopilot always has workload identity; remove"},
	{"    endpoint: private\n",
	 "7:15: a private endpoint needs private nodes; set privateNodes: true"},
	{"    controlPlaneRange: 172.16.0.0/28\n", "7:5: controlPlaneRange is for private nodes"},
	{"    ipv6Access: external\n", "7:5: ipv6Access is for two stacks; set stack: ipv4-ipv6"},
	{"    subnetwork: s\n    createSubnetwork: true\n",
	 "7:5: a subnetwork is named, and another one is to be made; remove"},
	{"    podsRange: s\n    createSubnetwork: {name: a}\n",
	 "7:5: a new subnetwork has no such range yet; remove podsRange"},
	{"    servicesRange: s\n    createSubnetwork: true\n",
	 "7:5: a new subnetwork has no such range yet; remove servicesRange"},
	/* Addresses and times. */
	{"    authorizedNetworks: [203.0.113.7/24]\n",
	 "7:26: '203.0.113.7/24' has more bits than its prefix; write 203.0.113.0/24"},
	{"    authorizedNetworks: [{cidr: 10.0.0.0/33}]\n",
	 "7:33: '10.0.0.0/33' is no range of addresses; write it as 203.0.113.0/24"},
	{"    authorizedNetworks: [\"2001:db8::1/32\"]\n",
	 "7:26: '2001:db8::1/32' has more bits than its prefix; write 2001:db8::/32"},
	{"    authorizedNetworks: []\n", "7:25: nobody would be let in; name networks"},
	{"    createSubnetwork: {range: 10.0.0.1/20}\n",
	 "7:31: '10.0.0.1/20' has more bits than its prefix; write 10.0.0.0/20"},
	{"    ttl: tomorrow\n", "7:10: \"tomorrow\" is not a duration"},
	{"    ttl: 5m\n", "7:10: a ttl of 5m is out of range; it may be from 10m to 8784h"},
	{"    ttl: 9000h\n", "7:10: a ttl of 9000h is out of range"},
	{"    maintenanceWindow: {dailyStart: \"25:00\"}\n",
	 "7:37: '25:00' is no dailyStart; write it as \"03:00\" in quotes"},
	{"    maintenanceWindow: {start: \"2030-01-05T02:00:00Z\"}\n",
	 "7:5: a window is dailyStart alone, or start, end and recurrence together"},
	{"    maintenanceWindow:\n      start: \"2030-01-05T02:00:00Z\"\n"
	 "      end: \"2030-01-05T01:00:00Z\"\n      recurrence: FREQ=DAILY\n",
	 "9:12: the window ends before it begins; end must be after start"},
	{"    maintenanceWindow:\n      start: soon\n      end: \"2030-01-05T02:00:00Z\"\n      recurrence: FREQ=DAILY\n",
	 "8:14: 'soon' is no time; write it as 2030-01-05T02:00:00Z"},
	/* Registry and advanced. */
	{"    registry: {}\n",
	 "7:5: a registry is either a repository of Artifact Registry or a host"},
	{"    registry: {repository: a, host: b}\n", "7:5: a registry is either"},
	{"    registry: {repository: a, path: b}\n",
	 "7:31: path is for a registry with a host; remove it"},
	{"    registry: {host: b, location: us}\n",
	 "7:25: location is for a repository of Artifact"},
	{"    registry: {host: b, username: u}\n",
	 "7:25: username and passwordFile belong together; give both, or none"},
	{"    advanced: {nodePools: []}\n",
	 "7:16: 'nodePools' has a field of its own; use cluster.gke.nodePools"},
	{"    advanced:\n      networkConfig:\n        datapathProvider: ADVANCED_DATAPATH\n",
	 "9:9: 'networkConfig.datapathProvider' has a field of its own; use cluster.gke.dataplane"},
	{"    advanced: {networkConfig: null}\n",
	 "7:31: 'networkConfig' must be a map; it is merged with what prestoctl sets"},
	{"    advanced: {locations: [5]}\n", "7:27: 'locations' must be a list of zones"},
	{"    advanced: {status: RUNNING}\n", "7:16: 'status' cannot be chosen; remove it"},
};

static void everything_wrong_is_told_with_its_place_and_remedy(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		autofree char *text = xasprintf(GKE "%s" PRESTO, bad[i].section),
			      *finding = xasprintf("f:%s", bad[i].finding);
		AUTO(buf_release) struct buf more = BUF_INIT(16384);
		AUTO(env_freep) struct env *v = NULL;
		struct err e = ERR_INIT;

		if (env_parse(&v, text, strlen(text), "f", "/tmp", &more, &e) == 0)
			fail_msg("taken: %s", bad[i].section);
		assert_int_equal(e.code, ERR_INVALID);
		if (!starts_with(e.msg, finding))
			fail_msg("\"%s\" does not begin with \"%s\"", e.msg, finding);
		if (more.len) /* one mistake, one finding */
			fail_msg("%s: also %s", bad[i].section, buf_str(&more));
	}
}

static void a_name_that_google_refuses_is_told_where_it_stands(void **state UNUSED)
{
	static const char text[] =
		"apiVersion: prestoctl/v1\nkind: Environment\nname: 1demo\ncluster: {provider: gke}\n" PRESTO;
	AUTO(buf_release) struct buf more = BUF_INIT(16384);
	AUTO(env_freep) struct env *v = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(env_parse(&v, text, strlen(text), "f", "/tmp", &more, &e), -1);
	assert_string_equal(e.msg, "f:3:7: \"1demo\" cannot be the name of a cluster; "
				   "set cluster.gke.name, or begin with a letter");
}

/* --- decoding ---------------------------------------------------------------------------------- */

static const char *variable(const char *name, void *arg)
{
	const char *const *pairs = arg;

	for (; *pairs; pairs += 2)
		if (streq(*pairs, name))
			return pairs[1];
	return NULL;
}

/* A spec of a section in flow style, with variables as NAME, VALUE... NULL. */
static int decode(struct gke_spec *s, const char *section, const char *const *variables,
		  struct err *e)
{
	static const char *const none[] = {NULL};
	autofree char *text = xasprintf(HEAD "cluster: {provider: gke, gke: {%s}}\n" PRESTO,
					section);
	AUTO(buf_release) struct buf more = BUF_INIT(16384);
	AUTO(env_freep) struct env *v = NULL;
	union {
		const char *const *in;
		void *out;
	} arg = {.in = variables ? variables : none};
	const struct gke_env from = {variable, arg.out};

	assert_ok(env_parse(&v, text, strlen(text), "f", "/tmp", &more, e), e);
	return gke_spec_decode(s, v, &from, e);
}

static void what_the_file_leaves_out_comes_from_variables(void **state UNUSED)
{
	static const char *const zone[] = {"CLOUDSDK_COMPUTE_ZONE",
					   "us-east1-b",
					   "CLOUDSDK_COMPUTE_REGION",
					   "us-west1",
					   "CLOUDSDK_CORE_PROJECT",
					   "var-proj",
					   NULL};
	static const char *const only_zone[] = {"CLOUDSDK_COMPUTE_ZONE", "us-east1-b", NULL};
	static const char *const nonsense[] = {"CLOUDSDK_COMPUTE_ZONE", "nowhere", NULL};
	static const struct {
		const char *section, *const *variables, *location, *project;
	} cases[] = {
		{"location: us-central1-a, project: my-proj", zone, "us-central1-a", "my-proj"},
		{"ttl: 8h", zone, "us-east1-b", "var-proj"},
		{"mode: autopilot", zone, "us-west1", "var-proj"},
		{"mode: autopilot", only_zone, "us-east1", NULL},
		{"location: [us-a1-b, us-a1-c]", nonsense, "us-a1-b", NULL},
	};
	struct gke_spec s;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(decode(&s, cases[i].section, cases[i].variables, &e), &e);
		assert_string_equal(json_string_value(json_array_get(s.locations, 0)),
				    cases[i].location);
		assert_int_equal(!s.project, !cases[i].project);
		if (s.project)
			assert_string_equal(s.project, cases[i].project);
		assert_string_equal(s.name, "demo");
		gke_spec_release(&s);
	}
	assert_int_equal(decode(&s, "ttl: 8h", NULL, &e), -1);
	assert_has(e.msg, "no location is given");
	assert_has(e.hint, "cluster.gke.location");
	err_clear(&e);
	assert_int_equal(decode(&s, "ttl: 8h", nonsense, &e), -1);
	assert_has(e.msg, "\"nowhere\" is not a location");
}

static void every_field_reaches_the_spec(void **state UNUSED)
{
	struct gke_spec s;
	struct err e = ERR_INIT;

	assert_ok(decode(&s,
			 "name: other, location: us-a1, credentials: k.json, impersonate: a@b.c, "
			 "endpoint: dns, ttl: 90m, deletionProtection: true",
			 NULL, &e),
		  &e);
	assert_string_equal(s.name, "other");
	assert_string_equal(s.environment, "demo");
	assert_string_equal(s.credentials, "/tmp/k.json");
	assert_string_equal(s.impersonate, "a@b.c");
	assert_int_equal(s.way, GKE_WAY_DNS);
	assert_true(s.ttl == 5400 * NS_SEC && s.protect && !s.autopilot);
	gke_spec_release(&s);
}

static void pools_are_counted_per_zone(void **state UNUSED)
{
	struct gke_pool p[GKE_POOLS_MAX];
	struct gke_spec s;
	struct err e = ERR_INIT;

	assert_ok(decode(&s, "location: us-a1-b", NULL, &e), &e);
	assert_int_equal(gke_spec_pools(p, &s), 1);
	assert_string_equal(p[0].name, "default-pool");
	assert_string_equal(p[0].machine, "e2-standard-4");
	assert_true(p[0].nodes == 3 && p[0].most == 3 && p[0].disk_gb == 50 && p[0].ssd);
	assert_true(p[0].public_ip && !p[0].spot && !p[0].tainted && !p[0].labels);
	gke_spec_release(&s);

	assert_ok(
		decode(&s,
		       "location: us-a1, privateNodes: true, nodePools: [{name: a, diskType: "
		       "pd-standard, labels: {x: z}}, {name: b, autoscaling: {min: 2, max: 4}, "
		       "spot: true, taints: [{key: k, effect: PreferNoSchedule}]}, {name: c, count: 0, "
		       "taints: [{key: k, effect: NoExecute}]}]",
		       NULL, &e),
		&e);
	assert_int_equal(gke_spec_pools(p, &s), 3);
	assert_true(p[0].nodes == 1 && p[0].most == 1 && !p[0].ssd && !p[0].public_ip);
	assert_string_equal(jx_str(p[0].labels, "x"), "z");
	assert_true(p[1].nodes == 2 && p[1].most == 4 && p[1].spot && !p[1].tainted);
	assert_true(p[2].nodes == 0 && p[2].most == 0 && p[2].tainted);
	gke_spec_release(&s);

	assert_ok(decode(&s, "location: us-a1, mode: autopilot", NULL, &e), &e);
	assert_int_equal(gke_spec_pools(p, &s), 0);
	gke_spec_release(&s);
}

/* --- bodies ------------------------------------------------------------------------------------ */

static void load(struct gke_spec *s, const char *path)
{
	static const char *const none[] = {NULL};
	union {
		const char *const *in;
		void *out;
	} arg = {.in = none};
	const struct gke_env from = {variable, arg.out};
	AUTO(buf_release) struct buf more = BUF_INIT(16384);
	AUTO(env_freep) struct env *v = NULL;
	struct err e = ERR_INIT;

	assert_ok(env_load(&v, path, &more, &e), &e);
	assert_ok(gke_spec_decode(s, v, &from, &e), &e);
}

/* The body against tests/golden/gke; GOLDEN_UPDATE=1 writes it anew. */
static void bodies_are_as_expected(void **state UNUSED)
{
	static const char *const names[] = {"smallest", "regional", "private", "two-stacks",
					    "autopilot"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		autofree char *yaml = xasprintf("tests/golden/gke/%s.yaml", names[i]),
			      *path = xasprintf("tests/golden/gke/%s.json", names[i]), *text = NULL,
			      *got = NULL, *expected = NULL;
		autojson json_t *body = NULL;
		struct gke_spec s;
		struct err e = ERR_INIT;
		size_t len;

		load(&s, yaml);
		body = gke_spec_body(&s, json_string_value(json_array_get(s.locations, 0)), "r1",
				     NOW);
		gke_spec_release(&s);
		text = jx_pretty(body);
		got = xasprintf("%s\n", text);
		if (getenv("GOLDEN_UPDATE")) {
			assert_ok(file_write_atomic(path, got, strlen(got), 0644, &e), &e);
			continue;
		}
		assert_ok(file_read(&expected, &len, path, 1u << 20, &e), &e);
		assert_string_equal(got, expected);
	}
}

static void the_example_is_taken(void **state UNUSED)
{
	struct gke_pool p[GKE_POOLS_MAX];
	struct gke_spec s;

	load(&s, "examples/gke.yaml");
	assert_int_equal(json_array_size(s.locations), 3);
	assert_int_equal(gke_spec_pools(p, &s), 2);
	assert_true(p[1].nodes == 0 && p[1].most == 4 && p[1].spot);
	gke_spec_release(&s);
}

/* --- differences ------------------------------------------------------------------------------- */

/* The words of all changes, or the detail of a refusal. */
static char *differ(const char *section, const char *live_text)
{
	AUTO(buf_release) struct buf words = BUF_INIT(64u << 10), detail = BUF_INIT(64u << 10);
	autojson json_t *live = json_loads(live_text, 0, NULL);
	struct gke_changes c = {0};
	struct gke_spec s;
	struct err e = ERR_INIT;

	assert_non_null(live);
	assert_ok(decode(&s, section, NULL, &e), &e);
	if (gke_spec_diff(&c, &s, live, NOW, &detail, &e) < 0) {
		assert_int_equal(e.code, ERR_INVALID);
		assert_int_equal(c.n, 0);
		buf_fit(&words, "%s", buf_str(&detail));
	}
	for (size_t i = 0; i < c.n; i++)
		buf_fit(&words, "%s\n", c.v[i].what);
	gke_changes_release(&c);
	gke_spec_release(&s);
	return xstrdup(buf_str(&words));
}

#define LABELS "\"resourceLabels\":{\"prestoctl-environment\":\"demo\",\"prestoctl-run\":\"r\"}"
#define LIVE   "{\"location\":\"us-a1-b\",\"autopilot\":{}," LABELS ","

static void google_may_tell_things_its_own_way(void **state UNUSED)
{
	static const struct {
		const char *section, *live, *words;
	} cases[] = {
		/* int64 is a text, an absent bool false, an absent number 0, an enum may be any word. */
		{"nodePools: [{name: a, diskSizeGb: 50, count: 0, spot: false}]",
		 "\"nodePools\":[{\"name\":\"a\",\"config\":{\"diskSizeGb\":\"50\"}}]}", ""},
		{"nodePools: [{name: a, count: 2}]",
		 "\"nodePools\":[{\"name\":\"a\",\"status\":\"DREAMING\",\"initialNodeCount\":\"2\"}]}",
		 ""},
		{"nodePools: [{name: a, spot: true}]",
		 "\"nodePools\":[{\"name\":\"a\",\"config\":{\"preemptible\":true}}]}", ""},
		{"nodePools: [{name: a, imageType: COS_CONTAINERD}]",
		 "\"nodePools\":[{\"name\":\"a\",\"config\":{\"imageType\":\"cos_containerd\"}}]}",
		 ""},
		{"releaseChannel: none", "\"releaseChannel\":{}}", ""},
		{"releaseChannel: none", "\"a\":1}", ""},
		{"releaseChannel: rapid", "\"releaseChannel\":{\"channel\":\"NEWEST\"}}",
		 "release channel: rapid, not NEWEST\n"},
		/* Links for names. */
		{"network: net, subnetwork: s",
		 "\"network\":\"projects/p/global/networks/net\",\"subnetwork\":\"projects/p/regions/r/subnetworks/s\"}",
		 ""},
		/* A made subnetwork is told by its name only. */
		{"createSubnetwork: {name: s, range: 10.0.0.0/20}", "\"subnetwork\":\"s\"}", ""},
		{"createSubnetwork: true", "\"subnetwork\":\"gke-demo-subnet-1\"}", ""},
		/* The older names of private clusters. */
		{"privateNodes: true, endpoint: private, authorizedNetworks: [10.0.0.0/8]",
		 "\"privateClusterConfig\":{\"enablePrivateNodes\":true,\"enablePrivateEndpoint\":true},"
		 "\"masterAuthorizedNetworksConfig\":{\"enabled\":true,\"cidrBlocks\":"
		 "[{\"cidrBlock\":\"10.0.0.0/8\",\"displayName\":\"x\"}]}}",
		 ""},
		{"authorizedNetworks: [\"2001:DB8:0::/32\"]",
		 "\"masterAuthorizedNetworksConfig\":{\"enabled\":true,\"cidrBlocks\":"
		 "[{\"cidrBlock\":\"2001:db8::/32\"}]}}",
		 ""},
		/* Switched off: the ranges alone are no answer. */
		{"authorizedNetworks: [10.0.0.0/8]",
		 "\"masterAuthorizedNetworksConfig\":{\"cidrBlocks\":[{\"cidrBlock\":\"10.0.0.0/8\"}]}}",
		 "control plane: its authorized networks\n"},
		{"maintenanceWindow: {start: \"2030-01-05T02:00:00Z\", end: \"2030-01-05T08:00:00Z\", recurrence: FREQ=DAILY}",
		 "\"maintenancePolicy\":{\"window\":{\"recurringWindow\":{\"recurrence\":\"FREQ=DAILY\",\"window\":"
		 "{\"startTime\":\"2030-01-05T03:00:00.000000000+01:00\",\"endTime\":\"2030-01-05T08:00:00Z\"}}}}}",
		 ""},
		{"maintenanceWindow: {dailyStart: \"03:00\"}",
		 "\"maintenancePolicy\":{\"window\":{\"dailyMaintenanceWindow\":{\"startTime\":\"03:00\","
		 "\"duration\":\"PT4H0M0S\"}}}}",
		 ""},
		/* Limits in total are not limits in each zone. */
		{"nodePools: [{name: a, autoscaling: {min: 1, max: 3}}]",
		 "\"nodePools\":[{\"name\":\"a\",\"autoscaling\":{\"enabled\":true,\"totalMinNodeCount\":1,"
		 "\"totalMaxNodeCount\":3}}]}",
		 "pool a: 1 to 3 nodes, by the autoscaler\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *section = xasprintf("location: us-a1-b, %s", cases[i].section),
			      *live = xasprintf(LIVE "%s", cases[i].live),
			      *words = differ(section, live);

		if (!streq(words, cases[i].words))
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].section, words, cases[i].words);
	}
}

static void what_the_file_does_not_say_is_kept(void **state UNUSED)
{
	/* A cluster with everything, and a file that asks for nothing of it. */
	autofree char *kept = differ(
		"location: us-a1-b",
		"{\"location\":\"us-a1-b\",\"autopilot\":{},\"resourceLabels\":{\"prestoctl-environment\":"
		"\"demo\",\"prestoctl-run\":\"r\",\"theirs\":\"x\"},\"releaseChannel\":{\"channel\":\"RAPID\"},"
		"\"network\":\"n\",\"networkPolicy\":{\"enabled\":true},\"currentMasterVersion\":\"1.31.1-gke.1\","
		"\"nodePools\":[{\"name\":\"x\",\"autoscaling\":{\"enabled\":true}},{\"name\":\"default-pool\"}],"
		"\"workloadIdentityConfig\":{\"workloadPool\":\"p\"},\"maintenancePolicy\":{\"window\":{}},"
		"\"masterAuthorizedNetworksConfig\":{\"enabled\":true}}");
	/* Pools of Google's own, and one that is going already. */
	autofree char *pools = differ(
		"location: us-a1-b, nodePools: [{name: a}]", LIVE
		"\"nodePools\":[{\"name\":\"nap-1\",\"autoscaling\":{\"enabled\":true,\"autoprovisioned\":true}},"
		"{\"name\":\"b\",\"status\":\"STOPPING\"},{\"name\":\"a\"}]}");
	autofree char *again = differ("location: us-a1-b, nodePools: [{name: a, count: 2}]", LIVE
				      "\"nodePools\":[{\"name\":\"a\",\"status\":\"STOPPING\"}]}");
	/* Any of the zones will do. */
	autofree char *place = differ("location: [us-a1-c, us-a1-b]", LIVE "\"x\":1}");

	assert_string_equal(kept, "");
	assert_string_equal(pools, "");
	assert_string_equal(again, "pool a: a new one, 2 e2-standard-4\n");
	assert_string_equal(place, "");
}

static void what_cannot_be_changed_is_refused_with_reason(void **state UNUSED)
{
	static const struct {
		const char *section, *live, *line;
	} cases[] = {
		{"location: us-a1-c", "\"x\":1}",
		 "cluster.gke.location: us-a1-c is asked for, but us-a1-b is there"},
		{"location: us-a1, mode: autopilot", "\"x\":1}",
		 "cluster.gke.mode: autopilot is asked for, but standard is there"},
		{"location: us-a1-b, podsRange: a",
		 "\"ipAllocationPolicy\":{\"clusterSecondaryRangeName\":\"b\"}}",
		 "cluster.gke.podsRange: a is asked for, but b is there"},
		{"location: us-a1-b, servicesRange: a",
		 "\"ipAllocationPolicy\":{\"servicesSecondaryRangeName\":\"b\"}}",
		 "cluster.gke.servicesRange: a"},
		{"location: us-a1-b, createSubnetwork: {name: a}", "\"subnetwork\":\"b\"}",
		 "cluster.gke.createSubnetwork.name: a"},
		{"location: us-a1-b, createSubnetwork: {range: 10.0.0.0/20}",
		 "\"ipAllocationPolicy\":{\"nodeIpv4CidrBlock\":\"10.1.0.0/20\"}}",
		 "cluster.gke.createSubnetwork.range: 10.0.0.0/20"},
		{"location: us-a1-b, privateNodes: false",
		 "\"networkConfig\":{\"defaultEnablePrivateNodes\":true}}",
		 "cluster.gke.privateNodes: false is asked for, but true is there"},
		{"location: us-a1-b, privateNodes: true, controlPlaneRange: 172.16.0.0/28",
		 "\"privateClusterConfig\":{\"enablePrivateNodes\":true,\"masterIpv4CidrBlock\":\"172.16.1.0/28\"}}",
		 "cluster.gke.controlPlaneRange: 172.16.0.0/28 is asked for, but 172.16.1.0/28 is there"},
		{"location: us-a1-b, stack: ipv4-ipv6, ipv6Access: external",
		 "\"ipAllocationPolicy\":{\"stackType\":\"IPV4_IPV6\",\"ipv6AccessType\":\"INTERNAL\"}}",
		 "cluster.gke.ipv6Access: EXTERNAL is asked for, but INTERNAL is there"},
		{"location: us-a1-b, dataplane: calico", "\"x\":1}",
		 "cluster.gke.dataplane: calico is asked for, but none is there"},
		{"location: us-a1-b, nodePools: [{name: a, serviceAccount: x@y.z}]",
		 "\"nodePools\":[{\"name\":\"a\",\"config\":{\"serviceAccount\":\"default\"}}]}",
		 "cluster.gke.nodePools[0].serviceAccount: x@y.z is asked for, but default is there; it is "
		 "fixed when a pool is made: give the pool another name, and drop this one"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *live = xasprintf(LIVE "%s", cases[i].live),
			      *words = differ(cases[i].section, live);

		assert_has(words, cases[i].line);
	}
}

static void regional_counts_are_of_each_zone(void **state UNUSED)
{
	autofree char *words = differ(
		"location: us-a1, nodePools: [{name: a, count: 2}, {name: b}, {name: c, "
		"autoscaling: {max: 2}}]",
		"{\"location\":\"us-a1\"," LABELS
		",\"nodePools\":[{\"name\":\"a\",\"initialNodeCount\":1},{\"name\":\"c\"}]}");

	assert_string_equal(words, "pool a: 2 nodes in each zone, not 1\n"
				   "pool b: a new one, 1 e2-standard-4 in each zone\n"
				   "pool c: 0 to 2 nodes in each zone, by the autoscaler\n");
}

static void versions_are_compared_as_far_as_they_go(void **state UNUSED)
{
	static const struct {
		const char *have, *want;
		bool older;
	} cases[] = {
		{"1.33.5-gke.1080000", "1.33", false},
		{"1.32.9-gke.1", "1.33", true},
		{"1.33.5-gke.1", "1.33.5", false},
		{"1.33.4-gke.9", "1.33.5", true},
		{"1.33.5-gke.1", "1.33.5-gke.2", true},
		{"1.33.5-gke.10", "1.33.5-gke.9", false},
		{"1.9.1-gke.1", "1.33", true},
		{"1.34.0-gke.1", "1.33.5-gke.2", false},
		{"1.33.5-gke.1", "latest", false},
		{"1.33.5-gke.1", "-", false},
		{"", "1.33", false},
		{"junk", "1.33", false},
		{"1.33", "1.33.1", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (version_older(cases[i].have, cases[i].want) != cases[i].older)
			fail_msg("%s, %s", cases[i].have, cases[i].want);
}

static void changes_are_shown_as_the_requests_that_they_become(void **state UNUSED)
{
	static const struct gke_ref ref = {"p", "us-a1-b", "demo"};
	static const char in[] = LIVE
		"\"labelFingerprint\":\"f\",\"nodePools\":[{\"name\":\"a\",\"initialNodeCount\":1},{\"name\":\"b\"}]}";
	autojson json_t *live = json_loads(in, 0, NULL), *all = json_array();
	autofree char *text = NULL;
	struct gke_changes c = {0};
	struct gke_spec s;
	struct err e = ERR_INIT;

	assert_ok(
		decode(&s,
		       "location: us-a1-b, labels: {team: data}, nodePools: [{name: a, count: 2}]",
		       NULL, &e),
		&e);
	assert_ok(gke_spec_diff(&c, &s, live, NOW, NULL, &e), &e);
	for (size_t i = 0; i < c.n; i++)
		json_array_append_new(all, gke_change_request(&c.v[i], &ref));
	text = jx_canonical(all);
	assert_string_equal(
		text,
		"[{\"body\":{\"name\":\"projects/p/locations/us-a1-b/clusters/demo/nodePools/a\",\"nodeCount\":2},"
		"\"method\":\"POST\",\"url\":\"/projects/p/locations/us-a1-b/clusters/demo/nodePools/a:setSize\"},"
		"{\"body\":null,\"method\":\"DELETE\",\"url\":\"/projects/p/locations/us-a1-b/clusters/demo/nodePools/b\"},"
		"{\"body\":{\"labelFingerprint\":\"f\",\"name\":\"projects/p/locations/us-a1-b/clusters/demo\","
		"\"resourceLabels\":{\"prestoctl-environment\":\"demo\",\"prestoctl-run\":\"r\",\"team\":\"data\"}},"
		"\"method\":\"POST\",\"url\":\"/projects/p/locations/us-a1-b/clusters/demo:setResourceLabels\"}]");
	gke_changes_release(&c);
	gke_spec_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_wrong_is_told_with_its_place_and_remedy),
		cmocka_unit_test(a_name_that_google_refuses_is_told_where_it_stands),
		cmocka_unit_test(what_the_file_leaves_out_comes_from_variables),
		cmocka_unit_test(every_field_reaches_the_spec),
		cmocka_unit_test(pools_are_counted_per_zone),
		cmocka_unit_test(bodies_are_as_expected),
		cmocka_unit_test(the_example_is_taken),
		cmocka_unit_test(google_may_tell_things_its_own_way),
		cmocka_unit_test(what_the_file_does_not_say_is_kept),
		cmocka_unit_test(what_cannot_be_changed_is_refused_with_reason),
		cmocka_unit_test(regional_counts_are_of_each_zone),
		cmocka_unit_test(versions_are_compared_as_far_as_they_go),
		cmocka_unit_test(changes_are_shown_as_the_requests_that_they_become),
	};

	return RUN(tests);
}
