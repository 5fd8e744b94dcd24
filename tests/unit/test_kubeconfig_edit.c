/* test_kubeconfig_edit.c - entries put into kubeconfigs and dropped again: documents, the file that is chosen, locks. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/yaml.h"
#include "k8s/kubeconfig_edit.h"

/* --- documents ---------------------------------------------------------------------------------- */

#define BOTH                                                                                  \
	"clusters: [{name: x, cluster: {server: a}}]\nusers: [{name: x, user: {token: t}}]\n" \
	"contexts: [{name: x, context: {cluster: x, user: x}}]\n"

static json_t *doc_of(const char *text)
{
	json_t *docs = NULL, *doc;
	struct err e = ERR_INIT;

	assert_ok(y2j_parse(&docs, NULL, text, strlen(text), "test", Y2J_FOREIGN, &e), &e);
	doc = json_array_size(docs) ? json_incref(json_array_get(docs, 0)) : json_object();
	json_decref(docs);
	return doc;
}

struct made {
	json_t *cluster, *user;
	struct kubeconfig_entry entry;
};

static void make(struct made *m, const char *cluster, const char *user)
{
	m->cluster = doc_of(cluster);
	m->user = doc_of(user);
	m->entry = (struct kubeconfig_entry){"x", m->cluster, m->user, "team"};
}

static void made_release(struct made *m)
{
	json_decref(m->cluster);
	json_decref(m->user);
}

static bool put(json_t *doc, const struct kubeconfig_entry *entry)
{
	bool changed = kubeconfig_put(doc, KUBECONFIG_CLUSTERS, entry);

	changed = kubeconfig_put(doc, KUBECONFIG_USERS, entry) || changed;
	return kubeconfig_put(doc, KUBECONFIG_CONTEXTS, entry) || changed;
}

/* What a document is after {server: b} and {exec: e} were put into it as x. */
static const struct {
	const char *before, *after;
} put_cases[] = {
	{"", "clusters: [{name: x, cluster: {server: b}}]\nusers: [{name: x, user: {exec: e}}]\n"
	     "contexts: [{name: x, context: {cluster: x, user: x, namespace: team}}]\n"},
	{"users: null\nclusters: []\n",
	 "users: [{name: x, user: {exec: e}}]\nclusters: [{name: x, cluster: {server: b}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: x, namespace: team}}]\n"},
	/* two ways to be somebody must not stand side by side; what is the user's own stays */
	{"preferences: {colors: true}\nmine: 7\n"
	 "clusters: [{name: y, cluster: {server: z}}, {name: x, odd: 1, cluster: {extensions: [{name: n}], "
	 "certificate-authority: f, insecure-skip-tls-verify: true, server: a, proxy-url: p}}]\n"
	 "users: [{name: x, user: {token: t, as: root, client-key: k, auth-provider: {name: gcp}}}]\n"
	 "contexts: [{name: x, context: {cluster: q, user: q, namespace: mine, more: [1]}}]\n",
	 "preferences: {colors: true}\nmine: 7\n"
	 "clusters: [{name: y, cluster: {server: z}}, {name: x, odd: 1, cluster: {extensions: [{name: n}], "
	 "server: b, proxy-url: p}}]\n"
	 "users: [{name: x, user: {as: root, exec: e}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: x, namespace: mine, more: [1]}}]\n"},
	{"clusters: [{name: x, cluster: null}]\nusers: [{name: x}]\ncontexts: [{name: x, context: {}}]\n",
	 "clusters: [{name: x, cluster: {server: b}}]\nusers: [{name: x, user: {exec: e}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: x, namespace: team}}]\n"},
};

static void a_put_changes_its_entry_and_nothing_else(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(put_cases); i++) {
		autojson json_t *doc = doc_of(put_cases[i].before),
				*want = doc_of(put_cases[i].after);
		autofree char *got = NULL, *wanted = NULL;
		struct made m;

		make(&m, "{server: b}", "{exec: e}");
		assert_true(put(doc, &m.entry));
		got = jx_pretty(doc);
		wanted = jx_pretty(want);
		assert_string_equal(got, wanted); /* the order too */
		assert_false(put(doc, &m.entry));
		made_release(&m);
	}
}

