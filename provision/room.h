/*
 * room.h - do the pods of a Presto cluster fit on these nodes? Pure arithmetic over what the API server lists.
 */
#ifndef PROVISION_ROOM_H
#define PROVISION_ROOM_H

#include "base/jx.h"
#include "presto/presto.h"

enum room_answer {
	ROOM_FITS,
	ROOM_NOT_NOW, /* the nodes are large enough, but taken */
	ROOM_NEVER,   /* no node could take a pod, even an empty one */
	ROOM_UNKNOWN, /* no node that takes pods */
};

/*
 * room_look - @nodes, @pods: arrays as the API server lists them (finished pods count nothing). Pods labelled
 * instance=@own are counted as if they were gone. @words says amounts: asked, and what is free.
 */
enum room_answer room_look(const struct presto *p, const json_t *nodes, const json_t *pods,
			   const char *own, char words[400]);

#endif
