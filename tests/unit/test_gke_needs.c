/* test_gke_needs.c - quotas that pools take, what their machines leave to pods, versions, rights. */
#include "tests/unit/unit.h"

#include "provision/gke_needs.h"
#include "provision/gke_rights.h"
#include "provision/gke_version.h"
#include "provision/room.h"

#define GIB ((int64_t)1 << 30)
#define MIB ((int64_t)1 << 20)

static json_t *js(const char *text)
{
	struct err e = ERR_INIT;
	json_t *o = NULL;

	assert_ok(jx_parse(&o, text, strlen(text), "test", &e), &e);
	return o;
}

/* --- quotas --------------------------------------------------------------------------------------- */

#define R "us-central1"

static struct compute_quota project_quotas[] = {
	{"CPUS_ALL_REGIONS", "", 32, 8},
	{"CPUS", R, 24, 0},
	{"N2_CPUS", R, 8, 0},
	{"INSTANCES", R, 720, 0},
	{"IN_USE_ADDRESSES", R, 8, 9},
	{"SSD_TOTAL_GB", R, 500, 0},
	{"PREEMPTIBLE_CPUS", R, 0, 0},
	{"DISKS_TOTAL_GB", R, 4096, 100},
	{"PREEMPTIBLE_CPUS", "elsewhere", 9, 0},
};
static const struct compute_quotas quotas = {.v = project_quotas, .n = ARRAY_LEN(project_quotas)};

static const struct {
	const char *what;
	struct gke_pool pools[2];
	struct compute_machine machines[2];
	const char *zones;
	bool most;
	const char *rows; /* "METRIC needed/available[!]", in order */
} needs_cases[] = {
	{"one zone",
	 {{.machine = "e2-standard-4", .nodes = 3, .disk_gb = 100, .ssd = true, .public_ip = true}},
	 {{4, 16 * GIB}},
	 "[\"a\"]",
	 false,
	 "CPUS 12/24, CPUS_ALL_REGIONS 12/24, INSTANCES 3/720, IN_USE_ADDRESSES 3/0!, "
	 "SSD_TOTAL_GB 300/500"},
	{"a region is three times as much",
	 {{.machine = "e2-standard-4", .nodes = 3, .disk_gb = 100, .ssd = true}},
	 {{4, 16 * GIB}},
	 "[\"a\",\"b\",\"c\"]",
	 false,
	 "CPUS 36/24!, CPUS_ALL_REGIONS 36/24!, INSTANCES 9/720, SSD_TOTAL_GB 900/500!"},
	{"pools are added, families are counted apart",
	 {{.machine = "n2-highmem-4", .nodes = 2, .disk_gb = 50, .ssd = true},
	  {.machine = "n1-standard-1", .nodes = 1, .disk_gb = 10}},
	 {{4, 32 * GIB}, {1, 4 * GIB}},
	 "[\"a\"]",
	 false,
	 "N2_CPUS 8/8, CPUS_ALL_REGIONS 9/24, INSTANCES 3/720, SSD_TOTAL_GB 100/500, CPUS 1/24, "
	 "DISKS_TOTAL_GB 10/3996"},
	{"spot counts as others do without a quota of its own",
	 {{.machine = "e2-standard-2", .nodes = 1, .disk_gb = 10, .spot = true}},
	 {{2, 8 * GIB}},
	 "[\"a\"]",
	 false,
	 "CPUS 2/24, CPUS_ALL_REGIONS 2/24, INSTANCES 1/720, DISKS_TOTAL_GB 10/3996"},
	{"autoscaling at its end",
	 {{.machine = "e2-standard-4", .nodes = 1, .most = 8, .disk_gb = 10}},
	 {{4, 16 * GIB}},
	 "[\"a\"]",
	 true,
	 "CPUS 32/24!, CPUS_ALL_REGIONS 32/24!, INSTANCES 8/720, DISKS_TOTAL_GB 80/3996"},
	{"a family that Google tells nothing about",
	 {{.machine = "c4-standard-4", .nodes = 1, .disk_gb = 10}},
	 {{4, 16 * GIB}},
	 "[\"a\"]",
	 false,
	 "C4_CPUS 4/?, CPUS_ALL_REGIONS 4/24, INSTANCES 1/720, DISKS_TOTAL_GB 10/3996"},
	{"an unknown machine has no CPUs to count",
	 {{.machine = "e2-standard-4", .nodes = 1, .disk_gb = 10}},
	 {{0}},
	 "[\"a\"]",
	 false,
	 "INSTANCES 1/720, DISKS_TOTAL_GB 10/3996"},
};

