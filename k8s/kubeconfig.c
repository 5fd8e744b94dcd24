/*
 * kubeconfig.c - reading and merging kubeconfig files as kubectl does, and resolving one context.
 * Reads files and the environment; runs nothing and sends nothing (cred.c does).
 */
#include "k8s/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/log.h"
#include "base/yaml.h"
#include "k8s/cred.h"

#define MAX_FILES 64
#define MAX_PEM   (1u << 20)

struct source {
	char *name, *dir;
	struct y2j_marks *marks;
	json_t *doc;
};

struct kubeconfig {
	struct source *sources[MAX_FILES]; /* strongest first */
	size_t n;
};

/* The three lists of a kubeconfig: where the entries are, and the key of an entry's content. */
enum section { CLUSTERS, CONTEXTS, USERS };
static const char *const section_names[] = {"clusters", "contexts", "users"};
static const char *const section_keys[] = {"cluster", "context", "user"};

/* One entry, with what it takes to say where it is. */
struct entry {
	const struct source *src;
	const json_t *body;
	enum section section;
	size_t index;
};

static void source_free(struct source *s)
{
	if (!s)
		return;
	free(s->name);
	free(s->dir);
	y2j_marks_free(s->marks);
	json_decref(s->doc);
	free(s);
}

static void source_freep(struct source **s)
{
	source_free(*s);
}

void kubeconfig_free(struct kubeconfig *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		source_free(k->sources[i]);
	free(k);
}

void kubeconfig_freep(struct kubeconfig **k)
{
	kubeconfig_free(*k);
	*k = NULL;
}

static int bad_at(struct err *e, const struct source *s, const char *pointer, const char *what)
{
	int line = 1, column = 1;

	y2j_mark(s->marks, pointer, false, &line, &column);
	return err_set(e, ERR_INVALID, "%s:%d:%d: %s", s->name, line, column, what);
}

static int bad_entry(struct err *e, const struct entry *en, const char *key, const char *what)
{
	autofree char *pointer = xasprintf("/0/%s/%zu/%s%s%s", section_names[en->section],
					   en->index, section_keys[en->section], key ? "/" : "",
					   key ? key : "");

	return bad_at(e, en->src, pointer, what);
}

/* Every section must be a list of uniquely named entries with a map inside. */
static int check_section(const struct source *s, enum section sec, struct err *e)
{
	const json_t *list = jx_get(s->doc, section_names[sec]);
	autojson json_t *seen = json_object();

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list)) {
		autofree char *p = xasprintf("/0/%s", section_names[sec]);
		return bad_at(e, s, p, "must be a list");
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		const char *name = json_string_value(jx_get(item, "name"));
		const json_t *body = jx_get(item, section_keys[sec]);
		autofree char *p = xasprintf("/0/%s/%zu", section_names[sec], i);

		if (!name)
			return bad_at(e, s, p, "entry without a name");
		if (body && !json_is_object(body) && !json_is_null(body))
			return bad_at(e, s, p, "entry must hold a map");
		if (jx_get(seen, name)) {
			autofree char *what = xasprintf("duplicate name \"%s\"", name);
			return bad_at(e, s, p, what);
		}
		json_object_set_new(seen, name, json_true());
	}
	return 0;
}

static int check_source(const struct source *s, struct err *e)
{
	const char *kind = jx_str(s->doc, "kind"), *version = jx_str(s->doc, "apiVersion");
	const json_t *current = jx_get(s->doc, "current-context");

	if (!json_is_object(s->doc))
		return bad_at(e, s, "/0", "a kubeconfig is a map");
	if (kind && *kind && !streq(kind, "Config"))
		return bad_at(e, s, "/0/kind", "kind is not Config");
	if (version && *version && !streq(version, "v1"))
		return bad_at(e, s, "/0/apiVersion", "apiVersion is not v1");
	if (current && !json_is_null(current) && !json_is_string(current))
		return bad_at(e, s, "/0/current-context", "must be a string");
	for (enum section sec = CLUSTERS; sec <= USERS; sec++)
		if (check_section(s, sec, e) < 0)
			return -1;
	return 0;
}

int kubeconfig_add(struct kubeconfig **k, const char *text, size_t len, const char *name,
		   const char *dir, struct err *e)
{
	AUTO(source_freep) struct source *s = xcalloc(1, sizeof(*s));
	autojson json_t *docs = NULL;

	s->name = xstrdup(name);
	s->dir = xstrdup(dir);
	if (*k && (*k)->n == MAX_FILES)
		return err_set(e, ERR_INVALID, "more than %d kubeconfig files", MAX_FILES);
	if (y2j_parse(&docs, &s->marks, text, len, name, Y2J_FOREIGN, e) < 0)
		return -1;
	/* As kubectl: an empty file is an empty config, of several documents the first counts. */
	s->doc = json_array_size(docs) ? json_incref(json_array_get(docs, 0)) : json_object();
	if (json_is_null(s->doc)) {
		json_decref(s->doc);
		s->doc = json_object();
	}
	if (check_source(s, e) < 0)
		return -1;
	if (!*k)
		*k = xcalloc(1, sizeof(**k));
	(*k)->sources[(*k)->n++] = TAKE(s);
	return 0;
}

