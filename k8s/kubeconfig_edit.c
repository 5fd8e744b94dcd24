/* kubeconfig_edit.c - see kubeconfig_edit.h: which file, locked, read, changed, kept, written. */
#include "k8s/kubeconfig_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/yaml.h"
#include "k8s/kubeconfig_lock.h"

#define MAX_FILES 64
#define BACKUP    ".prestoctl-backup"

struct edited {
	char *path; /* as it was named */
	char *text; /* NULL: the file is not there */
	size_t len;
	json_t *doc;
	bool changed;
};

struct edit {
	struct edited files[MAX_FILES]; /* strongest first */
	size_t n;
	struct kubeconfig_locks *locks;
};

static void edit_release(struct edit *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->files[i].text)
			mem_wipe(d->files[i].text, d->files[i].len);
		free(d->files[i].text);
		free(d->files[i].path);
		json_decref(d->files[i].doc);
	}
	kubeconfig_locks_free(d->locks);
}

void kubeconfig_done_release(struct kubeconfig_done *d)
{
	free(d->file);
	free(d->backup);
	*d = (struct kubeconfig_done){0};
}

/* --- which files ------------------------------------------------------------------------------ */

static void add_path(struct edit *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (streq(d->files[i].path, path))
			return;
	if (*path && d->n < MAX_FILES)
		d->files[d->n++].path = xstrdup(path);
}

static int find_files(struct edit *d, const char *named, struct err *e)
{
	const char *list = getenv("KUBECONFIG");
	autofree char *copy = list ? xstrdup(list) : NULL, *home = NULL, *usual = NULL;
	char *at = copy, *one;

	if (named)
		add_path(d, named);
	while (!named && (one = strsep(&at, ":")) != NULL)
		add_path(d, one);
	if (d->n)
		return 0;
	home = path_home();
	if (!home)
		return err_set(e, ERR_NOT_FOUND,
			       "no kubeconfig: KUBECONFIG is not set and there is no home folder");
	usual = path_join(home, ".kube/config");
	add_path(d, usual);
	return 0;
}

/* kubectl's file for what is new: the first that exists, else the last. */
static struct edited *for_new(struct edit *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (file_exists(d->files[i].path))
			return &d->files[i];
	return &d->files[d->n - 1];
}

static int lock_them(struct edit *d, const struct kubeconfig_opts *o, struct err *e)
{
	char *paths[MAX_FILES + 1] = {0};

	for (size_t i = 0; i < d->n; i++)
		paths[i] = d->files[i].path;
	return kubeconfig_locks_new(&d->locks, paths, o, e);
}

/* --- read and write ----------------------------------------------------------------------------- */

static int parse(struct edited *f, struct err *e)
{
	AUTO(kubeconfig_freep) struct kubeconfig *checked = NULL;
	autojson json_t *docs = NULL;

	if (kubeconfig_add(&checked, f->text, f->len, f->path, ".", e) < 0 ||
	    y2j_parse(&docs, NULL, f->text, f->len, f->path, Y2J_FOREIGN, e) < 0)
		return -1;
	if (json_array_size(docs) > 1)
		return err_set(e, ERR_INVALID,
			       "%s: has several documents, of which kubectl reads one", f->path);
	if (json_is_object(json_array_get(docs, 0)))
		f->doc = json_incref(json_array_get(docs, 0));
	return 0;
}

static int read_one(struct edited *f, struct err *e)
{
	struct err why = ERR_INIT;

	if (file_read(&f->text, &f->len, f->path, YAML_MAX_BYTES, &why) < 0 &&
	    why.code != ERR_NOT_FOUND) {
		*e = why;
		return -1;
	}
	if (f->text && parse(f, e) < 0) {
		err_hint(e, "repair the file, or have another one written: it is not touched");
		return -1;
	}
	if (!f->doc)
		f->doc = json_pack("{s:s, s:s}", "apiVersion", "v1", "kind", "Config");
	return 0;
}

static int open_files(struct edit *d, const struct kubeconfig_opts *o, bool make, struct err *e)
{
	autofree char *folder = NULL;

	if (find_files(d, o->file, e) < 0)
		return -1;
	folder = path_dir(for_new(d)->path);
	if (make && file_mkdirs(folder, 0700, e) < 0)
		return -1;
	if (lock_them(d, o, e) < 0)
		return -1;
	for (size_t i = 0; i < d->n; i++)
		if (read_one(&d->files[i], e) < 0)
			return -1;
	return 0;
}

static int keep_old(char **backup, const struct edited *f, struct err *e)
{
	autofree char *target = realpath(f->path, NULL), *path = NULL;

	if (!target)
		return 0;
	path = xasprintf("%s%s", target, BACKUP);
	if (file_write_atomic(path, f->text, f->len, 0600, e) < 0)
		return err_wrap(e, "keeping what was there");
	free(*backup);
	*backup = TAKE(path);
	return 0;
}