static void a_clusters_needs_are_its_pools_times_its_zones(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(needs_cases); i++) {
		autojson json_t *zones = js(needs_cases[i].zones);
		const struct gke_size s = {needs_cases[i].pools, needs_cases[i].machines,
					   needs_cases[i].pools[1].machine[0] ? 2 : 1, zones, R};
		autojson json_t *rows = gke_quota_rows(&s, &quotas, needs_cases[i].most);
		char got[400] = "";

		for (size_t k = 0; k < json_array_size(rows); k++) {
			const json_t *row = json_array_get(rows, k);
			size_t n = strlen(got);
			char left[24] = "?";
			const char *metric = jx_str(row, "metric");

			if (json_is_number(jx_get(row, "available")))
				snprintf(left, sizeof(left), "%g",
					 json_number_value(jx_get(row, "available")));
			snprintf(got + n, sizeof(got) - n, "%s%s %g/%s%s", n ? ", " : "", metric,
				 json_number_value(jx_get(row, "needed")), left,
				 jx_bool(row, "short") ? "!" : "");
			assert_string_equal(jx_str(row, "where"),
					    streq(metric, "CPUS_ALL_REGIONS") ? "project" : R);
		}
		if (!streq(got, needs_cases[i].rows))
			fail_msg("%s: %s", needs_cases[i].what, got);
	}
}

static void spot_has_a_quota_of_its_own_where_one_was_given(void **state UNUSED)
{
	struct compute_quota v[] = {{"PREEMPTIBLE_CPUS", R, 8, 6}};
	const struct compute_quotas q = {.v = v, .n = 1};
	const struct gke_pool pool = {.machine = "n2-standard-4", .nodes = 1, .spot = true};
	const struct compute_machine machine = {4, 16 * GIB};
	autojson json_t *zones = js("[\"a\"]");
	const struct gke_size s = {&pool, &machine, 1, zones, R};
	autojson json_t *rows = gke_quota_rows(&s, &q, false);

	assert_string_equal(jx_str(rows, "0.metric"), "PREEMPTIBLE_CPUS");
	assert_int_equal(jx_int(rows, "0.available"), 2);
	assert_true(jx_bool(rows, "0.short"));
}

