/* The client's verbs and retries, and where its credentials come from. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "k8s/cred.h"
#include "k8s/proxy.h"
#include "tests/fault/faultserver.h"

struct setup {
	struct fault *f;
	struct loop *l;
	struct k8s *k;
	char dir[64];
	unsigned retries;
};

static void on_retry(const struct err *e, ns_t wait, void *arg)
{
	struct setup *s = arg;

	assert_int_not_equal(e->code, ERR_OK);
	assert_true(wait > 0);
	s->retries++;
}

static void client(struct setup *s, struct k8s_config *c)
{
	const struct k8s_opts o = {"tests/1", NS_SEC, 0, on_retry, s};
	struct err e = ERR_INIT;

	if (!c->server)
		c->server = xstrdup(fault_url(s->f));
	k8s_free(s->k);
	assert_ok(k8s_new(&s->k, s->l, c, &o, &e), &e);
}

static int begin(void **state)
{
	struct setup *s = xcalloc(1, sizeof(*s));
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	assert_ok(loop_new(&s->l, &e), &e);
	s->f = fault_start(NULL);
	snprintf(s->dir, sizeof(s->dir), "/tmp/k8s-client-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	client(s, &c);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct setup *s = *state;
	autofree char *command = xasprintf("rm -rf '%s'", s->dir);

	k8s_free(s->k);
	loop_free(s->l);
	fault_stop(s->f);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

#define CM "/api/v1/namespaces/ns/configmaps"
#define OBJ \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\"}}"

static const struct k8s_ref ref = {"ns", "a"};
static const struct k8s_apply_opts by_me = {.field_manager = "me & co"};

static int get(struct setup *s, struct err *e)
{
	autojson json_t *o = NULL;

	return k8s_get(&o, s->k, &K8S_CONFIGMAP, &ref, e);
}

static int create(struct setup *s, struct err *e)
{
	autojson json_t *o = NULL, *in = NULL;

	assert_ok(jx_parse(&in, OBJ, strlen(OBJ), "obj", e), e);
	return k8s_create(&o, s->k, in, e);
}

static int apply(struct setup *s, struct err *e)
{
	autojson json_t *o = NULL, *in = NULL;

	assert_ok(jx_parse(&in, OBJ, strlen(OBJ), "obj", e), e);
	return k8s_apply(&o, s->k, in, &by_me, e);
}

/* --- what a refusal becomes ------------------------------------------------------------------------ */

#define S(fields) "{\"kind\":\"Status\",\"apiVersion\":\"v1\"," fields "}"

