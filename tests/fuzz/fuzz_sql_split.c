/* fuzz_sql_split.c - cutting is stable: a statement, cut again, is itself. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "presto/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *script = xstrndup((const char *)data, size);
	char **statements;
	struct err e = ERR_INIT;

	if (sql_split(&statements, script, &e) < 0) {
		MUST(e.code == ERR_INVALID);
		return 0;
	}
	for (size_t i = 0; statements[i]; i++) {
		char **again;

		MUST(*statements[i] && strstr(script, statements[i]));
		MUST(sql_split(&again, statements[i], &e) == 0);
		MUST(again[0] && !again[1] && strcmp(again[0], statements[i]) == 0);
		sql_split_free(again);
	}
	sql_split_free(statements);
	return 0;
}
