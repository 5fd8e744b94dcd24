/* fuzz_yaml.c - YAML in both modes: what parses is emitted and read back the same. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "base/yaml.h"

static void round_trip(const json_t *documents)
{
	for (size_t i = 0; i < json_array_size(documents); i++) {
		const json_t *v = json_array_get(documents, i);
		autojson json_t *again = NULL;
		autofree char *text = y2j_emit(v);
		struct err e = ERR_INIT;
		MUST(y2j_parse(&again, NULL, text, strlen(text), "again", Y2J_OWN, &e) == 0);
		MUST(json_array_size(again) == 1 && json_equal(json_array_get(again, 0), v));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (enum y2j_mode mode = Y2J_FOREIGN; mode <= Y2J_OWN; mode++) {
		autojson json_t *v = NULL;
		AUTO(y2j_marks_freep) struct y2j_marks *marks = NULL;
		struct err e = ERR_INIT;
		int line, column;
		if (y2j_parse(&v, &marks, (const char *)data, size, "input", mode, &e) < 0) {
			MUST(e.code == ERR_INVALID && strncmp(e.msg, "input:", 6) == 0);
			continue;
		}
		if (json_array_size(v) > 0)
			MUST(y2j_mark(marks, "/0/a~1b/0", true, &line, &column) && line > 0 &&
			     column > 0);
		round_trip(v);
	}
	return 0;
}
