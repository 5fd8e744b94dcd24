/* Pushing images: what is asked before it is sent, credentials of each kind, and uploads that break. */
#include "tests/unit/gke_fixture.h"
#include "tests/unit/gke_tar.h"

#include "gke/push.h"

#define REPO  "/v2/demo-proj/presto/operator"
#define BLOBS REPO "/blobs/"

static struct push *registry(struct gke_fix *x, const char *user, const char *password)
{
	const struct push_opts o = {.host = fault_url(x->f) + strlen("http://"),
				    .user = user,
				    .password = password,
				    .backoff = NS_MS};
	struct push *p;

	assert_ok(push_new(&p, x->l, &o, &x->e), &x->e);
	return p;
}

static struct push_blob blob(char digest[72])
{
	digest_text(digest, TAR_LAYER, strlen(TAR_LAYER));
	return (struct push_blob){
		.digest = digest, .size = (int64_t)strlen(TAR_LAYER), .bytes = TAR_LAYER};
}

static int send_blob(struct gke_fix *x, struct push *p, enum push_how *how, const char *from)
{
	char digest[72];
	struct push_blob b = blob(digest);

	return push_blob(how, p, "demo-proj/presto/operator", &b, from, &x->e);
}

static void a_blob_that_is_there_is_not_sent(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	enum push_how how;

	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(200));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	assert_int_equal(how, PUSH_THERE);
	assert_int_equal(fault_count(x->f), 1);
}

static void a_blob_goes_in_one_put_to_the_place_that_was_given(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	enum push_how how;

	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202),
		     FAULT_HEADER("Location: /uploads/1?state=a"));
	fault_script(x->f, "PUT", "/uploads/1?state=a", FAULT_STATUS(201));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	assert_int_equal(how, PUSH_SENT);
	const struct fault_request *r = fault_request(x->f, 2);
	char digest[72];
	blob(digest);
	autofree char *type = fault_request_header(r, "content-type");
	autofree char *length = fault_request_header(r, "content-length");
	assert_has(r->target, "/uploads/1?state=a&digest=sha256:");
	assert_has(r->target, digest);
	assert_string_equal(r->body, TAR_LAYER);
	assert_string_equal(type, "application/octet-stream");
	assert_string_equal(length, "17");
	assert_int_equal(fault_connections(x->f), 1);
}

static void a_neighbour_s_blob_is_mounted(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	enum push_how how;

	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(201));
	assert_ok(send_blob(x, p, &how, "demo-proj/presto/presto"), &x->e);
	assert_int_equal(how, PUSH_MOUNTED);
	assert_has(fault_request(x->f, 1)->target, "?mount=sha256:");
	assert_has(fault_request(x->f, 1)->target, "&from=demo-proj%2Fpresto%2Fpresto");
	/* The neighbour has it not: an ordinary upload follows from the same answer. */
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202),
		     FAULT_HEADER("Location: /uploads/2"));
	fault_script(x->f, "PUT", "/uploads/2", FAULT_STATUS(201));
	assert_ok(send_blob(x, p, &how, "demo-proj/presto/presto"), &x->e);
	assert_int_equal(how, PUSH_SENT);
}

static void a_broken_upload_starts_again_whole(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	enum push_how how;

	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_always(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202),
		     FAULT_HEADER("Location: /uploads/1"));
	fault_script(x->f, "PUT", "/uploads/1", FAULT_RESET);
	fault_script(x->f, "PUT", "/uploads/1", FAULT_STATUS(502), FAULT_BODY("<html>"));
	fault_script(x->f, "PUT", "/uploads/1", FAULT_STATUS(201));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	assert_int_equal(fault_count_of(x->f, "HEAD", "*"), 3);
	assert_int_equal(fault_count_of(x->f, "POST", "*"), 3);
	assert_string_equal(fault_request(x->f, 8)->body, TAR_LAYER);
	/* It had arrived after all: the next look sees it. */
	fault_clear(x->f);
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202),
		     FAULT_HEADER("Location: /uploads/1"));
	fault_script(x->f, "PUT", "/uploads/1", FAULT_RESET);
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(200));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	assert_int_equal(how, PUSH_THERE);
	/* Not for ever. */
	fault_clear(x->f);
	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(503));
	assert_fails(send_blob(x, p, &how, NULL), &x->e, ERR_UNAVAILABLE);
	assert_int_equal(fault_count(x->f), 4);
}

