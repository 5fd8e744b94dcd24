/* How each credential becomes a token, which one is found, and what goes wrong with each. */
#include "tests/unit/gke_auth_fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"

static char *key_pem; /* one RSA key for all tests */
static EVP_PKEY *key;

static int make_key(void **state UNUSED)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	key = EVP_RSA_gen(2048);
	if (!key || !bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return -1;
	len = BIO_get_mem_data(bio, &text);
	key_pem = xstrndup(text, (size_t)len);
	BIO_free(bio);
	return 0;
}

static int drop_key(void **state UNUSED)
{
	EVP_PKEY_free(key);
	free(key_pem);
	return 0;
}

static const char *key_file(struct gke_fix *x, const char *token_uri)
{
	autojson json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "type", "service_account",
				       "client_email", "ci@demo-proj.iam.gserviceaccount.com",
				       "private_key_id", "kid-1", "private_key", key_pem,
				       "project_id", "demo-proj", "token_uri", token_uri);
	autofree char *text = jx_pretty(o);

	return gke_write(x, "key.json", text);
}

/* --- service account keys --------------------------------------------------------------------- */

static json_t *jwt_part(const char *jwt, unsigned index)
{
	struct err e = ERR_INIT;
	autofree char *copy = xstrdup(jwt), *text = NULL;
	char *at = copy, *part = NULL;
	json_t *o = NULL;
	size_t len;

	for (unsigned i = 0; i <= index; i++)
		part = strsep(&at, ".");
	assert_ok(base64_decode(&text, &len, part, &e), &e);
	assert_ok(jx_parse(&o, text, len, "jwt", &e), &e);
	return o;
}

static void assert_signed(const char *jwt)
{
	const char *dot = strrchr(jwt, '.');
	autofree char *signature = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct err e = ERR_INIT;
	size_t len;

	assert_ok(base64_decode(&signature, &len, dot + 1, &e), &e);
	assert_int_equal(len, 256);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestVerify(ctx, (const unsigned char *)signature, len,
					  (const unsigned char *)jwt, (size_t)(dot - jwt)),
			 1);
	EVP_MD_CTX_free(ctx);
}

static void a_key_is_traded_for_a_token_with_a_signed_assertion(void **state)
{
	struct gke_fix *x = *state;
	const char *uri = gke_url(x, "/sa/token");

	fault_script(x->f, "POST", "/sa/token", FAULT_BODY(TOKEN("ya29.one")));
	gke_set(x, "GOOGLE_APPLICATION_CREDENTIALS", key_file(x, uri));
	found(x);
	gives(x, "ya29.one");

	const struct fault_request *r = request(x, 0);
	autofree char *type = fault_request_header(r, "content-type");
	autofree char *grant = form_value(r->body, "grant_type");
	autofree char *jwt = form_value(r->body, "assertion");
	autojson json_t *header = jwt_part(jwt, 0), *claims = jwt_part(jwt, 1);

	assert_string_equal(type, "application/x-www-form-urlencoded");
	assert_string_equal(grant, "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
	assert_signed(jwt);
	assert_string_equal(jx_str(header, "alg"), "RS256");
	assert_string_equal(jx_str(header, "kid"), "kid-1");
	assert_string_equal(jx_str(claims, "iss"), "ci@demo-proj.iam.gserviceaccount.com");
	assert_string_equal(jx_str(claims, "aud"), uri);
	assert_string_equal(jx_str(claims, "scope"), AUTH_SCOPES);
	assert_int_equal(jx_int(claims, "iat"), NOW / NS_SEC - 10);
	assert_int_equal(jx_int(claims, "exp"), NOW / NS_SEC - 10 + 3600);
	assert_string_equal(auth_principal(x->auth), "ci@demo-proj.iam.gserviceaccount.com");
	assert_string_equal(auth_project(x->auth), "demo-proj");
}

static void tokens_are_kept_and_replaced_before_they_end(void **state)
{
	struct gke_fix *x = *state;

	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("first-token")));
	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("second-token")));
	use(x, user_text(x));
	gives(x, "first-token");
	gke_now = NOW + (3599 - 226) * NS_SEC;
	gives(x, "first-token");
	assert_int_equal(fault_count(x->f), 1);
	gke_now = NOW + (3599 - 224) * NS_SEC;
	gives(x, "second-token");
	assert_int_equal(fault_count(x->f), 2);
}

