/* cmd_verify.c - proves, from the CRD up to SQL, that a cluster is what was asked for. Only reads.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "k8s/wait.h"
#include "presto/presto.h"
#include "provision/commands.h"
#include "provision/junit.h"
#include "provision/session.h"

#define CHECKS_MAX 128
#define NAME_WIDTH 43
#define WORKERS_WAIT \
	(30 * NS_SEC) /* discovery tells of a new worker some ten seconds after its start */
#define SQL_WAIT (60 * NS_SEC)

struct verify_opts {
	struct session_opts session;
	const char *file, *junit;
};

static const struct opt verify_opts[] = {
	{"file", 'f', OPT_TEXT, offsetof(struct verify_opts, file), "FILE",
	 "the environment file, for its section verify", NULL},
	{"junit", 0, OPT_TEXT, offsetof(struct verify_opts, junit), "FILE",
	 "also write a JUnit report", NULL},
	SESSION_OPTS(struct verify_opts, session),
	{0},
};

struct check {
	char *name;
	bool failed, skipped;
	char message[480];
	ns_t took;
};

struct verify {
	struct app *app;
	struct session session;
	struct presto_client client;
	struct presto presto;
	struct check checks[CHECKS_MAX];
	size_t n, failed;
	bool deaf; /* the coordinator does not answer: SQL would only time out */
};

typedef int check_fn(struct verify *v, const void *arg, char *message, size_t size, struct err *e);

static const char *word(const struct check *c)
{
	return c->failed ? "FAILED" : c->skipped ? "skipped" : "ok";
}

/* Rows come as the checks end: a slow one is seen to be the next. */
static void print_row(const struct check *c)
{
	char took[DURATION_SIZE];

	duration_format(took, c->took);
	app_print("%-*s  %-7s  %-7s  %s\n", NAME_WIDTH, c->name, word(c), took, c->message);
	fflush(stdout);
}

static void check(struct verify *v, char *name, bool needs_coordinator, check_fn *fn,
		  const void *arg)
{
	struct check *c = &v->checks[v->n];
	struct err e = ERR_INIT;
	ns_t began = clock_mono();

	if (v->n == CHECKS_MAX || loop_signalled(v->app->loop)) {
		free(name);
		return;
	}
	v->n++;
	c->name = name;
	if (needs_coordinator && v->deaf) {
		c->skipped = true;
		snprintf(c->message, sizeof(c->message), "the coordinator does not answer");
	} else if (fn(v, arg, c->message, sizeof(c->message), &e) < 0) {
		c->failed = true;
		v->failed++;
		snprintf(c->message, sizeof(c->message), "%s", e.msg);
	}
	c->took = clock_mono() - began;
	if (!v->app->json)
		print_row(c);
}

/* --- what is checked ----------------------------------------------------------------------------
 */

struct installed {
	const struct k8s_res *res;
	const char *name;
	bool namespaced;
	k8s_cond_fn *cond;
};

static int check_installed(struct verify *v, const void *arg, char *message, size_t size,
			   struct err *e)
{
	const struct installed *want = arg;
	const struct k8s_ref ref = {want->namespaced ? v->session.ns : NULL, want->name};
	autojson json_t *live = NULL;

	if (k8s_get(&live, v->session.coordinator.k, want->res, &ref, e) < 0)
		return -1;
	if (want->cond && want->cond(live, message, size, NULL, e) != 1)
		return e->code ? -1 : err_set(e, ERR_UNAVAILABLE, "%s", message);
	snprintf(message, size, "%s", want->cond ? "ready" : "in place");
	return 0;
}

static int check_coordinator(struct verify *v, const void *arg UNUSED, char *message, size_t size,
			     struct err *e)
{
	struct presto_info info;

	v->deaf = true;
	if (presto_info_get(&info, &v->client, e) < 0)
		return -1;
	if (info.starting)
		return err_set(e, ERR_UNAVAILABLE, "the coordinator is still starting");
	v->deaf = false;
	snprintf(message, size, "Presto %s, environment %s", info.version, info.environment);
	return 0;
}

static int check_ui(struct verify *v, const void *arg UNUSED, char *message, size_t size,
		    struct err *e)
{
	const struct http_req q = {.method = "GET", .url = "/ui/"};
	AUTO(http_resp_release) struct http_resp r = {0};

