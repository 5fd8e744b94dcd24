/*
 * gke_probe.c - the library gke/ as a program, for tests against the stand-in:
 *	gke_probe push HOST ARCHIVE REPOSITORY TAG [MOUNT-FROM] (user and password from PUSH_USER, PUSH_PASSWORD)
 *	gke_probe status | life LOCATION NAME | quotas LOCATION | rights | leftovers NAME | repository NAME
 * Prints lines that the test reads; errors as "error CODE: text | hint".
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/artifact.h"
#include "gke/compute.h"
#include "gke/project.h"
#include "gke/push.h"

struct probe {
	struct loop *loop;
	struct auth *auth;
	struct gke *gke;
	struct gke_wait wait;
};

static int say_error(const struct err *e)
{
	printf("error %s: %s | %s\n", err_name(e->code), e->msg, e->hint);
	return 1;
}

static int cmd_status(struct probe *p, struct err *e)
{
	struct auth_status s;

	if (auth_status(&s, p->auth, e) < 0)
		return say_error(e);
	printf("kind: %s\nsource: %s\nprincipal: %s\nquota: %s\nexpiry: %s\n", s.kind, s.source,
	       s.principal, s.quota_project, s.expiry > clock_wall() ? "later" : "unknown");
	return 0;
}

static void on_progress(const struct gke_op_status *s, ns_t elapsed UNUSED, void *arg UNUSED)
{
	printf("progress %s %.2f\n", s->type, s->progress);
}

static int done(struct probe *p, const struct gke_ref *r, const struct gke_op *op, const char *what,
		struct err *e)
{
	if (gke_op_wait(p->gke, r, op, &p->wait, e) < 0)
		return -1;
	printf("%s done\n", what);
	return 0;
}

/* Made, labelled, grown, described and removed again. */
static int life(struct probe *p, const struct gke_ref *r, struct err *e)
{
	autojson json_t *cluster = json_pack("{s:[{s:s,s:i}],s:{s:s}}", "nodePools", "name",
					     "default-pool", "initialNodeCount", 1,
					     "resourceLabels", "run", "r1");
	autojson json_t *labels = json_pack("{s:s,s:n}", "owner", "me", "run");
	autojson json_t *pool = json_pack("{s:s,s:i}", "name", "extra", "initialNodeCount", 1);
	autojson json_t *live = NULL;
	AUTO(gke_access_release) struct gke_access access = {0};
	struct gke_op op;

	if (container_create(&op, p->gke, r, cluster, &p->wait, e) < 0 ||
	    done(p, r, &op, "create", e) < 0 ||
	    container_label(&op, p->gke, r, labels, &p->wait, e) < 0 ||
	    done(p, r, &op, "label", e) < 0 ||
	    container_pool_create(&op, p->gke, r, pool, &p->wait, e) < 0 ||
	    /* not waited for: the next change must wait it out by itself */
	    container_pool_size(&op, p->gke, r, "default-pool", 2, &p->wait, e) < 0 ||
	    done(p, r, &op, "size", e) < 0 || container_get(&live, p->gke, r, e) < 0 ||
	    container_access(&access, live, GKE_WAY_PUBLIC, e) < 0)
		return -1;
	autofree char *text = jx_canonical(jx_get(live, "resourceLabels"));
	printf("labels %s\nserver %s\npools %zu\n", text, access.server,
	       json_array_size(jx_get(live, "nodePools")));
	if (container_delete(&op, p->gke, r, &p->wait, e) < 0 || done(p, r, &op, "delete", e) < 0 ||
	    container_delete(&op, p->gke, r, &p->wait, e) < 0)
		return -1;
	printf("again %s\n", *op.name ? op.name : "nothing");
	return 0;
}

static int cmd_life(struct probe *p, const char *location, const char *name, struct err *e)
{
	const char *project = getenv("GKE_PROJECT");
	const struct gke_ref r = {project ? project : "demo-proj", location, name};
	struct buf detail = BUF_INIT(16u << 10);
	int rc;

	p->wait.detail = &detail;
	rc = life(p, &r, e) < 0 ? say_error(e) : 0;
	printf("%s", buf_str(&detail));
	buf_release(&detail);
	return rc;
}

static int cmd_quotas(struct probe *p, const char *location, struct err *e)
{
	AUTO(compute_quotas_release) struct compute_quotas q = {0};
	struct compute_machine m;
	autojson json_t *zones = NULL;

	if (compute_quotas_get(&q, p->gke, "demo-proj", location, e) < 0 ||
	    compute_zones(&zones, p->gke, "demo-proj", location, e) < 0 ||
	    compute_machine_get(&m, p->gke, "demo-proj",
				json_string_value(json_array_get(zones, 0)), "e2-standard-4",
				e) < 0)
		return say_error(e);
	printf("cpus %g of %g\nzones %zu\nmachine %d\n",
	       compute_quota_find(&q, "CPUS", location)->usage,
	       compute_quota_find(&q, "CPUS", location)->limit, json_array_size(zones), m.cpus);
	return 0;
}