static void a_token_that_still_holds_survives_an_endpoint_that_is_down(void **state)
{
	struct gke_fix *x = *state;

	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("first-token")));
	use(x, user_text(x));
	gives(x, "first-token");
	fault_always(x->f, "POST", "/token", FAULT_STATUS(503), FAULT_BODY("down"));
	gke_now = NOW + 3500 * NS_SEC;
	gives(x, "first-token");
	gke_now = NOW + 3595 * NS_SEC;
	fails(x, ERR_UNAVAILABLE, "HTTP 503", "");
}

static void a_refused_token_is_fetched_again_at_once(void **state)
{
	struct gke_fix *x = *state;
	autofree char *token = NULL;

	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("first-token")));
	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("second-token")));
	use(x, user_text(x));
	gives(x, "first-token");
	assert_ok(token_rc(x, true, &token), &x->e);
	assert_string_equal(token, "second-token");
	gives(x, "second-token");
}

static void what_is_wrong_with_a_key_is_said_with_its_remedy(void **state)
{
	struct gke_fix *x = *state;
	static const struct {
		const char *date, *body, *message, *hint;
	} cases[] = {
		{"Date: Sun, 22 Nov 2026 06:42:11 GMT",
		 "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be "
		 "a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
		 "and exp values\"}",
		 "this machine's clock is 2h", "set the clock"},
		{"Date: Sun, 22 Nov 2026 08:42:11 GMT",
		 "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}",
		 "Invalid JWT Signature", "make a new one for ci@demo"},
		{"Date: Sun, 22 Nov 2026 08:42:11 GMT",
		 "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid grant: account not "
		 "found\"}",
		 "account not found", "was deleted or disabled"},
		{"Date: Sun, 22 Nov 2026 08:42:11 GMT", "{\"error\":\"unauthorized_client\"}",
		 "unauthorized_client", "may get tokens"},
		{"Date: x", "<html>proxy says no</html>", "HTTP 400", "may get tokens"},
	};

	gke_set(x, "GOOGLE_APPLICATION_CREDENTIALS", key_file(x, gke_url(x, "/sa/token")));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fault_clear(x->f);
		fault_always(x->f, "POST", "/sa/token", FAULT_STATUS(400),
			     FAULT_HEADER(cases[i].date), FAULT_BODY(cases[i].body));
		found(x);
		fails(x, ERR_DENIED, cases[i].message, cases[i].hint);
		assert_int_equal(fault_count(x->f), 1);
	}
}

/* --- people ----------------------------------------------------------------------------------- */

static void a_login_is_refreshed_and_brings_its_quota_project(void **state)
{
	struct gke_fix *x = *state;
	/* {"email":"me@example.com"} in the middle */
	static const char reply[] = "{\"access_token\":\"user-token\",\"expires_in\":3599,"
				    "\"id_token\":\"e30.eyJlbWFpbCI6Im1lQGV4YW1wbGUuY29tIn0.x\"}";

	fault_script(x->f, "POST", "/token", FAULT_BODY(reply));
	use(x, user_text(x));
	gives(x, "user-token");
	assert_string_equal(request(x, 0)->body,
			    "grant_type=refresh_token&client_id=cid&client_secret=sesame-secret&"
			    "refresh_token=1%2F%2Frefresh-secret");
	assert_string_equal(auth_quota_project(x->auth), "qp");
	assert_string_equal(auth_principal(x->auth), "me@example.com");
}

