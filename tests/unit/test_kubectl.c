/* test_kubectl.c - what kubectl is given of a cluster. */
#include "tests/unit/unit.h"

#include "provision/kubectl.h"

static char server[] = "https://10.0.0.1", gke[] = "gke_p_us-central1-a_demo", ca[] = "CA",
	    ns[] = "default", theirs[] = "theirs", token[] = "t0ken";

static int no_token(char **out UNUSED, ns_t *expiry UNUSED, bool refused UNUSED, void *arg UNUSED,
		    struct err *e)
{
	return err_set(e, ERR_INTERNAL, "nobody asks");
}

static void a_cluster_of_google_gets_a_plugin_and_no_token(void **state UNUSED)
{
	const struct k8s_config config = {
		.server = server, .context = gke, .ca_pem = ca, .ns = ns, .token_fn = no_token};
	autojson json_t *login = json_pack("[s, s]", "--credentials", "/key.json");
	autojson json_t *want = json_pack(
		"{s:{s:s, s:s, s:[s, s, s], s:s, s:s, s:b}}", "exec", "apiVersion",
		"client.authentication.k8s.io/v1", "command", "/bin/prestoctl", "args",
		"credential", "--credentials", "/key.json", "interactiveMode", "Never",
		"installHint", "prestoctl has moved: prestoctl kubeconfig writes its place again",
		"provideClusterInfo", 0);
	struct kubectl_entry k = {0};

	kubectl_entry(&k, "demo", &config, "/bin/prestoctl", login, "team");
	assert_string_equal(k.name, "gke_p_us-central1-a_demo");
	assert_string_equal(k.ns, "team");
	assert_string_equal(jx_str(k.cluster, "server"), "https://10.0.0.1");
	assert_string_equal(jx_str(k.cluster, "certificate-authority-data"), "Q0E=");
	assert_true(json_equal(k.user, want));
	kubectl_entry_release(&k);
}

static void another_cluster_gets_what_we_use_ourselves(void **state UNUSED)
{
	const struct k8s_config config = {
		.server = server, .context = theirs, .ns = theirs, .token = token};
	autojson json_t *login = json_array();
	struct kubectl_entry k = {0};

	kubectl_entry(&k, "demo", &config, "/bin/prestoctl", login, NULL);
	assert_string_equal(k.name, "prestoctl-demo");
	assert_string_equal(k.ns, "theirs");
	assert_string_equal(jx_str(k.user, "token"), "t0ken");
	assert_null(jx_get(k.user, "exec"));
	kubectl_entry_release(&k);
	kubectl_entry(&k, NULL, &config, "/bin/prestoctl", login, NULL);
	assert_string_equal(k.name, "prestoctl");
	kubectl_entry_release(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_of_google_gets_a_plugin_and_no_token),
		cmocka_unit_test(another_cluster_gets_what_we_use_ourselves),
	};

	return RUN(tests);
}