static void a_status_becomes_an_error_that_says_why(void **state)
{
	struct setup *s = *state;
	static const struct {
		int http;
		const char *body;
		enum err_code code;
		const char *message;
	} cases[] = {
		{404, S("\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\""),
		 ERR_NOT_FOUND, "pods \"x\" not found"},
		{409, S("\"message\":\"there\",\"reason\":\"AlreadyExists\""), ERR_EXISTS, "there"},
		{409, S("\"message\":\"changed\",\"reason\":\"Conflict\""), ERR_CONFLICT,
		 "changed"},
		{410, S("\"message\":\"old\",\"reason\":\"Expired\""), ERR_GONE, "old"},
		{403, S("\"message\":\"no\",\"reason\":\"Forbidden\""), ERR_DENIED, "no"},
		{403, S("\"message\":\"pods \\\"x\\\" is forbidden: exceeded quota: q\""),
		 ERR_QUOTA, "quota"},
		{401, S("\"message\":\"Unauthorized\""), ERR_DENIED, "Unauthorized"},
		{422,
		 S("\"message\":\"Presto is invalid\",\"details\":{\"causes\":[{\"field\":\"spec.x\","
		   "\"message\":\"Invalid value: 3\"},{\"field\":\"spec.y\",\"message\":\"Required\"}]}"),
		 ERR_INVALID, "Presto is invalid; spec.x: Invalid value: 3; spec.y: Required"},
		{422,
		 S("\"message\":\"spec.x: Invalid value: 3\",\"details\":{\"causes\":[{\"field\":\"spec.x\","
		   "\"message\":\"Invalid value: 3\"}]}"),
		 ERR_INVALID, "spec.x: Invalid value: 3"},
		{400, "<html>\n  <b>Bad</b>", ERR_INVALID, "HTTP 400: <html> <b>Bad</b>"},
		{302, "", ERR_PROTOCOL, "HTTP 302"},
		{200, "[]", ERR_PROTOCOL, "no object"},
		{200, "{\"a\":", ERR_PROTOCOL, "configmaps/a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;

		fault_clear(s->f);
		fault_script(s->f, "GET", CM "/a", FAULT_STATUS(cases[i].http),
			     FAULT_BODY(cases[i].body));
		assert_int_equal(get(s, &e), -1);
		assert_has(e.msg, cases[i].message);
		if (cases[i].http != 200)
			assert_int_equal(e.http, cases[i].http);
		assert_fails(-1, &e, cases[i].code);
		assert_int_equal(fault_count(s->f), 1);
	}
}

/* --- retries ------------------------------------------------------------------------------------- */

static void reads_and_applies_are_repeated_after_5xx_and_lost_connections(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		fault_clear(s->f);
		fault_script(s->f, NULL, CM "/a", FAULT_STATUS(503), FAULT_BODY("x"));
		fault_script(s->f, NULL, CM "/a", FAULT_RESET);
		fault_script(s->f, NULL, CM "/a", FAULT_LENGTH(100), FAULT_RAW("{\"half\":"),
			     FAULT_CLOSE);
		fault_script(s->f, NULL, CM "/a", FAULT_BODY(OBJ));
		s->retries = 0;
		assert_ok(i ? apply(s, &e) : get(s, &e), &e);
		/* A kept connection that is closed without a reply is replaced below us, unseen. */
		assert_in_range(s->retries, 2, 3);
		assert_int_equal(fault_count(s->f), 4);
	}
	assert_has(fault_request(s->f, 0)->target, "fieldManager=me%20%26%20co");
	assert_has(fault_request(s->f, 0)->target, "force=true");
	autofree char *type = fault_request_header(fault_request(s->f, 0), "content-type");
	assert_string_equal(type, "application/apply-patch+yaml");
}

static void after_three_retries_the_last_failure_is_told(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_always(s->f, NULL, CM "/a", FAULT_STATUS(503), FAULT_BODY("still down"));
	assert_int_equal(get(s, &e), -1);
	assert_has(e.msg, "still down");
	assert_fails(-1, &e, ERR_UNAVAILABLE);
	assert_int_equal(fault_count(s->f), 4);
}

static void a_create_is_repeated_only_when_it_had_no_effect(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	fault_script(s->f, "POST", CM, FAULT_RESET);
	assert_fails(create(s, &e), &e, ERR_UNAVAILABLE);
	assert_int_equal(fault_count_of(s->f, "POST", CM), 1);
	fault_script(s->f, "POST", CM, FAULT_STATUS(500), FAULT_BODY("x"));
	assert_fails(create(s, &e), &e, ERR_UNAVAILABLE);
	assert_int_equal(fault_count_of(s->f, "POST", CM), 2);
	fault_script(s->f, "POST", CM, FAULT_STATUS(429), FAULT_BODY("x"));
	fault_script(s->f, "POST", CM, FAULT_STATUS(201), FAULT_BODY(OBJ));
	assert_ok(create(s, &e), &e);
	assert_int_equal(fault_count_of(s->f, "POST", CM), 4);

	c.server = xasprintf("http://127.0.0.1:%d", fault_free_port());
	client(s, &c);
	s->retries = 0;
	assert_int_equal(create(s, &e), -1);
	assert_has(e.msg, "connection refused");
	assert_int_equal(s->retries, 3);
	err_clear(&e);
}

