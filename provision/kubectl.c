/* kubectl.c - see kubectl.h. */
#include "provision/kubectl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define RECORDS     "kubeconfigs"
#define RECORDS_MAX (1u << 20)

/* --- the entry -------------------------------------------------------------------------------- */

static json_t *exec_user(const char *self, json_t *login)
{
	json_t *args = json_array();

	json_array_append_new(args, json_string("credential"));
	json_array_extend(args, login);
	return json_pack("{s:{s:s, s:s, s:o, s:s, s:s, s:b}}", "exec", "apiVersion",
			 "client.authentication.k8s.io/v1", "command", self, "args", args,
			 "interactiveMode", "Never", "installHint",
			 "prestoctl has moved: prestoctl kubeconfig writes its place again",
			 "provideClusterInfo", 0);
}

void kubectl_entry(struct kubectl_entry *out, const char *env, const struct k8s_config *config,
		   const char *self, json_t *login, const char *ns)
{
	kubeconfig_parts(&out->cluster, &out->user, config);
	if (config->token_fn) {
		out->name = xstrdup(config->context);
		json_decref(out->user);
		out->user = exec_user(self, login);
	} else {
		out->name = env ? xasprintf("prestoctl-%s", env) : xstrdup("prestoctl");
	}
	out->ns = xstrdup(ns ? ns : config->ns ? config->ns : "default");
}

void kubectl_entry_release(struct kubectl_entry *k)
{
	free(k->name);
	free(k->ns);
	json_decref(k->cluster);
	json_decref(k->user);
	*k = (struct kubectl_entry){0};
}

static void add_option(json_t *args, const char *option, const char *value)
{
	json_array_append_new(args, json_string(option));
	json_array_append_new(args, json_string(value));
}

json_t *kubectl_login(const struct google *g)
{
	json_t *args = json_array();
	bool token = false;
	const char *file = g ? auth_file(g->auth, &token) : NULL;
	autofree char *whole = file ? realpath(file, NULL) : NULL;

	if (whole)
		add_option(args, token ? "--access-token-file" : "--credentials", whole);
	if (g && auth_acts_as(g->auth))
		add_option(args, "--impersonate-service-account", auth_acts_as(g->auth));
	return args;
}

static void entry_of(struct kubectl_entry *out, const struct target *t, const struct k8s *k)
{
	autofree char *self = realpath("/proc/self/exe", NULL);
	autojson json_t *login = kubectl_login(t->pc.app->google);

	kubectl_entry(out, t->name, k8s_config_of(k), self ? self : "prestoctl", login, t->ns);
}

char *kubectl_text(const struct target *t, const struct k8s *k)
{
	struct kubectl_entry made = {0};
	char *text;

	entry_of(&made, t, k);
	const struct kubeconfig_entry entry = {made.name, made.cluster, made.user, made.ns};
	text = kubeconfig_of_entry(&entry);
	kubectl_entry_release(&made);
	return text;
}

/* --- what was merged where ---------------------------------------------------------------------- */

static int read_records(char **out, const struct state *s, struct err *e)
{
	autofree char *path = path_join(s->folder, RECORDS);
	size_t len = 0;

	if (file_read(out, &len, path, RECORDS_MAX, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	*out = xstrdup("");
	return 0;
}

/* One write of one line: others append to the same file. */
static int append_record(const struct state *s, const char *line, struct err *e)
{
	autofree char *path = path_join(s->folder, RECORDS), *known = NULL, *whole = NULL;
	AUTO(closep) int fd = -1;

	if (file_mkdirs(s->folder, 0700, e) < 0 || read_records(&known, s, e) < 0)
		return -1;
	whole = xasprintf("%s\n", line);
	if (strstr(known, whole))
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, whole, strlen(whole)) != (ssize_t)strlen(whole))
		return err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
	return 0;
}

/* One merge, or the removal of one: then only the app is set. */
struct merging {
	struct app *app;
	const struct state *state; /* NULL: the environment has no name */
	const struct kubeconfig_entry *entry;
};

