/* Requests to Google: what they carry, when they are sent again, and when never. */
#include "tests/unit/gke_fixture.h"

#define PATH "/v1/projects/p/locations/l/clusters"

static int call(struct gke_fix *x, struct gke *g, const char *method, struct gke_error *why)
{
	autojson json_t *out = NULL, *body = json_pack("{s:s}", "a", "b");
	const struct gke_req q = {.api = GKE_CONTAINER,
				  .method = method,
				  .path = "/projects/p/locations/l/clusters",
				  .body = streq(method, "POST") ? body : NULL,
				  .why = why};

	return gke_call(&out, g, &q, &x->e);
}

static void a_request_carries_token_project_and_body(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = NULL;

	gke_set(x, "GOOGLE_CLOUD_QUOTA_PROJECT", "qp");
	g = gke_client(x);
	fault_script(x->f, "POST", PATH, FAULT_BODY("{}"));
	assert_ok(call(x, g, "POST", NULL), &x->e);
	const struct fault_request *r = fault_request(x->f, 0);
	autofree char *bearer = fault_request_header(r, "authorization");
	autofree char *quota = fault_request_header(r, "x-goog-user-project");
	autofree char *type = fault_request_header(r, "content-type");
	assert_string_equal(bearer, "Bearer ya29.first-token");
	assert_string_equal(quota, "qp");
	assert_string_equal(type, "application/json");
	assert_string_equal(r->body, "{\"a\":\"b\"}");
}

static void a_401_is_answered_with_a_new_token_once(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const char no[] = "{\"error\":{\"code\":401,\"message\":\"Request had invalid "
				 "authentication credentials.\",\"status\":\"UNAUTHENTICATED\"}}";

	/* Even a POST that must not be sent twice: nothing was done. */
	fault_script(x->f, "POST", PATH, FAULT_STATUS(401), FAULT_BODY(no));
	fault_script(x->f, "POST", PATH, FAULT_BODY("{}"));
	assert_ok(call(x, g, "GET", NULL) < 0 ? (err_clear(&x->e), 0) : 0, &x->e);
	gke_write(x, "tok", "ya29.second-token");
	assert_ok(call(x, g, "POST", NULL), &x->e);
	autofree char *bearer = fault_request_header(fault_request(x->f, fault_count(x->f) - 1),
						     "authorization");
	assert_string_equal(bearer, "Bearer ya29.second-token");

	fault_clear(x->f);
	fault_always(x->f, "GET", PATH, FAULT_STATUS(401), FAULT_BODY(no));
	gke_write(x, "tok", "ya29.third-token");
	assert_int_equal(call(x, g, "GET", NULL), -1);
	assert_int_equal(fault_count(x->f), 2);
	assert_int_equal(x->e.http, 401);
	assert_null(strstr(x->e.msg, "ya29"));
	assert_fails(-1, &x->e, ERR_DENIED);
}

