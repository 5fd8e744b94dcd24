/* sql_split.c - where statements end: at semicolons, unless quotes or comments hold them. */
#include <stdlib.h>
#include <string.h>

#include "presto/sql.h"

#define STATEMENTS_MAX 10000

static int line_of(const char *script, const char *at)
{
	int line = 1;

	for (; script < at; script++)
		line += *script == '\n';
	return line;
}

/*
 * Past what begins at s: a quoted text, a comment, or one character. *code is false for comments and
 * blanks. NULL when a quote or comment has no end. A doubled quote is an end and a new beginning.
 */
static const char *skip(const char *s, bool *code)
{
	const char *end;

	*code = true;
	if (*s == '\'' || *s == '"') {
		end = strchr(s + 1, *s);
		return end ? end + 1 : NULL;
	}
	*code = false;
	if (starts_with(s, "--"))
		return s + strcspn(s, "\n");
	if (starts_with(s, "/*")) {
		end = strstr(s + 2, "*/");
		return end ? end + 2 : NULL;
	}
	*code = !strchr(" \t\r\n\f\v", *s);
	return s + 1;
}

static char *trimmed(const char *begin, const char *end)
{
	while (begin < end && strchr(" \t\r\n\f\v", *begin))
		begin++;
	while (end > begin && strchr(" \t\r\n\f\v", end[-1]))
		end--;
	return xstrndup(begin, (size_t)(end - begin));
}

int sql_split(char ***out, const char *script, struct err *e)
{
	char **list = xcalloc(1, sizeof(*list));
	const char *begin = script, *s = script;
	bool any = false; /* something to run since begin */
	size_t n = 0;

	for (;;) {
		bool code = false;
		const char *next = *s && *s != ';' ? skip(s, &code) : s;

		if (!next) {
			err_set(e, ERR_INVALID, "line %d: %s without an end", line_of(script, s),
				*s == '/' ? "a comment" : "a quote");
			sql_split_free(list);
			return -1;
		}
		any = any || code;
		s = next;
		if (*s && *s != ';')
			continue;
		if (any && n == STATEMENTS_MAX) {
			err_set(e, ERR_INVALID, "more than %d statements", STATEMENTS_MAX);
			sql_split_free(list);
			return -1;
		}
		if (any) {
			list = xreallocarray(list, n + 2, sizeof(*list));
			list[n++] = trimmed(begin, s);
			list[n] = NULL;
		}
		if (!*s)
			break;
		begin = ++s;
		any = false;
	}
	*out = list;
	return 0;
}

void sql_split_free(char **statements)
{
	for (size_t i = 0; statements && statements[i]; i++)
		free(statements[i]);
	free(statements);
}
