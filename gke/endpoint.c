/* endpoint.c - the table of APIs, and the guard in front of token endpoints. Pure, but for the environment. */
#include "gke/endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name, *path, *variable;
} apis[GKE_APIS] = {
	[GKE_CONTAINER] = {"container", "/v1", "CONTAINER"},
	[GKE_COMPUTE] = {"compute", "/compute/v1", "COMPUTE"},
	[GKE_SERVICEUSAGE] = {"serviceusage", "/v1", "SERVICEUSAGE"},
	[GKE_RESOURCEMANAGER] = {"cloudresourcemanager", "/v1", "CLOUDRESOURCEMANAGER"},
	[GKE_IAMCREDENTIALS] = {"iamcredentials", "/v1", "IAMCREDENTIALS"},
	[GKE_ARTIFACTREGISTRY] = {"artifactregistry", "/v1", "ARTIFACTREGISTRY"},
};

const char *gke_api_host(enum gke_api api)
{
	static const char *const hosts[GKE_APIS] = {
		[GKE_CONTAINER] = "container.googleapis.com",
		[GKE_COMPUTE] = "compute.googleapis.com",
		[GKE_SERVICEUSAGE] = "serviceusage.googleapis.com",
		[GKE_RESOURCEMANAGER] = "cloudresourcemanager.googleapis.com",
		[GKE_IAMCREDENTIALS] = "iamcredentials.googleapis.com",
		[GKE_ARTIFACTREGISTRY] = "artifactregistry.googleapis.com",
	};

	return hosts[api];
}

/* A URL in its parts, as far as they decide about trust. Strict: what is odd is not understood. */
struct place {
	bool https;
	char host[256];
};

static bool place_parse(struct place *p, const char *url)
{
	const char *at = url, *end;
	size_t n;

	if (!strncasecmp(at, "https://", 8))
		p->https = true, at += 8;
	else if (!strncasecmp(at, "http://", 7))
		p->https = false, at += 7;
	else
		return false;
	n = strcspn(at, "/?#");
	/* A user name, a backslash or a control character makes readers disagree about the host. */
	for (size_t i = 0; i < n; i++)
		if (at[i] == '@' || at[i] == '\\' || at[i] == '%' || (unsigned char)at[i] <= ' ' ||
		    (unsigned char)at[i] >= 0x7F)
			return false;
	end = at + n;
	if (*at == '[') {
		const char *close = memchr(at, ']', n);

		if (!close)
			return false;
		n = (size_t)(close + 1 - at);
	} else if (memchr(at, ':', n)) {
		n = (size_t)((const char *)memchr(at, ':', n) - at);
	}
	if (!n || n >= sizeof(p->host))
		return false;
	if (at + n != end) { /* ":port", digits only */
		if (at[n] != ':' ||
		    strspn(at + n + 1, "0123456789") != (size_t)(end - at - (ptrdiff_t)n - 1))
			return false;
	}
	for (size_t i = 0; i < n; i++)
		p->host[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 32 : at[i]);
	p->host[n] = '\0';
	return true;
}

static bool place_loopback(const struct place *p)
{
	return streq(p->host, "localhost") || streq(p->host, "[::1]") ||
	       (starts_with(p->host, "127.") && strspn(p->host, "0123456789.") == strlen(p->host));
}

bool endpoint_loopback(const char *url)
{
	struct place p = {0};

	return place_parse(&p, url) && place_loopback(&p);
}

int endpoint_url(char **out, enum gke_api api, const struct gke_env *env, const char *universe,
		 struct err *e)
{
	autofree char *name = xasprintf("CLOUDSDK_API_ENDPOINT_OVERRIDES_%s", apis[api].variable);
	const char *given = gke_getenv(env, name), *path = apis[api].path;
	struct place p = {0};
	size_t len;

	if (!given) {
		*out = xasprintf("https://%s.%s%s", apis[api].name,
				 universe && *universe ? universe : GKE_UNIVERSE, path);
		return 0;
	}
	if (!place_parse(&p, given) || strpbrk(given, "?#"))
		return err_set(e, ERR_INVALID, "%s: not an http or https URL", name);
	if (!p.https && !place_loopback(&p)) {
		err_set(e, ERR_INVALID, "%s: plain http to %s would show the token to everybody",
			name, p.host);
		return err_hint(e, "use https, or a loopback address");
	}
	len = strlen(given);
	while (len && given[len - 1] == '/')
		len--;
	autofree char *base = xstrndup(given, len);
	/* gcloud's compute override ends in /compute/v1/, the others name the host alone. */
	*out = ends_with(base, path) ? TAKE(base) : xasprintf("%s%s", base, path);
	return 0;
}

/* Is host a name below domain? Its label just below is returned in *label. */
static bool below(const char *host, const char *domain, const char **rest, size_t *len)
{
	size_t n = strlen(host), d = strlen(domain);

	if (n <= d + 1 || host[n - d - 1] != '.' || !streq(host + n - d, domain))
		return false;
	*rest = host;
	*len = n - d - 1;
	return true;
}

/* "sts", "sts.mtls", "us-east1-sts", "sts.us-east1", "us-east1.sts": the forms that Google has. */
static bool names_service(const char *host, size_t len, const char *service)
{
	autofree char *labels = xstrndup(host, len);
	char *at = labels, *label;
	unsigned n = 0;
	bool found = false;

	while ((label = strsep(&at, ".")) != NULL) {
		autofree char *suffix = xasprintf("-%s", service);
		autofree char *prefix = xasprintf("%s-", service);

		if (!*label || ++n > 3)
			return false;
		found = found || streq(label, service) || ends_with(label, suffix) ||
			starts_with(label, prefix);
	}
	return found;
}

int endpoint_check(const char *url, enum endpoint_use use, const char *universe, const char *field,
		   struct err *e)
{
	static const char *const services[] = {"sts", "oauth2", "iamcredentials"};
	static const char *const what[] = {"the subject token", "the credential", "the token"};
	struct place p = {0};
	const char *rest;
	size_t len;

	if (!place_parse(&p, url))
		return err_set(e, ERR_DENIED, "%s is not a URL that %s may be sent to", field,
			       what[use]);
	if (place_loopback(&p))
		return 0;
	if (!p.https)
		return err_set(e, ERR_DENIED, "%s: plain http to %s would show %s to everybody",
			       field, p.host, what[use]);
	if (below(p.host, universe && *universe ? universe : GKE_UNIVERSE, &rest, &len) &&
	    names_service(rest, len, services[use]))
		return 0;
	/* Older key files name these. */
	if (use == ENDPOINT_OAUTH &&
	    (streq(p.host, "accounts.google.com") || streq(p.host, "www.googleapis.com")))
		return 0;
	err_set(e, ERR_DENIED, "%s names %s, which is not Google's: %s is not sent there", field,
		p.host, what[use]);
	return err_hint(e, "get the credential file again from Google, or correct %s in it", field);
}
