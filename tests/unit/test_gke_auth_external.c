/* Credentials that rest on others: workload identity federation, and acting as a service account. */
#include "tests/unit/gke_auth_fixture.h"

static void subject_tokens_come_from_files_in_two_formats_and_are_read_each_time(void **state)
{
	struct gke_fix *x = *state;
	const char *path = gke_write(x, "oidc", "subject-one\n");
	autofree char *source = xasprintf("\"file\":\"%s\"", path), *token = NULL;

	fault_always(x->f, "POST", "/v1/token", FAULT_BODY(TOKEN("federated")));
	use(x, external_text(x, source, ""));
	gives(x, "federated");
	const char *body = request(x, 0)->body;
	autofree char *subject = form_value(body, "subject_token");
	autofree char *scope = form_value(body, "scope");
	autofree char *grant = form_value(body, "grant_type");
	autofree char *wanted = form_value(body, "requested_token_type");
	assert_string_equal(subject, "subject-one");
	assert_has(scope, "cloud-platform%20https");
	assert_has(scope, "userinfo.email");
	assert_has(grant, "token-exchange");
	assert_has(wanted, "access_token");

	gke_write(x, "oidc", "subject-two");
	assert_ok(token_rc(x, true, &token), &x->e);
	autofree char *again = form_value(request(x, 1)->body, "subject_token");
	assert_string_equal(again, "subject-two");

	gke_write(x, "oidc", "{\"value\":\"subject-json\"}");
	autofree char *json = xasprintf("\"file\":\"%s\",\"format\":{\"type\":\"json\","
					"\"subject_token_field_name\":\"value\"}",
					path);
	use(x, external_text(x, json, ""));
	gives(x, "federated");
	autofree char *third = form_value(request(x, 2)->body, "subject_token");
	assert_string_equal(third, "subject-json");
}

static void subject_tokens_come_from_urls_with_their_headers(void **state)
{
	struct gke_fix *x = *state;
	autofree char *source = xasprintf(
		"\"url\":\"%s\",\"headers\":{\"Authorization\":\"Bearer runner-secret\"},"
		"\"format\":{\"type\":\"json\",\"subject_token_field_name\":\"value\"}",
		gke_url(x, "/oidc?audience=a"));

	fault_script(x->f, "GET", "/oidc?audience=a", FAULT_STATUS(503), FAULT_BODY(""));
	fault_script(x->f, "GET", "/oidc?audience=a", FAULT_BODY("{\"value\":\"subject-url\"}"));
	fault_always(x->f, "POST", "/v1/token", FAULT_BODY(TOKEN("federated")));
	use(x, external_text(x, source, ""));
	gives(x, "federated");
	autofree char *header = fault_request_header(request(x, 1), "authorization");
	autofree char *subject = form_value(request(x, 2)->body, "subject_token");
	assert_string_equal(header, "Bearer runner-secret");
	assert_string_equal(subject, "subject-url");

	fault_clear(x->f);
	fault_always(x->f, "GET", "/oidc*", FAULT_STATUS(403), FAULT_BODY("no"));
	found(x);
	fails(x, ERR_DENIED, "HTTP 403", "id-token: write");
}

#define SAYS \
	"{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\","

