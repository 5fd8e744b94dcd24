/* decode.c - walks the field table: resource in, structure with defaults out. Pure. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "presto/findings.h"
#include "presto/names.h"

const char *field_fallback(const char *path)
{
	for (size_t i = 0; i < presto_fields_len; i++)
		if (streq(presto_fields[i].path, path) && presto_fields[i].fallback)
			return presto_fields[i].fallback;
	assert(!"a field with a default");
	return "";
}

const char *quantity_text(const json_t *v, char number[24])
{
	if (json_is_string(v))
		return json_string_value(v);
	if (!json_is_number(v))
		return NULL;
	snprintf(number, 24, "%.0f", json_number_value(v));
	if (json_is_integer(v))
		snprintf(number, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return number;
}

static void decode_field(struct presto *p, const struct field *f, const json_t *v, size_t *numbers)
{
	char *at = (char *)p + f->offset;
	const char *fallback = f->fallback ? f->fallback : "";
	const char *text;

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_TEXT:
	case FIELD_ENUM:
		*(const char **)(void *)at = json_is_string(v) ? json_string_value(v) : fallback;
		break;
	case FIELD_QUANTITY:
		assert(*numbers < ARRAY_LEN(p->numbers));
		text = quantity_text(v, p->numbers[(*numbers)++]);
		*(const char **)(void *)at = text ? text : fallback;
		break;
	case FIELD_INT:
		*(int *)(void *)at = json_is_number(v) ? (int)json_number_value(v)
						       : (int)strtol(fallback, NULL, 10);
		break;
	case FIELD_NUMBER:
		*(double *)(void *)at = json_is_number(v) ? json_number_value(v)
							  : strtod(fallback, NULL);
		break;
	case FIELD_BOOL:
		*(bool *)(void *)at = json_is_boolean(v) ? json_is_true(v)
							 : streq(fallback, "true");
		break;
	case FIELD_MAP:
	case FIELD_OBJECT:
	case FIELD_LIST:
		*(const json_t **)(void *)at = jx_is_empty(v) ? NULL : v;
		break;
	case FIELD_GROUP:
		break;
	}
}

const char *image_tag_of(const char *name)
{
	const char *last = strrchr(name, '/');

	return strpbrk(last ? last : name, ":@");
}

int presto_decode(struct presto *out, const json_t *resource, struct err *e)
{
	struct presto_cause cause;
	size_t n = check_resource(&cause, 1, resource, false), numbers = 0;

	if (n) {
		err_set(e, ERR_INVALID, "%s: %s", cause.path, cause.msg);
		return n > 1 ? err_hint(e, "and %zu more", n - 1) : -1;
	}
	*out = (struct presto){.resource = resource};
	for (size_t i = 0; i < presto_fields_len; i++)
		decode_field(out, &presto_fields[i], jx_path(resource, presto_fields[i].path),
			     &numbers);
	out->ns = jx_str_or(resource, "metadata.namespace", "");
	out->uid = jx_str_or(resource, "metadata.uid", "");
	out->generation = jx_int(resource, "metadata.generation");
	if (image_tag_of(out->image_name) && !jx_str(resource, "spec.image.tag"))
		out->image_tag = "";
	out->readiness.failure_threshold =
		3; /* Kubernetes' own default: the resource has no field for it */
	if (*out->uid || *out->name_override) {
		name_of(out->cluster, out->name, out->uid, out->name_override);
		name_environment(out->env, out->environment, out->cluster);
	}
	return 0;
}

void presto_service_name(char out[NAME_SIZE], const struct presto *p)
{
	name_child(out, "presto-coordinator", *p->service_name ? p->service_name : p->cluster);
}

char *presto_image(const struct presto *p)
{
	return xasprintf("%s%s%s%s", p->image_name_prefix, p->image_name, *p->image_tag ? ":" : "",
			 p->image_tag);
}
