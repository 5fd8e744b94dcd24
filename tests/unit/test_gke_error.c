/* Refusals of Google's APIs, read. */
#include "tests/unit/unit.h"

#include "base/mem.h"
#include "gke/error.h"

#define ERR_BODY(code, status, message, more)                                             \
	"{\"error\":{\"code\":" #code ",\"message\":\"" message "\",\"status\":\"" status \
	"\"" more "}}"
#define INFO(reason, more)                                                                           \
	",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"" reason \
	"\",\"domain\":\"googleapis.com\",\"metadata\":{" more "}}]"
#define SHORT(metric, needed, missing, limit, free)                                         \
	"resource \\\"" metric "\\\": request requires '" needed "' and is short '" missing \
	"'. project has a quota of '" limit "' with '" free "' available. View and manage quotas"

static const struct {
	int http;
	const char *body;
	enum gke_cause cause;
	enum err_code code;
	const char *message, *hint;
} cases[] = {
	{503, ERR_BODY(503, "UNAVAILABLE", "The service is currently unavailable.", ""),
	 GKE_CAUSE_TRANSIENT, ERR_UNAVAILABLE, "currently unavailable", ""},
	{502, "<html><head><title>502 Bad Gateway</title></head><body>x</body></html>",
	 GKE_CAUSE_TRANSIENT, ERR_UNAVAILABLE, "HTTP 502: 502 Bad Gateway", ""},
	{500, "", GKE_CAUSE_TRANSIENT, ERR_UNAVAILABLE, "HTTP 500", ""},
	{504, "upstream\n  timed   out", GKE_CAUSE_TRANSIENT, ERR_UNAVAILABLE,
	 "HTTP 504: upstream timed out", ""},
	{429,
	 ERR_BODY(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric Read requests",
		  INFO("RATE_LIMIT_EXCEEDED", "\"quota_limit\":\"x\"")),
	 GKE_CAUSE_RATE, ERR_THROTTLED, "Read requests", "wait"},
	{403,
	 ERR_BODY(403, "PERMISSION_DENIED",
		  "Quota exceeded for quota metric 'Write requests' and limit 'Writes per minute'",
		  ""),
	 GKE_CAUSE_RATE, ERR_THROTTLED, "per minute", "wait"},
	{403,
	 ERR_BODY(403, "PERMISSION_DENIED", "no", INFO("CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", "")),
	 GKE_CAUSE_RATE, ERR_THROTTLED, "no", "wait"},
	{429,
	 ERR_BODY(429, "RESOURCE_EXHAUSTED", "the project hits the concurrent operations quota 5",
		  ""),
	 GKE_CAUSE_RATE, ERR_THROTTLED, "concurrent", "wait"},
	{403,
	 "{\"error\":{\"code\":403,\"message\":\"Rate Limit Exceeded\",\"errors\":[{\"reason\":"
	 "\"rateLimitExceeded\",\"domain\":\"usageLimits\"}]}}",
	 GKE_CAUSE_RATE, ERR_THROTTLED, "Rate Limit", "wait"},
	{403,
	 ERR_BODY(403, "PERMISSION_DENIED",
		  "Insufficient regional quota to satisfy request: " SHORT("CPUS", "9.0", "1.0",
									   "8.0", "8.0"),
		  ""),
	 GKE_CAUSE_QUOTA, ERR_QUOTA, "CPUS needs 9, the limit is 8", "more quota"},
	{429,
	 ERR_BODY(429, "RESOURCE_EXHAUSTED",
		  "Quota 'SSD_TOTAL_GB' exceeded. Limit: 500.0 in region r1.", ""),
	 GKE_CAUSE_QUOTA, ERR_QUOTA, "SSD_TOTAL_GB is used up in r1", "more quota"},
	{403,
	 "{\"error\":{\"code\":403,\"message\":\"Quota 'CPUS' exceeded.  Limit: 24.0 in region "
	 "us-central1.\",\"errors\":[{\"reason\":\"quotaExceeded\"}]}}",
	 GKE_CAUSE_QUOTA, ERR_QUOTA, "CPUS is used up", "more quota"},
	{400,
	 ERR_BODY(400, "FAILED_PRECONDITION",
		  "Cluster is running incompatible operation operation-1795336867732-00000002.",
		  ""),
	 GKE_CAUSE_BUSY, ERR_CONFLICT, "incompatible operation", ""},
	{400,
	 ERR_BODY(400, "FAILED_PRECONDITION",
		  "Operation operation-1-2 is currently creating cluster demo. Please wait and try "
		  "again once it is done.",
		  ""),
	 GKE_CAUSE_BUSY, ERR_CONFLICT, "currently creating", ""},
	{400,
	 ERR_BODY(
		 400, "FAILED_PRECONDITION",
		 "Cluster demo is currently being created, deleted, updated or repaired and cannot be "
		 "updated.",
		 ""),
	 GKE_CAUSE_BUSY, ERR_CONFLICT, "repaired", ""},
	{400,
	 "{\"error\":{\"code\":400,\"message\":\"The resource 'n' is not ready\",\"errors\":[{"
	 "\"reason\":\"resourceNotReady\"}]}}",
	 GKE_CAUSE_BUSY, ERR_CONFLICT, "is not ready", ""},
	{409,
	 ERR_BODY(409, "ALREADY_EXISTS", "Already exists: projects/p/zones/z/clusters/demo.",
		  ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\","
		  "\"requestId\":\"0x1\"}]"),
	 GKE_CAUSE_EXISTS, ERR_EXISTS, "Already exists", ""},
	{403,
	 ERR_BODY(403, "PERMISSION_DENIED",
		  "Kubernetes Engine API has not been used in project demo-proj before or it is "
		  "disabled.",
		  INFO("SERVICE_DISABLED", "\"service\":\"container.googleapis.com\",\"consumer\":"
					   "\"projects/demo-proj\"")),
	 GKE_CAUSE_API_OFF, ERR_DENIED, "has not been used",
	 "gcloud services enable container.googleapis.com --project demo-proj"},
	{401,
	 ERR_BODY(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", ""),
	 GKE_CAUSE_AUTH, ERR_DENIED, "invalid authentication", "prestoctl auth status"},
	{403,
	 ERR_BODY(
		 403, "PERMISSION_DENIED",
		 "Required \\\"container.clusters.create\\\" permission(s) for \\\"projects/p\\\".",
		 ""),
	 GKE_CAUSE_RIGHTS, ERR_DENIED, "Required", "me@x needs container.clusters.create"},
	{403,
	 ERR_BODY(403, "PERMISSION_DENIED", "denied",
		  INFO("IAM_PERMISSION_DENIED", "\"permission\":\"compute.disks.list\"")),
	 GKE_CAUSE_RIGHTS, ERR_DENIED, "denied", "me@x needs compute.disks.list"},
	{403, ERR_BODY(403, "PERMISSION_DENIED", "x", INFO("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "")),
	 GKE_CAUSE_RIGHTS, ERR_DENIED, "x", "lacks the scope cloud-platform"},
	{403, ERR_BODY(403, "PERMISSION_DENIED", "x", INFO("USER_PROJECT_DENIED", "")),
	 GKE_CAUSE_RIGHTS, ERR_DENIED, "x", "serviceUsageConsumer"},
	{403, ERR_BODY(403, "PERMISSION_DENIED", "off", INFO("BILLING_DISABLED", "")),
	 GKE_CAUSE_BILLING, ERR_DENIED, "off", "billing account"},
	{412,
	 "{\"error\":{\"code\":412,\"message\":\"Labels could not be set due to fingerprint "
	 "mismatch.\",\"errors\":[{\"reason\":\"conditionNotMet\"}]}}",
	 GKE_CAUSE_FINGERPRINT, ERR_CONFLICT, "fingerprint", ""},
	{404, ERR_BODY(404, "NOT_FOUND", "Not found: projects/p/zones/z/clusters/nosuch.", ""),
	 GKE_CAUSE_MISSING, ERR_NOT_FOUND, "Not found", ""},
	{400,
	 ERR_BODY(
		 400, "INVALID_ARGUMENT", "Invalid value",
		 ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
		 "\"fieldViolations\":[{\"field\":\"cluster.name\",\"description\":\"too long\"}]}]"),
	 GKE_CAUSE_INVALID, ERR_INVALID, "Invalid value: cluster.name: too long", ""},
	{503,
	 "{\"error\":{\"code\":503,\"message\":\"The zone 'projects/p/zones/z' does not have enough "
	 "resources available to fulfill the request.\",\"errors\":[{\"reason\":"
	 "\"ZONE_RESOURCE_POOL_EXHAUSTED\"}]}}",
	 GKE_CAUSE_STOCKOUT, ERR_QUOTA, "enough resources", "another zone"},
	{403, "[{\"error\":{\"code\":403,\"message\":\"in a list\"}}]", GKE_CAUSE_RIGHTS,
	 ERR_DENIED, "in a list", "me@x"},
	{418, "{\"error\":\"text\"}", GKE_CAUSE_INVALID, ERR_INVALID, "HTTP 418", ""},
	{302, "", GKE_CAUSE_OTHER, ERR_PROTOCOL, "HTTP 302", ""},
};

static void each_refusal_has_its_cause_code_and_remedy(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gke_error x;
		struct err e = ERR_INIT;

		gke_error_decode(&x, cases[i].http, cases[i].body, strlen(cases[i].body));
		assert_int_equal(gke_error_set(&x, "me@x", NULL, &e), -1);
		if (x.cause != cases[i].cause)
			fail_msg("case %zu: cause %d: %s", i, (int)x.cause, e.msg);
		assert_has(e.msg, cases[i].message);
		assert_has(e.hint, cases[i].hint);
		assert_int_equal(e.http, cases[i].http);
		assert_fails(-1, &e, cases[i].code);
	}
}

static void an_incompatible_operation_is_known_by_name(void **state UNUSED)
{
	struct gke_error x;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		gke_error_decode(&x, cases[i].http, cases[i].body, strlen(cases[i].body));
		if (strstr(cases[i].body, "operation operation-1795"))
			assert_string_equal(x.operation, "operation-1795336867732-00000002");
		else if (!strstr(cases[i].body, "operation-1-2"))
			assert_string_equal(x.operation, "");
	}
}

static void several_short_quotas_become_one_table(void **state UNUSED)
{
	static const char body[] = ERR_BODY(
		403, "PERMISSION_DENIED",
		"(1) insufficient regional quota to satisfy request: " SHORT(
			"CPUS", "24.0", "16.0", "8.0",
			"8.0") " (2) insufficient regional quota to satisfy request: " SHORT("IN_USE_"
											     "ADDRE"
											     "SSES",
											     "9.0",
											     "2.0",
											     "8.0",
											     "7.0"),
		",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\","
		"\"requestId\":\"0xab\"}]");
	struct gke_error x;
	struct err e = ERR_INIT;
	struct buf detail = BUF_INIT(4096);

	gke_error_decode(&x, 403, body, strlen(body));
	assert_int_equal(x.n_quotas, 2);
	gke_error_set(&x, NULL, &detail, &e);
	assert_has(e.msg, "CPUS needs 24, the limit is 8, and more");
	assert_has(buf_str(&detail),
		   "quota                            needed    missing      limit       free\n"
		   "CPUS                                 24         16          8          8\n"
		   "IN_USE_ADDRESSES                      9          2          8          7\n");
	assert_has(buf_str(&detail), "request 0xab");
	buf_release(&detail);
}

static void what_each_node_says_about_a_quota_counts_once(void **state UNUSED)
{
	struct gke_error x;

	gke_error_text(
		&x, "GCE_QUOTA_EXCEEDED",
		"Instance 'a' creation failed: Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 8.0 in "
		"region us-central1.; Instance 'b' creation failed: Quota 'IN_USE_ADDRESSES' "
		"exceeded.  Limit: 8.0 in region us-central1.");
	assert_int_equal(x.cause, GKE_CAUSE_QUOTA);
	assert_int_equal(x.n_quotas, 1);
	assert_string_equal(x.quotas[0].metric, "IN_USE_ADDRESSES");
	assert_string_equal(x.quotas[0].where, "us-central1");
	assert_true(x.quotas[0].limit == 8.0);
	gke_error_text(&x, "GCE_STOCKOUT", "");
	assert_int_equal(x.cause, GKE_CAUSE_STOCKOUT);
	gke_error_text(&x, "", "something else");
	assert_int_equal(x.cause, GKE_CAUSE_OTHER);
}

static void retry_delays_are_taken_when_they_make_sense(void **state UNUSED)
{
#define RETRY(text)                                                                       \
	ERR_BODY(429, "RESOURCE_EXHAUSTED", "slow",                                       \
		 ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\"," \
		 "\"retryDelay\":\"" text "\"}]")
	static const struct {
		const char *body;
		ns_t wait;
	} delays[] = {
		{RETRY("3.5s"), 3500 * NS_MS},
		{RETRY("2s"), 2 * NS_SEC},
		{RETRY("-1s"), 0},
		{RETRY("soon"), 0},
		{RETRY("1e30s"), 0},
		{RETRY("nans"), 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		struct gke_error x;

		gke_error_decode(&x, 429, delays[i].body, strlen(delays[i].body));
		assert_true(x.retry_delay == delays[i].wait);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_has_its_cause_code_and_remedy),
		cmocka_unit_test(an_incompatible_operation_is_known_by_name),
		cmocka_unit_test(several_short_quotas_become_one_table),
		cmocka_unit_test(what_each_node_says_about_a_quota_counts_once),
		cmocka_unit_test(retry_delays_are_taken_when_they_make_sense),
	};

	return RUN(tests);
}
