/* test_gke_marks.c - what a cluster and its objects tell of what they have outside. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "provision/gke_remove.h"

static json_t *json_of(const char *text)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	assert_ok(jx_parse(&v, text, strlen(text), "test", &e), &e);
	return v;
}

#define DISK "projects/p/zones/us-central1-a/disks/d"

static void every_object_tells_what_it_has_made(void **state UNUSED)
{
	static const struct {
		const char *object, *marks;
	} cases[] = {
		{"{'kind':'PersistentVolume','metadata':{'annotations':{'pv.kubernetes.io/provisioned-by':'x'}},'spec':{"
		 "'persistentVolumeReclaimPolicy':'Retain','csi':{'driver':'pd.csi.storage.gke.io','volumeHandle':'" DISK
		 "'}}}",
		 "{'volumes':['" DISK "']}"},
		{"{'kind':'PersistentVolume','spec':{'persistentVolumeReclaimPolicy':'Delete','csi':{'driver':"
		 "'pd.csi.storage.gke.io','volumeHandle':'projects/UNSPECIFIED/zones/us-central1-a/disks/d'}}}",
		 "{'volumes':['" DISK "']}"},
		/* Somebody's own disk. */
		{"{'kind':'PersistentVolume','spec':{'persistentVolumeReclaimPolicy':'Retain','csi':{'driver':"
		 "'pd.csi.storage.gke.io','volumeHandle':'" DISK "'}}}",
		 "{}"},
		{"{'kind':'PersistentVolume','spec':{'persistentVolumeReclaimPolicy':'Delete','csi':{'driver':"
		 "'nfs.csi.k8s.io','volumeHandle':'" DISK "'}}}",
		 "{}"},
		{"{'kind':'PersistentVolume','metadata':{'labels':{'failure-domain.beta.kubernetes.io/zone':"
		 "'us-central1-a'}},'spec':{'persistentVolumeReclaimPolicy':'Delete','gcePersistentDisk':{'pdName':'d'}}}",
		 "{'volumes':['" DISK "']}"},
		{"{'kind':'PersistentVolume','spec':{'persistentVolumeReclaimPolicy':'Delete','gcePersistentDisk':"
		 "{'pdName':'d'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':"
		 "'topology.kubernetes.io/zone','values':['us-central1-a']}]}]}}}}",
		 "{'volumes':['" DISK "']}"},
		{"{'kind':'PersistentVolume','metadata':{'labels':{'topology.kubernetes.io/zone':"
		 "'us-central1-a__us-central1-b'}},'spec':{'persistentVolumeReclaimPolicy':'Delete',"
		 "'gcePersistentDisk':{'pdName':'d'}}}",
		 "{'volumes':['projects/p/regions/us-central1/disks/d']}"},
		{"{'kind':'Service','metadata':{'uid':'u-1'},'spec':{'type':'LoadBalancer'}}",
		 "{'services':['u-1']}"},
		{"{'kind':'Service','metadata':{'uid':'u-1','annotations':{'cloud.google.com/neg-status':"
		 "'{\\\"network_endpoint_groups\\\":{\\\"80\\\":\\\"k8s1-a\\\"}}'}},'spec':{'type':'ClusterIP'}}",
		 "{'negs':['k8s1-a']}"},
		{"{'kind':'Service','metadata':{'uid':'u-1','annotations':{'cloud.google.com/neg-status':'[oh'}},"
		 "'spec':{'type':'ClusterIP'}}",
		 "{}"},
		{"{'kind':'Service','metadata':{'uid':'u-1','annotations':{'service.kubernetes.io/backend-service':"
		 "'k8s2-x','service.kubernetes.io/healthcheck':'of-mine'}},'spec':{'type':'LoadBalancer'}}",
		 "{'names':['k8s2-x'],'services':['u-1']}"},
		{"{'kind':'Ingress','metadata':{'annotations':{'ingress.kubernetes.io/url-map':'k8s2-um-1',"
		 "'ingress.kubernetes.io/static-ip':'mine','ingress.kubernetes.io/backends':"
		 "'{\\\"k8s1-be\\\":\\\"HEALTHY\\\"}'}}}",
		 "{'names':['k8s2-um-1','k8s1-be']}"},
		{"{'kind':'Gateway','metadata':{'annotations':{'networking.gke.io/backend-services':"
		 "'/projects/1/global/backendServices/gkegw1-a, /projects/1/global/backendServices/gkegw1-b'}}}",
		 "{'names':['gkegw1-a','gkegw1-b']}"},
		/* An address that is only lent to it, and a rule that all Gateways of a network share. */
		{"{'kind':'Gateway','metadata':{'annotations':{'networking.gke.io/addresses':"
		 "'/projects/1/global/addresses/k8s-mine, /projects/1/global/addresses/gkegw1-c',"
		 "'networking.gke.io/firewalls':'/projects/1/global/firewalls/gkegw1-l7-default-global'}}}",
		 "{'names':['gkegw1-c']}"},
		{"{'kind':'ServiceNetworkEndpointGroup','metadata':{'name':'k8s1-n'}}",
		 "{'negs':['k8s1-n']}"},
		{"{'kind':'Secret','metadata':{'name':'k8s1-n'}}", "{}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *object = xstrdup(cases[i].object), *marks = xstrdup(cases[i].marks);

		for (char *c = object; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		for (char *c = marks; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		autojson json_t *given = json_of(object), *want = json_of(marks),
				*got = json_object();

		/* Twice is once. */
		gke_marks_object(got, given, "p");
		gke_marks_object(got, given, "p");
		if (!json_equal(got, want)) {
			autofree char *text = jx_canonical(got);

			fail_msg("%s: %s", cases[i].object, text);
		}
	}
}

static void later_runs_add_to_what_earlier_ones_wrote(void **state UNUSED)
{
	autojson json_t *marks = json_of(
		"{\"id\":\"old\",\"seen\":true,\"released\":true,\"groups\":[\"g1\"],\"volumes\":[\"v1\"]}");
	autojson json_t *live = json_of(
		"{\"id\":\"new\",\"createTime\":\"2026-01-01T00:00:00Z\",\"instanceGroupUrls\":[\"g1\",\"g2\"],"
		"\"nodePools\":[{\"instanceGroupUrls\":[\"g2\",\"g3\"]}]}");
	autojson json_t *want = json_of(
		"{\"id\":\"new\",\"groups\":[\"g1\",\"g2\",\"g3\"],\"volumes\":[\"v1\"],"
		"\"made\":\"2026-01-01T00:00:00Z\"}");
	struct compute_marks view;

	gke_marks_cluster(marks, live);
	assert_true(json_equal(marks, want));
	/* A cluster that has gone tells nothing, and takes nothing away. */
	gke_marks_cluster(marks, NULL);
	assert_true(json_equal(marks, want));
	view = gke_marks_view(marks, "c", "l");
	assert_string_equal(view.since, "2026-01-01T00:00:00Z");
	assert_string_equal(view.cluster_id, "new");
	json_object_set_new(marks, "seen", json_true());
	assert_null(gke_marks_view(marks, "c", "l").since);
}

static void sets_have_an_end(void **state UNUSED)
{
	autojson json_t *marks = json_object();

	for (unsigned i = 0; i < 5010; i++) {
		autofree char *text = xasprintf("t%u", i);

		gke_marks_add(marks, "found", text);
	}
	gke_marks_add(marks, "found", "");
	gke_marks_add(marks, "found", NULL);
	assert_int_equal(json_array_size(jx_get(marks, "found")), 5000);
}

/* A state that is too large to be read again would be a cluster that nobody has made. */
static void all_that_is_remembered_can_be_read_again(void **state UNUSED)
{
	static const char *const sets[] = {"volumes", "services", "negs",
					   "groups",  "names",    "found"};
	char folder[] = "/tmp/marks-XXXXXX", text[501];
	autojson json_t *marks = json_object(), *long_ones = json_object();
	struct state s = STATE_INIT;
	struct provider_ctx c = {.state = &s};
	struct err e = ERR_INIT;

	memset(text, 'x', 500);
	text[500] = '\0';
	gke_marks_add(long_ones, "names", text);
	assert_int_equal(json_object_size(long_ones), 0);
	text[400] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		json_t *set = json_array();

		for (unsigned j = 0; j < 5000; j++)
			json_array_append_new(set, json_string(text));
		json_object_set_new(marks, sets[i], set);
	}
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("XDG_STATE_HOME", folder, 1), 0);
	assert_ok(state_open(&s, "demo", true, &e), &e);
	assert_ok(gke_marks_save(&c, marks, &e), &e);
	state_close(&s);
	assert_ok(state_open(&s, "demo", true, &e), &e);
	assert_true(s.found && !s.damaged);
	assert_ok(state_remove(&s, &e), &e);
	state_close(&s);
	autofree char *inner = xasprintf("%s/prestoctl", folder);
	assert_int_equal(rmdir(inner) | rmdir(folder), 0);
}

static void an_end_that_is_no_number_is_no_end(void **state UNUSED)
{
	static const struct {
		const char *label;
		ns_t want;
	} cases[] = {
		{"1700000000", 1700000000 * NS_SEC},
		{"", 0},
		{"soon", 0},
		{"99999999999", 0},
		{"-5", 0},
		{"17e8", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autojson json_t *live = json_pack("{s:{s:s}}", "resourceLabels", GKE_LABEL_EXPIRES,
						  cases[i].label);

		assert_int_equal(gke_expires(live), cases[i].want);
	}
	assert_int_equal(gke_expires(NULL), 0);
	assert_false(gke_protected(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_object_tells_what_it_has_made),
		cmocka_unit_test(later_runs_add_to_what_earlier_ones_wrote),
		cmocka_unit_test(sets_have_an_end),
		cmocka_unit_test(all_that_is_remembered_can_be_read_again),
		cmocka_unit_test(an_end_that_is_no_number_is_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
