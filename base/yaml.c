/* yaml.c - YAML text to JSON trees: libyaml's events, our limits, and the place of every node. */
#include "base/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/file.h"
#include "base/yaml_scalar.h"

#define MAX_DEPTH 64
#define MAX_NODES 200000

struct place {
	int line, column;
};

/*
 * One mark per node, in a tree: a pointer's text for each would be as long as the path is deep.
 * Node 0 is the array of documents. Children are linked in order.
 */
struct mark {
	uint32_t first_child, last_child, next; /* 0: none */
	char *segment; /* owned; NULL in arrays, where the position tells */
	struct place key, value;
};

struct y2j_marks {
	struct mark *all;
	size_t n, cap;
};

struct parse {
	yaml_parser_t parser;
	const char *name, *text;
	size_t len;
	enum y2j_mode mode;
	size_t nodes;
	struct y2j_marks *marks; /* NULL: nobody asked */
	struct err *e;
};

/* --- marks ------------------------------------------------------------------------------------ */

static uint32_t mark_add(struct y2j_marks *m, uint32_t parent, const char *segment,
			 struct place key, struct place value)
{
	if (!m)
		return 0;
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->all = xreallocarray(m->all, m->cap, sizeof(*m->all));
	}
	uint32_t at = (uint32_t)m->n++;
	m->all[at] = (struct mark){
		.segment = segment ? xstrdup(segment) : NULL,
		.key = key,
		.value = value,
	};
	if (at == 0)
		return 0;
	struct mark *up = &m->all[parent];
	if (up->last_child)
		m->all[up->last_child].next = at;
	else
		up->first_child = at;
	up->last_child = at;
	return at;
}

/* Does the pointer's segment, in which ~1 is a slash and ~0 a tilde, name this key? */
static bool segment_is(const char *segment, size_t len, const char *key)
{
	size_t i = 0;

	for (; i < len && *key; i++, key++) {
		char c = segment[i];
		if (c == '~' && i + 1 < len && (segment[i + 1] == '0' || segment[i + 1] == '1'))
			c = segment[++i] == '0' ? '~' : '/';
		if (c != *key)
			return false;
	}
	return i == len && !*key;
}

static uint32_t mark_child(const struct y2j_marks *m, uint32_t parent, const char *segment,
			   size_t len)
{
	char *end;
	unsigned long wanted = strtoul(segment, &end, 10), position = 0;
	bool is_index = *segment >= '0' && *segment <= '9' && end == segment + len &&
			(len == 1 || *segment != '0');

	for (uint32_t at = m->all[parent].first_child; at; at = m->all[at].next, position++) {
		const char *key = m->all[at].segment;
		if (key ? segment_is(segment, len, key) : is_index && position == wanted)
			return at;
	}
	return 0;
}

bool y2j_mark(const struct y2j_marks *m, const char *pointer, bool key, int *line, int *column)
{
	uint32_t at = 0;

	if (!m || m->n == 0)
		return false;
	while (*pointer == '/') {
		size_t len = strcspn(pointer + 1, "/");
		uint32_t next = mark_child(m, at, pointer + 1, len);
		if (!next)
			break;
		at = next;
		pointer += 1 + len;
	}
	if (at == 0)
		return false;
	/* The pointer's own key was asked for, and only a parent is known: its value is nearer. */
	const struct place *p = key && !*pointer ? &m->all[at].key : &m->all[at].value;
	*line = p->line;
	*column = p->column;
	return true;
}

void y2j_marks_free(struct y2j_marks *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->all[i].segment);
	free(m->all);
	free(m);
}

void y2j_marks_freep(struct y2j_marks **m)
{
	y2j_marks_free(*m);
}

/* --- parser ----------------------------------------------------------------------------------- */

static struct place place_of(const yaml_mark_t *m)
{
	return (struct place){(int)m->line + 1, (int)m->column + 1};
}

static int fail(struct parse *p, struct place at, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s:%d:%d: %s", p->name, at.line, at.column, what);
}

static int fail_text(struct parse *p, struct place at, const char *before, const char *text,
		     const char *after)
{
	return err_set(p->e, ERR_INVALID, "%s:%d:%d: %s\"%.60s\"%s", p->name, at.line, at.column,
		       before, text, after);
}

/* The reader has no line yet when it meets a byte that it does not like, only an offset. */
static struct place place_of_offset(const struct parse *p, size_t offset)
{
	struct place at = {1, 1};

