/* desired_catalogs.c - the catalogs that both roles mount. Pure. */
#include <string.h>

#include "operator/desired_parts.h"

int catalog_texts(json_t **out, const struct presto *p, struct err *e)
{
	/* There without being asked for; a catalog of the user's with the same name takes its place. */
	autojson json_t *texts = pack("{s:s}", "tpch.properties", "connector.name=tpch\n");
	const char *name;
	json_t *text;

	jx_foreach (p->additional_catalogs, name, text) {
		autofree char *file = xasprintf("%s.properties", name);

		if (!json_is_string(text))
			return err_set(e, ERR_INVALID, "spec.additionalCatalogs.%s: must be a text",
				       name);
		json_object_set(texts, file, text);
	}
	*out = TAKE(texts);
	return 0;
}

int desired_catalogs(json_t **out, const struct presto *p, const json_t *texts, struct err *e)
{
	autojson json_t *map = NULL;
	char name[NAME_SIZE];
	json_t *copy = json_copy(
		(json_t *)(uintptr_t)texts); /* jansson takes no const; it is only read */

	name_child(name, "presto-catalog", p->cluster);
	map = desired_object("v1", "ConfigMap", name, p, ROLE_CATALOGS);
	json_object_set_new(map, "data", copy);
	if (config_fits(map, "spec.additionalCatalogs", e) < 0)
		return -1;
	*out = TAKE(map);
	return 0;
}
