/*
 * yaml.h - the one user of libyaml: YAML text to JSON trees with the place of every node, and
 * back. Refused: more than 64 levels, more than 200,000 nodes, duplicate keys, unknown tags,
 * merge keys, anchors and aliases, non-string keys. Y2J_OWN also refuses what YAML 1.1 and 1.2
 * read differently (plain yes/no/on/off, leading zeros, sexagesimal numbers): "quote it".
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/jx.h"

#define YAML_MAX_BYTES (4u << 20)

enum y2j_mode { Y2J_FOREIGN, Y2J_OWN };

struct y2j_marks; /* JSON pointer -> line and column, both from 1 */

/*
 * y2j_parse - every document of a text as one JSON array (empty documents are left out).
 * @name is the file's name for messages: "name:LINE:COLUMN: what". @marks may be NULL; pointers
 * in it start with the document's index: "/0/spec/worker". Returns 0, or -1 with ERR_INVALID.
 */
int y2j_parse(json_t **out, struct y2j_marks **marks, const char *text, size_t len,
	      const char *name, enum y2j_mode mode, struct err *e) MUST_CHECK;
/*
 * y2j_file - the same from a file ("-" is standard input, "stdin" in messages).
 * Also ERR_NOT_FOUND, ERR_DENIED, ERR_IO.
 */
int y2j_file(json_t **out, struct y2j_marks **marks, const char *path, enum y2j_mode mode,
	     struct err *e) MUST_CHECK;
/*
 * y2j_mark - the place of a pointer, or of its nearest known parent's value. Returns false when
 * nothing is known. With @key the place of the key rather than of its value.
 */
bool y2j_mark(const struct y2j_marks *m, const char *pointer, bool key, int *line, int *column);
void y2j_marks_free(struct y2j_marks *m);
void y2j_marks_freep(struct y2j_marks **m);
/* y2j_emit - one document as block YAML in insertion order, strings quoted where a reader could
 * misread them, multi-line strings as literals. Owned text. */
char *y2j_emit(const json_t *v) NEVER_NULL;

#endif
