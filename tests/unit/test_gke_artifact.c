/* Repositories of Artifact Registry: made when absent, left alone when there. */
#include "tests/unit/gke_fixture.h"

#include "gke/artifact.h"

#define REPOS "/v1/projects/demo-proj/locations/us-central1/repositories"
#define OP    "projects/demo-proj/locations/us-central1/operations/1-2-3"

static const struct gke_ref ref = {"demo-proj", "us-central1", "presto"};

static struct gke_wait quick(void)
{
	return (struct gke_wait){.deadline = clock_mono() + 5 * NS_SEC, .shortest = NS_MS};
}

static void a_repository_is_made_when_it_is_not_there(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autojson json_t *labels = json_pack("{s:s}", "owner", "me");
	autofree char *uri = NULL, *computed = NULL;
	struct gke_wait w = quick();
	bool made = false;

	fault_script(x->f, "GET", REPOS "/presto", FAULT_STATUS(404), FAULT_BODY("{}"));
	fault_script(x->f, "POST", REPOS "?repositoryId=presto",
		     FAULT_BODY("{\"name\":\"" OP "\"}"));
	fault_script(x->f, "GET", "/v1/" OP, FAULT_BODY("{\"name\":\"" OP "\",\"done\":false}"));
	fault_script(x->f, "GET", "/v1/" OP,
		     FAULT_BODY("{\"name\":\"" OP "\",\"done\":true,\"response\":{}}"));
	fault_script(x->f, "GET", REPOS "/presto",
		     FAULT_BODY("{\"format\":\"DOCKER\",\"registryUri\":\"r.example/p/x\"}"));
	assert_ok(artifact_ensure(&made, &uri, g, &ref, labels, &w, &x->e), &x->e);
	assert_true(made);
	assert_string_equal(uri, "r.example/p/x");
	assert_int_equal(fault_unused(x->f), 0);
	assert_has(fault_request(x->f, 1)->body,
		   "\"format\":\"DOCKER\",\"labels\":{\"owner\":\"me\"}");
	fault_clear(x->f);
	fault_script(x->f, "GET", REPOS "/presto", FAULT_BODY("{\"format\":\"DOCKER\"}"));
	assert_ok(artifact_ensure(&made, &computed, g, &ref, labels, &w, &x->e), &x->e);
	assert_false(made);
	assert_string_equal(computed, "us-central1-docker.pkg.dev/demo-proj/presto");
	assert_int_equal(fault_count(x->f), 1);
}

static void one_that_appeared_meanwhile_is_taken_and_one_of_another_kind_is_not(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	autofree char *uri = NULL;
	struct gke_wait w = quick();
	bool made = true;

	fault_script(x->f, "GET", REPOS "/presto", FAULT_STATUS(404), FAULT_BODY("{}"));
	fault_script(x->f, "POST", REPOS "*", FAULT_RESET);
	fault_script(
		x->f, "POST", REPOS "*", FAULT_STATUS(409),
		FAULT_BODY("{\"error\":{\"code\":409,\"message\":\"the repository already exists\","
			   "\"status\":\"ALREADY_EXISTS\"}}"));
	fault_script(x->f, "GET", REPOS "/presto", FAULT_BODY("{\"format\":\"DOCKER\"}"));
	assert_ok(artifact_ensure(&made, &uri, g, &ref, NULL, &w, &x->e), &x->e);
	assert_false(made);
	fault_script(x->f, "GET", REPOS "/presto", FAULT_BODY("{\"format\":\"MAVEN\"}"));
	assert_int_equal(artifact_ensure(&made, &uri, g, &ref, NULL, &w, &x->e), -1);
	assert_has(x->e.msg, "holds MAVEN");
	assert_fails(-1, &x->e, ERR_INVALID);
}

static void an_operation_that_fails_is_told(void **state)
{
	struct gke_fix *x = *state;
	AUTO(gke_freep) struct gke *g = gke_client(x);
	struct gke_wait w = quick();

	fault_script(x->f, "DELETE", REPOS "/presto",
		     FAULT_BODY("{\"name\":\"" OP
				"\",\"done\":true,\"error\":{\"code\":9,\"message\":"
				"\"it is locked\"}}"));
	assert_int_equal(artifact_delete(g, &ref, &w, &x->e), -1);
	assert_has(x->e.msg, "it is locked");
	err_clear(&x->e);
	fault_script(x->f, "DELETE", REPOS "/presto", FAULT_STATUS(404), FAULT_BODY("{}"));
	assert_ok(artifact_delete(g, &ref, &w, &x->e), &x->e);
	fault_script(x->f, "DELETE", REPOS "/presto", FAULT_BODY("{\"name\":\"../evil\"}"));
	assert_fails(artifact_delete(g, &ref, &w, &x->e), &x->e, ERR_PROTOCOL);
}

static void images_are_named_by_host_project_and_repository(void **state UNUSED)
{
	const struct gke_ref old = {"example.com:demo-proj", "us-central1", "presto"};
	autofree char *host = artifact_host("us-central1"), *prefix = artifact_prefix(&ref),
		      *older = artifact_prefix(&old);

	assert_string_equal(host, "us-central1-docker.pkg.dev");
	assert_string_equal(prefix, "us-central1-docker.pkg.dev/demo-proj/presto");
	assert_string_equal(older, "us-central1-docker.pkg.dev/example.com/demo-proj/presto");
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_repository_is_made_when_it_is_not_there),
		T(one_that_appeared_meanwhile_is_taken_and_one_of_another_kind_is_not),
		T(an_operation_that_fails_is_told),
		cmocka_unit_test(images_are_named_by_host_project_and_repository),
	};

	return RUN(tests);
}
