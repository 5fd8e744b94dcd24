/* watch.c - decoding of watch lines. No I/O. */
#include "k8s/watch.h"

#include <stdlib.h>

#include "k8s/client_internal.h"

int watch_decode(enum watch_type *type, json_t **object, const char *line, size_t len,
		 struct err *e)
{
	static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
	autojson json_t *doc = NULL;

	if (jx_parse(&doc, line, len, "watch event", e) < 0)
		return -1;
	const char *name = json_string_value(jx_get(doc, "type"));
	json_t *obj = jx_get(doc, "object");
	const char *rv = obj_rv(obj);
	size_t i = 0;

	while (i < ARRAY_LEN(names) && !streq(names[i], name))
		i++;
	if (i == ARRAY_LEN(names))
		return err_set(e, ERR_PROTOCOL, "watch event of unknown type \"%.40s\"",
			       name ? name : "");
	if (!json_is_object(obj))
		return err_set(e, ERR_PROTOCOL, "watch event without an object");
	if (i != WATCH_ERROR && (!rv || !*rv))
		return err_set(e, ERR_PROTOCOL, "watch event without a resourceVersion");
	const char *object_name = obj_name(obj);
	if (i != WATCH_ERROR && i != WATCH_BOOKMARK && (!object_name || !*object_name))
		return err_set(e, ERR_PROTOCOL, "watch event of an object without a name");
	*type = (enum watch_type)i;
	*object = json_incref(obj);
	return 0;
}

char *watch_path(const struct k8s_res *r, const struct watch_opts *o)
{
	char *path = k8s_path(r, &(struct k8s_ref){.ns = o->ns}, NULL);
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%ld", o->timeout_seconds);
	k8s_url_add(&path, "watch", "1");
	k8s_url_add(&path, "allowWatchBookmarks", "true");
	k8s_url_add(&path, "labelSelector", o->label_selector);
	k8s_url_add(&path, "fieldSelector", o->field_selector);
	k8s_url_add(&path, "resourceVersion", o->rv);
	k8s_url_add(&path, "timeoutSeconds", seconds);
	return path;
}