static void what_may_be_sent_again_is_and_what_may_not_is_not(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const struct {
		const char *method;
		int status; /* 0: a reset after the request was read */
		const char *body;
		bool again;
	} cases[] = {
		{"GET", 503, "{}", true},
		{"GET", 500, "<html>", true},
		{"GET", 0, "", true},
		{"DELETE", 502, "", true},
		{"DELETE", 0, "", true},
		{"POST", 503, "{}", false},
		{"POST", 0, "", false},
		{"POST", 429, "{}", true},
		{"GET", 400, "{}", false},
		{"GET", 404, "{}", false},
		{"POST", 409, "{}", false},
		{"GET", 403, "{}", false},
		{"POST", 403,
		 "{\"error\":{\"message\":\"Quota exceeded for quota metric 'w' and limit 'per "
		 "minute'\"}}",
		 true},
		{"POST", 403,
		 "{\"error\":{\"message\":\"Insufficient regional quota to satisfy request: resource "
		 "\\\"CPUS\\\": request requires '9.0' and is short '1.0'\"}}",
		 false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gke_error why;
		int rc;

		fault_clear(x->f);
		if (cases[i].status)
			fault_script(x->f, cases[i].method, PATH, FAULT_STATUS(cases[i].status),
				     FAULT_BODY(cases[i].body));
		else
			fault_script(x->f, cases[i].method, PATH, FAULT_RESET);
		fault_script(x->f, cases[i].method, PATH, FAULT_BODY("{}"));
		rc = call(x, g, cases[i].method, &why);
		if ((rc == 0) != cases[i].again)
			fail_msg("case %zu: %s", i, x->e.msg);
		if (rc < 0)
			assert_true(why.lost == !cases[i].status);
		assert_int_equal(fault_count(x->f), cases[i].again ? 2 : 1);
		err_clear(&x->e);
	}
}

static void a_post_nobody_can_have_seen_is_sent_again(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = NULL;
	autofree char *nobody = xasprintf("http://127.0.0.1:%d", fault_free_port());
	struct gke_error why;

	g = gke_client(x);
	gke_freep(&g);
	gke_set(x, "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", nobody);
	const struct gke_opts o = {.env = {gke_env_get, x}, .backoff = NS_MS, .retry_for = NS_SEC};
	assert_ok(gke_new(&g, x->l, x->auth, &o, &x->e), &x->e);
	assert_int_equal(call(x, g, "POST", &why), -1);
	assert_false(why.lost);
	assert_fails(-1, &x->e, ERR_UNAVAILABLE);
}

static void a_silent_server_is_a_lost_reply(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_error why;

	fault_script(x->f, "POST", PATH, FAULT_HOLD);
	assert_int_equal(call(x, g, "POST", &why), -1);
	assert_true(why.lost);
	assert_fails(-1, &x->e, ERR_TIMEOUT);
	fault_script(x->f, "POST", PATH, FAULT_LENGTH(100), FAULT_RAW("{\"name\""), FAULT_CLOSE);
	assert_int_equal(call(x, g, "POST", &why), -1);
	assert_true(why.lost);
	assert_fails(-1, &x->e, ERR_UNAVAILABLE);
}

static void the_server_s_wish_to_wait_is_heard(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	ns_t start = clock_mono();

	fault_script(x->f, "GET", PATH, FAULT_STATUS(429), FAULT_HEADER("Retry-After: 1"),
		     FAULT_BODY("{}"));
	fault_script(x->f, "GET", PATH, FAULT_BODY("{}"));
	assert_ok(call(x, g, "GET", NULL), &x->e);
	assert_true(clock_mono() - start >= NS_SEC);
	/* Longer than the whole request may take: told at once. */
	fault_script(x->f, "GET", PATH, FAULT_STATUS(503), FAULT_HEADER("Retry-After: 60"),
		     FAULT_BODY("{}"));
	start = clock_mono();
	assert_fails(call(x, g, "GET", NULL), &x->e, ERR_UNAVAILABLE);
	assert_true(clock_mono() - start < NS_SEC);
}

static void answers_that_are_no_object_are_refused(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	static const char *const bodies[] = {"[]", "<html>", "{", "7", "{\"a\":1,\"a\":2}"};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		fault_script(x->f, "GET", PATH, FAULT_BODY(bodies[i]));
		assert_fails(call(x, g, "GET", NULL), &x->e, ERR_PROTOCOL);
	}
	fault_script(x->f, "GET", PATH, FAULT_STATUS(204));
	assert_ok(call(x, g, "GET", NULL), &x->e);
}

static void lists_are_read_to_their_last_page(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *all = NULL;

	fault_script(x->f, "GET", "/v1/things?filter=a&!pageToken=n%2F1",
		     FAULT_BODY("{\"things\":[1,2],\"nextPageToken\":\"n/1\"}"));
	fault_script(x->f, "GET", "/v1/things?filter=a&pageToken=n%2F1",
		     FAULT_BODY("{\"things\":[3]}"));
	assert_ok(gke_list(&all, g, GKE_CONTAINER, "/things?filter=a", "things", &x->e), &x->e);
	assert_int_equal(json_array_size(all), 3);
	json_decref(all);
	all = NULL;
	/* An empty project has no member of that name at all. */
	fault_script(x->f, "GET", "/v1/things", FAULT_BODY("{}"));
	assert_ok(gke_list(&all, g, GKE_CONTAINER, "/things", "things", &x->e), &x->e);
	assert_int_equal(json_array_size(all), 0);
	fault_always(x->f, "GET", "/v1/ever*", FAULT_BODY("{\"nextPageToken\":\"again\"}"));
	json_t *none = NULL;
	assert_fails(gke_list(&none, g, GKE_CONTAINER, "/ever", "things", &x->e), &x->e,
		     ERR_PROTOCOL);
}

static void path_segments_are_escaped(void **state UNUSED)
{
	autofree char *path = gke_path("/projects/%s/x?filter=%s", "a/b c", "labels.k=v");

	assert_string_equal(path, "/projects/a%2Fb%20c/x?filter=labels.k%3Dv");
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_carries_token_project_and_body),
		T(a_401_is_answered_with_a_new_token_once),
		T(what_may_be_sent_again_is_and_what_may_not_is_not),
		T(a_post_nobody_can_have_seen_is_sent_again),
		T(a_silent_server_is_a_lost_reply),
		T(the_server_s_wish_to_wait_is_heard),
		T(answers_that_are_no_object_are_refused),
		T(lists_are_read_to_their_last_page),
		cmocka_unit_test(path_segments_are_escaped),
	};

	return RUN(tests);
}
