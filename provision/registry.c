/* registry.c - one question of the OCI distribution protocol: is this manifest there? */
#include "provision/registry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/jx.h"
#include "base/version.h"

#define ASK_TIMEOUT (5 * NS_SEC)
#define ACCEPT                                                                                          \
	"Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " \
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"

static bool copy(char *out, size_t size, const char *from, size_t len)
{
	if (!len || len >= size)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

bool image_ref_parse(struct image_ref *out, const char *ref)
{
	const char *slash = strchr(ref, '/'), *rest = ref, *tag;
	size_t host = slash ? (size_t)(slash - ref) : 0;
	bool has_host = slash && (memchr(ref, '.', host) || memchr(ref, ':', host) ||
				  (host == 9 && memcmp(ref, "localhost", 9) == 0));

	*out = (struct image_ref){.host = "registry-1.docker.io", .tag = "latest"};
	if (has_host) {
		if (!copy(out->host, sizeof(out->host), ref, host))
			return false;
		rest = slash + 1;
		if (streq(out->host, "docker.io"))
			snprintf(out->host, sizeof(out->host), "registry-1.docker.io");
	}
	tag = strchr(rest, '@');
	if (!tag)
		tag = strrchr(rest, ':');
	if (tag && !copy(out->tag, sizeof(out->tag), tag + 1, strlen(tag + 1)))
		return false;
	if (!copy(out->repository, sizeof(out->repository), rest,
		  tag ? (size_t)(tag - rest) : strlen(rest)))
		return false;
	/* "name:tag@digest": the digest is what counts. */
	if (strchr(out->repository, ':'))
		*strchr(out->repository, ':') = '\0';
	if (streq(out->host, "registry-1.docker.io") && !strchr(out->repository, '/')) {
		char bare[sizeof(out->repository)];

		memcpy(bare, out->repository, sizeof(bare));
		if ((size_t)snprintf(out->repository, sizeof(out->repository), "library/%s",
				     bare) >= sizeof(out->repository))
			return false;
	}
	for (const char *c = out->repository; *c; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) &&
		    !strchr("._-/", *c))
			return false;
	return true;
}

const char *image_path(const char *ref, bool *named)
{
	size_t host = strcspn(ref, "/");
	bool local = starts_with(ref, "localhost/");
	bool has_host = ref[host] && (local || memchr(ref, '.', host) || memchr(ref, ':', host));

	if (named)
		*named = has_host && !local;
	if (!has_host)
		return ref;
	if (starts_with(ref, "docker.io/library/"))
		return ref + strlen("docker.io/library/");
	return ref + host + 1;
}

/* key="value" out of a WWW-Authenticate header. Owned, NULL when absent. */
static char *challenge_part(const char *header, const char *key)
{
	autofree char *look = xasprintf("%s=\"", key);
	const char *at = strcasestr(header, look), *end;

	if (!at)
		return NULL;
	at += strlen(look);
	end = strchr(at, '"');
	return end ? xstrndup(at, (size_t)(end - at)) : NULL;
}

static int ask(struct http *h, const char *method, const char *url, const char *token,
	       struct http_resp *r, struct err *e)
{
	autofree char *auth = token ? xasprintf("Authorization: Bearer %s", token) : NULL;
	const char *const headers[] = {ACCEPT, auth, NULL};
	const struct http_req q = {.method = method,
				   .url = url,
				   .headers = headers,
				   .timeout = ASK_TIMEOUT,
				   .max_body = 1u << 20};

	return http_do(h, &q, r, e);
}

static char *anonymous_token(struct http *h, const struct http_resp *refused,
			     const char *repository)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	char header[1024];
	const char *challenge = http_header(refused, "www-authenticate", header, sizeof(header));
	autofree char *realm = challenge ? challenge_part(challenge, "realm") : NULL;
	autofree char *service = challenge ? challenge_part(challenge, "service") : NULL;
	autofree char *url = NULL;
	autojson json_t *o = NULL;
	struct err e = ERR_INIT;
	const char *token;

	if (!realm || !starts_with(realm, "https://"))
		return NULL;
	url = xasprintf("%s?service=%s&scope=repository:%s:pull", realm, service ? service : "",
			repository);
	if (ask(h, "GET", url, NULL, &r, &e) < 0 || r.status != 200 ||
	    jx_parse(&o, buf_str(&r.body), r.body.len, "token", &e) < 0)
		return NULL;
	token = jx_str(o, "token");
	if (!token)
		token = jx_str(o, "access_token");
	return token && !strpbrk(token, "\r\n") ? xstrdup(token) : NULL;
}

static enum registry_answer judge(const struct http_resp *r, const char *host, char *why,
				  size_t size)
{
	if (r->status == 200)
		return REGISTRY_HAS;
	if (r->status == 404) {
		snprintf(why, size, "%s does not have it", host);
		return REGISTRY_HAS_NOT;
	}
	if (r->status == 401 || r->status == 403)
		snprintf(why, size, "%s wants credentials", host);
	else
		snprintf(why, size, "%s answers with status %d", host, r->status);
	return REGISTRY_UNKNOWN;
}

enum registry_answer registry_look(struct loop *l, const char *ref, char *why, size_t size)
{
	AUTO(http_resp_release) struct http_resp r = {0}, again = {0};
	AUTO(http_freep) struct http *h = NULL;
	autofree char *agent = xasprintf("prestoctl/%s", version_text), *url = NULL, *token = NULL;
	const struct http_opts opts = {.plain = HTTP_PLAIN_LOOPBACK, .user_agent = agent};
	struct err e = ERR_INIT;
	struct image_ref i;
	bool loopback;

	if (!image_ref_parse(&i, ref)) {
		snprintf(why, size, "it is not the name of an image");
		return REGISTRY_HAS_NOT;
	}
	if (streq(i.host, "localhost")) {
		snprintf(why, size, "no registry has names that begin with localhost/");
		return REGISTRY_HAS_NOT;
	}
	loopback = starts_with(i.host, "localhost:") || starts_with(i.host, "127.");
	url = xasprintf("%s://%s/v2/%s/manifests/%s", loopback ? "http" : "https", i.host,
			i.repository, i.tag);
	if (http_new(&h, l, &opts, &e) < 0 || ask(h, "HEAD", url, NULL, &r, &e) < 0) {
		snprintf(why, size, "%.150s", e.msg);
		return REGISTRY_UNKNOWN;
	}
	if (r.status == 401 && (token = anonymous_token(h, &r, i.repository))) {
		if (ask(h, "HEAD", url, token, &again, &e) < 0) {
			snprintf(why, size, "%.150s", e.msg);
			return REGISTRY_UNKNOWN;
		}
		return judge(&again, i.host, why, size);
	}
	return judge(&r, i.host, why, size);
}
