/* oci.c - the headers of a tar, and the few JSON files in it. Sizes and names are the archive's: checked. */
#include "gke/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/strmap.h"

#define BLOCK       512
#define ENTRIES_MAX 4096
#define JSON_MAX    (4u << 20)
#define PREFIX      "blobs/sha256/"

struct oci {
	int fd;
	int64_t bytes;
	char *path;
	struct strmap *blobs; /* digest -> struct oci_blob */
	struct oci_blob index;
	json_t *root;
};

bool oci_digest_check(const char *digest)
{
	return starts_with(digest, "sha256:") && strlen(digest) == OCI_DIGEST_SIZE - 1 &&
	       strspn(digest + 7, "0123456789abcdef") == 64;
}

/* --- tar -------------------------------------------------------------------------------------- */

static bool octal(int64_t *out, const unsigned char *field, size_t len)
{
	int64_t v = 0;
	size_t i = 0;

	if (field[0] & 0x80) { /* GNU's binary form for large files */
		for (i = 1; i < len; i++) {
			if (v >> 54)
				return false;
			v = v << 8 | field[i];
		}
		*out = v;
		return !(field[0] & 0x7F);
	}
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (v >> 58)
			return false;
		v = v << 3 | (field[i] - '0');
	}
	*out = v;
	return i == len || field[i] == '\0' || field[i] == ' ';
}

static bool checksum_holds(const unsigned char h[BLOCK])
{
	int64_t sum = 0, said = -1;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : h[i];
	return octal(&said, h + 148, 8) && said == sum;
}

static void entry_name(char out[260], const unsigned char h[BLOCK])
{
	const char *name = (const char *)h, *prefix = (const char *)h + 345;
	int n = (int)strnlen(name, 100), p = (int)strnlen(prefix, 155);

	if (!memcmp(h + 257, "ustar", 6) && p)
		snprintf(out, 260, "%.*s/%.*s", p, prefix, n, name);
	else
		snprintf(out, 260, "%.*s", n, name);
}

static void take_entry(struct oci *o, const char *name, int64_t offset, int64_t size)
{
	char digest[OCI_DIGEST_SIZE];
	struct oci_blob *b;

	if (starts_with(name, "./"))
		name += 2;
	if (streq(name, "index.json"))
		o->index = (struct oci_blob){offset, size};
	if (!starts_with(name, PREFIX))
		return;
	if ((size_t)snprintf(digest, sizeof(digest), "sha256:%s", name + sizeof(PREFIX) - 1) >=
		    sizeof(digest) ||
	    !oci_digest_check(digest))
		return;
	b = xmalloc(sizeof(*b));
	*b = (struct oci_blob){offset, size};
	strmap_put(o->blobs, digest, b);
}

static int scan(struct oci *o, int64_t end, struct err *e)
{
	unsigned char h[BLOCK];
	char name[260];
	int64_t at = 0, size;

	for (unsigned n = 0; at + BLOCK <= end; n++) {
		if (pread(o->fd, h, BLOCK, at) != BLOCK)
			return err_set(e, ERR_IO, "%s: %s", o->path, strerror(errno));
		if (!h[0]) /* two empty blocks end it; one is enough for us */
			break;
		if (!checksum_holds(h) || !octal(&size, h + 124, 12) || size < 0 ||
		    size > end - at - BLOCK)
			return err_set(e, ERR_INVALID, "%s: not a tar", o->path);
		if (n == ENTRIES_MAX)
			return err_set(e, ERR_INVALID, "%s: more than %d entries", o->path,
				       ENTRIES_MAX);
		entry_name(name, h);
		if (h[156] == '0' || h[156] == '\0')
			take_entry(o, name, at + BLOCK, size);
		at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return 0;
}

/* --- content ---------------------------------------------------------------------------------- */

static int read_at(char **out, const struct oci *o, const struct oci_blob *b, const char *what,
		   struct err *e)
{
	autofree char *text = NULL;
	int64_t done = 0;

	if (b->size > JSON_MAX)
		return err_set(e, ERR_INVALID, "%s: %s is larger than %u bytes", o->path, what,
			       JSON_MAX);
	text = xcalloc(1, (size_t)b->size + 1);
	while (done < b->size) {
		ssize_t got = pread(o->fd, text + done, (size_t)(b->size - done), b->offset + done);

		if (got <= 0)
			return err_set(e, ERR_IO, "%s: %s", o->path,
				       got < 0 ? strerror(errno) : "it became shorter");
		done += got;
	}
	*out = TAKE(text);
	return 0;
}

static const char *own_architecture(void)
{
#if defined(__aarch64__)
	return "arm64";
#else
	return "amd64";
#endif
}

static const json_t *choose(const json_t *list)
{
	if (json_array_size(list) == 1)
		return json_array_get(list, 0);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);

		if (streq(jx_str(d, "platform.os"), "linux") &&
		    streq(jx_str(d, "platform.architecture"), own_architecture()))
			return d;
	}
	return NULL;
}

