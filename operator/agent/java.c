/* java.c - finds java and Presto in an image that we know nothing about, and says where it looked.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/agent/agent.h"

#define DEFAULT_HOME "/usr/lib/presto"
#define DEFAULT_MAIN "io.prestosql.server.PrestoServer"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static const char *presto_home(void)
{
	const char *home = getenv("PRESTO_HOME");

	return home && *home ? home : DEFAULT_HOME;
}

static int find_java(char **out, struct err *e)
{
	const char *home = getenv("JAVA_HOME"), *path = getenv("PATH");

	if (home && *home) {
		autofree char *java = xasprintf("%s/bin/java", home);

		if (is_program(java)) {
			*out = TAKE(java);
			return 0;
		}
	}
	path = path && *path ? path : DEFAULT_PATH;
	for (const char *at = path; *at; at = *strchrnul(at, ':') ? strchrnul(at, ':') + 1 : "") {
		autofree char *java = xasprintf("%.*s/java", (int)(strchrnul(at, ':') - at), at);

		if (java[0] == '/' && is_program(java)) {
			*out = TAKE(java);
			return 0;
		}
	}
	err_set(e, ERR_NOT_FOUND,
		"no java in this image: looked for bin/java in JAVA_HOME (%s) and for java in PATH "
		"(%s)",
		home && *home ? home : "not set", path);
	return err_hint(e, "use an image with Java 8 or 11 and set JAVA_HOME in it");
}

static int relink(const char *target, const char *dir, const char *name, struct err *e)
{
	autofree char *link = xasprintf("%s/%s", dir, name);

	unlink(link);
	if (symlink(target, link) < 0)
		return err_set(e, err_errno(errno), "%s: %s", link, strerror(errno));
	return 0;
}

int java_link(const char *run_dir, struct err *e)
{
	autofree char *lib = xasprintf("%s/lib", presto_home());
	autofree char *plugin = xasprintf("%s/plugin", presto_home());
	autofree char *rpm_plugin = xasprintf("%s/lib/plugin", presto_home());

	if (!is_folder(lib)) {
		err_set(e, ERR_NOT_FOUND,
			"no Presto in this image: looked for the folders lib and plugin in %s",
			presto_home());
		return err_hint(e, "use a Presto image, or set PRESTO_HOME in it");
	}
	if (relink(lib, run_dir, "lib", e) < 0)
		return -1;
	return relink(is_folder(plugin) ? plugin : rpm_plugin, run_dir, "plugin", e);
}

static void add(struct java_command *c, char *arg)
{
	c->argv = xreallocarray(c->argv, c->n + 2, sizeof(*c->argv));
	c->argv[c->n++] = arg;
	c->argv[c->n] = NULL;
}

/* each - fn for every line that is not blank and no comment, trimmed. A missing file has no lines.
 */
static int each_line(const char *path, void (*fn)(struct java_command *, const char *),
		     struct java_command *c, struct err *e)
{
	autofree char *line = NULL;
	size_t size = 0;
	AUTO(fclosep) FILE *f = fopen(path, "re");

	if (!f)
		return errno == ENOENT
			       ? 0
			       : err_set(e, err_errno(errno), "%s: %s", path, strerror(errno));
	while (getline(&line, &size, f) > 0) {
		char *from = line + strspn(line, " \t\r\n");
		size_t len = strlen(from);

		while (len && strchr(" \t\r\n", from[len - 1]))
			from[--len] = '\0';
		if (len && *from != '#')
			fn(c, from);
	}
	return 0;
}

static void add_flag(struct java_command *c, const char *line)
{
	add(c, xstrdup(line));
}

static void add_define(struct java_command *c, const char *line)
{
	add(c, xasprintf("-D%s", line));
}

/* The official tarballs name their main class here; PrestoDB's and PrestoSQL's differ. */
static char *main_class(void)
{
	autofree char *path = xasprintf("%s/bin/launcher.properties", presto_home());
	char text[4096], value[256];
	AUTO(fclosep) FILE *f = fopen(path, "re");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[len] = '\0';
	return xstrdup(etc_property(value, sizeof(value), text, "main-class") ? value
									      : DEFAULT_MAIN);
}

int java_command_of(struct java_command *out, const struct agent *a, const char *run_dir,
		    struct err *e)
{
	autofree char *jvm = xasprintf("%s/etc/jvm.config", run_dir);
	autofree char *node = xasprintf("%s/etc/node.properties", run_dir);
	autofree char *levels = xasprintf("%s/etc/log.properties", run_dir);
	struct java_command c = {0};
	char *java = NULL;

	if (find_java(&java, e) < 0)
		return -1;
	add(&c, java);
	if (each_line(jvm, add_flag, &c, e) < 0 || each_line(node, add_define, &c, e) < 0) {
		java_command_release(&c);
		return -1;
	}
	if (a->pod_id)
		add(&c, xasprintf("-Dnode.id=%s", a->pod_id));
	/* Without it the engine picks a network interface of its own liking. */
	if (a->pod_ip)
		add(&c, xasprintf("-Dnode.internal-address=%s", a->pod_ip));
	add(&c, xasprintf("-Dnode.data-dir=%s", a->data_dir));
	if (access(levels, R_OK) == 0)
		add(&c, xstrdup("-Dlog.levels-file=etc/log.properties"));
	add(&c, xstrdup("-Dconfig=etc/config.properties"));
	add(&c, xstrdup("-cp"));
	add(&c, xstrdup("lib/*"));
	add(&c, main_class());
	*out = c;
	return 0;
}

void java_command_release(struct java_command *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->argv[i]);
	free(c->argv);
	*c = (struct java_command){0};
}
