#include "tests/unit/unit.h"

#include "base/strmap.h"

static void finds_replaces_and_deletes(void **state UNUSED)
{
	struct strmap *m = strmap_new(free);

	assert_null(strmap_get(m, "a"));
	strmap_put(m, "a", xstrdup("1"));
	strmap_put(m, "a", xstrdup("2"));
	strmap_put(m, "", xstrdup("empty"));
	strmap_put(m, "a", strmap_get(m, "a"));
	assert_string_equal(strmap_get(m, "a"), "2");
	assert_string_equal(strmap_get(m, ""), "empty");
	assert_int_equal(strmap_len(m), 2);
	assert_true(strmap_del(m, "a"));
	assert_false(strmap_del(m, "a"));
	assert_int_equal(strmap_len(m), 1);
	strmap_free(m);
	strmap_free(NULL);
}

struct walk {
	struct strmap *m;
	char seen[64];
	size_t n;
};

static bool collect(const char *key, void *value UNUSED, void *arg)
{
	struct walk *w = arg;

	w->seen[w->n++] = *key;
	return *key != 's';
}

static void walks_in_insertion_order_and_stops(void **state UNUSED)
{
	struct walk w = {0};

	w.m = strmap_new(NULL);
	strmap_put(w.m, "z", &w);
	strmap_put(w.m, "b", &w);
	strmap_put(w.m, "a", &w);
	strmap_put(w.m, "b", NULL);
	strmap_each(w.m, collect, &w);
	assert_string_equal(w.seen, "zba");
	strmap_put(w.m, "s", &w);
	strmap_put(w.m, "t", &w);
	memset(w.seen, 0, sizeof(w.seen));
	w.n = 0;
	strmap_each(w.m, collect, &w);
	assert_string_equal(w.seen, "zbas");
	strmap_free(w.m);
}

static bool delete_odd(const char *key, void *value UNUSED, void *arg)
{
	if (atol(key) % 2)
		assert_true(strmap_del(arg, key));
	return true;
}

static void an_entry_may_delete_itself_during_a_walk(void **state UNUSED)
{
	struct strmap *m = strmap_new(free);
	char key[16];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		strmap_put(m, key, xstrdup(key));
	}
	strmap_each(m, delete_odd, m);
	assert_int_equal(strmap_len(m), 500);
	assert_string_equal(strmap_get(m, "998"), "998");
	assert_null(strmap_get(m, "999"));
	strmap_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_replaces_and_deletes),
		cmocka_unit_test(walks_in_insertion_order_and_stops),
		cmocka_unit_test(an_entry_may_delete_itself_during_a_walk),
	};

	return RUN(tests);
}