static void a_login_that_has_ended_says_to_log_in_again(void **state)
{
	struct gke_fix *x = *state;
	static const struct {
		const char *body, *message;
	} cases[] = {
		{"{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or "
		 "revoked.\"}",
		 "the login has ended or was revoked"},
		{"{\"error\":\"invalid_grant\",\"error_description\":\"reauth related error "
		 "(invalid_rapt)\",\"error_subtype\":\"invalid_rapt\"}",
		 "the organisation wants a fresh login"},
		{"{\"error\":\"deleted_client\"}", "the OAuth client of this login is gone"},
		{"{\"error\":\"invalid_grant\",\"error_description\":\"bad 1//refresh-secret\"}",
		 "bad [redacted]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fault_clear(x->f);
		fault_always(x->f, "POST", "/token", FAULT_STATUS(400), FAULT_BODY(cases[i].body));
		use(x, user_text(x));
		fails(x, ERR_DENIED, cases[i].message, "gcloud auth application-default login");
		assert_int_equal(fault_count(x->f), 1);
	}
}

static void token_endpoints_are_asked_again_when_the_failure_may_pass(void **state)
{
	struct gke_fix *x = *state;
	static const struct {
		int status;
		const char *body;
	} cases[] = {
		{500, "oops"},
		{503, "<html>"},
		{408, ""},
		{429, "{\"error\":\"rate_limit_exceeded\"}"},
		{400, "{\"error\":\"internal_failure\"}"},
		{400, "{\"error\":\"server_error\"}"},
		{400, "{\"error\":\"temporarily_unavailable\"}"},
		{200, "{\"error\":\"internal_failure\"}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fault_clear(x->f);
		for (unsigned n = 0; n < 3; n++)
			fault_script(x->f, "POST", "/token", FAULT_STATUS(cases[i].status),
				     FAULT_BODY(cases[i].body));
		fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("late-token")));
		use(x, user_text(x));
		gives(x, "late-token");
	}
	fault_clear(x->f);
	fault_script(x->f, "POST", "/token", FAULT_RESET);
	fault_script(x->f, "POST", "/token", FAULT_BODY(TOKEN("late-token")));
	use(x, user_text(x));
	gives(x, "late-token");
	fault_clear(x->f);
	fault_always(x->f, "POST", "/token", FAULT_STATUS(503), FAULT_BODY(""));
	use(x, user_text(x));
	fails(x, ERR_UNAVAILABLE, "HTTP 503", "");
	assert_int_equal(fault_count(x->f), 4);
}

static void answers_that_are_none_are_refused(void **state)
{
	struct gke_fix *x = *state;
	static const char *const bodies[] = {"",
					     "<html>",
					     "[]",
					     "{}",
					     "{\"access_token\":\"\"}",
					     "{\"access_token\":\"a b\"}",
					     "{\"access_token\":\"a\\r\\nX: y\"}",
					     "{\"access_token\":7}"};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		char *token;

		fault_clear(x->f);
		fault_always(x->f, "POST", "/token", FAULT_BODY(bodies[i]));
		use(x, user_text(x));
		assert_int_equal(token_rc(x, false, &token), -1);
		err_clear(&x->e);
	}
}

/* --- tokens as they are ----------------------------------------------------------------------- */

static void a_raw_token_is_used_and_when_refused_it_is_over(void **state)
{
	struct gke_fix *x = *state;
	char *token;

	gke_set(x, "GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.static-token");
	found(x);
	gives(x, "ya29.static-token");
	assert_int_equal(token_rc(x, true, &token), -1);
	assert_has(x->e.msg, "does not accept the access token from GOOGLE_OAUTH_ACCESS_TOKEN");
	assert_has(x->e.hint, "get a new one");
	assert_fails(-1, &x->e, ERR_DENIED);
}

