/* Images in a tar: where the blobs are, and archives that are none. */
#include "tests/unit/gke_fixture.h"
#include "tests/unit/gke_tar.h"

#include "gke/oci.h"

static const char *tar_file(struct gke_fix *x, const struct buf *tar)
{
	const char *path = gke_file(x, "image.tar");

	assert_ok(file_write_atomic(path, tar->data, tar->len, 0600, &x->e), &x->e);
	return path;
}

static void blobs_are_found_where_they_lie(void **state)
{
	struct gke_fix *x = *state;
	AUTO(tar_image_release) struct tar_image t;
	AUTO(oci_closep) struct oci *o = NULL;
	autojson json_t *manifest = NULL;
	char bytes[sizeof(TAR_LAYER)] = "";

	tar_image(&t);
	assert_ok(oci_open(&o, tar_file(x, &t.tar), &x->e), &x->e);
	assert_string_equal(jx_str(oci_root(o), "digest"), t.manifest);
	const struct oci_blob *b = oci_find(o, t.layer);
	assert_int_equal(b->size, strlen(TAR_LAYER));
	assert_int_equal(pread(oci_fd(o), bytes, (size_t)b->size, b->offset), b->size);
	assert_string_equal(bytes, TAR_LAYER);
	assert_ok(oci_json(&manifest, NULL, NULL, o, t.manifest, &x->e), &x->e);
	assert_string_equal(jx_str(manifest, "config.digest"), t.config);
	assert_null(oci_find(o, "sha256:00"));
}

static void a_damaged_archive_is_refused(void **state)
{
	struct gke_fix *x = *state;
	AUTO(tar_image_release) struct tar_image t;
	AUTO(oci_closep) struct oci *o = NULL;
	autojson json_t *manifest = NULL;
	char *at;

	tar_image(&t);
	/* A byte of the manifest: the digest tells. */
	at = memmem(t.tar.data, t.tar.len, "schemaVersion", 13);
	*at = 'S';
	assert_ok(oci_open(&o, tar_file(x, &t.tar), &x->e), &x->e);
	assert_int_equal(oci_json(&manifest, NULL, NULL, o, t.manifest, &x->e), -1);
	assert_has(x->e.msg, "is damaged");
	assert_fails(-1, &x->e, ERR_INVALID);
	/* A byte of a header. */
	t.tar.data[1] ^= 1;
	oci_closep(&o);
	assert_fails(oci_open(&o, tar_file(x, &t.tar), &x->e), &x->e, ERR_INVALID);
	/* Half of it. */
	t.tar.data[1] ^= 1;
	t.tar.len = 512 + 8;
	assert_fails(oci_open(&o, tar_file(x, &t.tar), &x->e), &x->e, ERR_INVALID);
	assert_fails(oci_open(&o, "/nowhere/image.tar", &x->e), &x->e, ERR_NOT_FOUND);
	assert_fails(oci_open(&o, x->dir, &x->e), &x->e, ERR_INVALID);
	assert_fails(oci_open(&o, gke_write(x, "empty", ""), &x->e), &x->e, ERR_INVALID);
}

static void an_index_must_name_an_image_for_this_machine(void **state)
{
	struct gke_fix *x = *state;
#define D "sha256:0123456789012345678901234567890123456789012345678901234567890123"
	static const struct {
		const char *index;
		bool fine;
	} cases[] = {
		{"{\"manifests\":[{\"digest\":\"" D "\"}]}", true},
		{"{\"manifests\":[]}", false},
		{"{}", false},
		{"[", false},
		{"{\"manifests\":[{\"digest\":\"sha256:short\"}]}", false},
		{"{\"manifests\":[{\"digest\":\"" D "\",\"platform\":{\"os\":\"windows\"}},{"
		 "\"digest\":\"" D "\",\"platform\":{\"os\":\"windows\"}}]}",
		 false},
		{"{\"manifests\":[{\"digest\":\"" D "\",\"platform\":{\"os\":\"linux\","
		 "\"architecture\":\"amd64\"}},{\"digest\":\"" D
		 "\",\"platform\":{\"os\":\"linux\","
		 "\"architecture\":\"arm64\"}}]}",
		 true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf tar = BUF_INIT(1u << 20);
		AUTO(oci_closep) struct oci *o = NULL;

		tar_add(&tar, "./index.json", cases[i].index, strlen(cases[i].index));
		int rc = oci_open(&o, tar_file(x, &tar), &x->e);
		if (cases[i].fine)
			assert_ok(rc, &x->e);
		else
			assert_fails(rc, &x->e, ERR_INVALID);
		buf_release(&tar);
	}
}

static void the_name_is_the_one_that_is_whole(void **state)
{
	struct gke_fix *x = *state;
	static const char *const cases[][2] = {
		{"\"io.containerd.image.name\":\"localhost/presto:312\","
		 "\"org.opencontainers.image.ref.name\":\"312\"",
		 "localhost/presto:312"},
		{"\"org.opencontainers.image.ref.name\":\"localhost/presto:312\"",
		 "localhost/presto:312"},
		{"\"io.containerd.image.name\":\"presto\"", "presto"},
		{"\"org.opencontainers.image.ref.name\":\"312\"", NULL},
		{"\"other\":\"x\"", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf tar = BUF_INIT(1u << 20);
		AUTO(oci_closep) struct oci *o = NULL;
		autofree char *index = xasprintf("{\"manifests\":[{\"digest\":\"" D
						 "\",\"annotations\":{%s}}]}",
						 cases[i][0]);

		tar_add(&tar, "index.json", index, strlen(index));
		assert_ok(oci_open(&o, tar_file(x, &tar), &x->e), &x->e);
		if (cases[i][1])
			assert_string_equal(oci_name(o), cases[i][1]);
		else
			assert_null(oci_name(o));
		assert_int_equal(oci_bytes(o), (int64_t)tar.len);
		buf_release(&tar);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, gke_begin, gke_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(blobs_are_found_where_they_lie),
		T(a_damaged_archive_is_refused),
		T(an_index_must_name_an_image_for_this_machine),
		T(the_name_is_the_one_that_is_whole),
	};

	return RUN(tests);
}
