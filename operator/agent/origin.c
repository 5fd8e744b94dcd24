/* origin.c - reads the mounted ConfigMaps and computes the checksum that the operator computed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/agent/agent.h"

/* The agent has no base/file.c: this reads one mounted file, which may change its link meanwhile.
 */
static int read_file(struct agent_file *out, const char *path, struct err *e)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(buf_release) struct buf b = BUF_INIT(AGENT_MAX_FILE);
	char block[16384];
	ssize_t got;

	if (fd < 0)
		return err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
	while ((got = read(fd, block, sizeof(block))) > 0) {
		if (buf_add(&b, block, (size_t)got, e) < 0)
			return err_wrap(e, "%s", path);
	}
	if (got < 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	out->len = b.len;
	out->bytes = buf_take(&b);
	return 0;
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.'; /* ..data and ..2019_08_01... are the kubelet's */
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* alphasort would ask the locale */
}

static int read_folder(struct agent_files *out, const char *dir, const char *prefix, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, visible, by_name);
	int rc = 0;

	if (n < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(e, err_errno(errno), "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		autofree char *path = xasprintf("%s/%s", dir, names[i]->d_name);
		struct agent_file file = {0};

		if (!rc && out->n >= AGENT_MAX_FILES)
			rc = err_set(e, ERR_INVALID, "%s: more than %d files", dir,
				     AGENT_MAX_FILES);
		if (!rc)
			rc = read_file(&file, path, e);
		if (!rc) {
			file.path = xasprintf("%s/%s", prefix, names[i]->d_name);
			out->list = xreallocarray(out->list, out->n + 1, sizeof(*out->list));
			out->list[out->n++] = file;
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

int files_read(struct agent_files *out, const char *data_dir, struct err *e)
{
	autofree char *etc = xasprintf("%s/etc-origin", data_dir);
	autofree char *catalog = xasprintf("%s/catalog-origin", data_dir);
	struct agent_files files = {0};

	if (read_folder(&files, etc, "etc", e) < 0 ||
	    read_folder(&files, catalog, "catalog", e) < 0) {
		files_release(&files);
		return -1;
	}
	*out = files;
	return 0;
}

void files_release(struct agent_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].path);
		free(f->list[i].bytes);
	}
	free(f->list);
	*f = (struct agent_files){0};
}

void files_checksum(const struct agent_files *f, char out[SHA256_HEX_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	for (size_t i = 0; i < f->n; i++)
		checksum_file(&s, f->list[i].path, f->list[i].bytes, f->list[i].len);
	sha256_hex(&s, out);
}

const struct agent_file *files_find(const struct agent_files *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++) {
		if (streq(f->list[i].path, path))
			return &f->list[i];
	}
	return NULL;
}