static int add_file(struct kubeconfig **k, const char *path, struct err *e)
{
	autofree char *text = NULL, *dir = path_dir(path);
	size_t len = 0;

	if (file_read(&text, &len, path, YAML_MAX_BYTES, e) < 0)
		return -1;
	int rc = kubeconfig_add(k, text, len, path, dir, e);
	mem_wipe(text, len);
	return rc;
}

/* Parts of KUBECONFIG: empty ones and repetitions are skipped, as are files that are not there. */
static int add_list(struct kubeconfig **k, const char *list, struct err *e)
{
	autofree char *copy = xstrdup(list);
	autojson json_t *seen = json_object();
	char *save = NULL;

	for (char *p = strtok_r(copy, ":", &save); p; p = strtok_r(NULL, ":", &save)) {
		if (jx_get(seen, p))
			continue;
		json_object_set_new(seen, p, json_true());
		if (add_file(k, p, e) == 0)
			continue;
		if (e->code != ERR_NOT_FOUND)
			return -1;
		err_clear(e);
	}
	if (*k)
		return 0;
	err_set(e, ERR_NOT_FOUND, "no kubeconfig: none of KUBECONFIG's files exists (%s)", list);
	return err_hint(e, "set KUBECONFIG or give --kubeconfig");
}

static int add_default(struct kubeconfig **k, struct err *e)
{
	autofree char *home = path_home();
	autofree char *path = home ? path_join(home, ".kube/config") : NULL;

	if (!path)
		return err_set(e, ERR_NOT_FOUND,
			       "no kubeconfig: KUBECONFIG is not set and there "
			       "is no home folder");
	if (add_file(k, path, e) < 0) {
		if (e->code == ERR_NOT_FOUND)
			err_hint(e, "set KUBECONFIG or give --kubeconfig");
		return err_wrap(e, "kubeconfig");
	}
	return 0;
}

int kubeconfig_load(struct kubeconfig **out, const char *path, struct err *e)
{
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	const char *list = getenv("KUBECONFIG");
	int rc;

	if (path)
		rc = add_file(&k, path, e);
	else if (list && *list)
		rc = add_list(&k, list, e);
	else
		rc = add_default(&k, e);
	if (rc < 0)
		return -1;
	*out = TAKE(k);
	return 0;
}

/* The first source that has an entry of this name wins whole: nothing is mixed across files. */
static bool find(struct entry *en, const struct kubeconfig *k, enum section sec, const char *name)
{
	for (size_t i = 0; i < k->n; i++) {
		const json_t *list = jx_get(k->sources[i]->doc, section_names[sec]);

		for (size_t j = 0; j < json_array_size(list); j++) {
			const json_t *item = json_array_get(list, j);

			if (!streq(json_string_value(jx_get(item, "name")), name))
				continue;
			*en = (struct entry){k->sources[i], jx_get(item, section_keys[sec]), sec,
					     j};
			return true;
		}
	}
	return false;
}

const char *kubeconfig_current(const struct kubeconfig *k)
{
	for (size_t i = 0; i < k->n; i++) {
		const char *name = json_string_value(jx_get(k->sources[i]->doc, "current-context"));

		if (name && *name)
			return name;
	}
	return NULL;
}

json_t *kubeconfig_contexts(const struct kubeconfig *k)
{
	autojson json_t *seen = json_object();
	json_t *names = json_array();

	for (size_t i = 0; i < k->n; i++) {
		const json_t *list = jx_get(k->sources[i]->doc, "contexts");

		for (size_t j = 0; j < json_array_size(list); j++) {
			const char *name = json_string_value(
				jx_get(json_array_get(list, j), "name"));

			if (jx_get(seen, name))
				continue;
			json_object_set_new(seen, name, json_true());
			json_array_append_new(names, json_string(name));
		}
	}
	return names;
}

