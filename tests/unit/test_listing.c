/* test_listing.c - environments as rows, joined and drawn. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "provision/listing.h"

#define NOW (1700000000 * NS_SEC)

static json_t *json_of(const char *text)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;

	assert_ok(jx_parse(&v, text, strlen(text), "test", &e), &e);
	return v;
}

static const char cluster[] =
	"{\"name\":\"c1\",\"location\":\"us-central1-a\",\"status\":\"RUNNING\",\"currentNodeCount\":5,"
	"\"createTime\":\"2023-11-14T21:13:20Z\",\"autopilot\":{},\"resourceLabels\":{\"prestoctl-environment\":\"nightly\","
	"\"prestoctl-run\":\"r1\",\"prestoctl-expires-at\":\"1700003600\",\"prestoctl-protected\":\"true\"},"
	"\"nodePools\":[{\"config\":{\"machineType\":\"e2-small\"}},{\"config\":{\"machineType\":\"n2-standard-8\"}},"
	"{\"config\":{\"machineType\":\"e2-small\"}}]}";

static void a_cluster_with_our_label_is_a_row(void **state UNUSED)
{
	autojson json_t *live = json_of(cluster), *none = json_of("{\"name\":\"c2\"}");
	autojson json_t *row = listing_row(live, "p", NOW),
			*types = json_of("[\"e2-small\",\"n2-standard-8\"]");

	assert_null(listing_row(none, "p", NOW));
	assert_string_equal(jx_str(row, "name"), "nightly");
	assert_int_equal(jx_int(row, "ageSeconds"), 3600);
	assert_int_equal(jx_int(row, "ttlSeconds"), 3600);
	assert_int_equal(jx_int(row, "nodes"), 5);
	assert_true(json_equal(jx_get(row, "machineTypes"), types));
	assert_true(jx_bool(row, "protected") && !listing_expired(row));
	assert_string_equal(jx_str(row, "endpoint"), "public");
	jx_set(live, "controlPlaneEndpointsConfig",
	       json_of("{\"ipEndpointsConfig\":{\"enablePublicEndpoint\":false},\"dnsEndpointConfig\":{}}"));
	jx_set(live, "autopilot.enabled", json_true());
	autojson json_t *later = listing_row(live, "p", NOW + 3600 * NS_SEC);
	assert_true(listing_expired(later));
	assert_string_equal(jx_str(later, "endpoint"), "private");
	assert_string_equal(jx_str(later, "machineTypes.0"), "autopilot");
}

#define LOCAL(name, cluster, run, state)                                        \
	"{\"name\":\"" name "\",\"provider\":\"gke\",\"cluster\":\"" cluster    \
	"\",\"project\":\"p\","                                                 \
	"\"location\":\"us-central1-a\",\"run\":\"" run "\",\"state\":\"" state \
	"\",\"here\":true}"

static void one_cluster_is_one_row(void **state UNUSED)
{
	autojson json_t *live = json_of(cluster), *rows = json_array();
	autojson json_t *local = json_of("[" LOCAL("nightly", "c1", "r1", "remembered") "," LOCAL(
		"again", "c1", "r2", "remembered") "," LOCAL("half", "c9", "r3",
							     "being removed") "]");

	json_array_append_new(rows, listing_row(live, "p", NOW));
	listing_join(rows, local, "p", true);
	assert_int_equal(json_array_size(rows), 3);
	/* Sorted: again (its cluster was replaced), half (leftovers are remembered), nightly. */
	assert_string_equal(jx_str(rows, "0.state"), "gone");
	assert_string_equal(jx_str(rows, "1.state"), "being removed");
	assert_true(jx_bool(rows, "2.here"));
}

static void what_was_not_seen_is_not_called_gone(void **state UNUSED)
{
	autojson json_t *rows = json_array();
	autojson json_t *local = json_of("[" LOCAL("a", "c1", "r1", "remembered") "]");

	listing_join(rows, local, "p", false);
	assert_string_equal(jx_str(rows, "0.state"), "remembered");
	json_array_clear(rows);
	listing_join(rows, local, "other", true);
	assert_string_equal(jx_str(rows, "0.state"), "remembered");
	json_array_clear(rows);
	listing_join(rows, local, NULL, true);
	assert_string_equal(jx_str(rows, "0.state"), "remembered");
}

static void the_table_has_its_columns_one_below_the_other(void **state UNUSED)
{
	AUTO(buf_release) struct buf out = BUF_INIT(4096);
	autojson json_t *live = json_of(cluster), *rows = json_array();
	autojson json_t *local = json_of(
		"[{\"name\":\"near\",\"provider\":\"local\",\"cluster\":\"default\",\"state\":\"remembered\"}]");

	json_array_append_new(rows, listing_row(live, "p", NOW + 7200 * NS_SEC));
	listing_join(rows, local, "p", true);
	listing_table(&out, rows);
	assert_string_equal(
		buf_str(&out),
		"NAME     PROVIDER  CLUSTER  LOCATION       STATE       AGE  TTL      NODES  TYPES                   PROTECTED\n"
		"near     local     default  -              remembered  -    -        -      -                       -\n"
		"nightly  gke       c1       us-central1-a  RUNNING     3h   expired  5      e2-small,n2-standard-8  yes\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_with_our_label_is_a_row),
		cmocka_unit_test(one_cluster_is_one_row),
		cmocka_unit_test(what_was_not_seen_is_not_called_gone),
		cmocka_unit_test(the_table_has_its_columns_one_below_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
