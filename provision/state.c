/* state.c - see state.h. The only file of prestoctl that writes below the state folder. */
#include "provision/state.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define STATE_MAX (16u << 20)
#define VERSION   1

static int state_root(char **out, struct err *e)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	autofree char *home = NULL;

	if (xdg && xdg[0] == '/') {
		*out = path_join(xdg, "prestoctl");
		return 0;
	}
	home = path_home();
	if (!home) {
		err_set(e, ERR_NOT_FOUND, "no home folder to remember environments in");
		return err_hint(e, "set HOME or XDG_STATE_HOME");
	}
	*out = path_join(home, ".local/state/prestoctl");
	return 0;
}

static void read_doc(struct state *s)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	size_t len = 0;

	if (file_read(&text, &len, s->path, STATE_MAX, &e) < 0) {
		s->damaged = e.code != ERR_NOT_FOUND;
	} else if (jx_parse(&s->doc, text, len, s->path, &e) < 0 || !json_is_object(s->doc) ||
		   jx_int(s->doc, "version") != VERSION) {
		s->damaged = true;
	} else {
		s->found = true;
		return;
	}
	json_decref(s->doc);
	s->doc = json_pack("{s:i, s:s}", "version", VERSION, "name", s->name);
}

static int take_lock(struct state *s, struct err *e)
{
	autofree char *path = path_join(s->folder, "lock");

	if (file_mkdirs(s->folder, 0700, e) < 0)
		return -1;
	if (file_lock(&s->lock, path, e) == 0)
		return 0;
	if (e->code != ERR_CONFLICT)
		return -1;
	err_clear(e);
	err_set(e, ERR_CONFLICT, "another prestoctl is working on the environment '%s'", s->name);
	return err_hint(e, "wait until it has finished");
}

int state_open(struct state *s, const char *name, bool lock, struct err *e)
{
	autofree char *root = NULL;

	if (state_root(&root, e) < 0)
		return -1;
	s->lock = -1;
	s->name = xstrdup(name);
	s->folder = path_join(root, name);
	s->path = path_join(s->folder, "state.json");
	if (lock && take_lock(s, e) < 0) {
		state_close(s);
		return -1;
	}
	read_doc(s);
	return 0;
}

int state_set(struct state *s, const char *path, json_t *v, struct err *e)
{
	autofree char *text = NULL;

	if (v) {
		if (json_equal(jx_path(s->doc, path), v) && s->found) {
			json_decref(v);
			return 0;
		}
		jx_set(s->doc, path, v);
	} else if (json_object_del(s->doc, path) < 0) {
		return 0;
	}
	text = jx_pretty(s->doc);
	if (file_write_atomic(s->path, text, strlen(text), 0600, e) < 0)
		return err_wrap(e, "remembering the environment '%s'", s->name);
	s->found = true;
	return 0;
}

int state_remove(struct state *s, struct err *e)
{
	autofree char *lock = path_join(s->folder, "lock");

	if (file_remove(s->path, e) < 0)
		return -1;
	/* The lock file may go while we hold it: whoever opened it meanwhile finds nothing to work on. */
	if (s->lock >= 0 && file_remove(lock, e) < 0)
		return -1;
	if (rmdir(s->folder) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return err_set(e, err_errno(errno), "%s: %s", s->folder, strerror(errno));
	return 0;
}

void state_close(struct state *s)
{
	if (s->lock >= 0)
		close(s->lock);
	free(s->name);
	free(s->folder);
	free(s->path);
	json_decref(s->doc);
	*s = (struct state)STATE_INIT;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_names(json_t **out, struct err *e)
{
	autofree char *root = NULL;
	struct dirent *d;
	char **names = NULL;
	size_t n = 0;
	json_t *all;
	DIR *dir;

	if (state_root(&root, e) < 0 || !root)
		return -1;
	dir = opendir(root);
	if (!dir && errno != ENOENT)
		return err_set(e, err_errno(errno), "%s: %s", root, strerror(errno));
	while (dir && (d = readdir(dir))) {
		autofree char *file = xasprintf("%s/%s/state.json", root, d->d_name);

		if (d->d_name[0] == '.' || !file_exists(file))
			continue;
		names = xreallocarray(names, n + 1, sizeof(*names));
		names[n++] = xstrdup(d->d_name);
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), by_text);
	all = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(all, json_string(names[i]));
		free(names[i]);
	}
	free(names);
	*out = all;
	return 0;
}