/* JSON stays JSON: whoever made such a file may not read YAML. */
static char *text_of(const struct edited *f)
{
	bool json = f->text && f->text[strspn(f->text, " \t\r\n")] == '{';
	autofree char *text = NULL;

	if (!json)
		return y2j_emit(f->doc);
	text = jx_pretty(f->doc);
	return xasprintf("%s\n", text);
}

/* Somebody's only way to his clusters: what is about to be written is read again first. */
static int check_text(const struct edited *f, const char *text, struct err *e)
{
	autojson json_t *docs = NULL;
	struct err bad = ERR_INIT;

	if (y2j_parse(&docs, NULL, text, strlen(text), f->path, Y2J_FOREIGN, &bad) < 0 ||
	    !json_equal(json_array_get(docs, 0), f->doc))
		return err_set(e, ERR_INTERNAL,
			       "%s: what would be written is not the same any more", f->path);
	return 0;
}

static int write_one(struct kubeconfig_done *out, struct edit *d, struct edited *f, struct err *e)
{
	autofree char *text = NULL;
	int failed;

	if (!f->changed)
		return 0;
	if (kubeconfig_locks_have(d->locks, f->path, e) < 0)
		return -1;
	text = text_of(f);
	failed = check_text(f, text, e) < 0 || (f->text && keep_old(&out->backup, f, e) < 0) ||
		 file_replace(f->path, text, strlen(text), 0600, e) < 0;
	mem_wipe(text, strlen(text));
	out->changed = true;
	return failed ? -1 : 0;
}

static int write_files(struct kubeconfig_done *out, struct edit *d, struct err *e)
{
	for (size_t i = 0; i < d->n; i++)
		if (write_one(out, d, &d->files[i], e) < 0)
			return -1;
	return 0;
}

char *kubeconfig_of_entry(const struct kubeconfig_entry *entry)
{
	autojson json_t *doc = json_pack("{s:s, s:s}", "apiVersion", "v1", "kind", "Config");

	kubeconfig_put(doc, KUBECONFIG_CLUSTERS, entry);
	kubeconfig_put(doc, KUBECONFIG_USERS, entry);
	kubeconfig_put(doc, KUBECONFIG_CONTEXTS, entry);
	json_object_set_new(doc, "current-context", json_string(entry->name));
	return y2j_emit(doc);
}

/* --- merge and take out --------------------------------------------------------------------------- */

static struct edited *holder(struct edit *d, enum kubeconfig_section s, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (kubeconfig_has(d->files[i].doc, s, name))
			return &d->files[i];
	return for_new(d);
}

static const char *current(const struct edit *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const char *name = jx_str(d->files[i].doc, "current-context");

		if (name && *name)
			return name;
	}
	return NULL;
}

static void put_all(struct kubeconfig_done *out, struct edit *d, const struct kubeconfig_opts *o,
		    const struct kubeconfig_entry *entry)
{
	static const enum kubeconfig_section order[] = {KUBECONFIG_CLUSTERS, KUBECONFIG_USERS,
							KUBECONFIG_CONTEXTS};
	struct edited *f = NULL;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		f = holder(d, order[i], entry->name);
		f->changed = kubeconfig_put(f->doc, order[i], entry) || f->changed;
	}
	out->file = xstrdup(f->path);
	if (streq(current(d), entry->name) || (current(d) && !o->set_current))
		return;
	f = for_new(d);
	json_object_set_new(f->doc, "current-context", json_string(entry->name));
	f->changed = true;
}

int kubeconfig_merge(struct kubeconfig_done *out, const struct kubeconfig_opts *o,
		     const struct kubeconfig_entry *entry, struct err *e)
{
	struct kubeconfig_done done = {0};
	struct edit d = {0};
	int failed = open_files(&d, o, true, e);

	if (!failed) {
		put_all(&done, &d, o, entry);
		done.current = streq(current(&d), entry->name);
		failed = (o->before && o->before(done.file, o->arg, e) < 0) ||
			 write_files(&done, &d, e) < 0;
	}
	edit_release(&d);
	if (failed) {
		kubeconfig_done_release(&done);
		return -1;
	}
	*out = done;
	return 0;
}

int kubeconfig_unmerge(struct kubeconfig_done *out, const struct kubeconfig_opts *o,
		       const char *name, const struct kubeconfig_marks *marks, struct err *e)
{
	struct kubeconfig_done done = {0};
	struct edit d = {0};
	int failed = 0;

	if (file_exists(o->file)) {
		failed = open_files(&d, o, false, e);
		if (!failed) {
			d.files[0].changed = kubeconfig_drop(d.files[0].doc, name, marks,
							     &done.stays);
			failed = write_files(&done, &d, e);
		}
	}
	edit_release(&d);
	if (failed) {
		kubeconfig_done_release(&done);
		return -1;
	}
	done.file = xstrdup(o->file);
	*out = done;
	return 0;
}