static void subject_tokens_come_from_programs_when_that_is_allowed(void **state)
{
	struct gke_fix *x = *state;
	const char *path = script(
		x, "#!/bin/sh\n[ \"$1\" = two ] && [ $GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE = 0 ] "
		   "|| exit 3\nprintf '%s' '" SAYS "\"id_token\":\"subject-x'$$'\"}'\n");
	autofree char *source = xasprintf("\"executable\":{\"command\":\"%s  two\"}", path);

	fault_always(x->f, "POST", "/v1/token", FAULT_BODY(TOKEN("federated")));
	use(x, external_text(x, source, ""));
	fails(x, ERR_DENIED, "wants to run a program",
	      "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1");
	assert_int_equal(fault_count(x->f), 0);
	gke_set(x, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
	gives(x, "federated");
	autofree char *subject = form_value(request(x, 0)->body, "subject_token");
	assert_true(starts_with(subject, "subject-x"));
	script(x, "#!/bin/sh\necho '{\"version\":1,\"success\":false,\"code\":\"401\","
		  "\"message\":\"nobody is logged in\"}'; exit 1\n");
	found(x);
	fails(x, ERR_DENIED, "401: nobody is logged in", "");
	script(x, "#!/bin/sh\nexit 7\n");
	fails(x, ERR_DENIED, "exit code 7", "");
}

static void a_program_s_answer_is_kept_in_its_output_file_while_it_holds(void **state)
{
	struct gke_fix *x = *state;
	const char *path = script(x, "#!/bin/sh\nprintf '%s' '" SAYS "\"id_token\":\"subject-run\","
				     "\"expiration_time\":1895336931}'\n");
	const char *file = gke_file(x, "answer.json");
	autofree char *source = xasprintf("\"executable\":{\"command\":\"%s\",\"output_file\":"
					  "\"%s\"}",
					  path, file);
	autofree char *token = NULL, *one = NULL, *two = NULL, *three = NULL;

	gke_set(x, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
	fault_always(x->f, "POST", "/v1/token", FAULT_BODY(TOKEN("federated")));
	gke_write(x, "answer.json",
		  SAYS "\"id_token\":\"subject-file\",\"expiration_time\":"
		       "1795337000}");
	use(x, external_text(x, source, ""));
	gives(x, "federated");
	one = form_value(request(x, 0)->body, "subject_token");
	assert_string_equal(one, "subject-file");
	/* Refused, or at its end: the program runs. */
	assert_ok(token_rc(x, true, &token), &x->e);
	two = form_value(request(x, 1)->body, "subject_token");
	assert_string_equal(two, "subject-run");
	gke_now = 1795337000 * NS_SEC;
	found(x);
	gives(x, "federated");
	three = form_value(request(x, 2)->body, "subject_token");
	assert_string_equal(three, "subject-run");
}

#define IMPERSONATE \
	"/v1/projects/-/serviceAccounts/imp@demo.iam.gserviceaccount.com:generateAccessToken"
#define IMPERSONATED "{\"accessToken\":\"imp-token\",\"expireTime\":\"2026-11-22T09:42:11Z\"}"

static void federation_may_act_as_a_service_account(void **state)
{
	struct gke_fix *x = *state;
	autofree char *source = xasprintf("\"file\":\"%s\"", gke_write(x, "oidc", "subject-one"));
	autofree char *more = xasprintf(",\"service_account_impersonation_url\":\"%s\","
					"\"service_account_impersonation\":{"
					"\"token_lifetime_seconds\":1200}",
					gke_url(x, IMPERSONATE));
	ns_t expiry = 0;
	autofree char *token = NULL;

	fault_script(x->f, "POST", "/v1/token", FAULT_BODY(TOKEN("fed-token")));
	fault_script(x->f, "POST", IMPERSONATE, FAULT_BODY(IMPERSONATED));
	use(x, external_text(x, source, more));
	assert_ok(auth_token(&token, &expiry, false, x->auth, &x->e), &x->e);
	assert_string_equal(token, "imp-token");
	assert_true(expiry == NOW + 3600 * NS_SEC);
	autofree char *scope = form_value(request(x, 0)->body, "scope");
	autofree char *bearer = fault_request_header(request(x, 1), "authorization");
	assert_string_equal(scope, "https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fiam");
	assert_string_equal(bearer, "Bearer fed-token");
	assert_string_equal(request(x, 1)->body,
			    "{\"delegates\":[],\"lifetime\":\"1200s\",\"scope\":[\"https://"
			    "www.googleapis.com/auth/cloud-platform\",\"https://"
			    "www.googleapis.com/auth/userinfo.email\"]}");
	assert_string_equal(auth_principal(x->auth), "imp@demo.iam.gserviceaccount.com");
}

static void a_subject_token_goes_to_google_or_loopback_only(void **state)
{
	struct gke_fix *x = *state;
	static const char *const urls[] = {
		"http://sts.googleapis.com/v1/token",
		"https://sts.googleapis.com.evil.example/v1/token",
		"https://evil.example/sts.googleapis.com",
		"https://sts.googleapis.com@evil.example/v1/token",
		"https://evil.example\\\\@sts.googleapis.com/",
		"https://xgoogleapis.com/v1/token",
		"https://storage.googleapis.com/v1/token",
		"ftp://sts.googleapis.com/",
		"https://127.0.0.1.evil.example/",
		"not a url",
	};
	struct auth_opts o = gke_opts(x);

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		autofree char *text = xasprintf(
			"{\"type\":\"external_account\",\"audience\":\"a\","
			"\"subject_token_type\":\"t\",\"token_url\":\"%s\",\"credential_source\":"
			"{\"file\":\"/x\"}}",
			urls[i]);

		gke_set(x, "GOOGLE_APPLICATION_CREDENTIALS", gke_write(x, "wif.json", text));
		if (auth_new(&x->auth, x->l, &o, &x->e) == 0)
			fail_msg("%s was accepted", urls[i]);
		assert_has(x->e.msg, "token_url");
		assert_fails(-1, &x->e, ERR_DENIED);
	}
}

static void a_refused_exchange_says_what_to_look_at(void **state)
{
	struct gke_fix *x = *state;
	autofree char *source = xasprintf("\"file\":\"%s\"", gke_write(x, "oidc", "subject-one"));
	static const struct {
		int status;
		const char *body, *message, *hint;
	} cases[] = {
		{400,
		 "{\"error\":\"invalid_target\",\"error_description\":\"The target service "
		 "indicated by the audience is invalid\"}",
		 "invalid_target", "gone or disabled: .../workloadIdentityPools/pool"},
		{400,
		 "{\"error\":\"invalid_grant\",\"error_description\":\"ID Token issued at 1 "
		 "is stale to sign-in.\"}",
		 "stale", "has ended"},
		{401,
		 "{\"error\":\"unauthorized_client\",\"error_description\":\"The given "
		 "credential is rejected by the attribute condition.\"}",
		 "unauthorized_client", "attribute condition does not admit"},
		{400,
		 "{\"error\":\"invalid_grant\",\"error_description\":\"The audience in ID "
		 "Token [subject-one] does not match\"}",
		 "[redacted]", "audience"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fault_clear(x->f);
		fault_always(x->f, "POST", "/v1/token", FAULT_STATUS(cases[i].status),
			     FAULT_BODY(cases[i].body));
		use(x, external_text(x, source, ""));
		fails(x, ERR_DENIED, cases[i].message, cases[i].hint);
	}
	use(x, external_text(x, "\"file\":\"/nowhere/oidc\"", ""));
	fails(x, ERR_NOT_FOUND, "/nowhere/oidc", "credential_source.file");
}

/* --- acting as another ------------------------------------------------------------------------ */

static void impersonation_goes_through_its_chain_of_delegates(void **state)
{
	struct gke_fix *x = *state;

	gke_set(x, "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", fault_url(x->f));
	gke_set(x, "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
		"a@demo.iam.gserviceaccount.com,b@demo.iam.gserviceaccount.com,"
		"imp@demo.iam.gserviceaccount.com");
	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("user-token")));
	fault_script(x->f, "POST", IMPERSONATE, FAULT_BODY(IMPERSONATED));
	use(x, user_text(x));
	gives(x, "imp-token");
	autofree char *quota = fault_request_header(request(x, 1), "x-goog-user-project");
	assert_string_equal(quota, "qp");
	assert_has(request(x, 1)->body,
		   "\"delegates\":[\"projects/-/serviceAccounts/a@demo.iam.gserviceaccount.com\","
		   "\"projects/-/serviceAccounts/b@demo.iam.gserviceaccount.com\"]");
}

