/* etc.c - writes run/etc from the mounted files and fills in what only this node knows: its memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/agent/agent.h"
#include "presto/memory.h"

struct token {
	const char *name;
	char value[MEMORY_TEXT_SIZE];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool etc_property(char *out, size_t size, const char *text, const char *key)
{
	size_t key_len = strlen(key);
	bool found = false;

	for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
		const char *at = line, *to = end = strchrnul(line, '\n');

		while (at < to && is_blank(*at))
			at++;
		if ((size_t)(to - at) < key_len || strncmp(at, key, key_len) != 0)
			continue;
		for (at += key_len; at < to && is_blank(*at); at++)
			;
		if (at >= to || (*at != '=' && *at != ':'))
			continue;
		for (at++; at < to && is_blank(*at); at++)
			;
		while (to > at && is_blank(to[-1]))
			to--;
		snprintf(out, size, "%.*s", (int)(to - at), at);
		found = true;
	}
	return found;
}

static int64_t first_number(const char *path, const char *after)
{
	char line[256];
	AUTO(fclosep) FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (starts_with(line, after))
			return strtoll(line + strlen(after), NULL, 10);
	}
	return 0;
}

int64_t etc_node_total(void)
{
	int64_t total = first_number("/proc/meminfo", "MemTotal:") * 1024;
	/* "max" of cgroup v2 reads as 0; v1 says "none" with a number near INT64_MAX */
	int64_t limits[] = {first_number("/sys/fs/cgroup/memory.max", ""),
			    first_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", "")};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		if (limits[i] > 0 && limits[i] < total)
			total = limits[i];
	}
	return total;
}

static int number_of(double *out, const char *text, const char *key, struct err *e)
{
	char value[64], *end;

	if (!etc_property(value, sizeof(value), text, key))
		return err_set(e, ERR_INVALID, "memory.properties: %s is missing", key);
	*out = strtod(value, &end);
	if (end == value || *end)
		return err_set(e, ERR_INVALID, "memory.properties: %s: \"%s\" is not a number", key,
			       value);
	return 0;
}

static int plan_of(struct memory_plan *plan, const char *text, int64_t total, struct err *e)
{
	struct memory_ratios r;
	double headroom = 0;

	if (number_of(&headroom, text, "node-memory-headroom", e) < 0 ||
	    number_of(&r.xmx_to_total, text, "xmx-ratio", e) < 0 ||
	    number_of(&r.heap_headroom, text, "heap-headroom-ratio", e) < 0 ||
	    number_of(&r.query_max_total_per_node, text, "query-max-total-ratio", e) < 0)
		return -1;
	if (headroom < 0 || headroom >= (double)total)
		return err_set(e, ERR_INVALID,
			       "memory.nodeMemoryHeadroom leaves nothing of this node's %lld MiB",
			       (long long)(total >> 20));
	if (memory_plan_of(plan, total - (int64_t)headroom, &r, e) < 0)
		return err_wrap(e, "this node's %lld MiB", (long long)(total >> 20));
	return 0;
}

static int fill_in(struct buf *out, const struct agent_file *f, const struct token *tokens,
		   size_t n, struct err *e)
{
	const char *at = f->bytes, *end = f->bytes + f->len;

	while (at < end) {
		size_t i = 0;

		while (i < n && !((size_t)(end - at) >= strlen(tokens[i].name) &&
				  memcmp(at, tokens[i].name, strlen(tokens[i].name)) == 0))
			i++;
		if (i < n) {
			if (buf_adds(out, tokens[i].value, e) < 0)
				return -1;
			at += strlen(tokens[i].name);
		} else if (buf_add(out, at++, 1, e) < 0) {
			return -1;
		}
	}
	return 0;
}

static int write_file(const char *path, const void *bytes, size_t len, struct err *e)
{
	/* O_EXCL: the folder was emptied, so anything there is not ours */
	AUTO(closep)
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
	for (size_t done = 0; done < len;) {
		ssize_t put = write(fd, (const char *)bytes + done, len - done);

		if (put < 0)
			return err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
		done += (size_t)put;
	}
	return 0;
}

/* An emptyDir outlives a restarted container: what an earlier start wrote must not stay. */
static int fresh_folder(const char *path, struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (entry->d_type != DT_DIR)
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d)
		closedir(d);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
	return 0;
}

int etc_write(const struct agent_files *f, const char *run_dir, int64_t node_total, struct err *e)
{
	autofree char *etc = xasprintf("%s/etc", run_dir);
	autofree char *catalog = xasprintf("%s/etc/catalog", run_dir);
	const struct agent_file *memory = files_find(f, "etc/memory.properties");
	struct token tokens[] = {{.name = "@XMX@"},
				 {.name = "@HEAP_HEADROOM@"},
				 {.name = "@QUERY_MAX_TOTAL_PER_NODE@"},
				 {.name = "@QUERY_MAX_PER_NODE@"}};
	struct memory_plan plan = {0};

	if (memory) {
		if (plan_of(&plan, memory->bytes, node_total, e) < 0)
			return -1;
		snprintf(tokens[0].value, sizeof(tokens[0].value), "%lldm",
			 (long long)(plan.xmx >> 20));
		memory_datasize(tokens[1].value, plan.heap_headroom_per_node);
		memory_datasize(tokens[2].value, plan.query_max_total_memory_per_node);
		memory_datasize(tokens[3].value, plan.query_max_memory_per_node);
	}
	if ((mkdir(run_dir, 0700) < 0 && errno != EEXIST))
		return err_set(e, err_errno(errno), "%s: %s", run_dir, strerror(errno));
	if (fresh_folder(etc, e) < 0 || fresh_folder(catalog, e) < 0)
		return -1;
	for (size_t i = 0; i < f->n; i++) {
		const struct agent_file *file = &f->list[i];
		bool is_etc = starts_with(file->path, "etc/");
		autofree char *path = xasprintf("%s/%s%s", run_dir, is_etc ? "" : "etc/",
						file->path);
		AUTO(buf_release) struct buf text = BUF_INIT(2 * AGENT_MAX_FILE);
		bool filled = memory && (streq(file->path, "etc/jvm.config") ||
					 streq(file->path, "etc/config.properties"));

		if (filled && fill_in(&text, file, tokens, ARRAY_LEN(tokens), e) < 0)
			return err_wrap(e, "%s", file->path);
		if (write_file(path, filled ? buf_str(&text) : file->bytes,
			       filled ? text.len : file->len, e) < 0)
			return -1;
	}
	return 0;
}
