/*
 * oci.h - an image in one tar: an OCI layout (index.json and blobs/). Nothing is unpacked: blobs are
 * places in the file.
 */
#ifndef GKE_OCI_H
#define GKE_OCI_H

#include "base/jx.h"

#define OCI_DIGEST_SIZE 72 /* "sha256:" and 64 digits */

struct oci;

struct oci_blob {
	int64_t offset, size;
};

/*
 * oci_open - index a tar. Its file stays open. ERR_NOT_FOUND, ERR_DENIED, ERR_IO, ERR_INVALID: not a
 * tar, no index.json, more than 4,096 entries.
 */
int oci_open(struct oci **out, const char *path, struct err *e) MUST_CHECK;
void oci_close(struct oci *o);
void oci_closep(struct oci **o);
int oci_fd(const struct oci *o);

/* oci_find - where a blob is; NULL: it is not in the archive. Borrowed. */
const struct oci_blob *oci_find(const struct oci *o, const char *digest);
/*
 * oci_root - the descriptor of the image: index.json's only manifest, or the one for linux/amd64 or
 * linux/arm64 as this machine is. Borrowed.
 */
const json_t *oci_root(const struct oci *o);
/*
 * oci_name - what the archive calls its image, "localhost/presto:312", by the annotations of
 * containerd or of OCI; NULL: it does not say, or says a tag alone. Borrowed.
 */
const char *oci_name(const struct oci *o);
int64_t oci_bytes(const struct oci *o); /* how large the archive is */
/* oci_json - a blob that is JSON (at most 4 MiB), its digest checked; *text is what has the digest,
 * owned, may be NULL. */
int oci_json(json_t **out, char **text, size_t *len, const struct oci *o, const char *digest,
	     struct err *e) MUST_CHECK;
/* oci_digest_check - is it "sha256:" and 64 lower-case hex digits? */
bool oci_digest_check(const char *digest);

#endif
