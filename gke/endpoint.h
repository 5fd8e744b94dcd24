/*
 * endpoint.h - where Google's APIs are, and which hosts may be told a secret.
 */
#ifndef GKE_ENDPOINT_H
#define GKE_ENDPOINT_H

#include "gke/env.h"

enum gke_api {
	GKE_CONTAINER,
	GKE_COMPUTE,
	GKE_SERVICEUSAGE,
	GKE_RESOURCEMANAGER,
	GKE_IAMCREDENTIALS,
	GKE_ARTIFACTREGISTRY,
	GKE_APIS
};

#define GKE_UNIVERSE "googleapis.com"

/* gke_api_host - "container.googleapis.com": the name that services are enabled by. Static. */
const char *gke_api_host(enum gke_api api);

/*
 * endpoint_url - the base of an API with its version, no slash at the end:
 * "https://container.googleapis.com/v1". CLOUDSDK_API_ENDPOINT_OVERRIDES_* replaces host and scheme,
 * with or without the version, as gcloud takes it. Owned. ERR_INVALID: an override that is no URL,
 * or plain http to a host that is not loopback.
 */
int endpoint_url(char **out, enum gke_api api, const struct gke_env *env, const char *universe,
		 struct err *e) MUST_CHECK;

/* What a URL of the user's file is for. */
enum endpoint_use {
	ENDPOINT_STS,   /* a subject token goes there */
	ENDPOINT_OAUTH, /* a refresh token or a signed assertion goes there */
	ENDPOINT_IAM,   /* an access token goes there */
};

/*
 * endpoint_check - may a secret be sent there? Yes for Google's own hosts of that use by https, and
 * for loopback by either scheme. ERR_DENIED; the message names the host and @field.
 */
int endpoint_check(const char *url, enum endpoint_use use, const char *universe, const char *field,
		   struct err *e) MUST_CHECK;
/* endpoint_loopback - "localhost", "127.0.0.0/8" or "[::1]" with any port. */
bool endpoint_loopback(const char *url);

#endif
