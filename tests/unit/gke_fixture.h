/* gke_fixture.h - what the tests of gke/ share: a loop, a server, an environment, a clock, a folder. */
#ifndef TESTS_UNIT_GKE_FIXTURE_H
#define TESTS_UNIT_GKE_FIXTURE_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jx.h"
#include "base/log.h"
#include "gke/api.h"
#include "tests/fault/faultserver.h"
#include "tests/unit/unit.h"

#define NOW (1795336931 * NS_SEC) /* 2026-11-22T08:42:11Z */

struct gke_fix {
	struct fault *f;
	struct loop *l;
	char dir[64];
	struct {
		char *name, *value;
	} env[32];
	size_t n_env;
	char *texts[64]; /* freed at the end */
	size_t n_texts;
	struct auth *auth;
	struct err e;
};

static ns_t gke_now = NOW;

static inline ns_t gke_clock(void)
{
	return gke_now;
}

static inline const char *gke_env_get(const char *name, void *arg)
{
	struct gke_fix *x = arg;

	for (size_t i = x->n_env; i-- > 0;)
		if (streq(x->env[i].name, name))
			return x->env[i].value;
	return NULL;
}

static inline void gke_set(struct gke_fix *x, const char *name, const char *value)
{
	assert_true(x->n_env < ARRAY_LEN(x->env));
	x->env[x->n_env].name = xstrdup(name);
	x->env[x->n_env++].value = xstrdup(value);
}

/* A text that lives as long as the fixture. */
static inline char *gke_keep(struct gke_fix *x, char *text)
{
	assert_true(x->n_texts < ARRAY_LEN(x->texts));
	return x->texts[x->n_texts++] = text;
}

static inline const char *gke_url(struct gke_fix *x, const char *target)
{
	return gke_keep(x, fault_url_of(x->f, target));
}

static inline const char *gke_file(struct gke_fix *x, const char *name)
{
	return gke_keep(x, path_join(x->dir, name));
}

static inline const char *gke_write(struct gke_fix *x, const char *name, const char *text)
{
	const char *path = gke_file(x, name);

	assert_ok(file_write_atomic(path, text, strlen(text), 0600, &x->e), &x->e);
	return path;
}

static inline struct auth_opts gke_opts(struct gke_fix *x)
{
	return (struct auth_opts){
		.env = {gke_env_get, x},
		.now = gke_clock,
		.backoff = NS_MS,
		.gcloud = "no-such-gcloud",
		.metadata_wait = 200 * NS_MS,
		.user_agent = "tests/1",
	};
}

/* An account whose token comes from the file "tok", and whose APIs are all the server. */
static inline struct gke *gke_client(struct gke_fix *x)
{
	static const char *const names[] = {
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY",
	};
	struct auth_opts a = gke_opts(x);
	const struct gke_opts o = {.env = {gke_env_get, x},
				   .user_agent = "tests/1",
				   .timeout = 300 * NS_MS,
				   .retry_for = 3 * NS_SEC,
				   .backoff = NS_MS};
	struct gke *g;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		gke_set(x, names[i], fault_url(x->f));
	gke_set(x, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", gke_write(x, "tok", "ya29.first-token"));
	auth_freep(&x->auth);
	assert_ok(auth_new(&x->auth, x->l, &a, &x->e), &x->e);
	assert_ok(gke_new(&g, x->l, x->auth, &o, &x->e), &x->e);
	return g;
}

static inline int gke_begin(void **state)
{
	struct gke_fix *x = xcalloc(1, sizeof(*x));

	gke_now = NOW;
	x->f = fault_start(NULL);
	assert_ok(loop_new(&x->l, &x->e), &x->e);
	snprintf(x->dir, sizeof(x->dir), "/tmp/gke-test-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	gke_set(x, "HOME", x->dir);
	gke_set(x, "PATH", "/nowhere");
	gke_set(x, "NO_GCE_CHECK", "true");
	*state = x;
	return 0;
}

static inline int gke_end(void **state)
{
	struct gke_fix *x = *state;
	autofree char *command = xasprintf("rm -rf '%s'", x->dir);

	auth_free(x->auth);
	loop_free(x->l);
	fault_stop(x->f);
	for (size_t i = 0; i < x->n_env; i++) {
		free(x->env[i].name);
		free(x->env[i].value);
	}
	for (size_t i = 0; i < x->n_texts; i++)
		free(x->texts[i]);
	assert_int_equal(system(command), 0);
	free(x);
	return 0;
}

#endif
