/*
 * check_resource.c - our verdict on resources, for test_schema.py: one resource as JSON per line of
 * standard input, one JSON array of {path, msg} per line of output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "presto/presto.h"

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		autojson json_t *resource = NULL;
		autojson json_t *out = json_array();
		struct presto_cause causes[16];
		struct err e = ERR_INIT;

		if (jx_parse(&resource, line, (size_t)len, "input", &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
		size_t n = presto_check(causes, ARRAY_LEN(causes), resource);
		for (size_t i = 0; i < n && i < ARRAY_LEN(causes); i++)
			json_array_append_new(out, json_pack("{s:s, s:s}", "path", causes[i].path,
							     "msg", causes[i].msg));
		autofree char *text = jx_canonical(out);
		puts(text);
	}
	free(line);
	return 0;
}
