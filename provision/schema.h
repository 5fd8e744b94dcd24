/*
 * schema.h - the environment file's schema: embedded, checked against, read out. Pure.
 */
#ifndef PROVISION_SCHEMA_H
#define PROVISION_SCHEMA_H

#include "base/jx.h"

struct finding {
	char pointer[256]; /* JSON pointer inside the document, "" for the whole */
	bool key;          /* it is about the key there, not the value */
	char msg[300];     /* "what; remedy" */
};

/* schema_environment - the embedded schema, parsed. Owned. It is part of the program: a defect aborts. */
json_t *schema_environment(void);
/* schema_check - findings of a value against a schema, in the order of the document; the first max are filled.
 * Returns how many there are. */
size_t schema_check(struct finding *out, size_t max, const json_t *schema, const json_t *value);
/* schema_at - the schema of a dotted path ("cluster.local"); "" is the whole; list items need no index.
 * NULL: there is none; *parent is then the nearest schema above it and *word the unknown word. Borrowed. */
const json_t *schema_at(const json_t *schema, const char *path, const json_t **parent,
			char word[64]);

#endif