static void retry_after_is_kept_when_it_fits_and_told_when_it_does_not(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_script(s->f, "GET", CM "/a", FAULT_STATUS(429), FAULT_HEADER("Retry-After: 7"),
		     FAULT_BODY("x"));
	assert_int_equal(get(s, &e), -1);
	assert_int_equal(e.retry_after, 7 * NS_SEC);
	assert_fails(-1, &e, ERR_THROTTLED);
	assert_int_equal(fault_count(s->f), 1);
}

static void a_slow_body_ends_at_the_time_out_and_is_not_repeated(void **state)
{
	struct setup *s = *state;
	ns_t start = clock_mono();
	struct err e = ERR_INIT;

	fault_script(s->f, "GET", CM "/a", FAULT_DRIP(OBJ, 50));
	assert_fails(get(s, &e), &e, ERR_TIMEOUT);
	assert_true(clock_mono() - start < 2 * NS_SEC);
	assert_int_equal(fault_count(s->f), 1);
}

static void calls_share_one_connection(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;

	fault_always(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	for (int i = 0; i < 10; i++)
		assert_ok(get(s, &e), &e);
	assert_int_equal(fault_connections(s->f), 1);
}

static void names_that_would_change_the_path_are_refused(void **state)
{
	struct setup *s = *state;
	static const char *const bad[] = {"", ".", "..", "a/b", "%2e"};
	autojson json_t *o = NULL;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct k8s_ref name = {"ns", bad[i]}, ns = {bad[i], "a"};
		assert_fails(k8s_get(&o, s->k, &K8S_POD, &name, &e), &e, ERR_INVALID);
		assert_fails(k8s_get(&o, s->k, &K8S_POD, &ns, &e), &e, ERR_INVALID);
	}
	assert_int_equal(fault_count(s->f), 0);
}

/* --- lists --------------------------------------------------------------------------------------- */

static int list(struct setup *s, size_t *n, struct err *e)
{
	const struct k8s_list_opts o = {.label_selector = "a in (b,c)&limit=1", .limit = 2};
	autojson json_t *items = NULL;
	int rc = k8s_list(&items, s->k, &K8S_CONFIGMAP, "ns", &o, e);

	*n = json_array_size(items);
	if (*n) {
		assert_string_equal(jx_str(json_array_get(items, 0), "kind"), "ConfigMap");
		assert_string_equal(jx_str(json_array_get(items, 0), "apiVersion"), "v1");
	}
	return rc;
}

#define PAGE(more, items) "{\"metadata\":{" more "},\"items\":[" items "]}"
#define NAMED(n)          "{\"metadata\":{\"name\":\"" n "\"}}"

static void lists_go_through_all_pages_with_escaped_values(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;
	size_t n = 0;

	fault_script(s->f, "GET", CM,
		     FAULT_BODY(PAGE("\"continue\":\"x&y\"", NAMED("a") "," NAMED("b"))));
	fault_script(s->f, "GET", CM, FAULT_LENGTH(500), FAULT_RAW("{\"items\":[{"), FAULT_RESET);
	fault_script(s->f, "GET", CM, FAULT_BODY(PAGE("", NAMED("c"))));
	assert_ok(list(s, &n, &e), &e);
	assert_int_equal(n, 3);
	assert_has(fault_request(s->f, 0)->target,
		   "labelSelector=a%20in%20%28b%2Cc%29%26limit%3D1&limit=2");
	assert_has(fault_request(s->f, 2)->target, "continue=x%26y");
}

static void a_forgotten_page_starts_the_list_again_in_one_piece(void **state)
{
	struct setup *s = *state;
	struct err e = ERR_INIT;
	size_t n = 0;

	fault_script(s->f, "GET", CM,
		     FAULT_BODY(PAGE("\"continue\":\"t\"", NAMED("a") "," NAMED("b"))));
	fault_script(s->f, "GET", CM, FAULT_STATUS(410), FAULT_BODY(S("\"message\":\"old\"")));
	fault_script(s->f, "GET", CM,
		     FAULT_BODY(PAGE("", NAMED("a") "," NAMED("b") "," NAMED("c"))));
	assert_ok(list(s, &n, &e), &e);
	assert_int_equal(n, 3);
	assert_null(strstr(fault_request(s->f, 2)->target, "limit=2"));
}

