/* fuzz_jx.c - JSON in: what parses has canonical text that parses to the same; lists agree with
 * trees. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "base/jx.h"

static int count(const json_t *item, void *arg, struct err *e)
{
	json_t *items = arg;

	(void)e;
	MUST(json_array_append_new(items, json_deep_copy(item)) == 0);
	return 0;
}

static void as_list(const char *text, size_t len, const json_t *tree)
{
	autojson json_t *meta = NULL;
	autojson json_t *items = json_array();
	struct err e = ERR_INIT;

	if (jx_items_each(&meta, text, len, count, items, &e) < 0) {
		MUST(e.code == ERR_PROTOCOL && e.msg[0]);
		/* A tree with an array of items is a list, except that a key may now be one level
		 * less deep. */
		MUST(!json_is_array(jx_get(tree, "items")));
		return;
	}
	if (tree && json_is_array(jx_get(tree, "items")))
		MUST(json_equal(jx_get(tree, "items"), items));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	autojson json_t *tree = NULL;
	autojson json_t *again = NULL;
	struct err e = ERR_INIT;

	if (jx_parse(&tree, text, size, "input", &e) < 0) {
		MUST(e.code == ERR_PROTOCOL && e.msg[0]);
		err_clear(&e);
	} else {
		autofree char *canonical = jx_canonical(tree);
		MUST(jx_parse(&again, canonical, strlen(canonical), "again", &e) == 0);
		MUST(json_equal(tree, again));
	}
	as_list(text, size, tree);
	return 0;
}
