#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/mem.h"
#include "k8s/kubeconfig.h"

/* --- table: one text, what it resolves to or what is said ------------------------------------------ */

#define TWO                                                                           \
	"apiVersion: v1\nkind: Config\ncurrent-context: a\n"                          \
	"clusters:\n- name: c1\n  cluster: {server: \"https://one:6443/\"}\n"         \
	"contexts:\n- name: a\n  context: {cluster: c1, user: u1, namespace: team}\n" \
	"- name: b\n  context: {cluster: c1, user: \"\"}\n"

static const struct {
	const char *text, *context;
	enum err_code code;
	const char *server, *ns, *token, *message;
} cases[] = {
	{TWO "users:\n- name: u1\n  user: {token: t0ken}\n", NULL, ERR_OK, "https://one:6443",
	 "team", "t0ken", NULL},
	{TWO "users: null\n", "b", ERR_OK, "https://one:6443", "default", NULL, NULL},
	{TWO, NULL, ERR_INVALID, NULL, NULL, NULL, "there is no user \"u1\""},
	{TWO, "zzz", ERR_NOT_FOUND, NULL, NULL, NULL, "no context \"zzz\""},
	{"", NULL, ERR_NOT_FOUND, NULL, NULL, NULL, "no current-context"},
	{"contexts:\n- name: x\n  context: {cluster: gone}\n", "x", ERR_INVALID, NULL, NULL, NULL,
	 "there is no cluster \"gone\""},
	{"clusters:\n- name: c\n  cluster: {}\ncontexts:\n- name: x\n  context: {cluster: c}\n",
	 "x", ERR_INVALID, NULL, NULL, NULL, "file:3:12: the cluster has no server"},
	{TWO "users:\n- name: u1\n  user: {client-key-data: eA==}\n", "a", ERR_INVALID, NULL, NULL,
	 NULL, "belong together"},
	{TWO "users:\n- name: u1\n  user:\n    client-key-data: '!'\n", "a", ERR_INVALID, NULL,
	 NULL, NULL, "file:15:22: not base64"},
	{TWO "users:\n- name: u1\n  user: {auth-provider: {name: gcp}}\n", "a", ERR_INVALID, NULL,
	 NULL, NULL, "auth providers are gone"},
	{TWO "users:\n- name: u1\n  user: {token: \"a\\nb\"}\n", "a", ERR_INVALID, NULL, NULL, NULL,
	 "control characters"},
	{TWO "users:\n- name: u1\n  user: {token: 17}\n", "a", ERR_INVALID, NULL, NULL, NULL,
	 "must be a string"},
	{TWO "users:\n- name: u1\n  user: {as-groups: [g]}\n", "a", ERR_INVALID, NULL, NULL, NULL,
	 "needs a user"},
	{TWO
	 "users:\n- name: u1\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1alpha1,"
	 " command: x}}\n",
	 "a", ERR_INVALID, NULL, NULL, NULL, "v1 or v1beta1"},
	{TWO "users:\n- name: u1\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1,"
	     " command: x}}\n",
	 "a", ERR_INVALID, NULL, NULL, NULL, "interactiveMode is missing"},
	{"clusters:\n- name: c\n  cluster: {server: x, insecure-skip-tls-verify: true,"
	 " certificate-authority-data: eA==}\ncontexts:\n- name: x\n  context: {cluster: c}\n",
	 "x", ERR_INVALID, NULL, NULL, NULL, "excludes a certificate authority"},
};

static void one_text_resolves_or_says_where_it_is_wrong(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
		struct k8s_config c = K8S_CONFIG_INIT;
		struct err e = ERR_INIT;
		int rc = kubeconfig_add(&k, cases[i].text, strlen(cases[i].text), "file", ".", &e);

		assert_ok(rc, &e);
		rc = kubeconfig_resolve(&c, k, cases[i].context, &e);
		if (e.code != cases[i].code)
			fail_msg("case %zu: %s: %s", i, err_name(e.code), e.msg);
		if (rc == 0) {
			assert_string_equal(c.server, cases[i].server);
			assert_string_equal(c.ns, cases[i].ns);
			assert_true(streq(c.token, cases[i].token));
			k8s_config_release(&c);
		} else {
			assert_has(e.msg, cases[i].message);
		}
	}
}

