/*
 * findings.h - inside presto/ only: collecting what is wrong with a resource, place by place.
 */
#ifndef PRESTO_FINDINGS_H
#define PRESTO_FINDINGS_H

#include "presto/presto.h"

struct findings {
	struct presto_cause *out; /* filled up to max, counted beyond */
	size_t max, n;
};

/* Where we are: as the API server writes it, and as a JSON pointer. Too long ones are cut. */
struct place {
	char path[200];
	char pointer[200];
};

extern const struct place place_root;
/* place_child - the member @key of @parent. */
struct place place_child(const struct place *parent, const char *key);
struct place place_item(const struct place *parent, size_t index);
/* place_of - the place of a dotted path whose keys have no dots. */
struct place place_of(const char *path);

void found(struct findings *f, const struct place *at, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define QUOTED_SIZE 160
/* quoted - a text as Go's %q writes it, cut where it is long. Returns out. */
const char *quoted(char out[QUOTED_SIZE], const char *text);

/* schema_unknown - members that the structural schema does not know (the server's strict decoding). */
void schema_unknown(struct findings *f, const json_t *schema, const json_t *value,
		    const struct place *at);
/* schema_validate - types, limits, patterns and enums, in the wording of the server. */
void schema_validate(struct findings *f, const json_t *schema, const json_t *value,
		     const struct place *at);

/* rules_check - what a schema cannot say, for a resource that the schema accepts. */
void rules_check(struct findings *f, const json_t *resource);
/* rules_files_check - the part about catalogs, etc/ files and their sizes. */
void rules_files_check(struct findings *f, const json_t *spec);

/* check_resource - all of it; presto_check looks at the status too, presto_decode does not. */
size_t check_resource(struct presto_cause *out, size_t max, const json_t *resource,
		      bool with_status);

/* field_fallback - the default of a field as text; asserted to have one. */
const char *field_fallback(const char *path);
/* quantity_text - a quantity that may be written as a number; number holds it then. NULL when absent. */
const char *quantity_text(const json_t *v, char number[24]);

/* image_tag_of - where the tag or digest of an image name begins, with its ':' or '@'; NULL without
 * one. Only the last part counts: a registry may have a port. */
const char *image_tag_of(const char *name);

#endif