/* What is left after BOTH was put by us, somebody has made @before of it, and it was dropped. */
static const struct {
	const char *before, *after;
	size_t stays;
	bool changed;
} drop_cases[] = {
	{BOTH "current-context: x\n",
	 "clusters: []\nusers: []\ncontexts: []\ncurrent-context: ''\n", 0, true},
	{BOTH "current-context: y\n", "clusters: []\nusers: []\ncontexts: []\ncurrent-context: y\n",
	 0, true},
	/* as kubectl writes it again, in a namespace of its user's own */
	{"clusters: [{name: x, cluster: {insecure-skip-tls-verify: false, server: a}}]\n"
	 "users: [{name: x, user: {exec: null, token: t}}]\n"
	 "contexts: [{name: x, context: {cluster: x, namespace: other, user: x}}]\n",
	 "clusters: []\nusers: []\ncontexts: []\n", 0, true},
	{"clusters: [{name: x, cluster: {server: other}}]\nusers: [{name: x, user: {token: t}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: x}}]\ncurrent-context: x\n",
	 "clusters: [{name: x, cluster: {server: other}}]\nusers: [{name: x, user: {token: t}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: x}}]\ncurrent-context: x\n",
	 3, false},
	{"clusters: [{name: x, cluster: {server: a}}]\nusers: [{name: x, user: {token: t}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: mine}}]\n",
	 "clusters: [{name: x, cluster: {server: a}}]\nusers: []\n"
	 "contexts: [{name: x, context: {cluster: x, user: mine}}]\n",
	 2, true},
	{"clusters: [{name: x, cluster: {server: a}}]\nusers: [{name: x, user: {token: t}}]\n"
	 "contexts: [{name: x, context: {cluster: x, user: x}}, {name: y, context: {cluster: x}}]\n",
	 "clusters: [{name: x, cluster: {server: a}}]\nusers: []\ncontexts: [{name: y, context: {cluster: x}}]\n",
	 1, true},
	{"clusters: null\nother: 1\n", "clusters: null\nother: 1\n", 0, false},
};

static void a_drop_takes_what_still_is_as_it_was_put(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(drop_cases); i++) {
		autojson json_t *doc = doc_of(drop_cases[i].before),
				*want = doc_of(drop_cases[i].after);
		autofree char *got = NULL, *wanted = NULL;
		struct kubeconfig_marks marks;
		size_t stays = 99;
		struct made m;

		make(&m, "{server: a}", "{token: t}");
		kubeconfig_mark(&marks, &m.entry);
		assert_int_equal(kubeconfig_drop(doc, "x", &marks, &stays), drop_cases[i].changed);
		got = jx_canonical(doc);
		wanted = jx_canonical(want);
		assert_string_equal(got, wanted);
		assert_int_equal(stays, drop_cases[i].stays);
		made_release(&m);
	}
}

/* --- files -------------------------------------------------------------------------------------- */

struct place {
	char dir[64];
	struct loop *loop;
	struct made made;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	struct err e = ERR_INIT;

	snprintf(p->dir, sizeof(p->dir), "/tmp/kubeconfig-edit-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(chdir(p->dir), 0);
	setenv("HOME", p->dir, 1);
	unsetenv("KUBECONFIG");
	assert_ok(loop_new(&p->loop, &e), &e);
	make(&p->made, "{server: a}", "{token: t}");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	const char *const names[] = {"a",
				     "b",
				     "c",
				     "a.prestoctl-backup",
				     "b.prestoctl-backup",
				     "a.lock",
				     "b.lock",
				     "link",
				     "link.lock",
				     "new/sub/config",
				     "new/sub",
				     "new",
				     ".kube/config",
				     ".kube"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)remove(names[i]);
	loop_free(p->loop);
	made_release(&p->made);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(p->dir), 0); /* nothing else is left: no lock, no temp file */
	free(p);
	return 0;
}

static void put_file(const char *path, const char *text)
{
	struct err e = ERR_INIT;

	assert_ok(file_write_atomic(path, text, strlen(text), 0640, &e), &e);
}

static bool has(const char *path)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	size_t len = 0;

	if (file_read(&text, &len, path, 1u << 20, &e) < 0)
		return false;
	autojson json_t *doc = doc_of(text);
	return kubeconfig_has(doc, KUBECONFIG_CLUSTERS, "x");
}

