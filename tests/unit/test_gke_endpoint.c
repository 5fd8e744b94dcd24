/* Where Google's APIs are, as the environment says. */
#include "tests/unit/gke_fixture.h"

static void endpoints_can_be_moved_but_not_to_plain_http_elsewhere(void **state)
{
	struct gke_fix *x = *state;
	const struct gke_env env = {gke_env_get, x};
	static const struct {
		enum gke_api api;
		const char *name, *value, *url;
	} cases[] = {
		{GKE_CONTAINER, "CONTAINER", "", "https://container.googleapis.com/v1"},
		{GKE_CONTAINER, "CONTAINER", "http://127.0.0.1:18080/",
		 "http://127.0.0.1:18080/v1"},
		{GKE_CONTAINER, "CONTAINER", "http://[::1]:80", "http://[::1]:80/v1"},
		{GKE_CONTAINER, "CONTAINER", "https://container.example/v1/",
		 "https://container.example/v1"},
		{GKE_COMPUTE, "COMPUTE", "http://localhost:1/compute/v1/",
		 "http://localhost:1/compute/v1"},
		{GKE_COMPUTE, "COMPUTE", "", "https://compute.googleapis.com/compute/v1"},
		{GKE_CONTAINER, "CONTAINER", "http://10.0.0.1/", NULL},
		{GKE_CONTAINER, "CONTAINER", "http://127.0.0.1.evil.example/", NULL},
		{GKE_CONTAINER, "CONTAINER", "http://localhost@evil.example/", NULL},
		{GKE_CONTAINER, "CONTAINER", "container.example", NULL},
		{GKE_CONTAINER, "CONTAINER", "https://x/?y", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *url = NULL;
		autofree char *name = xasprintf("CLOUDSDK_API_ENDPOINT_OVERRIDES_%s",
						cases[i].name);

		gke_set(x, name, cases[i].value);
		int rc = endpoint_url(&url, cases[i].api, &env, NULL, &x->e);
		if (cases[i].url) {
			assert_ok(rc, &x->e);
			assert_string_equal(url, cases[i].url);
		} else {
			assert_fails(rc, &x->e, ERR_INVALID);
		}
	}
}

static void a_custom_ca_is_taken_from_where_gcloud_takes_it(void **state)
{
	struct gke_fix *x = *state;
	const struct gke_env env = {gke_env_get, x};
	autofree char *pem = NULL;
	const char *text = "-----BEGIN CERTIFICATE-----\n";

	assert_ok(gke_ca_pem(&pem, &env, &x->e), &x->e);
	assert_null(pem);
	gke_set(x, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", gke_write(x, "ca.pem", text));
	assert_ok(gke_ca_pem(&pem, &env, &x->e), &x->e);
	assert_string_equal(pem, text);
	gke_set(x, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "/nowhere/ca.pem");
	assert_int_equal(gke_ca_pem(&pem, &env, &x->e), -1);
	assert_has(x->e.msg, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
	assert_fails(-1, &x->e, ERR_NOT_FOUND);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(endpoints_can_be_moved_but_not_to_plain_http_elsewhere),
		T(a_custom_ca_is_taken_from_where_gcloud_takes_it),
	};

	return RUN(tests);
}