static void deleting_what_is_gone_is_fine_and_preconditions_are_sent(void **state)
{
	struct setup *s = *state;
	const struct k8s_delete_opts o = {.uid = "u", .resource_version = "7", .grace_set = true};
	autojson json_t *body = NULL;
	struct err e = ERR_INIT;

	fault_script(s->f, "DELETE", CM "/a", FAULT_STATUS(404),
		     FAULT_BODY(S("\"message\":\"gone\"")));
	assert_ok(k8s_delete(s->k, &K8S_CONFIGMAP, &ref, &o, &e), &e);
	const struct fault_request *r = fault_request(s->f, 0);
	assert_ok(jx_parse(&body, r->body, r->body_len, "body", &e), &e);
	assert_string_equal(jx_str(body, "preconditions.uid"), "u");
	assert_string_equal(jx_str(body, "preconditions.resourceVersion"), "7");
	assert_int_equal(jx_int_or(body, "gracePeriodSeconds", -1), 0);
	assert_string_equal(jx_str(body, "propagationPolicy"), "Background");
}

/* --- torture: any one request of a batch may fail --------------------------------------------------- */

static void apply_batch(struct fault *f, size_t failing UNUSED, void *arg)
{
	struct setup *s = arg;
	autojson json_t *objs = json_array();
	const json_t *list_[6];
	json_t *outs[6] = {NULL};
	struct err errs[6];

	fault_always(f, "PATCH", "/api/v1/namespaces/ns/configmaps/*", FAULT_BODY(OBJ));
	for (size_t i = 0; i < 6; i++) {
		json_array_append_new(objs, json_pack("{s:s, s:s, s:{s:o, s:s}}", "apiVersion",
						      "v1", "kind", "ConfigMap", "metadata", "name",
						      jx_strf("m%zu", i), "namespace", "ns"));
		list_[i] = json_array_get(objs, i);
	}
	assert_int_equal(k8s_apply_all(outs, s->k, list_, &by_me, errs, 6), 0);
	for (size_t i = 0; i < 6; i++) {
		assert_non_null(outs[i]);
		json_decref(outs[i]);
	}
}

static void whichever_request_of_a_batch_fails_all_arrive(void **state)
{
	struct setup *s = *state;

	for (enum fault_how how = FAULT_HOW_RESET; how <= FAULT_HOW_UNAVAILABLE; how++)
		assert_int_equal(fault_torture(s->f, how, apply_batch, s), 6);
}

/* --- credentials ----------------------------------------------------------------------------------- */

static void put(struct setup *s, const char *name, const char *text, mode_t mode)
{
	autofree char *path = path_join(s->dir, name);
	struct err e = ERR_INIT;

	assert_ok(file_write_atomic(path, text, strlen(text), mode, &e), &e);
	assert_int_equal(chmod(path, mode), 0);
}

static char *authorization(struct setup *s, size_t i)
{
	return fault_request_header(fault_request(s->f, i), "authorization");
}

static void a_token_file_is_read_again_after_a_401(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	put(s, "token", " first\n", 0600);
	c.token_file = path_join(s->dir, "token");
	client(s, &c);
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	fault_script(s->f, "GET", CM "/a", FAULT_STATUS(401), FAULT_BODY("x"));
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	put(s, "token", "first\n", 0600);
	assert_ok(get(s, &e), &e);
	put(s, "token", "second\n", 0600);
	assert_ok(get(s, &e), &e);
	autofree char *one = authorization(s, 0), *two = authorization(s, 1),
		      *three = authorization(s, 2);
	assert_string_equal(one, "Bearer first");
	assert_string_equal(two, "Bearer first"); /* a minute has not passed */
	assert_string_equal(three, "Bearer second");
}

