/* fuzz_env.c - environment files: taken or refused with a place, never anything else. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "provision/objects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_release) struct buf more = BUF_INIT(64u << 10);
	AUTO(env_freep) struct env *v = NULL;
	struct object o[OBJ_COUNT];
	struct err e = ERR_INIT;

	if (env_parse(&v, (const char *)data, size, "input", "/nonexistent", &more, &e) < 0) {
		MUST(e.code == ERR_INVALID &&
		     (strncmp(e.msg, "input", 5) == 0 || strstr(e.msg, "/nonexistent")));
		return 0;
	}
	objects_of(o, v);
	for (enum object_id id = 0; id < OBJ_COUNT; id++) {
		o[id].live = json_deep_copy(o[id].want);
		MUST(object_decide(&o[id], id, v->name, &e) == 0 && o[id].action == OBJECT_KEEP);
	}
	objects_release(o);
	return 0;
}