static void what_is_no_kubeconfig_is_refused_with_its_place(void **state UNUSED)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"[]", "f:1:1: a kubeconfig is a map"},
		{"kind: Pod\n", "f:1:7: kind is not Config"},
		{"clusters: 3\n", "f:1:11: must be a list"},
		{"users:\n- user: {}\n", "f:2:3: entry without a name"},
		{"users:\n- {name: a}\n- {name: a}\n", "duplicate name \"a\""},
		{"a: b: c\n", "f:1:"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(kubeconfig_add(&k, bad[i].text, strlen(bad[i].text), "f", ".", &e),
				 -1);
		assert_has(e.msg, bad[i].message);
		assert_fails(-1, &e, ERR_INVALID);
		assert_null(k);
	}
}

/* --- files ---------------------------------------------------------------------------------------- */

struct files {
	char dir[64];
	char *one, *two, *missing;
};

static void put(const char *dir, const char *name, const char *text)
{
	autofree char *path = path_join(dir, name);
	struct err e = ERR_INIT;

	assert_ok(file_write_atomic(path, text, strlen(text), 0600, &e), &e);
}

static int setup(void **state)
{
	struct files *f = xcalloc(1, sizeof(*f));
	struct err e = ERR_INIT;

	snprintf(f->dir, sizeof(f->dir), "/tmp/k8s-kubeconfig-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	autofree char *sub = path_join(f->dir, "sub");
	assert_ok(file_mkdirs(sub, 0700, &e), &e);
	f->one = path_join(f->dir, "one");
	f->two = path_join(sub, "two");
	f->missing = path_join(f->dir, "missing");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct files *f = *state;
	autofree char *command = xasprintf("rm -rf '%s'", f->dir);

	unsetenv("KUBECONFIG");
	assert_int_equal(system(command), 0);
	free(f->one);
	free(f->two);
	free(f->missing);
	free(f);
	return 0;
}

static void resolve_env(struct k8s_config *c, const char *list, const char *context)
{
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	struct err e = ERR_INIT;

	setenv("KUBECONFIG", list, 1);
	assert_ok(kubeconfig_load(&k, NULL, &e), &e);
	assert_ok(kubeconfig_resolve(c, k, context, &e), &e);
}

static void of_several_files_the_first_wins_per_entry_and_never_half(void **state)
{
	struct files *f = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	autofree char *list = xasprintf("%s::%s:%s:%s", f->missing, f->one, f->two, f->one);

	put(f->dir, "one",
	    "clusters:\n- name: c\n  cluster: {server: https://first}\n"
	    "users:\n- name: u\n  user: {username: first}\n"
	    "contexts:\n- name: mine\n  context: {cluster: c, user: u}\n");
	put(f->dir, "sub/two",
	    "current-context: theirs\n"
	    "clusters:\n- name: c\n  cluster: {server: https://second, tls-server-name: n}\n"
	    "users:\n- name: u\n  user: {username: second, password: p}\n"
	    "contexts:\n- name: theirs\n  context: {cluster: c, user: u, namespace: n2}\n");
	resolve_env(&c, list, NULL);
	assert_string_equal(c.context, "theirs");
	assert_string_equal(c.ns, "n2");
	assert_string_equal(c.server, "https://first");
	assert_null(c.server_name);
	assert_string_equal(c.username, "first");
	assert_null(c.password);
	k8s_config_release(&c);
}

static void relative_paths_belong_to_the_file_that_names_them(void **state)
{
	struct files *f = *state;
	struct k8s_config c = K8S_CONFIG_INIT;

	put(f->dir, "ca.pem", "wrong");
	put(f->dir, "sub/ca.pem", "CA");
	put(f->dir, "sub/cert.pem", "CERT");
	put(f->dir, "sub/key.pem", "KEY");
	put(f->dir, "sub/two",
	    "current-context: x\nclusters:\n- name: c\n  cluster: {server: h, "
	    "certificate-authority: ca.pem, proxy-url: \"http://p:3128\", tls-server-name: kube}\n"
	    "users:\n- name: u\n  user:\n    client-certificate: ./cert.pem\n"
	    "    client-key: key.pem\n    tokenFile: tok\n    as: boss\n    as-groups: [g1, g2]\n"
	    "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n"
	    "      command: bin/plug\n"
	    "contexts:\n- name: x\n  context: {cluster: c, user: u}\n");
	resolve_env(&c, f->two, NULL);
	autofree char *token = path_join(f->dir, "sub/tok"),
		      *plug = path_join(f->dir, "sub/bin/plug");
	assert_string_equal(c.server, "https://h");
	assert_string_equal(c.ca_pem, "CA");
	assert_string_equal(c.cert_pem, "CERT");
	assert_string_equal(c.key_pem, "KEY");
	assert_string_equal(c.token_file, token);
	assert_string_equal(c.proxy_url, "http://p:3128");
	assert_string_equal(c.server_name, "kube");
	assert_string_equal(c.as_user, "boss");
	assert_int_equal(json_array_size(c.as_groups), 2);
	assert_string_equal(jx_str(c.exec, "command"), plug);
	k8s_config_release(&c);
}

static void a_plain_command_is_left_to_PATH_and_cluster_info_is_handed_over(void **state)
{
	struct files *f = *state;
	struct k8s_config c = K8S_CONFIG_INIT;

	put(f->dir, "one",
	    "current-context: x\nclusters:\n- name: c\n  cluster:\n    server: https://h/prefix\n"
	    "    certificate-authority-data: Q0E=\n    extensions:\n"
	    "    - name: client.authentication.k8s.io/exec\n      extension: {audience: me}\n"
	    "users:\n- name: u\n  user:\n    exec:\n"
	    "      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n"
	    "      command: plug\n      provideClusterInfo: true\n"
	    "contexts:\n- name: x\n  context: {cluster: c, user: u}\n");
	resolve_env(&c, f->one, "x");
	assert_string_equal(jx_str(c.exec, "command"), "plug");
	assert_string_equal(jx_str(c.exec_cluster, "server"), "https://h/prefix");
	assert_string_equal(jx_str(c.exec_cluster, "certificate-authority-data"), "Q0E=");
	assert_string_equal(jx_str(c.exec_cluster, "config.audience"), "me");
	k8s_config_release(&c);
}

static void data_beats_the_file_and_a_missing_file_is_named(void **state)
{
	struct files *f = *state;
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	put(f->dir, "one",
	    "clusters:\n- name: c\n  cluster: {server: h, certificate-authority: nope,"
	    " certificate-authority-data: Q0E=}\n"
	    "- name: d\n  cluster: {server: h, certificate-authority: nope}\n"
	    "contexts:\n- name: x\n  context: {cluster: c}\n- name: y\n  context: {cluster: d}\n");
	resolve_env(&c, f->one, "x");
	assert_string_equal(c.ca_pem, "CA");
	k8s_config_release(&c);
	assert_ok(kubeconfig_load(&k, f->one, &e), &e);
	assert_int_equal(kubeconfig_resolve(&c, k, "y", &e), -1);
	assert_has(e.msg, "certificate-authority of ");
	assert_has(e.msg, "/nope");
	assert_fails(-1, &e, ERR_NOT_FOUND);
}

static void no_file_at_all_says_how_to_name_one(void **state)
{
	struct files *f = *state;
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	struct err e = ERR_INIT;

	setenv("KUBECONFIG", f->missing, 1);
	assert_int_equal(kubeconfig_load(&k, NULL, &e), -1);
	assert_has(e.hint, "--kubeconfig");
	assert_fails(-1, &e, ERR_NOT_FOUND);
	assert_int_equal(kubeconfig_load(&k, f->missing, &e), -1);
	assert_fails(-1, &e, ERR_NOT_FOUND);
}

static void known_contexts_are_named_when_the_asked_one_is_not_there(void **state UNUSED)
{
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	assert_ok(kubeconfig_add(&k, TWO, strlen(TWO), "f", ".", &e), &e);
	assert_int_equal(kubeconfig_resolve(&c, k, "q", &e), -1);
	assert_string_equal(e.hint, "known contexts: a, b");
	err_clear(&e);
}

static void a_written_kubeconfig_reads_back_the_same(void **state)
{
	struct files *f = *state;
	struct k8s_config c = K8S_CONFIG_INIT, d = K8S_CONFIG_INIT;
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	struct err e = ERR_INIT;

	put(f->dir, "one",
	    "current-context: x\nclusters:\n- name: c\n  cluster: {server: \"https://h:1\","
	    " certificate-authority-data: Q0E=, tls-server-name: s}\n"
	    "users:\n- name: u\n  user: {client-certificate-data: Qw==, client-key-data: Sw==,"
	    " token: \"yes\", as: me}\n"
	    "contexts:\n- name: x\n  context: {cluster: c, user: u, namespace: n}\n");
	resolve_env(&c, f->one, NULL);
	autofree char *text = kubeconfig_text(&c, "new");
	assert_ok(kubeconfig_add(&k, text, strlen(text), "written", ".", &e), &e);
	assert_ok(kubeconfig_resolve(&d, k, NULL, &e), &e);
	assert_string_equal(d.context, "new");
	assert_string_equal(d.server, c.server);
	assert_string_equal(d.ca_pem, "CA");
	assert_string_equal(d.cert_pem, "C");
	assert_string_equal(d.key_pem, "K");
	assert_string_equal(d.token, "yes");
	assert_string_equal(d.as_user, "me");
	assert_string_equal(d.server_name, "s");
	assert_string_equal(d.ns, "n");
	k8s_config_release(&c);
	k8s_config_release(&d);
}

static void inside_a_pod_the_service_account_is_used(void **state)
{
	struct files *f = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_fails(k8s_config_in_cluster(&c, f->dir, &e), &e, ERR_NOT_FOUND);
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_fails(k8s_config_in_cluster(&c, f->dir, &e), &e, ERR_NOT_FOUND);
	put(f->dir, "token", "t");
	put(f->dir, "ca.crt", "CA");
	put(f->dir, "namespace", "team\n");
	assert_ok(k8s_config_in_cluster(&c, f->dir, &e), &e);
	assert_string_equal(c.server, "https://[fd00::1]:443");
	assert_string_equal(c.ns, "team");
	assert_string_equal(c.ca_pem, "CA");
	assert_null(c.token);
	k8s_config_release(&c);
	unsetenv("KUBERNETES_SERVICE_HOST");
}

static void base64_knows_both_alphabets_and_refuses_the_rest(void **state UNUSED)
{
	static const struct {
		const char *text, *bytes;
	} good[] = {{"", ""},          {"QQ==", "A"},   {"QQ", "A"},
		    {"QU I=\n", "AB"}, {"Pz8_", "???"}, {"Pz8/", "???"}};
	static const char *const bad[] = {"Q", "QQ=", "Q=Q=", "Q*==", "QQ===", "QQQQQ"};
	struct err e = ERR_INIT;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		autofree char *out = NULL;
		assert_ok(base64_decode(&out, &len, good[i].text, &e), &e);
		assert_string_equal(out, good[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *out = NULL;
		assert_fails(base64_decode(&out, &len, bad[i], &e), &e, ERR_INVALID);
		assert_null(out);
	}
	for (size_t n = 0; n < 8; n++) {
		autofree char *text = base64_encode("\xff\x00\x80zyxw", n), *out = NULL;
		assert_int_equal(strlen(text) % 4, 0);
		assert_ok(base64_decode(&out, &len, text, &e), &e);
		assert_int_equal(len, n);
		assert_memory_equal(out, "\xff\x00\x80zyxw", n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_text_resolves_or_says_where_it_is_wrong),
		cmocka_unit_test(what_is_no_kubeconfig_is_refused_with_its_place),
		cmocka_unit_test_setup_teardown(
			of_several_files_the_first_wins_per_entry_and_never_half, setup, teardown),
		cmocka_unit_test_setup_teardown(relative_paths_belong_to_the_file_that_names_them,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_plain_command_is_left_to_PATH_and_cluster_info_is_handed_over, setup,
			teardown),
		cmocka_unit_test_setup_teardown(data_beats_the_file_and_a_missing_file_is_named,
						setup, teardown),
		cmocka_unit_test_setup_teardown(no_file_at_all_says_how_to_name_one, setup,
						teardown),
		cmocka_unit_test(known_contexts_are_named_when_the_asked_one_is_not_there),
		cmocka_unit_test_setup_teardown(a_written_kubeconfig_reads_back_the_same, setup,
						teardown),
		cmocka_unit_test_setup_teardown(inside_a_pod_the_service_account_is_used, setup,
						teardown),
		cmocka_unit_test(base64_knows_both_alphabets_and_refuses_the_rest),
	};

	return RUN(tests);
}