	for (size_t i = 0; i < offset && i < p->len; i++) {
		if (p->text[i] == '\n')
			at = (struct place){at.line + 1, 1};
		else if ((p->text[i] & 0xC0) != 0x80)
			at.column++;
	}
	return at;
}

static int parser_error(struct parse *p)
{
	const yaml_parser_t *y = &p->parser;
	const char *problem = y->problem ? y->problem : "not YAML";
	struct place at = place_of(&y->problem_mark);

	if (y->error == YAML_READER_ERROR)
		return fail(p, place_of_offset(p, y->problem_offset), problem);
	if (!y->context || y->context_mark.line == y->problem_mark.line)
		fail(p, at, problem);
	else
		err_set(p->e, ERR_INVALID, "%s:%d:%d: %s (%s that starts in line %d)", p->name,
			at.line, at.column, problem, y->context, (int)y->context_mark.line + 1);
	if (y->problem_mark.index < p->len && p->text[y->problem_mark.index] == '\t')
		err_hint(p->e, "indent with spaces: YAML allows no tabs there");
	return -1;
}

static int next_event(struct parse *p, yaml_event_t *event)
{
	memset(event, 0, sizeof(*event));
	if (!yaml_parser_parse(&p->parser, event))
		return parser_error(p);
	return 0;
}

#define autoevent AUTO(yaml_event_delete) yaml_event_t

static const char *as_text(const yaml_char_t *s)
{
	return (const char *)s;
}

/* Only the core schema's tags, which say what would be known without them. */
static int check_tag(struct parse *p, const yaml_event_t *event, const char *allowed,
		     const char *tag)
{
	if (!tag || streq(tag, "!") || streq(tag, allowed))
		return 0;
	return fail_text(p, place_of(&event->start_mark), "tag ", tag, " is not supported here");
}

static int node_limits(struct parse *p, const yaml_event_t *event, const yaml_char_t *anchor,
		       int depth)
{
	struct place at = place_of(&event->start_mark);

	if (anchor)
		return fail_text(p, at, "anchor ", as_text(anchor),
				 " is not supported: write the text again");
	if (++p->nodes > MAX_NODES)
		return fail(p, at, "more than 200000 values");
	if (depth > MAX_DEPTH)
		return fail(p, at, "more than 64 levels");
	return 0;
}

static json_t *real_or_int(enum scalar_kind kind, json_int_t integer, double real)
{
	return kind == SCALAR_INT ? json_integer(integer) : json_real(real);
}

static int ambiguous(struct parse *p, struct place at, const char *text, enum scalar_kind kind)
{
	const char *why = " is read differently by different programs: quote it";

	if (kind == SCALAR_YES)
		why = " is a word to some programs and a boolean to others: quote it, or write "
		      "true";
	else if (kind == SCALAR_NO)
		why = " is a word to some programs and a boolean to others: quote it, or write "
		      "false";
	else if (kind == SCALAR_LEADING_ZERO)
		why = " has a leading zero, which some programs read as octal: quote it";
	else if (kind == SCALAR_SEXAGESIMAL)
		why = " is a number in base 60 to some programs: quote it";
	return fail_text(p, at, "", text, why);
}

/*
 * Foreign files are read as kubectl reads them: the core schema, with 1.1's booleans (except single
 * letters) and octals.
 */
static json_t *foreign(const char *text, enum scalar_kind kind)
{
	size_t octal = strspn(text, "01234567");

	if ((kind == SCALAR_YES || kind == SCALAR_NO) && strlen(text) > 1)
		return json_boolean(kind == SCALAR_YES);
	if (kind == SCALAR_LEADING_ZERO && !text[octal] && octal <= 20)
		return json_integer(strtoll(text, NULL, 8));
	return json_string(text);
}

static int plain_value(json_t **out, struct parse *p, struct place at, const char *text)
{
	json_int_t integer = 0;
	double real = 0;
	enum scalar_kind kind = scalar_kind(text, &integer, &real);

	switch (kind) {
	case SCALAR_STRING:
		*out = json_string(text);
		return 0;
	case SCALAR_NULL:
		*out = json_null();
		return 0;
	case SCALAR_TRUE:
	case SCALAR_FALSE:
		*out = json_boolean(kind == SCALAR_TRUE);
		return 0;
	case SCALAR_INT:
	case SCALAR_REAL:
		*out = real_or_int(kind, integer, real);
		return 0;
	case SCALAR_NOT_FINITE:
		return fail_text(p, at, "", text, " is not a number that JSON knows: quote it");
	case SCALAR_TOO_LARGE:
		return fail_text(p, at, "", text, " does not fit in a number: quote it");
	default:
		if (p->mode == Y2J_OWN)
			return ambiguous(p, at, text, kind);
		*out = foreign(text, kind);
		return 0;
	}
}