static void the_file_is_the_one_that_kubectl_would_write(void **state)
{
	/* a and b exist, c does not; where x goes */
	static const struct {
		const char *list, *a, *b, *where;
	} cases[] = {
		{"a:b", "", "", "a"},
		{"c:b:a", "", "", "b"},
		{":a::b", "", "", "a"},
		{"a:b", "", BOTH, "b"},
		{"b:a", BOTH, "", "a"},
		{"a:b", BOTH, BOTH, "a"},
		{"new/sub/config", "", "", "new/sub/config"},
		{"c:new/sub/config", "", "", "new/sub/config"},
		{NULL, "", "", ".kube/config"},
		{"", "", "", ".kube/config"},
	};
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kubeconfig_done done = {0};
		struct err e = ERR_INIT;

		put_file("a", cases[i].a);
		put_file("b", cases[i].b);
		(void)remove("new/sub/config");
		(void)remove(".kube/config");
		if (cases[i].list)
			setenv("KUBECONFIG", cases[i].list, 1);
		else
			unsetenv("KUBECONFIG");
		assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
		assert_true(ends_with(done.file, cases[i].where));
		assert_true(has(cases[i].where));
		assert_int_equal(done.changed, true); /* the namespace, at least */
		kubeconfig_done_release(&done);
		assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
		assert_false(done.changed);
		kubeconfig_done_release(&done);
	}
}

static void the_current_context_stays_unless_there_was_none(void **state)
{
	static const struct {
		const char *a, *b;
		bool set, current;
	} cases[] = {
		{"", "", false, true},
		{"current-context: ''\n", "", false, true},
		{"", "current-context: old\n", false, false},
		{"current-context: old\n", "", false, false},
		{"", "current-context: old\n", true, true},
	};
	struct place *p = *state;

	setenv("KUBECONFIG", "a:b", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kubeconfig_opts o = {.loop = p->loop, .set_current = cases[i].set};
		AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
		struct kubeconfig_done done = {0};
		struct err e = ERR_INIT;

		put_file("a", cases[i].a);
		put_file("b", cases[i].b);
		assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
		assert_int_equal(done.current, cases[i].current);
		assert_ok(kubeconfig_load(&k, NULL, &e), &e);
		assert_string_equal(kubeconfig_current(k), cases[i].current ? "x" : "old");
		kubeconfig_done_release(&done);
	}
}

static void what_is_no_kubeconfig_is_not_touched(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"a: b: c\n", "a:1:"},
		{"[]", "a:1:1: a kubeconfig is a map"},
		{"users: 3\n", "a:1:8: must be a list"},
		{"kind: Pod\n", "a:1:7: kind is not Config"},
		{"a: 1\n---\nb: 2\n", "several documents"},
		{"a: &x 1\nb: *x\n", "a:1:"},
	};
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "a"};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kubeconfig_done done = {0};
		autofree char *text = NULL;
		struct err e = ERR_INIT;
		size_t len = 0;

		put_file("a", cases[i].text);
		assert_int_equal(kubeconfig_merge(&done, &o, &p->made.entry, &e), -1);
		assert_has(e.msg, cases[i].message);
		assert_fails(-1, &e, ERR_INVALID);
		err_clear(&e);
		assert_ok(file_read(&text, &len, "a", 1000, &e), &e);
		assert_string_equal(text, cases[i].text);
		assert_false(file_exists("a.lock") || file_exists("a.prestoctl-backup"));
	}
}

static void values_come_back_as_they_were(void **state)
{
	static const char text[] =
		"int: 12345678901\nreal: 0.1\nbig: 1e300\n'yes': 'yes'\nnumber: '0123'\n'null': 'null'\n"
		"date: '2020-01-01'\nempty: ''\nlines: \"a\\nb\\n\"\nodd: \"\\u0007 \\u00e9\"\n"
		"'key: odd': {'': 1}\n'true': true\nnothing: null\nlist: [[], {}, [1, '1']]\n"
		"clusters: [{name: y, cluster: {server: s, extensions: [{name: e, extension: {a: 1.5}}]}}]\n";
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "a"};
	autojson json_t *before = doc_of(text), *after = NULL;
	struct kubeconfig_done done = {0};
	autofree char *got = NULL;
	struct err e = ERR_INIT;
	const json_t *v;
	const char *key;
	size_t len = 0;

	put_file("a", text);
	assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
	kubeconfig_done_release(&done);
	assert_ok(file_read(&got, &len, "a", 10000, &e), &e);
	after = doc_of(got);
	jx_foreach (before, key, v)
		if (!streq(key, "clusters") && !json_equal(v, jx_get(after, key)))
			fail_msg("%s", key);
	assert_true(json_equal(jx_path(before, "clusters.0"), jx_path(after, "clusters.0")));
}

