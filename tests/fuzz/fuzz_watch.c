/* fuzz_watch.c - the lines of a watch in: events or refusals, and a store that stays consistent. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "k8s/store.h"
#include "k8s/watch.h"

struct tally {
	long live;
};

static int project(void *entry, const json_t *obj, void *arg)
{
	int *mark = entry;

	(void)arg;
	*mark = jx_bool(obj, "hidden") ? 0 : 1;
	return *mark ? 0 : -1;
}

static void notify(const char *key, const void *old, const void *new, void *arg)
{
	struct tally *t = arg;

	MUST(*key && (old || new));
	t->live += (new != NULL) - (old != NULL);
}

static void one_line(struct store *s, const char *line, size_t len, size_t number)
{
	autojson json_t *obj = NULL;
	enum watch_type type;
	struct err e = ERR_INIT;

	if (watch_decode(&type, &obj, line, len, &e) < 0) {
		MUST(e.code == ERR_PROTOCOL && e.msg[0] && !obj);
		return;
	}
	MUST(obj);
	if (type == WATCH_ERROR || type == WATCH_BOOKMARK)
		return;
	if (number % 7 == 3)
		store_list_begin(s);
	store_event(s, obj, type == WATCH_DELETED);
	if (number % 7 == 5)
		store_list_item(s, obj);
	if (number % 7 == 6)
		store_list_end(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct tally t = {0};
	const struct informer_ops ops = {sizeof(int), project, notify, NULL, &t};
	struct store s;

	store_init(&s, &ops);
	for (size_t n = 0; at < end; n++) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		const char *stop = nl ? nl : end;

		one_line(&s, at, (size_t)(stop - at), n);
		MUST(t.live == (long)strmap_len(s.slots));
		at = nl ? nl + 1 : end;
	}
	store_release(&s);
	return 0;
}