static void a_refusal_is_told_in_the_registry_s_words(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	enum push_how how;

	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(403),
		     FAULT_BODY("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Permission "
				"artifactregistry.repositories.uploadArtifacts denied\"}]}"));
	assert_int_equal(send_blob(x, p, &how, NULL), -1);
	assert_has(x->e.msg, "HTTP 403: DENIED: Permission artifactregistry");
	assert_fails(-1, &x->e, ERR_DENIED);
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(404),
		     FAULT_BODY("{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}"));
	assert_fails(send_blob(x, p, &how, NULL), &x->e, ERR_NOT_FOUND);
}

static void a_look_asks_for_the_manifest_and_changes_nothing(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	bool there = false;

	fault_script(x->f, "HEAD", REPO "/manifests/v1", FAULT_STATUS(503));
	fault_script(x->f, "HEAD", REPO "/manifests/v1", FAULT_STATUS(200));
	assert_ok(push_look(&there, p, "demo-proj/presto/operator", "v1", &x->e), &x->e);
	assert_true(there);
	fault_script(x->f, "HEAD", REPO "/manifests/v2", FAULT_STATUS(404));
	assert_ok(push_look(&there, p, "demo-proj/presto/operator", "v2", &x->e), &x->e);
	assert_false(there);
	fault_script(x->f, "HEAD", REPO "/manifests/v2", FAULT_STATUS(403));
	assert_fails(push_look(&there, p, "demo-proj/presto/operator", "v2", &x->e), &x->e,
		     ERR_DENIED);
	assert_fails(push_look(&there, p, "demo-proj/../x", "v2", &x->e), &x->e, ERR_INVALID);
	assert_int_equal(fault_count(x->f), 4);
}

struct told {
	int64_t most;
	unsigned sending, again;
	enum err_code why;
};

static void on_sending(const char *digest, int64_t sent, int64_t bytes, void *arg)
{
	struct told *t = arg;

	assert_true(oci_digest_check(digest));
	assert_true(sent >= 0 && sent <= bytes);
	t->most = sent > t->most ? sent : t->most;
	t->sending++;
}

static void on_again(const struct err *e, void *arg)
{
	struct told *t = arg;

	t->again++;
	t->why = e->code;
}

static void what_goes_out_and_what_is_repeated_is_told(void **state)
{
	struct gke_fix *x = *state;
	struct told told = {0};
	const struct push_opts o = {.host = fault_url(x->f) + strlen("http://"),
				    .backoff = NS_MS,
				    .sending = on_sending,
				    .on_retry = on_again,
				    .arg = &told};
	AUTO(push_freep) struct push *p = NULL;
	enum push_how how;

	assert_ok(push_new(&p, x->l, &o, &x->e), &x->e);
	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_always(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202),
		     FAULT_HEADER("Location: /uploads/1"));
	fault_script(x->f, "PUT", "/uploads/1", FAULT_RESET);
	fault_script(x->f, "PUT", "/uploads/1", FAULT_DELAY(1200), FAULT_STATUS(201));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	assert_int_equal(how, PUSH_SENT);
	assert_int_equal(told.again, 1);
	assert_int_equal(told.why, ERR_UNAVAILABLE);
	assert_in_range(told.sending, 1, 3);
	assert_int_equal(told.most, strlen(TAR_LAYER));
}

/* --- credentials ------------------------------------------------------------------------------ */

static void basic_credentials_are_sent_when_asked_for(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep)
	struct push *p = registry(x, "me", "pass-word"), *none = registry(x, NULL, NULL);
	enum push_how how;

	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401),
		     FAULT_HEADER("WWW-Authenticate: Basic realm=\"r\""));
	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(200));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	assert_ok(send_blob(x, p, &how, "other/repo"), &x->e);
	autofree char *first = fault_request_header(fault_request(x->f, 0), "authorization");
	autofree char *second = fault_request_header(fault_request(x->f, 1), "authorization");
	assert_null(first);
	assert_string_equal(second, "Basic bWU6cGFzcy13b3Jk");
	assert_int_equal(fault_count(x->f), 3);
	fault_clear(x->f);
	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401),
		     FAULT_HEADER("WWW-Authenticate: Basic realm=\"r\""));
	assert_int_equal(send_blob(x, none, &how, NULL), -1);
	assert_has(x->e.msg, "wants credentials");
	assert_fails(-1, &x->e, ERR_DENIED);
	fault_clear(x->f);
	fault_always(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401),
		     FAULT_HEADER("WWW-Authenticate: Basic realm=\"r\""));
	assert_fails(send_blob(x, p, &how, NULL), &x->e, ERR_DENIED);
	assert_true(fault_count(x->f) <= 3);
}

