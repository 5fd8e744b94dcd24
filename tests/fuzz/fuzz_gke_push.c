/* fuzz_gke_push.c - challenges of registries, and tars that say they hold an image. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gke/push.h"
#include "tests/fuzz/fuzz.h"

static void look_at_archive(const uint8_t *data, size_t size)
{
	AUTO(oci_closep) struct oci *o = NULL;
	int fd = memfd_create("tar", MFD_CLOEXEC);
	struct err e = ERR_INIT;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	autofree char *path = xasprintf("/proc/self/fd/%d", fd);
	if (oci_open(&o, path, &e) < 0) {
		MUST(!o && e.code != ERR_OK);
	} else {
		const char *digest = jx_str(oci_root(o), "digest");
		const struct oci_blob *b = oci_find(o, digest);
		autojson json_t *manifest = NULL;

		MUST(oci_digest_check(digest));
		MUST(!b ||
		     (b->offset >= 0 && b->size >= 0 && b->offset + b->size <= (int64_t)size));
		if (oci_json(&manifest, NULL, NULL, o, digest, &e) < 0)
			MUST(e.code != ERR_OK && !manifest);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct push_challenge c;
	autofree char *text = NULL;

	if (size > (1u << 16))
		return 0;
	text = xmalloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	push_challenge_parse(&c, text);
	MUST(c.bearer || !*c.realm);
	look_at_archive(data, size);
	return 0;
}
