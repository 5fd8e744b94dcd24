/* token_cache.c - see token_cache.h. */
#include "provision/token_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "gke/auth.h"
#include "gke/secret.h"

#define VERSION   1
#define ENTRY_MAX (64u << 10)
#define INPUT_MAX \
	(64u << 10) /* more of a credential file is not looked at; it would be refused anyway */
#define LIFE_MAX (13 * 3600 * NS_SEC) /* Google gives tokens half a day at most */
#define KEEP     (24 * 3600)          /* seconds: what was not written for so long has ended */

/* --- which login ------------------------------------------------------------------------------ */

/* What a file says; its absence is a different thing from its being empty. */
static void add_file(struct sha256 *h, const char *path)
{
	autosecret char *text = NULL;
	struct err ignored = ERR_INIT;
	size_t len = 0;

	sha256_adds(h, path);
	if (file_read(&text, &len, path, INPUT_MAX, &ignored) < 0)
		sha256_adds(h, err_name(ignored.code));
	else
		sha256_add(h, text, len);
}

/* The account that gcloud would be: its settings by content, its logins by when they changed. */
static void add_gcloud(struct sha256 *h, const struct gke_env *env, const char *adc)
{
	autofree char *folder = path_dir(adc), *active = path_join(folder, "active_config");
	autofree char *logins = path_join(folder, "credentials.db"), *name = NULL;
	const char *named = gke_getenv(env, "CLOUDSDK_ACTIVE_CONFIG_NAME");
	struct err ignored = ERR_INIT;
	struct stat st = {0};
	size_t len = 0;

	if (named)
		name = xstrdup(named);
	else if (file_read(&name, &len, active, 1000, &ignored) < 0)
		name = xstrdup("default");
	name[strcspn(name, "\r\n/")] = '\0';
	autofree char *config = xasprintf("%s/configurations/config_%s", folder, name);
	add_file(h, config);
	if (stat(logins, &st) == 0) {
		sha256_add(h, &st.st_mtim, sizeof(st.st_mtim));
		sha256_add(h, &st.st_size, sizeof(st.st_size));
	}
}

static void add_given(struct sha256 *h, const char *what, const char *path)
{
	sha256_adds(h, what);
	if (path)
		add_file(h, path);
}

static void add_variables(struct sha256 *h, const struct gke_env *env, const char *const *names)
{
	for (; *names; names++) {
		const char *v = gke_getenv(env, *names);

		sha256_adds(h, *names);
		sha256_adds(h, v ? v : "");
		if (v) /* most are no files, which is quickly found out */
			add_file(h, v);
	}
}

static void login_key(char out[SHA256_HEX_SIZE], const struct globals *g, const struct gke_env *env)
{
	autofree char *adc = auth_well_known(env);
	struct sha256 h;

	sha256_init(&h);
	sha256_adds(&h, AUTH_SCOPES);
	add_given(&h, "credentials", g->credentials);
	add_given(&h, "token file", g->access_token_file);
	sha256_adds(&h, g->impersonate ? g->impersonate : "\n");
	add_variables(&h, env, auth_variables);
	if (!g->credentials && !g->access_token_file) {
		add_variables(&h, env, auth_places);
		if (adc) {
			add_file(&h, adc);
			add_gcloud(&h, env, adc);
		}
	}
	sha256_hex(&h, out);
}

/* --- the folder ------------------------------------------------------------------------------- */

static int check_folder(const struct token_cache *c, struct err *e)
{
	struct stat st;

	if (lstat(c->folder, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_set(e, err_errno(errno), "%s: %s", c->folder, strerror(errno));
	}
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077))
		return 0;
	err_set(e, ERR_DENIED, "%s: is not a folder that only you can open", c->folder);
	return err_hint(e, "make it yours with mode 0700, or remove it");
}

int token_cache_open(struct token_cache *c, const struct globals *g, const struct gke_env *env,
		     struct err *e)
{
	const char *xdg = gke_getenv(env, "XDG_CACHE_HOME");
	autofree char *home = NULL;
	char key[SHA256_HEX_SIZE];

	if (xdg && *xdg == '/') {
		c->folder = path_join(xdg, "prestoctl/tokens");
	} else {
		home = path_home();
		if (!home)
			return err_set(e, ERR_NOT_FOUND, "no home folder to keep tokens in");
		c->folder = path_join(home, ".cache/prestoctl/tokens");
	}
	login_key(key, g, env);
	c->path = xasprintf("%s/%.32s.json", c->folder, key);
	return check_folder(c, e);
}

void token_cache_close(struct token_cache *c)
{
	if (c->lock >= 0)
		close(c->lock);
	free(c->folder);
	free(c->path);
	*c = (struct token_cache)TOKEN_CACHE_INIT;
}

int token_cache_lock(struct token_cache *c, struct err *e)
{
	autofree char *path = xasprintf("%s.lock", c->path);

	if (file_mkdirs(c->folder, 0700, e) < 0 || check_folder(c, e) < 0)
		return -1;
	return file_lock(&c->lock, path, e);
}

/* --- one token -------------------------------------------------------------------------------- */

static char *read_own(const char *path, size_t *len, char *why)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct err e = ERR_INIT;
	char *text = NULL;
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			snprintf(why, 200, "%s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077)) {
		snprintf(why, 200, "it is not a file that only you can read");
		return NULL;
	}
	if (file_read_fd(&text, len, fd, "it", ENTRY_MAX, &e) < 0)
		snprintf(why, 200, "%.190s", e.msg);
	return text;
}

bool token_cache_get(char **token, ns_t *expiry, const struct token_cache *c, ns_t now, char *why)
{
	autosecretjson json_t *doc = NULL;
	autosecret char *text = NULL, *got = NULL;
	struct err bad = ERR_INIT;
	const char *value;
	ns_t end = 0;
	size_t len = 0;

	*why = '\0';
	text = read_own(c->path, &len, why);
	if (!text)
		return false;
	if (jx_parse(&doc, text, len, "it", &bad) < 0 || jx_int(doc, "version") != VERSION ||
	    !(value = jx_str(doc, "token")) ||
	    time_parse(&end, jx_str_or(doc, "expiry", ""), &bad) < 0) {
		snprintf(why, 200, "it is damaged");
		return false;
	}
	got = xstrdup(value);
	if (secret_token_check(got, "it", &bad) < 0 || end > now + LIFE_MAX) {
		snprintf(why, 200, "it is damaged");
		return false;
	}
	if (end - now <= AUTH_EARLY)
		return false;
	*token = TAKE(got);
	*expiry = end;
	return true;
}

/* The file of a login that nobody uses any more. */
static void sweep(const struct token_cache *c)
{
	DIR *dir = opendir(c->folder);
	ns_t now = clock_wall();
	struct dirent *d;
	struct stat st;

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.' ||
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || now / NS_SEC - st.st_mtim.tv_sec < KEEP)
			continue;
		(void)unlinkat(dirfd(dir), d->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

int token_cache_put(struct token_cache *c, const char *token, ns_t expiry, struct err *e)
{
	autosecretjson json_t *doc = NULL;
	char when[TIME_RFC3339_SIZE];
	autosecret char *text = NULL;

	time_format(when, expiry);
	doc = json_pack("{s:i, s:s, s:s}", "version", VERSION, "token", token, "expiry", when);
	text = jx_pretty(doc);
	if (file_mkdirs(c->folder, 0700, e) < 0 || check_folder(c, e) < 0 ||
	    file_write_atomic(c->path, text, strlen(text), 0600, e) < 0)
		return -1;
	sweep(c);
	return 0;
}
