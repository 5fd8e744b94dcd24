/* env.c - variables of the environment, and the CA bundle that one of them may name. */
#include "gke/env.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

#define CA_MAX (4u << 20)

const char *gke_getenv(const struct gke_env *env, const char *name)
{
	const char *v = env && env->get ? env->get(name, env->arg) : getenv(name);

	return v && *v ? v : NULL;
}

bool gke_env_true(const struct gke_env *env, const char *name)
{
	static const char *const yes[] = {"1", "true", "yes", "on"};
	const char *v = gke_getenv(env, name);

	for (size_t i = 0; v && i < ARRAY_LEN(yes); i++)
		if (!strcasecmp(v, yes[i]))
			return true;
	return false;
}

static const char *first(const struct gke_env *env, const char *const *names)
{
	for (; *names; names++) {
		const char *v = gke_getenv(env, *names);

		if (v)
			return v;
	}
	return NULL;
}

const char *gke_env_project(const struct gke_env *env)
{
	static const char *const names[] = {"CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT",
					    "GOOGLE_PROJECT",        "GCLOUD_PROJECT",
					    "GCP_PROJECT",           NULL};

	return first(env, names);
}

const char *gke_env_zone(const struct gke_env *env)
{
	static const char *const names[] = {"CLOUDSDK_COMPUTE_ZONE", "GOOGLE_ZONE", NULL};

	return first(env, names);
}

const char *gke_env_region(const struct gke_env *env)
{
	static const char *const names[] = {"CLOUDSDK_COMPUTE_REGION", "GOOGLE_REGION", NULL};

	return first(env, names);
}

int gke_ca_pem(char **out, const struct gke_env *env, struct err *e)
{
	/* The one that is about Google alone wins: the other is often set for a whole image. */
	static const char *const names[] = {"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
					    "REQUESTS_CA_BUNDLE"};
	autofree char *text = NULL;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *path = gke_getenv(env, names[i]);

		if (!path)
			continue;
		if (file_read(&text, &len, path, CA_MAX, e) < 0)
			return err_wrap(e, "%s", names[i]);
		if (!strstr(text, "-----BEGIN "))
			return err_set(e, ERR_INVALID, "%s: %s: holds no certificates", names[i],
				       path);
		break;
	}
	*out = TAKE(text);
	return 0;
}
