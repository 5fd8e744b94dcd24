/* plan.c - see plan.h. */
#include "provision/plan.h"

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
	if (n)
		buf_fit(out, "\n%zu to write; prestoctl up does it\n", n);
	else
		buf_fit(out, "\nnothing to do\n");
}

json_t *plan_json(const struct step_ctx *c)
{
	json_t *all = json_array();

	for (size_t i = 0; i < OBJ_COUNT; i++) {
		const struct object *o = &c->objects[i];
		json_t *one = json_pack("{s:s, s:s, s:s}", "action", words[o->action], "kind",
					object_res((enum object_id)i)->kind, "name",
					obj_name(o->want));

		if (o->why[0])
			json_object_set_new(one, "why", jx_strf("%s", o->why));
		json_array_append_new(all, one);
	}
	return json_pack("{s:s, s:{s:s, s:s}, s:o, s:I}", "environment", c->env->name, "cluster",
			 "action", cluster_action(c), "what", c->cluster.words, "objects", all,
			 "changes", (json_int_t)changes(c));
}
