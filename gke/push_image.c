/* push_image.c - blobs, manifests and whole images: looked for, mounted or sent, and sent again whole. */
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "gke/push_internal.h"

#define TRIES        4
#define SEND_TIMEOUT (120 * NS_SEC)
#define SLOWEST      (256u << 10) /* bytes a second that a line must make */
#define CHILDREN_MAX 64
#define TELL_EVERY   (NS_SEC / 2)

static bool may_pass(const struct err *e)
{
	return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_THROTTLED;
}

/* After try n (from 0) of @what: 0 when it may pass and was waited for, the error cleared; else -1 with the reason. */
static int try_again(struct push *p, unsigned n, const char *what, struct err *e)
{
	ns_t pause = p->backoff << n;
	struct err last = *e;

	if (!may_pass(e) || n + 1 == TRIES)
		return err_wrap(e, "%s", what);
	err_clear(e);
	if (p->on_retry)
		p->on_retry(&last, p->arg);
	return loop_sleep(p->loop, last.retry_after > pause ? last.retry_after : pause, e);
}

static char *scope_of(const char *repository, const char *mount_from)
{
	return mount_from ? xasprintf("repository:%s:pull,push repository:%s:pull", repository,
				      mount_from)
			  : xasprintf("repository:%s:pull,push", repository);
}

/* --- blobs ------------------------------------------------------------------------------------ */

/* Where to send the bytes; NULL from *url after a mount. */
static int begin_upload(char **url, struct push *p, const char *repository, const char *digest,
			const char *mount_from, const char *scope, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *from = mount_from ? http_url_escape(mount_from) : NULL;
	autofree char *start = from ? xasprintf("%s/v2/%s/blobs/uploads/?mount=%s&from=%s", p->base,
						repository, digest, from)
				    : xasprintf("%s/v2/%s/blobs/uploads/", p->base, repository);
	char location[2048];
	const struct push_request q = {.method = "POST", .url = start, .scope = scope};

	*url = NULL;
	if (push_ask(&r, p, &q, e) < 0)
		return -1;
	if (r.status == 201 && mount_from)
		return 0;
	if (r.status != 202)
		return push_refused(p, &r, "upload", e);
	if (!http_header(&r, "location", location, sizeof(location)))
		return err_set(e, ERR_PROTOCOL, "%s: an upload without a place", p->host);
	*url = *location == '/' ? xasprintf("%s%s", p->base, location) : xstrdup(location);
	return 0;
}

/* What goes out, told now and then. */
struct going {
	struct push *p;
	const struct push_blob *blob;
	struct loop_timer *timer;
	size_t sent;
};

static void on_going(void *arg)
{
	struct going *g = arg;

	g->p->sending(g->blob->digest, (int64_t)g->sent, g->blob->size, g->p->arg);
	loop_timer_after(g->timer, TELL_EVERY);
}

static void going_begin(struct going *g)
{
	if (!g->p->sending)
		return;
	g->timer = loop_timer_new(g->p->loop, on_going, g);
	loop_timer_after(g->timer, TELL_EVERY);
}

static int finish_upload(struct push *p, const char *place, const struct push_blob *b,
			 const char *scope, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s%cdigest=%s", place, strchr(place, '?') ? '&' : '?',
				       b->digest);
	struct going going = {.p = p, .blob = b};
	const struct push_request q = {
		.method = "PUT",
		.url = url,
		.type = "application/octet-stream",
		.scope = scope,
		.body = {b->bytes, (size_t)b->size, b->bytes ? 0 : b->fd, b->offset},
		.timeout = SEND_TIMEOUT + b->size / SLOWEST * NS_SEC,
		.sent = &going.sent,
		.bare = !push_same_host(p, place),
	};
	int failed;

	going_begin(&going);
	failed = push_ask(&r, p, &q, e) < 0;
	loop_timer_free(going.timer);
	if (failed)
		return -1;
	return r.status == 201 || r.status == 204 ? 0 : push_refused(p, &r, "upload", e);
}

static int look_for_blob(bool *there, struct push *p, const char *repository, const char *digest,
			 const char *scope, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s/v2/%s/blobs/%s", p->base, repository, digest);
	const struct push_request q = {.method = "HEAD", .url = url, .scope = scope};

	if (push_ask(&r, p, &q, e) < 0)
		return -1;
	/* Some registries answer with the place of the bytes. */
	*there = r.status == 200 || r.status == 307;
	return *there || r.status == 404 ? 0 : push_refused(p, &r, "is a blob there", e);
}

static int blob_once(enum push_how *how, struct push *p, const char *repository,
		     const struct push_blob *b, const char *mount_from, const char *scope,
		     struct err *e)
{
	autofree char *place = NULL;
	bool there = false;