	if (v->client.transport(&r, &q, v->client.arg, e) < 0)
		return -1;
	/* engines that want a login answer with a redirect to it */
	if (r.status != 200 && r.status / 100 != 3)
		return err_set(e, ERR_UNAVAILABLE, "GET /ui/: status %d", r.status);
	snprintf(message, size, "answers");
	return 0;
}

static int check_workers(struct verify *v, const void *arg UNUSED, char *message, size_t size,
			 struct err *e)
{
	ns_t deadline = clock_mono() + WORKERS_WAIT;
	struct presto_cluster now;

	for (;;) {
		if (presto_cluster_get(&now, &v->client, e) < 0)
			return -1;
		if (now.active_workers == v->presto.worker_count || clock_mono() > deadline)
			break;
		if (loop_sleep(v->app->loop, NS_SEC, e) < 0)
			return -1;
	}
	if (now.active_workers != v->presto.worker_count)
		return err_set(e, ERR_UNAVAILABLE, "%d of %d workers have joined",
			       now.active_workers, v->presto.worker_count);
	snprintf(message, size, "%d of %d have joined", now.active_workers, v->presto.worker_count);
	return 0;
}

static int check_catalog(struct verify *v, const void *arg, char *message, size_t size,
			 struct err *e)
{
	const char *catalog = arg;
	autofree char *sql = xasprintf("select count(*) from \"%s\".information_schema.schemata",
				       catalog);
	autojson json_t *value = NULL;

	if (presto_sql_value(&value, &v->client, sql, clock_mono() + SQL_WAIT, e) < 0)
		return -1;
	if (json_integer_value(value) < 1)
		return err_set(e, ERR_UNAVAILABLE, "it lists no schema");
	snprintf(message, size, "%lld schemas", (long long)json_integer_value(value));
	return 0;
}

static char *shown(const json_t *v)
{
	return json_is_string(v) ? xstrdup(json_string_value(v))
				 : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}

static int check_query(struct verify *v, const void *arg, char *message, size_t size, struct err *e)
{
	const json_t *query = arg, *expect = jx_get(query, "expect");
	autojson json_t *value = NULL;
	autofree char *got = NULL, *wanted = expect ? shown(expect) : NULL;

	if (!expect) {
		const struct sql_sink nowhere = {0};
		struct sql_error se = {0};

		if (presto_sql(&v->client, jx_str_or(query, "sql", ""), &nowhere, &se,
			       clock_mono() + SQL_WAIT, e) < 0)
			return -1;
		snprintf(message, size, "ran");
		return 0;
	}
	if (presto_sql_value(&value, &v->client, jx_str_or(query, "sql", ""),
			     clock_mono() + SQL_WAIT, e) < 0)
		return -1;
	got = shown(value);
	if (!streq(got, wanted))
		return err_set(e, ERR_PROTOCOL, "it returned %.100s instead of %.100s",
			       got ? got : "nothing", wanted);
	snprintf(message, size, "%.200s", got);
	return 0;
}

/* --- the report ---------------------------------------------------------------------------------
 */

