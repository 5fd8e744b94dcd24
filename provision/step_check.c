/* step_check.c - before anything is made: is there room for the pods, and can the nodes get the images? */
#include <stdlib.h>

#include "k8s/obj.h"
#include "provision/room.h"
#include "provision/step.h"

bool step_room_needed(const struct step_ctx *c)
{
	return c->objects[OBJ_PRESTO].action != OBJECT_KEEP;
}

int step_room_run(struct step_ctx *c, struct err *e)
{
	autojson json_t *nodes = NULL, *pods = NULL;
	const struct k8s_list_opts all = {0};
	enum room_answer room;
	char words[400];

	if (k8s_list(&nodes, c->k, &K8S_NODE, NULL, &all, e) < 0 ||
	    k8s_list(&pods, c->k, &K8S_POD, NULL, &all, e) < 0) {
		if (e->code != ERR_DENIED)
			return -1;
		err_clear(e);
		step_say(c, "not looked at: nodes or pods may not be listed");
		return 0;
	}
	room = room_look(&c->presto, nodes, pods,
			 jx_str(c->objects[OBJ_PRESTO].live, "status.name"), words);
	if (room != ROOM_FITS && c->cluster.elastic) {
		step_say(c, "nodes are added for the pods");
		return 0;
	}
	switch (room) {
	case ROOM_NEVER:
		err_set(e, ERR_QUOTA, "no node can ever take the pods: %s", words);
		return err_hint(
			e,
			"lower memoryAllocation or cpuRequest in the resource, or add a larger node");
	case ROOM_NOT_NOW:
		progress_warn(c->app->progress, "the pods do not fit now: %s", words);
		step_say(c, "not now, see the warning");
		return 0;
	case ROOM_UNKNOWN:
		progress_warn(c->app->progress, "no node takes pods now");
		step_say(c, "no node takes pods now");
		return 0;
	case ROOM_FITS:
		step_say(c, "%zu node%s, the pods fit", json_array_size(nodes),
			 json_array_size(nodes) == 1 ? "" : "s");
	}
	return 0;
}

/* Images matter when pods are made of ones that were not asked for before. */
bool step_images_needed(const struct step_ctx *c)
{
	const struct object *o = &c->objects[OBJ_PRESTO];

	return c->objects[OBJ_OPERATOR].action != OBJECT_KEEP || o->action == OBJECT_CREATE ||
	       (o->action == OBJECT_CHANGE &&
		(!json_equal(jx_path(o->want, "spec.image"), jx_path(o->live, "spec.image")) ||
		 !streq(jx_str_or(o->want, "spec.imageNamePrefix", ""),
			jx_str_or(o->live, "spec.imageNamePrefix", ""))));
}

int step_images_run(struct step_ctx *c, struct err *e)
{
	autofree char *presto = presto_image(&c->presto);
	const char *refs[] = {c->env->operator_image, presto};
	char words[200] = "";

	if (c->provider->images(&c->pc, c->k, refs, ARRAY_LEN(refs), words, e) < 0)
		return -1;
	step_say(c, "%s", words);
	return 0;
}