	*how = PUSH_THERE;
	if (look_for_blob(&there, p, repository, b->digest, scope, e) < 0)
		return -1;
	if (there)
		return 0;
	*how = PUSH_MOUNTED;
	if (begin_upload(&place, p, repository, b->digest, mount_from, scope, e) < 0)
		return -1;
	if (!place)
		return 0;
	*how = PUSH_SENT;
	return finish_upload(p, place, b, scope, e);
}

static int check_repository(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n && n < 256 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/:") == n &&
	    *name != '/' && name[n - 1] != '/' && !strstr(name, "//") && !strstr(name, ".."))
		return 0;
	return err_set(e, ERR_INVALID, "\"%.100s\" cannot be the name of a repository", name);
}

int push_blob(enum push_how *how, struct push *p, const char *repository, const struct push_blob *b,
	      const char *mount_from, struct err *e)
{
	autofree char *scope = scope_of(repository, mount_from);
	autofree char *what = xasprintf("blob %.19s", b->digest);

	if (check_repository(repository, e) < 0 ||
	    (mount_from && check_repository(mount_from, e) < 0))
		return -1;
	if (!oci_digest_check(b->digest) || b->size < 0)
		return err_set(e, ERR_INVALID, "\"%.80s\" is not a digest", b->digest);
	for (unsigned n = 0;; n++) {
		if (blob_once(how, p, repository, b, mount_from, scope, e) == 0)
			break;
		/* Half an upload is worth nothing: from the start, as it may have arrived after all. */
		if (try_again(p, n, what, e) < 0)
			return -1;
	}
	if (p->progress)
		p->progress(b->digest, b->size, *how, p->arg);
	return 0;
}

/* --- manifests -------------------------------------------------------------------------------- */

static void digest_of(char out[OCI_DIGEST_SIZE], const void *bytes, size_t len)
{
	struct sha256 sum;
	char hex[SHA256_HEX_SIZE];

	sha256_init(&sum);
	sha256_add(&sum, bytes, len);
	sha256_hex(&sum, hex);
	snprintf(out, OCI_DIGEST_SIZE, "sha256:%s", hex);
}

static int look_for_manifest(bool *there, struct push *p, const char *repository,
			     const char *reference, const char *digest, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s/v2/%s/manifests/%s", p->base, repository, reference);
	autofree char *scope = scope_of(repository, NULL);
	const struct push_request q = {.method = "HEAD", .url = url, .scope = scope};
	char has[OCI_DIGEST_SIZE + 8];

	if (push_ask(&r, p, &q, e) < 0)
		return -1;
	*there = r.status == 200 &&
		 (streq(http_header(&r, "docker-content-digest", has, sizeof(has)), digest) ||
		  streq(reference, digest));
	return r.status == 200 || r.status == 404 ? 0
						  : push_refused(p, &r, "is the image there", e);
}

static int put_manifest(struct push *p, const char *repository, const char *reference,
			const char *media_type, const void *bytes, size_t len, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s/v2/%s/manifests/%s", p->base, repository, reference);
	autofree char *scope = scope_of(repository, NULL);
	const struct push_request q = {.method = "PUT",
				       .url = url,
				       .type = media_type,
				       .scope = scope,
				       .body = {bytes, len, 0, 0}};

	if (push_ask(&r, p, &q, e) < 0)
		return -1;
	return r.status / 100 == 2 ? 0 : push_refused(p, &r, "manifest", e);
}