/* "!!int 5" and the like: the value must be what its tag says. */
static int tag_agrees(struct parse *p, const yaml_event_t *event, const char *tag, const json_t *v)
{
	static const struct {
		const char *tag;
		json_type type, or_type;
	} tags[] = {
		{YAML_NULL_TAG, JSON_NULL, JSON_NULL},
		{YAML_BOOL_TAG, JSON_TRUE, JSON_FALSE},
		{YAML_INT_TAG, JSON_INTEGER, JSON_INTEGER},
		{YAML_FLOAT_TAG, JSON_REAL, JSON_INTEGER},
	};

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (streq(tag, tags[i].tag) && v &&
		    (json_typeof(v) == tags[i].type || json_typeof(v) == tags[i].or_type))
			return 0;
	}
	return fail_text(p, place_of(&event->start_mark), "tag ", tag, " is not supported here");
}

static int scalar(json_t **out, struct parse *p, const yaml_event_t *event)
{
	const char *text = as_text(event->data.scalar.value);
	const char *tag = as_text(event->data.scalar.tag);
	size_t len = event->data.scalar.length;
	struct place at = place_of(&event->start_mark);
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	autojson json_t *v = NULL;

	if (memchr(text, '\0', len))
		return fail(p, at, "a NUL character in a string");
	bool string_tag = tag && (streq(tag, "!") || streq(tag, YAML_STR_TAG));
	if (string_tag || (!tag && !plain))
		v = json_string(text);
	else if (plain_value(&v, p, at, text) < 0 || (tag && tag_agrees(p, event, tag, v) < 0))
		return -1;
	if (!v)
		return fail(p, at, "a string that is not UTF-8");
	*out = TAKE(v);
	return 0;
}

static int node(json_t **out, struct parse *p, const yaml_event_t *event, int depth, uint32_t mark);

/* A key is a string, and looks like one: 1: and true: and yes: must be quoted. */
static int check_key(struct parse *p, const yaml_event_t *event, const json_t *object)
{
	struct place at = place_of(&event->start_mark);
	autojson json_t *v = NULL;

	if (event->type == YAML_ALIAS_EVENT)
		return fail(p, at, "an alias is not supported: write the text again");
	if (event->type != YAML_SCALAR_EVENT)
		return fail(p, at, "a key must be a string");
	const char *text = as_text(event->data.scalar.value);
	if (node_limits(p, event, event->data.scalar.anchor, 0) < 0)
		return -1;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && streq(text, "<<"))
		return fail(p, at, "merge keys are not supported: write the members out");
	if (scalar(&v, p, event) < 0)
		return -1;
	if (!json_is_string(v) && !*text)
		return fail(p, at, "an empty key");
	if (!json_is_string(v))
		return fail_text(p, at, "key ", text, " is not a string: quote it");
	if (json_object_get(object, text))
		return fail_text(p, at, "duplicate key ", text, ": keep one of them");
	return 0;
}

static int mapping(json_t **out, struct parse *p, int depth, uint32_t mark)
{
	autojson json_t *object = json_object();

	for (;;) {
		autoevent key, value;
		autojson json_t *v = NULL;
		memset(&value, 0, sizeof(value));
		if (next_event(p, &key) < 0)
			return -1;
		if (key.type == YAML_MAPPING_END_EVENT)
			break;
		if (check_key(p, &key, object) < 0 || next_event(p, &value) < 0)
			return -1;
		const char *text = as_text(key.data.scalar.value);
		uint32_t below = mark_add(p->marks, mark, text, place_of(&key.start_mark),
					  place_of(&value.start_mark));
		if (node(&v, p, &value, depth + 1, below) < 0)
			return -1;
		(void)json_object_set_new(object, text, TAKE(v));
	}
	*out = TAKE(object);
	return 0;
}