static void run_checks(struct verify *v, const json_t *extra)
{
	static const struct {
		const char *title;
		struct installed what;
	} installed[] = {
		{"custom resource definition",
		 {&K8S_CRD, PRESTO_CRD_NAME, false, k8s_cond_crd_established}},
		{"service account", {&K8S_SERVICEACCOUNT, "presto-operator", true, NULL}},
		{"role", {&K8S_ROLE, "presto-operator", true, NULL}},
		{"role binding", {&K8S_ROLEBINDING, "presto-operator", true, NULL}},
		{"operator", {&K8S_DEPLOYMENT, "presto-operator", true, k8s_cond_deployment_ready}},
	};
	autojson json_t *nation = json_pack("{s:s, s:i}", "sql", PROOF_SQL, "expect", PROOF_ANSWER);
	const json_t *catalogs = jx_get(extra, "catalogs"), *queries = jx_get(extra, "queries");
	size_t n = 0;
	const char **names = catalogs ? NULL : jx_keys(v->presto.additional_catalogs, &n);

	for (size_t i = 0; i < ARRAY_LEN(installed); i++)
		check(v, xstrdup(installed[i].title), false, check_installed, &installed[i].what);
	check(v, xstrdup("coordinator"), false, check_coordinator, NULL);
	check(v, xstrdup("web UI"), true, check_ui, NULL);
	check(v, xstrdup("workers"), true, check_workers, NULL);
	check(v, xstrdup("SQL: " PROOF_SQL), true, check_query, nation);
	if (!catalogs)
		check(v, xstrdup("catalog tpch"), true, check_catalog, "tpch");
	for (size_t i = 0; i < n; i++)
		if (!streq(names[i], "tpch"))
			check(v, xasprintf("catalog %s", names[i]), true, check_catalog, names[i]);
	for (size_t i = 0; i < json_array_size(catalogs); i++) {
		const char *name = json_string_value(json_array_get(catalogs, i));

		check(v, xasprintf("catalog %s", name), true, check_catalog, name);
	}
	for (size_t i = 0; i < json_array_size(queries); i++) {
		const json_t *query = json_array_get(queries, i);

		check(v, xasprintf("SQL: %.80s", jx_str_or(query, "sql", "")), true, check_query,
		      query);
	}
	free(names);
}

static void print_json(const struct verify *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++) {
		const struct check *c = &v->checks[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "name", c->name,
						      "result", word(c), "elapsed_ms",
						      (json_int_t)(c->took / NS_MS), "message",
						      c->message));
	}
	app_result_json(json_pack("{s:b, s:s, s:s, s:o}", "ok", v->failed == 0, "namespace",
				  v->session.ns, "presto", v->session.presto, "checks", list));
}

static int write_junit(const struct verify *v, const char *path, ns_t began, struct err *e)
{
	struct junit_case cases[CHECKS_MAX];

	for (size_t i = 0; i < v->n; i++) {
		const struct check *c = &v->checks[i];

		cases[i] = (struct junit_case){c->name, c->took, c->skipped,
					       c->failed ? c->message : NULL};
	}
	return junit_write(path, "prestoctl verify", began, cases, v->n, e);
}

static int report(struct verify *v, const char *junit, ns_t began, struct err *e)
{
	if (v->app->json)
		print_json(v);
	if (junit && write_junit(v, junit, began, e) < 0)
		return -1;
	if (loop_signalled(v->app->loop))
		return err_set(e, ERR_CANCELLED, "interrupted after %zu checks", v->n);
	if (v->failed)
		return err_set(e, ERR_UNAVAILABLE, "%zu of %zu checks failed", v->failed, v->n);
	return 0;
}

static int cmd_verify_run(struct app *a, int argc, char **argv, struct err *e)
{
	struct verify_opts o = {0};
	struct verify *v;
	ns_t began = clock_wall();
	int rc;

	if (app_options(a, &cmd_verify, &o, &argc, argv, e) < 0)
		return -1;
	if (app_start(a, e) < 0)
		return -1;
	v = xcalloc(1, sizeof(*v));
	v->app = a;
	v->session.target = (struct target)TARGET_INIT;
	rc = session_open(&v->session, a, o.file, &o.session, e);
	if (rc == 0)
		rc = presto_decode(&v->presto, v->session.resource, e);
	if (rc == 0) {
		v->client = session_client(&v->session, NULL);
		if (!a->json)
			app_print("%-*s  RESULT   TIME     DETAIL\n", NAME_WIDTH, "CHECK");
		run_checks(v, v->session.target.env ? v->session.target.env->verify : NULL);
		rc = report(v, o.junit, began, e);
	}
	for (size_t i = 0; i < v->n; i++)
		free(v->checks[i].name);
	session_release(&v->session);
	free(v);
	return rc;
}

const struct command cmd_verify = {
	.name = "verify",
	.args = "[-f FILE]",
	.summary = "prove that everything is in place and answers SQL",
	.about = "Checks the CRD, the service account, role and binding, the operator, the "
		 "coordinator and its\n"
		 "web UI, the number of workers that have joined, tpch.tiny.nation, and that each "
		 "configured\n"
		 "catalog lists its schemas; with -f also what the file's section verify asks "
		 "for.\n"
		 "Exit code 1 when a check failed.",
	.opts = verify_opts,
	.run = cmd_verify_run,
};