static int no_context(struct err *e, const struct kubeconfig *k, const char *wanted)
{
	autojson json_t *names = kubeconfig_contexts(k);
	struct buf known = BUF_INIT(120);

	for (size_t i = 0; i < json_array_size(names); i++) {
		struct err full = ERR_INIT;

		if (buf_addf(&known, &full, "%s%s", i ? ", " : "",
			     json_string_value(json_array_get(names, i))) < 0)
			break;
	}
	if (wanted)
		err_set(e, ERR_NOT_FOUND, "kubeconfig has no context \"%s\"", wanted);
	else
		err_set(e, ERR_NOT_FOUND, "kubeconfig %s: no current-context", k->sources[0]->name);
	if (known.len)
		err_hint(e, "known contexts: %s", buf_str(&known));
	buf_release(&known);
	return -1;
}

/* A string member, or NULL when absent, null or empty. Another type is an error. */
static int get_str(const char **out, const struct entry *en, const char *key, struct err *e)
{
	const json_t *v = jx_get(en->body, key);

	*out = NULL;
	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return bad_entry(e, en, key, "must be a string");
	for (const char *p = json_string_value(v); *p; p++)
		if ((unsigned char)*p < ' ' && !strstr(key, "-data"))
			return bad_entry(e, en, key, "must not hold control characters");
	*out = *json_string_value(v) ? json_string_value(v) : NULL;
	return 0;
}

static int copy_str(char **out, const struct entry *en, const char *key, struct err *e)
{
	const char *v = NULL;

	if (get_str(&v, en, key, e) < 0)
		return -1;
	if (v)
		*out = xstrdup(v);
	return 0;
}

static char *resolve_path(const struct source *s, const char *path)
{
	return *path == '/' ? xstrdup(path) : path_join(s->dir, path);
}

/* "x-data" in base64 beats the file named by "x". */
static int get_pem(char **out, const struct entry *en, const char *key, struct err *e)
{
	autofree char *data_key = xasprintf("%s-data", key);
	const char *data = NULL, *file = NULL;
	struct err why = ERR_INIT;
	size_t len = 0;

	if (get_str(&data, en, data_key, e) < 0 || get_str(&file, en, key, e) < 0)
		return -1;
	if (data) {
		autofree char *text = NULL;

		if (base64_decode(&text, &len, data, &why) < 0)
			return bad_entry(e, en, data_key, why.msg);
		if (len > MAX_PEM || strlen(text) != len)
			return bad_entry(e, en, data_key, "is not a PEM text");
		*out = TAKE(text);
		return 0;
	}
	if (!file)
		return 0;
	autofree char *path = resolve_path(en->src, file);
	if (file_read(out, &len, path, MAX_PEM, e) < 0)
		return err_wrap(e, "%s of %s", key, en->src->name);
	return 0;
}

static int get_server(struct k8s_config *c, const struct entry *en, struct err *e)
{
	const char *v = NULL;

	if (get_str(&v, en, "server", e) < 0)
		return -1;
	if (!v)
		return bad_entry(e, en, "server", "the cluster has no server");
	if (strpbrk(v, " ?#@"))
		return bad_entry(e, en, "server", "is not the address of an API server");
	c->server = strstr(v, "://") ? xstrdup(v) : xasprintf("https://%s", v);
	for (size_t n = strlen(c->server); n && c->server[n - 1] == '/'; n--)
		c->server[n - 1] = '\0';
	return 0;
}

static int resolve_cluster(struct k8s_config *c, const struct entry *en, struct err *e)
{
	c->insecure = json_is_true(jx_get(en->body, "insecure-skip-tls-verify"));
	if (get_server(c, en, e) < 0 || get_pem(&c->ca_pem, en, "certificate-authority", e) < 0 ||
	    copy_str(&c->server_name, en, "tls-server-name", e) < 0 ||
	    copy_str(&c->proxy_url, en, "proxy-url", e) < 0)
		return -1;
	if (c->insecure && c->ca_pem)
		return bad_entry(e, en, "insecure-skip-tls-verify",
				 "excludes a certificate authority");
	return 0;
}

static int check_strings(const struct entry *en, const char *key, const json_t *list, struct err *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *v = json_string_value(json_array_get(list, i));

		if (!v || strpbrk(v, "\r\n"))
			return bad_entry(e, en, key, "must hold plain strings");
	}
	if (!json_is_array(list))
		return bad_entry(e, en, key, "must be a list of strings");
	return 0;
}