static void mode_and_link_stay_and_the_backup_is_what_was_there(void **state)
{
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "link"};
	struct kubeconfig_done done = {0};
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	size_t len = 0;

	put_file("a", "mine: 1\n");
	assert_int_equal(symlink("a", "link"), 0);
	assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
	assert_true(ends_with(done.backup, "/a.prestoctl-backup"));
	assert_ok(file_read(&text, &len, done.backup, 1000, &e), &e);
	assert_string_equal(text, "mine: 1\n");
	assert_int_equal(stat(done.backup, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_true(has("a"));
	kubeconfig_done_release(&done);
}

static void hard_links_stay_together_and_read_only_files_as_they_are(void **state)
{
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "a"};
	struct kubeconfig_done done = {0};
	struct err e = ERR_INIT;

	put_file("a", "mine: 1\n");
	assert_int_equal(link("a", "b"), 0);
	assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
	assert_true(done.changed && has("b"));
	kubeconfig_done_release(&done);
	put_file("a", "mine: 1\n");
	assert_int_equal(chmod("a", 0400), 0);
	assert_fails(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e, ERR_DENIED);
	assert_false(has("a"));
}

/* --- locks -------------------------------------------------------------------------------------- */

static void a_lock_that_stays_ends_the_wait(void **state)
{
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "a", .patience = 50 * NS_MS};
	struct kubeconfig_done done = {0};
	struct err e = ERR_INIT;

	put_file("a", "");
	put_file("a.lock", "");
	assert_int_equal(kubeconfig_merge(&done, &o, &p->made.entry, &e), -1);
	assert_has(e.msg, "a.lock is held by kubectl");
	assert_has(e.hint, "remove it");
	assert_fails(-1, &e, ERR_TIMEOUT);
	assert_true(file_exists("a.lock") && !has("a"));
}

/* Its queue is the folder itself, which nobody should be told to remove. */
static void another_prestoctl_that_stays_ends_the_wait_too(void **state)
{
	struct place *p = *state;
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "a", .patience = 50 * NS_MS};
	AUTO(closep) int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct kubeconfig_done done = {0};
	struct err e = ERR_INIT;

	put_file("a", "");
	assert_int_equal(flock(folder, LOCK_EX), 0);
	assert_int_equal(kubeconfig_merge(&done, &o, &p->made.entry, &e), -1);
	assert_has(e.msg, "is held by another prestoctl");
	assert_null(strstr(e.hint, "remove"));
	assert_has(e.hint, "again");
	assert_fails(-1, &e, ERR_TIMEOUT);
}

static void the_lock_of_a_dead_process_is_taken_over(void **state)
{
	struct place *p = *state;
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	const struct kubeconfig_opts o = {.loop = p->loop, .file = "a"};
	struct err e = ERR_INIT;

	log_setup(LOG_ERROR_LEVEL, false);
	for (int ours = 0; ours < 2; ours++) {
		struct kubeconfig_done done = {0};
		ns_t began = clock_mono();

		put_file("a", "");
		put_file("a.lock", ours ? "prestoctl 1\n" : "");
		if (!ours)
			assert_int_equal(utimensat(AT_FDCWD, "a.lock", old, 0), 0);
		assert_ok(kubeconfig_merge(&done, &o, &p->made.entry, &e), &e);
		assert_true(clock_mono() - began >= (ours ? NS_SEC : 2 * NS_SEC));
		assert_true(has("a") && !file_exists("a.lock"));
		kubeconfig_done_release(&done);
	}
	log_setup(LOG_WARN_LEVEL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_put_changes_its_entry_and_nothing_else),
		cmocka_unit_test(a_drop_takes_what_still_is_as_it_was_put),
		cmocka_unit_test_setup_teardown(the_file_is_the_one_that_kubectl_would_write, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_current_context_stays_unless_there_was_none,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_kubeconfig_is_not_touched, setup,
						teardown),
		cmocka_unit_test_setup_teardown(values_come_back_as_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(mode_and_link_stay_and_the_backup_is_what_was_there,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			hard_links_stay_together_and_read_only_files_as_they_are, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lock_that_stays_ends_the_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(another_prestoctl_that_stays_ends_the_wait_too,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_lock_of_a_dead_process_is_taken_over, setup,
						teardown),
	};

	return RUN(tests);
}
