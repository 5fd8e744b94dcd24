/* findings.c - places and messages. */
#include "presto/findings.h"

#include <stdarg.h>
#include <string.h>

const struct place place_root = {"", ""};

static void append(char *out, size_t size, const char *text)
{
	size_t len = strlen(out), more = strlen(text);

	if (more > size - 1 - len)
		more = size - 1 - len;
	memcpy(out + len, text, more);
	out[len + more] = '\0';
}

static void append_pointer(char *out, size_t size, const char *key)
{
	append(out, size, "/");
	for (; *key; key++) {
		char plain[2] = {*key, '\0'};

		append(out, size, *key == '~' ? "~0" : *key == '/' ? "~1" : plain);
	}
}

struct place place_child(const struct place *parent, const char *key)
{
	struct place p = *parent;

	if (*p.path)
		append(p.path, sizeof(p.path), ".");
	append(p.path, sizeof(p.path), key);
	append_pointer(p.pointer, sizeof(p.pointer), key);
	return p;
}

struct place place_item(const struct place *parent, size_t index)
{
	struct place p = *parent;
	char text[24];

	snprintf(text, sizeof(text), "[%zu]", index);
	append(p.path, sizeof(p.path), text);
	snprintf(text, sizeof(text), "%zu", index);
	append_pointer(p.pointer, sizeof(p.pointer), text);
	return p;
}

struct place place_of(const char *path)
{
	struct place p = place_root;

	while (*path) {
		size_t len = strcspn(path, ".");
		autofree char *key = xstrndup(path, len);

		p = place_child(&p, key);
		path += len + (path[len] == '.');
	}
	return p;
}

void found(struct findings *f, const struct place *at, const char *fmt, ...)
{
	va_list ap;

	if (f->n++ >= f->max)
		return;
	struct presto_cause *c = &f->out[f->n - 1];
	memcpy(c->path, at->path, sizeof(c->path));
	memcpy(c->pointer, at->pointer, sizeof(c->pointer));
	va_start(ap, fmt);
	vsnprintf(c->msg, sizeof(c->msg), fmt, ap);
	va_end(ap);
}

const char *quoted(char out[QUOTED_SIZE], const char *text)
{
	static const char escapes[] = "\a\b\t\n\v\f\r\\\"";
	static const char letters[] = "abtnvfr\\\"";
	size_t len = 0;

	out[len++] = '"';
	for (; *text; text++) {
		const char *special = strchr(escapes, *text);

		if (len > QUOTED_SIZE - 12) {
			/* Not in the middle of a character. */
			while (len > 1 && ((unsigned char)out[len - 1] & 0xc0) == 0x80)
				len--;
			if ((unsigned char)out[len - 1] >= 0xc0)
				len--;
			memcpy(out + len, "...", 3);
			len += 3;
			break;
		}
		if (special) {
			out[len++] = '\\';
			out[len++] = letters[special - escapes];
		} else if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			len += (size_t)snprintf(out + len, 5, "\\x%02x", (unsigned char)*text);
		} else {
			out[len++] = *text;
		}
	}
	out[len++] = '"';
	out[len] = '\0';
	return out;
}