static void nodes_are_in_the_said_zones_or_in_three_of_a_region(void **state UNUSED)
{
	static const struct {
		const char *body, *location, *of_region, *zones;
	} cases[] = {
		{"{}", "us-central1-a", "[]", "[\"us-central1-a\"]"},
		{"{}", "us-central1", "[\"a\",\"b\",\"c\",\"f\"]", "[\"a\",\"b\",\"c\"]"},
		{"{}", "us-central1", "[\"a\",\"b\"]", "[\"a\",\"b\"]"},
		{"{\"locations\":[\"x\",\"y\"]}", "us-central1", "[\"a\"]", "[\"x\",\"y\"]"},
		{"{\"locations\":[\"x\",\"y\"]}", "us-central1-a", "[]", "[\"x\",\"y\"]"},
		{"{\"locations\":[]}", "us-central1-a", "[]", "[\"us-central1-a\"]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *body = js(cases[i].body), *of = js(cases[i].of_region);
		autojson json_t *got = gke_zones_used(body, cases[i].location, of);
		autofree char *text = jx_canonical(got);

		assert_string_equal(text, cases[i].zones);
	}
}

/* --- what is left for pods ------------------------------------------------------------------------ */

static void gke_keeps_a_part_of_each_machine_by_its_published_rules(void **state UNUSED)
{
	static const struct {
		const char *type;
		int cpus;
		int64_t memory, milli, mib;
	} cases[] = {
		{"e2-standard-2", 2, 8 * GIB, 1930, 6248},       /* 1 + 0.8 GiB, 100 MiB */
		{"e2-standard-4", 4, 16 * GIB, 3920, 13621},     /* 2.6 GiB */
		{"n1-standard-1", 1, 3840 * MIB, 940, 2780},     /* a quarter */
		{"e2-highmem-16", 16, 128 * GIB, 15890, 121428}, /* 9.32 GiB */
		{"n2-highmem-32", 32, 256 * GIB, 31850, 249878}, /* and 2 % of the rest */
		{"e2-medium", 2, 4 * GIB, 940, 2972},            /* shares a core */
		{"tiny", 1, 600 * MIB, 940, 245},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t cpu = gke_allocatable_cpu(cases[i].type, cases[i].cpus);
		int64_t mib = gke_allocatable_memory(cases[i].memory) / MIB;

		if (cpu != cases[i].milli || mib != cases[i].mib)
			fail_msg("%s: %lldm, %lld MiB", cases[i].type, (long long)cpu,
				 (long long)mib);
	}
	assert_int_equal(gke_allocatable_memory(0), 0);
	assert_int_equal(gke_allocatable_cpu("e2-micro", 1), 0);
}

static const struct {
	const char *what;
	struct gke_pool pools[2];
	struct compute_machine machines[2];
	int workers;
	const char *memory, *cpu, *selector;
	enum room_answer answer;
} room_cases[] = {
	{"fits",
	 {{.name = "p", .machine = "m", .nodes = 3}},
	 {{4, 16 * GIB}},
	 2,
	 "13Gi",
	 "3",
	 NULL,
	 ROOM_FITS},
	{"the memory of a machine is not all for pods",
	 {{.name = "p", .machine = "m", .nodes = 3}},
	 {{4, 16 * GIB}},
	 2,
	 "14Gi",
	 "3",
	 NULL,
	 ROOM_NEVER},
	{"nor are its CPUs",
	 {{.name = "p", .machine = "m", .nodes = 3}},
	 {{4, 16 * GIB}},
	 2,
	 "1Gi",
	 "4",
	 NULL,
	 ROOM_NEVER},
	{"too few nodes",
	 {{.name = "p", .machine = "m", .nodes = 1}},
	 {{4, 16 * GIB}},
	 4,
	 "7Gi",
	 "1",
	 NULL,
	 ROOM_NOT_NOW},
	{"that autoscaling adds",
	 {{.name = "p", .machine = "m", .nodes = 1, .most = 9}},
	 {{4, 16 * GIB}},
	 4,
	 "7Gi",
	 "1",
	 NULL,
	 ROOM_FITS},
	{"a taint keeps pods off",
	 {{.name = "p", .machine = "m", .nodes = 9, .tainted = true},
	  {.name = "q", .machine = "m", .nodes = 1}},
	 {{4, 16 * GIB}, {4, 16 * GIB}},
	 2,
	 "13Gi",
	 "1",
	 NULL,
	 ROOM_NOT_NOW},
	{"all are tainted",
	 {{.name = "p", .machine = "m", .nodes = 9, .tainted = true}},
	 {{4, 16 * GIB}},
	 1,
	 "1Gi",
	 "1",
	 NULL,
	 ROOM_UNKNOWN},
	{"a label that only one pool has",
	 {{.name = "p", .machine = "m", .nodes = 9}, {.name = "q", .machine = "n", .nodes = 1}},
	 {{4, 16 * GIB}, {2, 8 * GIB}},
	 1,
	 "7Gi",
	 "1",
	 "{\"cloud.google.com/gke-nodepool\":\"q\"}",
	 ROOM_NEVER},
	{"labels of Google's that are not known here are granted",
	 {{.name = "p", .machine = "m", .nodes = 9}},
	 {{4, 16 * GIB}},
	 1,
	 "7Gi",
	 "1",
	 "{\"cloud.google.com/gke-os-distribution\":\"cos\"}",
	 ROOM_FITS},
	{"a label that nobody gives",
	 {{.name = "p", .machine = "m", .nodes = 9}},
	 {{4, 16 * GIB}},
	 1,
	 "7Gi",
	 "1",
	 "{\"disk\":\"fast\"}",
	 ROOM_NEVER},
};

static void pods_are_tried_on_nodes_that_do_not_exist_yet(void **state UNUSED)
{
	autojson json_t *zones = js("[\"r-a\"]"), *none = json_array();

	for (size_t i = 0; i < ARRAY_LEN(room_cases); i++) {
		const struct gke_size s = {room_cases[i].pools, room_cases[i].machines,
					   room_cases[i].pools[1].name[0] ? 2 : 1, zones, "r"};
		autojson json_t *selector = room_cases[i].selector ? js(room_cases[i].selector)
								   : NULL;
		const struct presto_node node = {.memory_allocation = room_cases[i].memory,
						 .cpu_request = room_cases[i].cpu,
						 .node_selector = selector};
		const struct presto p = {
			.worker = node, .coordinator = node, .worker_count = room_cases[i].workers};
		autojson json_t *nodes = gke_nodes(&s, &p, false), *one = gke_nodes(&s, &p, true);
		char words[400];
		enum room_answer got = room_look(&p, nodes, none, NULL, words);

		if (got != room_cases[i].answer)
			fail_msg("%s: %d %s", room_cases[i].what, (int)got, words);
		assert_int_equal(json_array_size(one), s.n);
	}
}

static void a_large_pool_is_not_listed_beyond_what_pods_can_use(void **state UNUSED)
{
	const struct gke_pool pool = {.name = "p", .machine = "m", .nodes = 5000};
	const struct compute_machine machine = {4, 16 * GIB}, unknown = {0};
	autojson json_t *zones = js("[\"a\",\"b\",\"c\"]");
	struct gke_size s = {&pool, &machine, 1, zones, "r"};
	const struct presto p = {.worker_count = 10};
	autojson json_t *nodes = gke_nodes(&s, &p, false), *nothing = NULL;

	assert_in_range(json_array_size(nodes), 11, 20);
	s.machines = &unknown;
	nothing = gke_nodes(&s, &p, false);
	assert_int_equal(json_array_size(nothing), 0);
}

/* --- versions ------------------------------------------------------------------------------------- */

static const char offered[] =
	"{\"defaultClusterVersion\":\"1.32.4-gke.5\","
	"\"validMasterVersions\":[\"1.33.1-gke.10\",\"1.33.1-gke.9\",\"1.32.4-gke.5\",\"1.30.12-gke.1\"],"
	"\"channels\":["
	"{\"channel\":\"RAPID\",\"defaultVersion\":\"1.33.1-gke.9\","
	"\"validVersions\":[\"1.33.1-gke.9\",\"1.33.1-gke.10\",\"1.34.0-gke.1\"]},"
	"{\"channel\":\"REGULAR\",\"defaultVersion\":\"1.32.4-gke.5\","
	"\"validVersions\":[\"1.32.4-gke.5\",\"1.32.10-gke.1\",\"1.32.9-gke.1\",\"1.31.1-gke.1\"]}]}";

static const struct {
	const char *channel, *wanted;
	const char *version; /* NULL: refused */
	const char *hint;
} version_cases[] = {
	{NULL, NULL, "1.32.4-gke.5", NULL},
	{"RAPID", "-", "1.33.1-gke.9", NULL},
	{"RAPID", "latest", "1.34.0-gke.1", NULL},
	{"RAPID", "1.33", "1.33.1-gke.10", NULL},
	{NULL, "1.32", "1.32.10-gke.1", NULL},
	{"REGULAR", "1.32.9", "1.32.9-gke.1", NULL},
	{"REGULAR", "1.32.9-gke.1", "1.32.9-gke.1", NULL},
	{"UNSPECIFIED", NULL, "1.32.4-gke.5", NULL},
	{"UNSPECIFIED", "latest", "1.33.1-gke.10", NULL},
	{"UNSPECIFIED", "1.30", "1.30.12-gke.1", NULL},
	{"NEWER_THAN_US", "1.99", "", NULL},
	{"REGULAR", "1.3", NULL, "nearest: "},
	{"REGULAR", "1.34", NULL, "releaseChannel: rapid has it; nearest here: 1.32.10-gke.1"},
	{"REGULAR", "1.29", NULL, "nearest: 1.31.1-gke.1, 1.32.10-gke.1, 1.32.9-gke.1"},
	{"REGULAR", "newest", NULL, "nearest: "},
};

static void a_version_is_what_google_would_take(void **state UNUSED)
{
	autojson json_t *server = js(offered), *nothing = js("{}");
	char version[GKE_VERSION_SIZE];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(version_cases); i++) {
		int rc = gke_version_resolve(version, server, version_cases[i].channel,
					     version_cases[i].wanted, &e);

		if (version_cases[i].version) {
			assert_ok(rc, &e);
			assert_string_equal(version, version_cases[i].version);
			continue;
		}
		assert_non_null(strstr(e.hint, version_cases[i].hint));
		assert_non_null(strstr(e.msg, version_cases[i].wanted));
		assert_fails(rc, &e, ERR_INVALID);
	}
	assert_ok(gke_version_resolve(version, nothing, "REGULAR", "1.33", &e), &e);
	assert_string_equal(version, "");
}