static int read_index(struct oci *o, struct err *e)
{
	autofree char *text = NULL;
	autojson json_t *index = NULL;
	struct err bad = ERR_INIT;
	const json_t *root;

	if (!o->index.offset) {
		err_set(e, ERR_INVALID, "%s: not an OCI image (no index.json)", o->path);
		return err_hint(
			e, "skopeo copy docker-archive:FILE oci-archive:NEW:NAME:TAG makes one");
	}
	if (read_at(&text, o, &o->index, "index.json", e) < 0)
		return -1;
	if (jx_parse(&index, text, (size_t)o->index.size, o->path, &bad) < 0)
		return err_set(e, ERR_INVALID, "%s", bad.msg);
	root = choose(jx_get(index, "manifests"));
	if (!root || !jx_str(root, "digest") || !oci_digest_check(jx_str(root, "digest")))
		return err_set(e, ERR_INVALID, "%s: index.json names no image for linux/%s",
			       o->path, own_architecture());
	o->root = json_deep_copy(root);
	return 0;
}

int oci_open(struct oci **out, const char *path, struct err *e)
{
	AUTO(oci_closep) struct oci *o = xcalloc(1, sizeof(*o));
	struct stat st;

	o->path = xstrdup(path);
	o->blobs = strmap_new(free);
	o->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (o->fd < 0 || fstat(o->fd, &st) < 0)
		return err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s: not a file", path);
	o->bytes = st.st_size;
	if (scan(o, st.st_size, e) < 0 || read_index(o, e) < 0)
		return -1;
	*out = TAKE(o);
	return 0;
}

void oci_close(struct oci *o)
{
	if (!o)
		return;
	if (o->fd >= 0)
		close(o->fd);
	strmap_free(o->blobs);
	json_decref(o->root);
	free(o->path);
	free(o);
}

void oci_closep(struct oci **o)
{
	oci_close(*o);
	*o = NULL;
}

int oci_fd(const struct oci *o)
{
	return o->fd;
}

const struct oci_blob *oci_find(const struct oci *o, const char *digest)
{
	return strmap_get(o->blobs, digest);
}

const json_t *oci_root(const struct oci *o)
{
	return o->root;
}

const char *oci_name(const struct oci *o)
{
	const json_t *notes = jx_get(o->root, "annotations");
	const json_t *whole = jx_get(notes, "io.containerd.image.name");
	const char *name = json_string_value(whole);

	if (!name)
		name = json_string_value(jx_get(notes, "org.opencontainers.image.ref.name"));
	return name && (whole || strpbrk(name, "/:")) ? name : NULL;
}

int64_t oci_bytes(const struct oci *o)
{
	return o->bytes;
}

int oci_json(json_t **out, char **text, size_t *len, const struct oci *o, const char *digest,
	     struct err *e)
{
	const struct oci_blob *b = oci_find(o, digest);
	autofree char *bytes = NULL;
	char hex[SHA256_HEX_SIZE];
	struct err bad = ERR_INIT;
	struct sha256 sum;

	if (!b)
		return err_set(e, ERR_INVALID, "%s: %.80s is not in it", o->path, digest);
	if (read_at(&bytes, o, b, digest, e) < 0)
		return -1;
	sha256_init(&sum);
	sha256_add(&sum, bytes, (size_t)b->size);
	sha256_hex(&sum, hex);
	if (!streq(hex, digest + 7))
		return err_set(e, ERR_INVALID, "%s: %s is damaged", o->path, digest);
	if (jx_parse(out, bytes, (size_t)b->size, digest, &bad) < 0)
		return err_set(e, ERR_INVALID, "%s: %s", o->path, bad.msg);
	if (len)
		*len = (size_t)b->size;
	if (text)
		*text = TAKE(bytes);
	return 0;
}