static int cmd_rights(struct probe *p, struct err *e)
{
	static const char *const asked[] = {"container.clusters.create",
					    "container.clusters.delete"};
	autojson json_t *missing = NULL;
	enum gke_service state;

	if (serviceusage_state(&state, p->gke, "demo-proj", GKE_CONTAINER, e) < 0 ||
	    resourcemanager_missing(&missing, p->gke, "demo-proj", asked, ARRAY_LEN(asked), e) < 0)
		return say_error(e);
	printf("api %d\nmissing %zu\n", (int)state, json_array_size(missing));
	return 0;
}

static int cmd_leftovers(struct probe *p, const char *name, struct err *e)
{
	AUTO(compute_things_release) struct compute_things t = {0};
	const struct compute_marks m = {.cluster = name};

	if (compute_leftovers(&t, p->gke, "demo-proj", &m, NULL, e) < 0)
		return say_error(e);
	for (size_t i = 0; i < t.n; i++)
		printf("%s %s %s\n", t.v[i].ours ? "ours" : "like", compute_kind_name(t.v[i].kind),
		       t.v[i].name);
	printf("partial %d\n", t.partial);
	return 0;
}

static int cmd_repository(struct probe *p, const char *name, struct err *e)
{
	const struct gke_ref r = {"demo-proj", "us-central1", name};
	autofree char *uri = NULL, *same = NULL;
	bool made = false, again = false;

	if (artifact_ensure(&made, &uri, p->gke, &r, NULL, &p->wait, e) < 0 ||
	    artifact_ensure(&again, &same, p->gke, &r, NULL, &p->wait, e) < 0 ||
	    artifact_delete(p->gke, &r, &p->wait, e) < 0)
		return say_error(e);
	printf("made %d again %d\n", made, again);
	return 0;
}

static void on_push(const char *digest UNUSED, int64_t bytes, enum push_how how, void *arg UNUSED)
{
	static const char *const words[] = {"there", "mounted", "sent"};

	printf("%s %lld\n", words[how], (long long)bytes);
}

static int cmd_push(struct probe *p, char **v, struct err *e)
{
	AUTO(push_freep) struct push *to = NULL;
	AUTO(oci_closep) struct oci *image = NULL;
	const struct push_opts o = {
		.host = v[0],
		.user = getenv("PUSH_USER"),
		.password = getenv("PUSH_PASSWORD"),
		.backoff = 20 * NS_MS,
		.progress = on_push,
	};
	enum push_how how;

	if (push_new(&to, p->loop, &o, e) < 0 || oci_open(&image, v[1], e) < 0 ||
	    push_image(&how, to, v[2], v[3], image, v[4], e) < 0)
		return say_error(e);
	printf("image %s\n", how == PUSH_THERE ? "there" : "pushed");
	return 0;
}

static int run(struct probe *p, char **v, struct err *e)
{
	const char *what = v[1] ? v[1] : "";
	const char *one = v[1] && v[2] ? v[2] : "", *two = *one && v[3] ? v[3] : "";

	if (streq(what, "status"))
		return cmd_status(p, e);
	if (streq(what, "life"))
		return cmd_life(p, one, two, e);
	if (streq(what, "quotas"))
		return cmd_quotas(p, one, e);
	if (streq(what, "rights"))
		return cmd_rights(p, e);
	if (streq(what, "leftovers"))
		return cmd_leftovers(p, one, e);
	if (streq(what, "push") && *one && *two && v[4] && v[5])
		return cmd_push(p, v + 2, e);
	if (streq(what, "repository"))
		return cmd_repository(p, one, e);
	fprintf(stderr, "what is %s?\n", what);
	return 2;
}

int main(int argc UNUSED, char **argv)
{
	struct probe p = {.wait = {.deadline = clock_mono() + 60 * NS_SEC,
				   .shortest = 20 * NS_MS,
				   .progress = on_progress}};
	const struct auth_opts a = {.backoff = 20 * NS_MS, .metadata_wait = NS_SEC};
	const struct gke_opts o = {.backoff = 20 * NS_MS};
	struct err e = ERR_INIT;
	int rc;

	if (loop_new(&p.loop, &e) < 0 || auth_new(&p.auth, p.loop, &a, &e) < 0 ||
	    gke_new(&p.gke, p.loop, p.auth, &o, &e) < 0)
		rc = say_error(&e);
	else
		rc = run(&p, argv, &e);
	gke_free(p.gke);
	auth_free(p.auth);
	loop_free(p.loop);
	return rc;
}