static int sequence(json_t **out, struct parse *p, int depth, uint32_t mark)
{
	autojson json_t *array = json_array();

	for (;;) {
		autoevent event;
		autojson json_t *v = NULL;
		if (next_event(p, &event) < 0)
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		struct place at = place_of(&event.start_mark);
		if (node(&v, p, &event, depth + 1, mark_add(p->marks, mark, NULL, at, at)) < 0)
			return -1;
		(void)json_array_append_new(array, TAKE(v));
	}
	*out = TAKE(array);
	return 0;
}

static int node(json_t **out, struct parse *p, const yaml_event_t *event, int depth, uint32_t mark)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (node_limits(p, event, event->data.scalar.anchor, depth - 1) < 0)
			return -1;
		return scalar(out, p, event);
	case YAML_MAPPING_START_EVENT:
		if (node_limits(p, event, event->data.mapping_start.anchor, depth) < 0 ||
		    check_tag(p, event, YAML_MAP_TAG, as_text(event->data.mapping_start.tag)) < 0)
			return -1;
		return mapping(out, p, depth, mark);
	case YAML_SEQUENCE_START_EVENT:
		if (node_limits(p, event, event->data.sequence_start.anchor, depth) < 0 ||
		    check_tag(p, event, YAML_SEQ_TAG, as_text(event->data.sequence_start.tag)) < 0)
			return -1;
		return sequence(out, p, depth, mark);
	case YAML_ALIAS_EVENT:
		return fail(p, place_of(&event->start_mark),
			    "an alias is not supported: write the text again");
	default:
		return fail(p, place_of(&event->start_mark), "not a value");
	}
}

static bool is_empty_document(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
	       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
}

static int documents(json_t **out, struct parse *p)
{
	autojson json_t *all = json_array();

	mark_add(p->marks, 0, NULL, (struct place){1, 1}, (struct place){1, 1});
	for (;;) {
		autoevent event;
		autojson json_t *v = NULL;
		if (next_event(p, &event) < 0)
			return -1;
		if (event.type == YAML_STREAM_END_EVENT)
			break;
		/* Stream start, document starts and ends carry nothing for us. */
		if (event.type == YAML_STREAM_START_EVENT ||
		    event.type == YAML_DOCUMENT_START_EVENT ||
		    event.type == YAML_DOCUMENT_END_EVENT || is_empty_document(&event))
			continue;
		struct place at = place_of(&event.start_mark);
		if (node(&v, p, &event, 1, mark_add(p->marks, 0, NULL, at, at)) < 0)
			return -1;
		(void)json_array_append_new(all, TAKE(v));
	}
	*out = TAKE(all);
	return 0;
}

int y2j_parse(json_t **out, struct y2j_marks **marks, const char *text, size_t len,
	      const char *name, enum y2j_mode mode, struct err *e)
{
	AUTO(y2j_marks_freep) struct y2j_marks *m = marks ? xcalloc(1, sizeof(*m)) : NULL;
	struct parse p = {.name = name, .text = text, .len = len, .mode = mode, .marks = m, .e = e};

	if (len > YAML_MAX_BYTES)
		return err_set(e, ERR_INVALID, "%s: larger than %u MiB", name,
			       YAML_MAX_BYTES >> 20);
	const char *nul = memchr(text, '\0', len);
	if (nul) {
		struct place at = place_of_offset(&p, (size_t)(nul - text));
		return fail(&p, at, "binary, not YAML");
	}
	if (!yaml_parser_initialize(&p.parser))
		abort(); /* out of memory */
	/* Some editors put a mark in front; places are counted without it. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		p.text = text += 3;
		p.len = len -= 3;
	}
	yaml_parser_set_encoding(&p.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p.parser, (const unsigned char *)text, len);
	int rc = documents(out, &p);
	yaml_parser_delete(&p.parser);
	if (rc == 0 && marks)
		*marks = TAKE(m);
	return rc;
}

int y2j_file(json_t **out, struct y2j_marks **marks, const char *path, enum y2j_mode mode,
	     struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	bool is_stdin = streq(path, "-");
	const char *name = is_stdin ? "stdin" : path;
	int rc = is_stdin ? file_read_fd(&text, &len, STDIN_FILENO, name, YAML_MAX_BYTES, e)
			  : file_read(&text, &len, path, YAML_MAX_BYTES, e);

	if (rc < 0)
		return -1;
	return y2j_parse(out, marks, text, len, name, mode, e);
}