static void a_refused_static_token_is_not_tried_twice_and_not_told(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	c.token = xstrdup("very-secret-token");
	client(s, &c);
	fault_always(s->f, "GET", CM "/a", FAULT_STATUS(401),
		     FAULT_BODY(S("\"message\":\"Unauthorized\"")));
	assert_int_equal(get(s, &e), -1);
	assert_null(strstr(e.msg, "secret"));
	assert_has(e.hint, "log in");
	assert_fails(-1, &e, ERR_DENIED);
	assert_int_equal(fault_count(s->f), 1);
}

static void password_and_impersonation_are_sent(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	c.username = xstrdup("u");
	c.password = xstrdup("p");
	c.as_user = xstrdup("boss");
	c.as_groups = json_pack("[s, s]", "g1", "g2");
	c.as_extra = json_pack("{s:[s]}", "example.com/scope", "all");
	client(s, &c);
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	assert_ok(get(s, &e), &e);
	const char *headers = fault_request(s->f, 0)->headers;
	assert_has(headers, "Authorization: Basic dTpw\r\n");
	assert_has(headers, "Impersonate-User: boss\r\n");
	assert_has(headers, "Impersonate-Group: g1\r\nImpersonate-Group: g2\r\n");
	assert_has(headers, "Impersonate-Extra-example.com%2Fscope: all\r\n");
	assert_has(headers, "User-Agent: tests/1\r\n");
}

#define V1 "client.authentication.k8s.io/v1"

/* A plugin that counts its runs and answers with what is in the file "answer". */
static void plugin(struct setup *s, struct k8s_config *c)
{
	autofree char *script = xasprintf(
		"#!/bin/sh\necho run >>'%s/runs'\n"
		"printf '%%s' \"$KUBERNETES_EXEC_INFO\" >'%s/info'\n"
		"printf '%%s %%s' \"$1\" \"$EXTRA\" >'%s/args'\n"
		"test -e '%s/fail' && { echo details; echo because >&2; exit 3; }\n"
		"cat '%s/answer'\n",
		s->dir, s->dir, s->dir, s->dir, s->dir);
	autofree char *path = path_join(s->dir, "plugin");

	put(s, "plugin", script, 0755);
	c->exec = json_pack("{s:s, s:s, s:s, s:[s], s:[{s:s, s:s}], s:s}", "apiVersion", V1,
			    "command", path, "interactiveMode", "Never", "args", "an arg", "env",
			    "name", "EXTRA", "value", "from env", "installHint",
			    "get it at example.com");
	c->exec_cluster = json_pack("{s:s}", "server", "https://x");
}

