/* plan.c - see plan.h. */
#include "provision/plan.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "k8s/obj.h"

static const char *const words[] = {
	[OBJECT_KEEP] = "keep", [OBJECT_CREATE] = "make", [OBJECT_CHANGE] = "change"};

static const char *cluster_action(const struct step_ctx *c)
{
	return c->cluster.changes ? "change" : c->cluster.ready ? "keep" : "make";
}

static size_t changes(const struct step_ctx *c)
{
	size_t n = !c->cluster.ready || c->cluster.changes;

	for (size_t i = 0; i < OBJ_COUNT; i++)
		n += c->objects[i].action != OBJECT_KEEP;
	return n;
}

/* --- what a provider adds -------------------------------------------------------------------------- */

/* Texts from outside may be long: what does not fit is left out. */
static void add(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add(struct buf *out, const char *fmt, ...)
{
	struct err full = ERR_INIT;
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	(void)!buf_adds(out, text, &full);
	free(text);
}

static void list_of(struct buf *out, const char *title, const json_t *texts)
{
	if (json_array_size(texts))
		add(out, "\n%s\n", title);
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const char *text = json_string_value(json_array_get(texts, i));

		add(out, "  %s\n", text ? text : "");
	}
}

static void requests_of(struct buf *out, const json_t *list)
{
	if (json_array_size(list))
		add(out, "\nrequests (--output json shows their bodies)\n");
	for (size_t i = 0; i < json_array_size(list); i++)
		add(out, "  %-6s %s\n", jx_str_or(json_array_get(list, i), "method", ""),
		    jx_str_or(json_array_get(list, i), "url", ""));
}

static void column(struct buf *out, const json_t *number)
{
	if (json_is_number(number))
		add(out, " %9.10g", json_number_value(number));
	else
		add(out, " %9s", "-");
}

/* @all: also those that suffice. */
static void quotas_of(struct buf *out, const json_t *rows, bool all, const char *indent)
{
	add(out, "%s%-18s %-24s %9s %9s %9s\n", indent, "quota", "where", "needed", "left",
	    "limit");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		bool is_short = jx_bool(row, "short");

		if (!all && !is_short)
			continue;
		add(out, "%s%-18s %-24s", indent, jx_str_or(row, "metric", ""),
		    jx_str_or(row, "where", ""));
		column(out, jx_get(row, "needed"));
		column(out, jx_get(row, "available"));
		column(out, jx_get(row, "limit"));
		if (is_short)
			add(out, "  short by %.10g",
			    json_number_value(jx_get(row, "needed")) -
				    json_number_value(jx_get(row, "available")));
		add(out, "\n");
	}
}

static bool any_short(const json_t *rows)
{
	for (size_t i = 0; i < json_array_size(rows); i++)
		if (jx_bool(json_array_get(rows, i), "short"))
			return true;
	return false;
}

static void problems_of(struct buf *out, const json_t *list)
{
	if (json_array_size(list))
		add(out, "\nproblems\n");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i), *lines = jx_get(one, "lines");
		const char *hint = jx_str(one, "hint");

		add(out, "  %s\n", jx_str_or(one, "text", ""));
		for (size_t k = 0; k < json_array_size(lines); k++)
			add(out, "    %s\n", json_string_value(json_array_get(lines, k)));
		if (hint)
			add(out, "    %s\n", hint);
	}
}

static void details_of(struct buf *out, const json_t *details)
{
	const json_t *quotas = jx_get(details, "quotas");
	const char *version = jx_str(details, "version");

	if (version)
		add(out, "\nKubernetes %s\n", version);
	list_of(out, "changes of the cluster", jx_get(details, "changes"));
	requests_of(out, jx_get(details, "requests"));
	if (json_array_size(quotas)) {
		add(out, "\n");
		quotas_of(out, quotas, true, "");
	}
	list_of(out, "warnings", jx_get(details, "warnings"));
	problems_of(out, jx_get(details, "problems"));
}

static enum err_code code_of(const char *name)
{
	for (enum err_code c = ERR_INVALID; c < ERR_INTERNAL; c++)
		if (streq(err_name(c), name))
			return c;
	return ERR_INTERNAL;
}

int plan_check(const json_t *details, struct app *a, struct err *e)
{
	const json_t *list = jx_get(details, "problems"), *quotas = jx_get(details, "quotas");
	const json_t *first = json_array_get(list, 0);
	AUTO(buf_release) struct buf table = BUF_INIT(8u << 10);

	if (!first)
		return 0;
	err_set(e, code_of(jx_str(first, "code")), "%s", jx_str_or(first, "text", ""));
	if (jx_str(first, "hint"))
		err_hint(e, "%s", jx_str(first, "hint"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i), *lines = jx_get(one, "lines");

		if (i)
			app_detail(a, "also: %s%s%s%s", jx_str_or(one, "text", ""),
				   jx_str(one, "hint") ? " (" : "", jx_str_or(one, "hint", ""),
				   jx_str(one, "hint") ? ")" : "");
		for (size_t k = 0; k < json_array_size(lines); k++)
			app_detail(a, "%s%s", i ? "  " : "",
				   json_string_value(json_array_get(lines, k)));
	}
	if (any_short(quotas)) {
		quotas_of(&table, quotas, false, "");
		app_detail(a, "%s", buf_str(&table));
	}
	return -1;
}

/* --- the plan -------------------------------------------------------------------------------------- */

void plan_text(struct buf *out, const struct step_ctx *c)
{
	size_t n = changes(c);

	buf_fit(out, "%-7s %-26s %s\n", cluster_action(c), "cluster", c->cluster.words);
	for (size_t i = 0; i < OBJ_COUNT; i++) {
		const struct object *o = &c->objects[i];

		buf_fit(out, "%-7s %-26s %s%s%s%s\n", words[o->action],
			object_res((enum object_id)i)->kind, obj_name(o->want),
			o->why[0] ? "  (" : "", o->why, o->why[0] ? ")" : "");
	}
	details_of(out, c->cluster.details);
	if (json_array_size(jx_get(c->cluster.details, "problems")))
		add(out, "\n%zu to write; prestoctl up would stop at the first problem\n", n);
	else if (n)
		add(out, "\n%zu to write; prestoctl up does it\n", n);
	else
		add(out, "\nnothing to do\n");
}

json_t *plan_json(const struct step_ctx *c)
{
	json_t *all = json_array(), *cluster;

	for (size_t i = 0; i < OBJ_COUNT; i++) {
		const struct object *o = &c->objects[i];
		json_t *one = json_pack("{s:s, s:s, s:s}", "action", words[o->action], "kind",
					object_res((enum object_id)i)->kind, "name",
					obj_name(o->want));

		if (o->why[0])
			json_object_set_new(one, "why", jx_strf("%s", o->why));
		json_array_append_new(all, one);
	}
	cluster = json_pack("{s:s, s:s}", "action", cluster_action(c), "what", c->cluster.words);
	if (c->cluster.details)
		json_object_update_missing(cluster, c->cluster.details);
	return json_pack("{s:s, s:o, s:o, s:I}", "environment", c->env->name, "cluster", cluster,
			 "objects", all, "changes", (json_int_t)changes(c));
}