/* Before it is written: what a killed process has left must be found again. The file may not be there yet. */
static int remember(const char *file, void *arg, struct err *e)
{
	const struct merging *m = arg;
	struct kubeconfig_marks marks;
	autofree char *dir = path_dir(file), *folder = realpath(dir, NULL),
		      *whole = realpath(file, NULL), *line = NULL;
	const char *slash = strrchr(file, '/');
	autojson json_t *o = NULL;

	if (!m->state)
		return 0;
	if (!whole)
		whole = path_join(folder ? folder : dir, slash ? slash + 1 : file);
	kubeconfig_mark(&marks, m->entry);
	o = json_pack("{s:s, s:s, s:s, s:s}", "file", whole, "name", m->entry->name, "cluster",
		      marks.cluster, "user", marks.user);
	line = jx_canonical(o);
	return append_record(m->state, line, e) < 0 ? err_wrap(e, "remembering what was merged")
						    : 0;
}

static void on_wait(const char *why, void *arg)
{
	const struct merging *m = arg;

	progress_say(m->app->progress, "%s", why);
}

int kubectl_merge(struct kubeconfig_done *out, char **name, struct target *t, struct k8s *k,
		  const char *file, bool set_current, struct err *e)
{
	struct merging m = {.app = t->pc.app, .state = t->name ? &t->state : NULL};
	const struct kubeconfig_opts o = {.loop = m.app->loop,
					  .file = file,
					  .set_current = set_current,
					  .on_wait = on_wait,
					  .before = remember,
					  .arg = &m};
	struct kubectl_entry made = {0};
	int failed;

	entry_of(&made, t, k);
	const struct kubeconfig_entry entry = {made.name, made.cluster, made.user, made.ns};
	m.entry = &entry;
	failed = kubeconfig_merge(out, &o, &entry, e) < 0;
	if (!failed)
		*name = xstrdup(made.name);
	kubectl_entry_release(&made);
	return failed ? -1 : 0;
}

/* --- taking it away ----------------------------------------------------------------------------- */

/* *done (owned) becomes what a result says of it, NULL when there was nothing any more. */
static int remove_one(json_t **done, struct app *a, const char *line, struct err *e)
{
	struct merging m = {.app = a};
	struct kubeconfig_opts o = {.loop = a->loop, .on_wait = on_wait, .arg = &m};
	struct kubeconfig_done did = {0};
	struct kubeconfig_marks marks;
	autojson json_t *r = NULL;
	const char *name;

	if (jx_parse(&r, line, strlen(line), RECORDS, e) < 0)
		return -1;
	name = jx_str(r, "name");
	o.file = jx_str(r, "file");
	if (!name || !o.file)
		return err_set(e, ERR_PROTOCOL, RECORDS ": a line without a file");
	snprintf(marks.cluster, sizeof(marks.cluster), "%s", jx_str_or(r, "cluster", ""));
	snprintf(marks.user, sizeof(marks.user), "%s", jx_str_or(r, "user", ""));
	if (kubeconfig_unmerge(&did, &o, name, &marks, e) < 0)
		return -1;
	if (did.changed || did.stays)
		*done = json_pack("{s:s, s:s, s:i}", "file", o.file, "context", name, "stays",
				  (int)did.stays);
	kubeconfig_done_release(&did);
	return 0;
}

/* Of several lines about one file the last one counts; that an older one finds nothing of its own is no news. */
static void keep_news(json_t *list, json_t *one)
{
	for (size_t i = 0; one && i < json_array_size(list); i++) {
		json_t *old = json_array_get(list, i);

		if (streq(jx_str(old, "file"), jx_str(one, "file")) &&
		    streq(jx_str(old, "context"), jx_str(one, "context"))) {
			json_object_set(old, "stays", jx_get(one, "stays"));
			json_decref(one);
			return;
		}
	}
	if (one)
		json_array_append_new(list, one);
}

int kubectl_remove(json_t **removed, struct app *a, const struct state *s, struct err *e)
{
	autofree char *text = NULL, *path = path_join(s->folder, RECORDS);
	autojson json_t *list = json_array();
	struct err first = ERR_INIT;
	char *save = NULL;

	if (read_records(&text, s, e) < 0)
		return -1;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct err bad = ERR_INIT;
		json_t *done = NULL;

		if (remove_one(&done, a, line, &bad) == 0)
			keep_news(list, done);
		else if (first.code == ERR_OK)
			first = bad;
	}
	*removed = json_incref(list);
	if (first.code != ERR_OK) {
		*e = first;
		return err_wrap(e, "taking the entries out of the kubeconfig");
	}
	return file_remove(path, e);
}