static void impersonated_service_account_files_nest(void **state)
{
	struct gke_fix *x = *state;
	autofree char *text = xasprintf(
		"{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
		"\"%s\",\"delegates\":[\"d@demo.iam.gserviceaccount.com\"],"
		"\"source_credentials\":%s}",
		gke_url(x, IMPERSONATE), user_text(x));
	struct auth_status s;

	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("user-token")));
	fault_script(x->f, "POST", IMPERSONATE, FAULT_BODY(IMPERSONATED));
	use(x, text);
	gives(x, "imp-token");
	assert_has(request(x, 1)->body, "serviceAccounts/d@demo.iam");
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_string_equal(s.kind, "impersonated service account, by user login");
	assert_string_equal(s.principal, "imp@demo.iam.gserviceaccount.com");
}

static void impersonation_without_the_right_names_the_role(void **state)
{
	struct gke_fix *x = *state;

	gke_set(x, "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", fault_url(x->f));
	gke_set(x, "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "imp@demo.iam.gserviceaccount.com");
	fault_always(x->f, "POST", "/token", FAULT_BODY(TOKEN("user-token")));
	fault_always(x->f, "POST", IMPERSONATE, FAULT_STATUS(403),
		     FAULT_BODY("{\"error\":{\"code\":403,\"message\":\"Permission "
				"'iam.serviceAccounts.getAccessToken' denied\",\"status\":"
				"\"PERMISSION_DENIED\"}}"));
	use(x, user_text(x));
	fails(x, ERR_DENIED, "getAccessToken", "roles/iam.serviceAccountTokenCreator");
	fault_clear(x->f);
	fault_always(x->f, "POST", "/token", FAULT_BODY(TOKEN("user-token")));
	fault_always(x->f, "POST", IMPERSONATE, FAULT_STATUS(404), FAULT_BODY("{}"));
	fails(x, ERR_NOT_FOUND, "HTTP 404", "does not exist");
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(subject_tokens_come_from_files_in_two_formats_and_are_read_each_time),
		T(subject_tokens_come_from_urls_with_their_headers),
		T(subject_tokens_come_from_programs_when_that_is_allowed),
		T(a_program_s_answer_is_kept_in_its_output_file_while_it_holds),
		T(federation_may_act_as_a_service_account),
		T(a_subject_token_goes_to_google_or_loopback_only),
		T(a_refused_exchange_says_what_to_look_at),
		T(impersonation_goes_through_its_chain_of_delegates),
		T(impersonated_service_account_files_nest),
		T(impersonation_without_the_right_names_the_role),
	};

	return RUN(tests);
}
