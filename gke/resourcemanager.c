/* resourcemanager.c - what may the caller do in a project? */
#include "gke/project.h"

#define MAX_PERMISSIONS 100

static bool has(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(json_string_value(json_array_get(list, i)), text))
			return true;
	return false;
}

int resourcemanager_missing(json_t **out, struct gke *g, const char *project,
			    const char *const *permissions, size_t n, struct err *e)
{
	autofree char *name = gke_path("/projects/%s", project);
	autofree char *path = xasprintf("%s:testIamPermissions", name);
	autojson json_t *body = json_object(), *reply = NULL;
	json_t *asked = json_array();
	/* It only looks: asking twice is fine. */
	const struct gke_req q = {.api = GKE_RESOURCEMANAGER,
				  .method = "POST",
				  .path = path,
				  .body = body,
				  .repeatable = true};

	json_object_set_new(body, "permissions", asked);
	if (n > MAX_PERMISSIONS)
		return err_set(e, ERR_INTERNAL, "more than %d permissions", MAX_PERMISSIONS);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(asked, json_string(permissions[i]));
	if (gke_call(&reply, g, &q, e) < 0)
		return err_wrap(e, "rights in project %s", project);
	*out = json_array();
	for (size_t i = 0; i < n; i++)
		if (!has(jx_get(reply, "permissions"), permissions[i]))
			json_array_append_new(*out, json_string(permissions[i]));
	return 0;
}