static size_t runs(struct setup *s)
{
	autofree char *path = path_join(s->dir, "runs"), *text = NULL;
	struct err e = ERR_INIT;
	size_t len = 0, n = 0;

	if (file_read(&text, &len, path, 4096, &e) < 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

#define ANSWER(fields) \
	"{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" fields "}}"

static void a_plugin_runs_once_and_again_after_a_401(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	autofree char *info_path = path_join(s->dir, "info"), *info = NULL;
	autofree char *args_path = path_join(s->dir, "args"), *args = NULL;
	autojson json_t *doc = NULL;
	struct err e = ERR_INIT;
	size_t len = 0;

	plugin(s, &c);
	put(s, "answer",
	    ANSWER("\"token\":\"tok-1\",\"expirationTimestamp\":\"9999-12-31T00:00:00Z\""), 0600);
	client(s, &c);
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	fault_script(s->f, "GET", CM "/a", FAULT_STATUS(401), FAULT_BODY("x"));
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	assert_ok(get(s, &e), &e);
	assert_ok(get(s, &e), &e);
	assert_int_equal(runs(s), 1);
	put(s, "answer", ANSWER("\"token\":\"tok-2\""), 0600);
	assert_ok(get(s, &e), &e);
	assert_int_equal(runs(s), 2);
	autofree char *last = authorization(s, 3);
	assert_string_equal(last, "Bearer tok-2");
	assert_ok(file_read(&info, &len, info_path, 4096, &e), &e);
	assert_ok(jx_parse(&doc, info, len, "info", &e), &e);
	assert_string_equal(jx_str(doc, "kind"), "ExecCredential");
	assert_string_equal(jx_str(doc, "apiVersion"), V1);
	assert_string_equal(jx_str(doc, "spec.cluster.server"), "https://x");
	assert_true(json_is_false(jx_path(doc, "spec.interactive")));
	assert_ok(file_read(&args, &len, args_path, 4096, &e), &e);
	assert_string_equal(args, "an arg from env");
}

static void an_expired_answer_is_asked_for_again(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	plugin(s, &c);
	put(s, "answer", ANSWER("\"token\":\"t\",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""),
	    0600);
	client(s, &c);
	fault_always(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	assert_ok(get(s, &e), &e);
	assert_ok(get(s, &e), &e);
	assert_int_equal(runs(s), 2);
}

static void a_refusal_without_waiting_lets_the_next_call_run_the_plugin(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	plugin(s, &c);
	put(s, "answer", ANSWER("\"token\":\"t\""), 0600);
	client(s, &c);
	fault_always(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	assert_ok(get(s, &e), &e);
	k8s_token_reread(s->k);
	assert_ok(get(s, &e), &e);
	assert_ok(get(s, &e), &e);
	assert_int_equal(runs(s), 2);
}

static void a_plugin_that_fails_or_is_missing_says_how_and_what_to_do(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	plugin(s, &c);
	put(s, "fail", "", 0600);
	client(s, &c);
	assert_int_equal(get(s, &e), -1);
	assert_has(e.msg, "exit code 3: because");
	assert_fails(-1, &e, ERR_DENIED);

	plugin(s, &c);
	json_object_set_new(c.exec, "command", json_string("/nowhere/plugin"));
	client(s, &c);
	assert_int_equal(get(s, &e), -1);
	assert_string_equal(e.hint, "get it at example.com");
	assert_fails(-1, &e, ERR_NOT_FOUND);
	assert_int_equal(fault_count(s->f), 0);
}

static void answers_of_plugins_are_checked(void **state UNUSED)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"", "its answer"},
		{"{}", "not an ExecCredential"},
		{"{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}",
		 "answered in client.authentication.k8s.io/v1beta1"},
		{ANSWER(""), "neither token nor certificate"},
		{ANSWER("\"token\":\"a\\nb\""), "white space"},
		{ANSWER("\"clientKeyData\":\"k\""), "belong together"},
		{ANSWER("\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\""),
		 "expirationTimestamp"},
	};
	struct exec_answer a = {0};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(exec_decode(&a, bad[i].text, strlen(bad[i].text), V1, &e), -1);
		assert_has(e.msg, bad[i].message);
		err_clear(&e);
		assert_null(a.token);
	}
	const char *good = ANSWER(
		"\"token\":\"t\",\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\","
		"\"expirationTimestamp\":\"2026-01-02T03:04:05Z\"");
	assert_ok(exec_decode(&a, good, strlen(good), V1, &e), &e);
	assert_string_equal(a.token, "t");
	assert_string_equal(a.cert_pem, "C");
	assert_int_equal(a.expiry, 1767323045 * NS_SEC);
	exec_answer_release(&a);
}

static void a_plugins_certificate_is_used_without_a_file(void **state)
{
	struct setup *s = *state;
	struct fault *f = fault_start(&(struct fault_opts){.tls = true, .client_cert = true});
	autojson json_t *answer = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", V1, "kind",
					    "ExecCredential", "status", "clientCertificateData",
					    fault_client_cert(f), "clientKeyData",
					    fault_client_key(f));
	autofree char *text = json_dumps(answer, 0);
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	plugin(s, &c);
	put(s, "answer", text, 0600);
	c.server = xstrdup(fault_url(f));
	c.ca_pem = xstrdup(fault_ca(f));
	client(s, &c);
	fault_script(f, "GET", CM "/a", FAULT_BODY(OBJ));
	assert_ok(get(s, &e), &e);
	assert_non_null(fault_request(f, 0)->client);
	k8s_free(TAKE(s->k));
	fault_stop(f);
}