static void a_bearer_token_is_fetched_and_replaced_when_it_has_ended(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, "me", "pass-word");
	autofree char *wants = xasprintf(
		"WWW-Authenticate: Bearer realm=\"%s\",service=\"reg\",scope="
		"\"repository:x:pull\"",
		gke_url(x, "/v2/token"));
	enum push_how how;

	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401), FAULT_HEADER(wants));
	fault_script(x->f, "GET", "/v2/token", FAULT_BODY("{\"token\":\"bearer-one\"}"));
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(200));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	autofree char *basic = fault_request_header(fault_request(x->f, 1), "authorization");
	autofree char *bearer = fault_request_header(fault_request(x->f, 2), "authorization");
	assert_string_equal(basic, "Basic bWU6cGFzcy13b3Jk");
	assert_string_equal(bearer, "Bearer bearer-one");
	assert_has(fault_request(x->f, 1)->target,
		   "?service=reg&scope=repository%3Ademo-proj%2Fpresto%2Foperator%3Apull%2Cpush");
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401), FAULT_HEADER(wants));
	fault_script(x->f, "GET", "/v2/token", FAULT_BODY("{\"access_token\":\"bearer-two\"}"));
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(200));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	autofree char *again = fault_request_header(fault_request(x->f, 5), "authorization");
	assert_string_equal(again, "Bearer bearer-two");
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401), FAULT_HEADER(wants));
	fault_script(x->f, "GET", "/v2/token", FAULT_STATUS(401));
	assert_int_equal(send_blob(x, p, &how, NULL), -1);
	assert_has(x->e.msg, "does not accept the credentials");
	assert_null(strstr(x->e.msg, "pass-word"));
	assert_fails(-1, &x->e, ERR_DENIED);
}

static void google_s_token_goes_to_google_only(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct push_opts o = {.google = x->auth, .backoff = NS_MS};
	static const char *const others[] = {
		"registry.example", "pkg.dev.evil.example", "xgcr.io", "a/b.pkg.dev", "",
		"A.pkg.dev"};
	static const char *const hosts[] = {"us-central1-docker.pkg.dev", "gcr.io", "eu.gcr.io"};
	AUTO(push_freep) struct push *p = NULL;
	enum push_how how;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		o.host = others[i];
		assert_int_equal(push_new(&p, x->l, &o, &x->e), -1);
		err_clear(&x->e);
	}
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		o.host = hosts[i];
		assert_ok(push_new(&p, x->l, &o, &x->e), &x->e);
		push_freep(&p);
	}
	o.host = fault_url(x->f) + strlen("http://");
	assert_ok(push_new(&p, x->l, &o, &x->e), &x->e);
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401),
		     FAULT_HEADER("WWW-Authenticate: Bearer realm=\"https://evil.example/token\","
				  "service=\"x\""));
	assert_int_equal(send_blob(x, p, &how, NULL), -1);
	assert_has(x->e.msg, "evil.example");
	assert_fails(-1, &x->e, ERR_DENIED);
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401),
		     FAULT_HEADER("WWW-Authenticate: Basic realm=\"x\""));
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(200));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	autofree char *basic = fault_request_header(fault_request(x->f, fault_count(x->f) - 1),
						    "authorization");
	assert_string_equal(basic, "Basic b2F1dGgyYWNjZXNzdG9rZW46eWEyOS5maXJzdC10b2tlbg==");
}

static void credentials_do_not_follow_an_upload_to_another_host(void **state)
{
	struct gke_fix *x = *state;
	struct fault *other = fault_start(NULL);
	AUTO(push_freep) struct push *p = registry(x, "me", "pass-word");
	autofree char *location = xasprintf("Location: %s/there", fault_url(other));
	enum push_how how;

	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(401),
		     FAULT_HEADER("WWW-Authenticate: Basic realm=\"r\""));
	fault_script(x->f, "HEAD", BLOBS "*", FAULT_STATUS(404));
	fault_script(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202), FAULT_HEADER(location));
	fault_script(other, "PUT", "/there", FAULT_STATUS(201));
	assert_ok(send_blob(x, p, &how, NULL), &x->e);
	autofree char *none = fault_request_header(fault_request(other, 0), "authorization");
	assert_null(none);
	fault_stop(other);
}

