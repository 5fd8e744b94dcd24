/*
 * gke_spec_probe.c - the environment file's GKE part as a program, for tests against the stand-in:
 *	gke_spec_probe body FILE RUN            the request that makes the cluster, as JSON
 *	gke_spec_probe diff FILE < live         {"changes":[{"what","method","url","body"}...]}, or {"error","detail"}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/gke_spec.h"

static void print(json_t *v)
{
	autofree char *text = jx_pretty(v);

	puts(text);
	json_decref(v);
}

static int diff(const struct gke_spec *s, struct err *e)
{
	AUTO(buf_release) struct buf detail = BUF_INIT(64u << 10);
	struct gke_changes c = {0};
	autojson json_t *live = json_loadf(stdin, 0, NULL);
	const struct gke_ref r = {s->project, jx_str_or(live, "location", ""), s->name};
	json_t *list;

	if (!live)
		return err_set(e, ERR_INVALID, "no live cluster on standard input");
	if (gke_spec_diff(&c, s, live, clock_wall(), &detail, e) < 0) {
		print(json_pack("{s:s,s:s}", "error", e->msg, "detail", buf_str(&detail)));
		err_clear(e);
		return 0;
	}
	list = json_array();
	for (size_t i = 0; i < c.n; i++) {
		json_t *one = gke_change_request(&c.v[i], &r);

		json_object_set_new(one, "what", jx_strf("%s", c.v[i].what));
		json_array_append_new(list, one);
	}
	gke_changes_release(&c);
	print(json_pack("{s:o}", "changes", list));
	return 0;
}

static int body(const struct gke_spec *s, const char *run)
{
	const struct gke_ref r = {s->project, json_string_value(json_array_get(s->locations, 0)),
				  s->name};
	autojson json_t *cluster = gke_spec_body(s, r.location, run, clock_wall());

	print(container_create_body(&r, cluster));
	return 0;
}

int main(int argc, char **argv)
{
	AUTO(buf_release) struct buf more = BUF_INIT(64u << 10);
	AUTO(env_freep) struct env *v = NULL;
	struct gke_env from = {0};
	struct gke_spec s = {0};
	struct err e = ERR_INIT;
	int rc = -1;

	if (argc >= 3 && env_load(&v, argv[2], &more, &e) == 0 &&
	    gke_spec_decode(&s, v, &from, &e) == 0)
		rc = streq(argv[1], "diff") ? diff(&s, &e) : body(&s, argc > 3 ? argv[3] : NULL);
	if (rc < 0)
		fprintf(stderr, "%s\n%s", e.msg, buf_str(&more));
	gke_spec_release(&s);
	return rc < 0;
}