static void a_token_file_is_read_again_when_its_token_is_refused(void **state)
{
	struct gke_fix *x = *state;
	autofree char *token = NULL;
	char *none;

	gke_set(x, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", gke_write(x, "tok", "ya29.file-one\n"));
	found(x);
	gives(x, "ya29.file-one");
	assert_int_equal(token_rc(x, true, &none), -1);
	assert_fails(-1, &x->e, ERR_DENIED);
	gke_write(x, "tok", "ya29.file-two\n");
	assert_ok(token_rc(x, true, &token), &x->e);
	assert_string_equal(token, "ya29.file-two");
	gke_write(x, "tok", "ya29.file-three\n");
	gives(x, "ya29.file-two");
	gke_now += 61 * NS_SEC;
	gives(x, "ya29.file-three");
}

/* --- places ----------------------------------------------------------------------------------- */

static void metadata(struct gke_fix *x)
{
	gke_set(x, "NO_GCE_CHECK", "");
	gke_set(x, "GCE_METADATA_HOST", fault_url(x->f) + strlen("http://"));
}

#define MD     "/computeMetadata/v1/"
#define FLAVOR FAULT_HEADER("Metadata-Flavor: Google")

static void the_metadata_server_gives_token_project_and_name(void **state)
{
	struct gke_fix *x = *state;

	fault_always(x->f, "GET", MD "project/project-id", FLAVOR, FAULT_BODY("demo-proj"));
	fault_always(x->f, "GET", MD "instance/service-accounts/default/token*", FLAVOR,
		     FAULT_BODY(TOKEN("md-token")));
	fault_always(x->f, "GET", MD "instance/service-accounts/default/*", FLAVOR,
		     FAULT_BODY("{\"email\":\"sa@demo-proj.iam.gserviceaccount.com\"}"));
	metadata(x);
	found(x);
	gives(x, "md-token");
	autofree char *flavor = fault_request_header(request(x, 1), "metadata-flavor");
	assert_string_equal(flavor, "Google");
	assert_has(request(x, 1)->target, "scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2F"
					  "cloud-platform%2Chttps");
	assert_string_equal(auth_project(x->auth), "demo-proj");
	assert_string_equal(auth_principal(x->auth), "sa@demo-proj.iam.gserviceaccount.com");
}

static void what_is_not_the_metadata_server_is_not_taken_for_it(void **state)
{
	struct gke_fix *x = *state;
	struct auth_opts o = gke_opts(x);

	fault_always(x->f, "GET", "*", FAULT_BODY("<html>please log in</html>"));
	metadata(x);
	assert_fails(auth_new(&x->auth, x->l, &o, &x->e), &x->e, ERR_NOT_FOUND);
	assert_int_equal(fault_count(x->f), 1);
	gke_set(x, "NO_GCE_CHECK", "true");
	assert_fails(auth_new(&x->auth, x->l, &o, &x->e), &x->e, ERR_NOT_FOUND);
	assert_int_equal(fault_count(x->f), 1);
	/* Silence: three short tries. */
	gke_set(x, "NO_GCE_CHECK", "");
	fault_clear(x->f);
	fault_always(x->f, "GET", "*", FAULT_HOLD);
	assert_fails(auth_new(&x->auth, x->l, &o, &x->e), &x->e, ERR_NOT_FOUND);
	assert_int_equal(fault_count(x->f), 3);
}

static void gcloud_is_the_last_resort(void **state)
{
	struct gke_fix *x = *state;
	struct auth_opts o = gke_opts(x);
	const char *path = script(
		x, "#!/bin/sh\n[ \"$1 $2\" = 'config config-helper' ] || exit 9\ncat <<'END'\n"
		   "{\"configuration\":{\"properties\":{\"core\":{\"account\":\"me@example.com\","
		   "\"project\":\"demo-proj\"}}},\"credential\":{\"access_token\":\"gc-token\","
		   "\"token_expiry\":\"2026-11-22T09:42:11Z\"}}\nEND\n");

	o.gcloud = path;
	assert_ok(auth_new(&x->auth, x->l, &o, &x->e), &x->e);
	gives(x, "gc-token");
	assert_string_equal(auth_principal(x->auth), "me@example.com");
	assert_string_equal(auth_project(x->auth), "demo-proj");
	script(x, "#!/bin/sh\necho 'ERROR: (gcloud.config.config-helper) You do not currently "
		  "have an active account selected.' >&2; exit 1\n");
	auth_freep(&x->auth);
	assert_ok(auth_new(&x->auth, x->l, &o, &x->e), &x->e);
	fails(x, ERR_DENIED, "exit code 1: You do not currently have", "gcloud auth login");
}

static void the_first_place_that_has_a_credential_wins(void **state)
{
	struct gke_fix *x = *state;
	struct auth_opts o = gke_opts(x);
	struct auth_status s;

	/* From the last to the first: each one set takes over. */
	fault_always(x->f, "POST", "/token", FAULT_BODY(TOKEN("user-token")));
	assert_ok(file_mkdirs(gke_file(x, ".config/gcloud"), 0700, &x->e), &x->e);
	gke_write(x, ".config/gcloud/application_default_credentials.json", user_text(x));
	found(x);
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_has(s.source, "application default credentials: ");
	assert_string_equal(s.kind, "user login");
	gke_set(x, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", gke_write(x, "o.json", user_text(x)));
	found(x);
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_has(s.source, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: /tmp/");
	gke_set(x, "GOOGLE_CREDENTIALS", user_text(x));
	found(x);
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_string_equal(s.source, "GOOGLE_CREDENTIALS");
	gke_set(x, "GOOGLE_CREDENTIALS", gke_write(x, "t.json", user_text(x)));
	found(x);
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_has(s.source, "GOOGLE_CREDENTIALS: /tmp/");
	use(x, user_text(x));
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_has(s.source, "GOOGLE_APPLICATION_CREDENTIALS: /tmp/");
	gke_set(x, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", gke_write(x, "tok", "ya29.file-one\n"));
	found(x);
	gives(x, "ya29.file-one");
	gke_set(x, "GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.static-token");
	found(x);
	gives(x, "ya29.static-token");
	o.access_token = "ya29.flag-token";
	auth_freep(&x->auth);
	assert_ok(auth_new(&x->auth, x->l, &o, &x->e), &x->e);
	gives(x, "ya29.flag-token");
}

static void a_credential_that_is_there_and_broken_is_an_error(void **state)
{
	struct gke_fix *x = *state;
	struct auth_opts o = gke_opts(x);

	assert_fails(auth_new(&x->auth, x->l, &o, &x->e), &x->e, ERR_NOT_FOUND);
	gke_set(x, "GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json");
	assert_int_equal(auth_new(&x->auth, x->l, &o, &x->e), -1);
	assert_has(x->e.msg, "GOOGLE_APPLICATION_CREDENTIALS: /nowhere/key.json");
	assert_has(x->e.hint, "correct the path");
	assert_fails(-1, &x->e, ERR_NOT_FOUND);
	gke_set(x, "GOOGLE_APPLICATION_CREDENTIALS",
		gke_write(x, "bad.json", "{\"private_key\": \"-----BEGIN oops"));
	assert_int_equal(auth_new(&x->auth, x->l, &o, &x->e), -1);
	assert_null(strstr(x->e.msg, "oops"));
	assert_has(x->e.msg, "bad.json: line 1");
	assert_fails(-1, &x->e, ERR_INVALID);
	gke_set(x, "GOOGLE_OAUTH_ACCESS_TOKEN", "two words");
	assert_fails(auth_new(&x->auth, x->l, &o, &x->e), &x->e, ERR_INVALID);
}

static void a_key_of_another_universe_signs_its_own_token(void **state)
{
	struct gke_fix *x = *state;
	autojson json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "type", "service_account",
				       "client_email", "a@b.other.example", "private_key", key_pem,
				       "universe_domain", "other.example");
	autofree char *text = jx_pretty(o), *token = NULL;

	gke_set(x, "GOOGLE_CLOUD_UNIVERSE_DOMAIN", "other.example");
	use(x, text);
	assert_ok(token_rc(x, false, &token), &x->e);
	assert_signed(token);
	autojson json_t *claims = jwt_part(token, 1);
	assert_string_equal(jx_str(claims, "sub"), "a@b.other.example");
	assert_null(jx_str(claims, "aud"));
	assert_string_equal(auth_universe(x->auth), "other.example");
	assert_int_equal(fault_count(x->f), 0);
}

static void a_key_that_is_locked_or_no_rsa_key_is_said_not_asked_for(void **state UNUSED)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	BIO *locked = BIO_new(BIO_s_mem()), *curve = BIO_new(BIO_s_mem());
	autojson json_t *claims = json_object();
	BIO *all[] = {locked, curve};

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(locked, key, EVP_aes_128_cbc(), "password",
						       8, NULL, NULL),
			 1);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(curve, ec, NULL, NULL, 0, NULL, NULL), 1);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = ERR_INIT;
		char *text, *jwt = NULL;
		long len = BIO_get_mem_data(all[i], &text);
		autofree char *pem = xstrndup(text, (size_t)len);

		assert_fails(jwt_rs256(&jwt, NULL, claims, pem, &e), &e, ERR_INVALID);
		BIO_free(all[i]);
	}
	EVP_PKEY_free(ec);
}