static int own_source(char **token, ns_t *expiry, bool refused, void *arg, struct err *e UNUSED)
{
	unsigned *calls = arg;

	*token = xasprintf("own-%u%s", ++*calls, refused ? "-refused" : "");
	*expiry = 0;
	return 0;
}

static void a_source_of_the_owner_is_asked_and_told_of_refusals(void **state)
{
	struct setup *s = *state;
	unsigned calls = 0;
	struct k8s_config c = {.token_fn = own_source, .token_arg = &calls};
	struct err e = ERR_INIT;

	client(s, &c);
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	fault_script(s->f, "GET", CM "/a", FAULT_STATUS(401), FAULT_BODY("x"));
	fault_script(s->f, "GET", CM "/a", FAULT_BODY(OBJ));
	assert_ok(get(s, &e), &e);
	assert_ok(get(s, &e), &e);
	autofree char *last = authorization(s, 2);
	assert_string_equal(last, "Bearer own-2-refused");
}

/* --- the service proxy ----------------------------------------------------------------------------- */

static void the_services_replies_are_told_from_the_api_servers(void **state)
{
	struct setup *s = *state;
	const struct k8s_svc svc = {"ns", "web", 8080};
	const struct http_req q = {.method = "GET", .url = "/v1/info?x=1"};
	struct http_resp r = {0};
	struct err e = ERR_INIT;

#define PROXY "/api/v1/namespaces/ns/services/http:web:8080/proxy/v1/info"
	fault_script(s->f, "GET", PROXY, FAULT_STATUS(503), FAULT_BODY("presto says no"));
	assert_ok(k8s_proxy(&r, s->k, &svc, &q, &e), &e);
	assert_int_equal(r.status, 503);
	assert_string_equal(buf_str(&r.body), "presto says no");
	http_resp_release(&r);
	assert_has(fault_request(s->f, 0)->target, "/v1/info?x=1");
	fault_script(s->f, "GET", PROXY, FAULT_STATUS(503),
		     FAULT_BODY(S("\"message\":\"no endpoints available for service\"")));
	assert_int_equal(k8s_proxy(&r, s->k, &svc, &q, &e), -1);
	assert_has(e.msg, "service ns/web: no endpoints");
	assert_fails(-1, &e, ERR_UNAVAILABLE);
	fault_script(s->f, "GET", PROXY, FAULT_STATUS(404),
		     FAULT_BODY(S("\"message\":\"no such service\"")));
	assert_fails(k8s_proxy(&r, s->k, &svc, &q, &e), &e, ERR_NOT_FOUND);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_status_becomes_an_error_that_says_why),
		T(reads_and_applies_are_repeated_after_5xx_and_lost_connections),
		T(after_three_retries_the_last_failure_is_told),
		T(a_create_is_repeated_only_when_it_had_no_effect),
		T(retry_after_is_kept_when_it_fits_and_told_when_it_does_not),
		T(a_slow_body_ends_at_the_time_out_and_is_not_repeated),
		T(calls_share_one_connection),
		T(names_that_would_change_the_path_are_refused),
		T(lists_go_through_all_pages_with_escaped_values),
		T(a_forgotten_page_starts_the_list_again_in_one_piece),
		T(deleting_what_is_gone_is_fine_and_preconditions_are_sent),
		T(whichever_request_of_a_batch_fails_all_arrive),
		T(a_token_file_is_read_again_after_a_401),
		T(a_refused_static_token_is_not_tried_twice_and_not_told),
		T(password_and_impersonation_are_sent),
		T(a_plugin_runs_once_and_again_after_a_401),
		T(an_expired_answer_is_asked_for_again),
		T(a_refusal_without_waiting_lets_the_next_call_run_the_plugin),
		T(a_plugin_that_fails_or_is_missing_says_how_and_what_to_do),
		T(answers_of_plugins_are_checked),
		T(a_plugins_certificate_is_used_without_a_file),
		T(a_source_of_the_owner_is_asked_and_told_of_refusals),
		T(the_services_replies_are_told_from_the_api_servers),
	};

	return RUN(tests);
}
