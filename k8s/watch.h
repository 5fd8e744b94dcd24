/*
 * watch.h - one line of a watch, and the path of one. Pure; informer.c and wait.c do the rest.
 */
#ifndef K8S_WATCH_H
#define K8S_WATCH_H

#include "k8s/k8s.h"

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

/*
 * watch_decode - {"type":"ADDED","object":{...}}. *object is owned; it is a Status for WATCH_ERROR,
 * anything else has a metadata.resourceVersion. ERR_PROTOCOL otherwise.
 */
int watch_decode(enum watch_type *type, json_t **object, const char *line, size_t len,
		 struct err *e) MUST_CHECK;

struct watch_opts {
	const char *ns;                              /* NULL: all */
	const char *label_selector, *field_selector; /* NULL: all */
	const char *rv;
	long timeout_seconds;
};
/* watch_path - path and query, with bookmarks asked for. Owned. */
char *watch_path(const struct k8s_res *r, const struct watch_opts *o);

#endif