/* --- status ----------------------------------------------------------------------------------- */

static void status_tells_whose_a_raw_token_is_and_how_long_it_lasts(void **state)
{
	struct gke_fix *x = *state;
	struct auth_status s;

	gke_set(x, "CLOUDSDK_AUTH_TOKEN_HOST", gke_url(x, "/token"));
	gke_set(x, "GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.static-token");
	fault_script(x->f, "POST", "/tokeninfo",
		     FAULT_BODY("{\"email\":\"me@example.com\",\"expires_in\":\"1800\"}"));
	found(x);
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_string_equal(s.kind, "access token");
	assert_string_equal(s.source, "GOOGLE_OAUTH_ACCESS_TOKEN");
	assert_string_equal(s.principal, "me@example.com");
	assert_true(s.expiry == NOW + 1800 * NS_SEC);
	assert_false(s.renewable);
	assert_string_equal(request(x, 0)->body, "access_token=ya29.static-token");
	/* Nobody to ask: still a status. */
	found(x);
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_string_equal(s.principal, "");
}

static void status_asks_sts_for_the_principal_of_federation(void **state)
{
	struct gke_fix *x = *state;
	autofree char *source = xasprintf("\"file\":\"%s\"", gke_write(x, "oidc", "subject-one"));
	autofree char *more = xasprintf(",\"token_info_url\":\"%s\"", gke_url(x, "/introspect"));
	struct auth_status s;

	fault_script(x->f, "POST", "/v1/token", FAULT_BODY(TOKEN("fed-token")));
	fault_script(x->f, "POST", "/introspect",
		     FAULT_BODY("{\"active\":true,\"username\":\"principal://iam.googleapis.com/"
				"projects/1/subject/repo:o/r\",\"exp\":1795340535}"));
	use(x, external_text(x, source, more));
	assert_ok(auth_status(&s, x->auth, &x->e), &x->e);
	assert_string_equal(s.kind, "workload identity federation (file)");
	assert_has(s.principal, "principal://iam.googleapis.com/projects/1/subject/repo:o/r");
	assert_true(s.expiry == 1795340535 * NS_SEC);
	assert_true(s.renewable);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_is_traded_for_a_token_with_a_signed_assertion),
		T(tokens_are_kept_and_replaced_before_they_end),
		T(a_token_that_still_holds_survives_an_endpoint_that_is_down),
		T(a_refused_token_is_fetched_again_at_once),
		T(what_is_wrong_with_a_key_is_said_with_its_remedy),
		T(a_login_is_refreshed_and_brings_its_quota_project),
		T(a_login_that_has_ended_says_to_log_in_again),
		T(token_endpoints_are_asked_again_when_the_failure_may_pass),
		T(answers_that_are_none_are_refused),
		T(a_raw_token_is_used_and_when_refused_it_is_over),
		T(a_token_file_is_read_again_when_its_token_is_refused),
		T(the_metadata_server_gives_token_project_and_name),
		T(what_is_not_the_metadata_server_is_not_taken_for_it),
		T(gcloud_is_the_last_resort),
		T(the_first_place_that_has_a_credential_wins),
		T(a_credential_that_is_there_and_broken_is_an_error),
		T(a_key_of_another_universe_signs_its_own_token),
		cmocka_unit_test(a_key_that_is_locked_or_no_rsa_key_is_said_not_asked_for),
		T(status_tells_whose_a_raw_token_is_and_how_long_it_lasts),
		T(status_asks_sts_for_the_principal_of_federation),
	};

	return cmocka_run_group_tests(tests, make_key, drop_key);
}
