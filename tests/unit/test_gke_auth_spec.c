/* Credential files: what is refused, and by which words. */
#include "gke/auth_internal.h"
#include "tests/unit/unit.h"

static void what_is_not_supported_is_refused_by_name(void **state UNUSED)
{
#define EXT(source)                                                                 \
	"{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":" \
	"\"t\",\"token_url\":\"https://sts.googleapis.com/v1/token\","              \
	"\"credential_source\":{" source "}}"
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"[]", "not a JSON object"},
		{"{}", "\"type\" is missing"},
		{"{\"installed\":{}}", "this is an OAuth client"},
		{"{\"type\":\"gdch_service_account\"}", "\"gdch_service_account\""},
		{"{\"type\":\"external_account_authorized_user\"}",
		 "external_account_authorized_user are not supported"},
		{"{\"type\":\"service_account\"}", "\"client_email\" is missing"},
		{"{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key\":\"x\","
		 "\"token_uri\":\"https://evil.example/token\"}",
		 "evil.example"},
		{"{\"type\":\"authorized_user\",\"client_id\":\"x\"}",
		 "\"client_secret\" is missing"},
		{EXT("\"environment_id\":\"aws1\""), "an AWS credential source"},
		{EXT("\"certificate\":{}"), "a certificate credential source"},
		{EXT("\"environment_id\":\"moon\""), "\"moon\""},
		{EXT(""), "one of file, url and executable"},
		{EXT("\"file\":\"/x\",\"url\":\"https://y\""), "one of file, url and executable"},
		{EXT("\"file\":\"/x\",\"format\":{\"type\":\"xml\"}"), "\"xml\" is unknown"},
		{EXT("\"file\":\"/x\",\"format\":{\"type\":\"json\"}"),
		 "subject_token_field_name is missing"},
		{EXT("\"url\":\"https://x\",\"headers\":{\"A\":\"b\\nc\"}"), "not one line"},
		{EXT("\"executable\":{\"command\":\"x\",\"timeout_millis\":1}"), "5000 to 120000"},
		{"{\"type\":\"impersonated_service_account\"}",
		 "\"service_account_impersonation_url\" is missing"},
		{"{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
		 "\"https://iamcredentials.googleapis.com/v1/x\"}",
		 "does not end in"},
		{"{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
		 "\"https://iamcredentials.googleapis.com.evil.example/v1/projects/-/"
		 "serviceAccounts/a@b:generateAccessToken\"}",
		 "evil.example"},
		{"{\"type\":\"service_account\",\"universe_domain\":\"other.example\"}",
		 "universe other.example"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_spec *s = NULL;
		struct err e = ERR_INIT;
		int rc = auth_spec_decode(&s, cases[i].text, strlen(cases[i].text), "k.json", NULL,
					  &e);

		assert_int_equal(rc, -1);
		assert_has(e.msg, cases[i].message);
		assert_has(e.msg, "k.json: ");
		assert_null(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_supported_is_refused_by_name),
	};

	return RUN(tests);
}