static void challenges_are_read_in_all_their_forms(void **state UNUSED)
{
	static const struct {
		const char *header;
		bool bearer, basic;
		const char *realm, *service, *scope;
	} cases[] = {
		{"Bearer realm=\"https://r/t\",service=\"s\",scope=\"a:b:c,d\"", true, false,
		 "https://r/t", "s", "a:b:c,d"},
		{"bearer service=s, realm=\"https://r/t\"", true, false, "https://r/t", "s", ""},
		{"Basic realm=\"x\", Bearer realm=\"https://r/t\"", true, true, "https://r/t", "",
		 ""},
		{"Basic realm=\"x\"", false, true, "", "", ""},
		{"Bearer", false, false, "", "", ""},
		{"Bearer realm=\"open", true, false, "open", "", ""},
		{"Bearer realm=\"a\\\"b\"", true, false, "a\"b", "", ""},
		{"Digest nonce=\"x\"", false, false, "", "", ""},
		{"", false, false, "", "", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct push_challenge c;

		push_challenge_parse(&c, cases[i].header);
		assert_int_equal(c.bearer, cases[i].bearer);
		assert_int_equal(c.basic, cases[i].basic);
		assert_string_equal(c.realm, cases[i].realm);
		assert_string_equal(c.service, cases[i].service);
		assert_string_equal(c.scope, cases[i].scope);
	}
}

/* --- images ----------------------------------------------------------------------------------- */

static void an_image_is_pushed_with_its_blobs_and_once(void **state)
{
	struct gke_fix *x = *state;
	AUTO(push_freep) struct push *p = registry(x, NULL, NULL);
	AUTO(tar_image_release) struct tar_image t;
	AUTO(oci_closep) struct oci *image = NULL;
	enum push_how how;

	tar_image(&t);
	const char *path = gke_file(x, "image.tar");
	assert_ok(file_write_atomic(path, t.tar.data, t.tar.len, 0600, &x->e), &x->e);
	assert_ok(oci_open(&image, path, &x->e), &x->e);
	fault_always(x->f, "HEAD", "*", FAULT_STATUS(404));
	fault_always(x->f, "POST", BLOBS "uploads/", FAULT_STATUS(202),
		     FAULT_HEADER("Location: /uploads/1"));
	fault_always(x->f, "PUT", "/uploads/1", FAULT_STATUS(201));
	fault_script(x->f, "PUT", REPO "/manifests/v1", FAULT_STATUS(201));
	assert_ok(push_image(&how, p, "demo-proj/presto/operator", "v1", image, NULL, &x->e),
		  &x->e);
	assert_int_equal(how, PUSH_SENT);
	const struct fault_request *last = fault_request(x->f, fault_count(x->f) - 1);
	autofree char *type = fault_request_header(last, "content-type");
	assert_string_equal(last->body, t.manifest_text);
	assert_string_equal(type, "application/vnd.oci.image.manifest.v1+json");
	assert_int_equal(fault_count_of(x->f, "PUT", "/uploads/1"), 2);
	assert_string_equal(fault_request(x->f, 3)->body, TAR_LAYER);

	autofree char *has = xasprintf("Docker-Content-Digest: %s", t.manifest);
	fault_clear(x->f);
	fault_script(x->f, "HEAD", REPO "/manifests/v1", FAULT_HEADER(has));
	assert_ok(push_image(&how, p, "demo-proj/presto/operator", "v1", image, NULL, &x->e),
		  &x->e);
	assert_int_equal(how, PUSH_THERE);
	assert_int_equal(fault_count(x->f), 1);
	assert_fails(push_image(&how, p, "../x", "v1", image, NULL, &x->e), &x->e, ERR_INVALID);
	assert_fails(push_image(&how, p, "x", "v 1", image, NULL, &x->e), &x->e, ERR_INVALID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_blob_that_is_there_is_not_sent),
		T(a_blob_goes_in_one_put_to_the_place_that_was_given),
		T(a_neighbour_s_blob_is_mounted),
		T(a_broken_upload_starts_again_whole),
		T(a_refusal_is_told_in_the_registry_s_words),
		T(a_look_asks_for_the_manifest_and_changes_nothing),
		T(what_goes_out_and_what_is_repeated_is_told),
		T(basic_credentials_are_sent_when_asked_for),
		T(a_bearer_token_is_fetched_and_replaced_when_it_has_ended),
		T(google_s_token_goes_to_google_only),
		T(credentials_do_not_follow_an_upload_to_another_host),
		cmocka_unit_test(challenges_are_read_in_all_their_forms),
		T(an_image_is_pushed_with_its_blobs_and_once),
	};

	return RUN(tests);
}