static int resolve_impersonation(struct k8s_config *c, const struct entry *en, struct err *e)
{
	const json_t *groups = jx_get(en->body, "as-groups"), *v;
	const json_t *extra = jx_get(en->body, "as-user-extra");
	const char *key;

	if (copy_str(&c->as_user, en, "as", e) < 0 || copy_str(&c->as_uid, en, "as-uid", e) < 0)
		return -1;
	if (!jx_is_empty(groups) && check_strings(en, "as-groups", groups, e) < 0)
		return -1;
	if (!jx_is_empty(extra) && !json_is_object(extra))
		return bad_entry(e, en, "as-user-extra", "must be a map");
	jx_foreach (extra, key, v)
		if (!*key || check_strings(en, "as-user-extra", v, e) < 0)
			return *key ? -1 : bad_entry(e, en, "as-user-extra", "has an empty key");
	if ((c->as_uid || !jx_is_empty(groups) || !jx_is_empty(extra)) && !c->as_user)
		return bad_entry(e, en, "as", "impersonating a group needs a user (as)");
	if (!jx_is_empty(groups))
		c->as_groups = json_deep_copy(groups);
	if (!jx_is_empty(extra))
		c->as_extra = json_deep_copy(extra);
	return 0;
}

static int resolve_exec(struct k8s_config *c, const struct entry *user, const struct entry *cluster,
			struct err *e)
{
	const json_t *exec = jx_get(user->body, "exec");
	struct err why = ERR_INIT;

	if (jx_is_empty(exec))
		return 0;
	if (exec_check(exec, &why) < 0)
		return bad_entry(e, user, "exec", why.msg);
	c->exec = json_deep_copy(exec);
	const char *command = jx_str(exec, "command");
	if (strchr(command, '/')) {
		autofree char *path = resolve_path(user->src, command);
		json_object_set_new(c->exec, "command", json_string(path));
	}
	if (jx_bool(exec, "provideClusterInfo"))
		c->exec_cluster = exec_cluster_info(c, cluster->body);
	return 0;
}

static int resolve_user(struct k8s_config *c, const struct entry *en, const struct entry *cluster,
			struct err *e)
{
	const char *file = NULL;

	if (get_pem(&c->cert_pem, en, "client-certificate", e) < 0 ||
	    get_pem(&c->key_pem, en, "client-key", e) < 0 ||
	    get_str(&file, en, "tokenFile", e) < 0 || copy_str(&c->token, en, "token", e) < 0 ||
	    copy_str(&c->username, en, "username", e) < 0 ||
	    copy_str(&c->password, en, "password", e) < 0)
		return -1;
	if (!c->cert_pem != !c->key_pem)
		return bad_entry(e, en, NULL, "client-certificate and client-key belong together");
	if (file)
		c->token_file = resolve_path(en->src, file);
	if (!jx_is_empty(jx_get(en->body, "auth-provider"))) {
		bad_entry(e, en, "auth-provider", "auth providers are gone since Kubernetes 1.26");
		return err_hint(e, "use an exec plugin (user.exec) instead");
	}
	if (c->username && strchr(c->username, ':'))
		return bad_entry(e, en, "username", "must not hold a colon");
	if (resolve_impersonation(c, en, e) < 0)
		return -1;
	return resolve_exec(c, en, cluster, e);
}

static int resolve(struct k8s_config *c, const struct kubeconfig *k, const char *name,
		   struct err *e)
{
	struct entry ctx, cluster, user;
	const char *cluster_name = NULL, *user_name = NULL, *ns = NULL;
	char what[300];

	if (!name || !find(&ctx, k, CONTEXTS, name))
		return no_context(e, k, name);
	if (get_str(&cluster_name, &ctx, "cluster", e) < 0 ||
	    get_str(&user_name, &ctx, "user", e) < 0 || get_str(&ns, &ctx, "namespace", e) < 0)
		return -1;
	if (!cluster_name || !find(&cluster, k, CLUSTERS, cluster_name)) {
		snprintf(what, sizeof(what), "context \"%.80s\": there is no cluster \"%.80s\"",
			 name, cluster_name ? cluster_name : "");
		return bad_entry(e, &ctx, "cluster", what);
	}
	if (user_name && !find(&user, k, USERS, user_name)) {
		snprintf(what, sizeof(what), "context \"%.80s\": there is no user \"%.80s\"", name,
			 user_name);
		return bad_entry(e, &ctx, "user", what);
	}
	c->context = xstrdup(name);
	c->cluster = xstrdup(cluster_name);
	c->user = user_name ? xstrdup(user_name) : NULL;
	c->ns = xstrdup(ns ? ns : "default");
	if (resolve_cluster(c, &cluster, e) < 0)
		return -1;
	return user_name ? resolve_user(c, &user, &cluster, e) : 0;
}

int kubeconfig_resolve(struct k8s_config *out, const struct kubeconfig *k, const char *context,
		       struct err *e)
{
	struct k8s_config c = K8S_CONFIG_INIT;

	if (resolve(&c, k, context ? context : kubeconfig_current(k), e) < 0) {
		k8s_config_release(&c);
		return -1;
	}
	*out = c;
	return 0;
}