/* --- rights --------------------------------------------------------------------------------------- */

static void rights_are_asked_for_what_is_used(void **state UNUSED)
{
	const char *asked[GKE_RIGHTS_MAX];
	size_t least = gke_rights(asked, &(struct gke_right_uses){0});
	size_t all = gke_rights(asked, &(struct gke_right_uses){true, true, true});

	assert_in_range(least, 10, all - 1);
	assert_in_range(all, least, 100);
	for (size_t i = 0; i < gke_rights(asked, &(struct gke_right_uses){0}); i++)
		assert_null(strstr(asked[i], "artifactregistry"));
}

static void what_nothing_works_without_is_one_problem_and_the_rest_are_warnings(void **state UNUSED)
{
	autojson json_t *report = js("{\"warnings\":[],\"problems\":[]}");
	autojson json_t *missing = js("[\"container.clusters.create\",\"container.roles.create\","
				      "\"compute.regions.get\",\"iam.serviceAccounts.actAs\"]");
	struct gke_right_groups may;

	gke_rights_judge(&may, report, missing, "demo-proj",
			 "ci@demo-proj.iam.gserviceaccount.com");
	assert_true(may.cluster);
	assert_false(may.quotas);
	assert_int_equal(json_array_size(jx_get(report, "problems")), 1);
	assert_string_equal(jx_str(report, "problems.0.text"),
			    "ci@demo-proj.iam.gserviceaccount.com lacks 2 permissions in project "
			    "demo-proj");
	assert_string_equal(jx_str(report, "problems.0.code"), "denied");
	assert_string_equal(jx_str(report, "problems.0.lines.1"),
			    "missing: container.roles.create (roles/container.admin)");
	assert_string_equal(jx_str(report, "problems.0.hint"),
			    "gcloud projects add-iam-policy-binding demo-proj --member "
			    "serviceAccount:ci@demo-proj.iam.gserviceaccount.com --role "
			    "roles/container.admin");
	assert_int_equal(json_array_size(jx_get(report, "warnings")), 2);
	assert_non_null(
		strstr(jx_str(report, "warnings.0"), "compute.regions.get (roles/compute.viewer)"));
}