static int check_reference(const char *s, struct err *e)
{
	static const char fine[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(s);

	if (oci_digest_check(s) ||
	    (n && n <= 128 && strspn(s, fine) == n && *s != '.' && *s != '-'))
		return 0;
	return err_set(e, ERR_INVALID, "\"%.130s\" cannot be the tag of an image", s);
}

int push_manifest(enum push_how *how, struct push *p, const char *repository, const char *reference,
		  const char *media_type, const void *bytes, size_t len, struct err *e)
{
	autofree char *what = xasprintf("image %.100s:%.100s", repository, reference);
	char digest[OCI_DIGEST_SIZE];
	bool there = false;

	if (check_repository(repository, e) < 0 || check_reference(reference, e) < 0)
		return -1;
	digest_of(digest, bytes, len);
	for (unsigned n = 0;; n++) {
		if (look_for_manifest(&there, p, repository, reference, digest, e) == 0 &&
		    (there ||
		     put_manifest(p, repository, reference, media_type, bytes, len, e) == 0))
			break;
		if (try_again(p, n, what, e) < 0)
			return -1;
	}
	*how = there ? PUSH_THERE : PUSH_SENT;
	if (p->progress)
		p->progress(digest, (int64_t)len, *how, p->arg);
	return 0;
}

int push_look(bool *there, struct push *p, const char *repository, const char *reference,
	      struct err *e)
{
	autofree char *url = xasprintf("%s/v2/%s/manifests/%s", p->base, repository, reference);
	autofree char *scope = xasprintf("repository:%s:pull", repository);
	autofree char *what = xasprintf("image %.100s:%.100s", repository, reference);
	const struct push_request q = {.method = "HEAD", .url = url, .scope = scope};

	if (check_repository(repository, e) < 0 || check_reference(reference, e) < 0)
		return -1;
	for (unsigned n = 0;; n++) {
		AUTO(http_resp_release) struct http_resp r = {0};

		if (push_ask(&r, p, &q, e) == 0) {
			*there = r.status == 200;
			if (*there || r.status == 404)
				return 0;
			push_refused(p, &r, "is the image there", e);
		}
		if (try_again(p, n, what, e) < 0)
			return -1;
	}
}

/* --- images ----------------------------------------------------------------------------------- */

struct pushing {
	struct push *p;
	const char *repository, *mount_from;
	const struct oci *image;
};

static int push_descriptor(struct pushing *x, const json_t *d, struct err *e)
{
	const char *digest = jx_str_or(d, "digest", "");
	const struct oci_blob *at = oci_find(x->image, digest);
	enum push_how how;

	/* Layers may live elsewhere (foreign ones): then the registry wants none. */
	if (!at && jx_get(d, "urls"))
		return 0;
	if (!at)
		return err_set(e, ERR_INVALID, "the archive lacks %.80s", digest);
	if (jx_int(d, "size") != at->size)
		return err_set(e, ERR_INVALID,
			       "the archive's %.80s has another size than its "
			       "manifest says",
			       digest);
	const struct push_blob b = {.digest = digest,
				    .size = at->size,
				    .bytes = at->size ? NULL : "",
				    .fd = oci_fd(x->image),
				    .offset = at->offset};
	return push_blob(&how, x->p, x->repository, &b, x->mount_from, e);
}

static const char *media_type_of(const json_t *manifest, const json_t *descriptor)
{
	const char *type = jx_str(manifest, "mediaType");

	if (!type)
		type = jx_str(descriptor, "mediaType");
	return type && !strpbrk(type, "\r\n") ? type : "application/vnd.oci.image.manifest.v1+json";
}

static int push_tree(enum push_how *how, struct pushing *x, const json_t *descriptor,
		     const char *reference, unsigned depth, struct err *e)
{
	const char *digest = jx_str_or(descriptor, "digest", "");
	autojson json_t *manifest = NULL;
	autofree char *text = NULL;
	const json_t *children, *layers;
	enum push_how ignored;
	size_t len = 0;

	if (depth > 2)
		return err_set(e, ERR_INVALID, "more than two levels of indexes");
	if (oci_json(&manifest, &text, &len, x->image, digest, e) < 0)
		return -1;
	children = jx_get(manifest, "manifests");
	layers = jx_get(manifest, "layers");
	if (json_array_size(children) > CHILDREN_MAX || json_array_size(layers) > 512)
		return err_set(e, ERR_INVALID, "%.80s: too many parts", digest);
	for (size_t i = 0; i < json_array_size(children); i++) {
		const json_t *c = json_array_get(children, i);

		if (push_tree(&ignored, x, c, jx_str_or(c, "digest", ""), depth + 1, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < json_array_size(layers); i++)
		if (push_descriptor(x, json_array_get(layers, i), e) < 0)
			return -1;
	if (jx_get(manifest, "config") && push_descriptor(x, jx_get(manifest, "config"), e) < 0)
		return -1;
	return push_manifest(how, x->p, x->repository, reference,
			     media_type_of(manifest, descriptor), text, len, e);
}

int push_image(enum push_how *how, struct push *p, const char *repository, const char *tag,
	       const struct oci *image, const char *mount_from, struct err *e)
{
	struct pushing x = {p, repository, mount_from, image};
	const json_t *root = oci_root(image);
	bool there = false;
	struct err quiet = ERR_INIT;

	if (check_repository(repository, e) < 0 || check_reference(tag, e) < 0)
		return -1;
	/* The same manifest under the same tag has all its blobs: nothing to look at. */
	if (look_for_manifest(&there, p, repository, tag, jx_str_or(root, "digest", ""), &quiet) ==
		    0 &&
	    there) {
		*how = PUSH_THERE;
		return 0;
	}
	if (quiet.code != ERR_OK && quiet.code != ERR_NOT_FOUND && !may_pass(&quiet)) {
		*e = quiet;
		return err_wrap(e, "image %.100s:%.100s", repository, tag);
	}
	return push_tree(how, &x, root, tag, 0, e);
}
