/* gke_tar.h - an OCI image in a tar, small enough for a test. */
#ifndef TESTS_UNIT_GKE_TAR_H
#define TESTS_UNIT_GKE_TAR_H

#include "base/buf.h"
#include "base/sha256.h"
#include "tests/unit/unit.h"

static inline void tar_add(struct buf *tar, const char *name, const void *bytes, size_t len)
{
	static const char zeros[512];
	char h[512] = "", text[24];
	struct err e = ERR_INIT;
	unsigned sum = 0;

	memcpy(h, name, strlen(name));
	memcpy(h + 100, "0000644", 8);
	snprintf(text, sizeof(text), "%011o", (unsigned)len);
	memcpy(h + 124, text, 12);
	memcpy(h + 148, "        ", 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(h + 148, text, 7);
	assert_ok(buf_add(tar, h, sizeof(h), &e), &e);
	assert_ok(buf_add(tar, bytes, len, &e), &e);
	assert_ok(buf_add(tar, zeros, (512 - len % 512) % 512, &e), &e);
}

static inline void digest_text(char out[72], const void *bytes, size_t len)
{
	struct sha256 s;

	memcpy(out, "sha256:", 7);
	sha256_init(&s);
	sha256_add(&s, bytes, len);
	sha256_hex(&s, out + 7);
}

static inline void tar_blob(struct buf *tar, char digest[72], const char *text)
{
	digest_text(digest, text, strlen(text));
	autofree char *name = xasprintf("blobs/sha256/%s", digest + 7);
	tar_add(tar, name, text, strlen(text));
}

#define TAR_LAYER  "layer layer layer"
#define TAR_CONFIG "{\"architecture\":\"amd64\",\"os\":\"linux\"}"

/* layer, config and manifest; index.json last. Their digests are what the caller gets. */
struct tar_image {
	char layer[72], config[72], manifest[72];
	char *manifest_text; /* owned */
	struct buf tar;
};

static inline void tar_image(struct tar_image *t)
{
	*t = (struct tar_image){.tar = BUF_INIT(1u << 20)};
	tar_blob(&t->tar, t->layer, TAR_LAYER);
	tar_blob(&t->tar, t->config, TAR_CONFIG);
	t->manifest_text = xasprintf(
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"digest\":\"%s\",\"size\":"
		"%zu}]}",
		t->config, strlen(TAR_CONFIG), t->layer, strlen(TAR_LAYER));
	tar_blob(&t->tar, t->manifest, t->manifest_text);
	autofree char *index = xasprintf(
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		"\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu}]}",
		t->manifest, strlen(t->manifest_text));
	tar_add(&t->tar, "index.json", index, strlen(index));
	static const char end[1024];
	struct err e = ERR_INIT;
	assert_ok(buf_add(&t->tar, end, sizeof(end), &e), &e);
}

static inline void tar_image_release(struct tar_image *t)
{
	free(t->manifest_text);
	buf_release(&t->tar);
}

#endif