static void a_command_that_does_not_fit_is_not_cut_off(void **state UNUSED)
{
	autojson json_t *report = js("{\"warnings\":[],\"problems\":[]}");
	autojson json_t *missing = js("[\"container.clusters.list\"]");
	struct gke_right_groups may;

	gke_rights_judge(&may, report, missing, "demo-proj",
			 "principal://iam.googleapis.com/projects/123456789/locations/global/"
			 "workloadIdentityPools/github/subject/repo:me/it:ref:refs/heads/main");
	assert_false(may.cluster);
	assert_string_equal(jx_str(report, "problems.0.hint"),
			    "let an administrator of demo-proj grant roles/container.admin");
	gke_rights_judge(&may, report, missing, "demo-proj", NULL);
	assert_string_equal(jx_str(report, "problems.1.text"),
			    "this credential lacks 1 permission in project demo-proj");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clusters_needs_are_its_pools_times_its_zones),
		cmocka_unit_test(spot_has_a_quota_of_its_own_where_one_was_given),
		cmocka_unit_test(nodes_are_in_the_said_zones_or_in_three_of_a_region),
		cmocka_unit_test(gke_keeps_a_part_of_each_machine_by_its_published_rules),
		cmocka_unit_test(pods_are_tried_on_nodes_that_do_not_exist_yet),
		cmocka_unit_test(a_large_pool_is_not_listed_beyond_what_pods_can_use),
		cmocka_unit_test(a_version_is_what_google_would_take),
		cmocka_unit_test(rights_are_asked_for_what_is_used),
		cmocka_unit_test(
			what_nothing_works_without_is_one_problem_and_the_rest_are_warnings),
		cmocka_unit_test(a_command_that_does_not_fit_is_not_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
