/*
 * cred.c - where the Authorization header comes from. Reads token files, runs exec plugins (one at a
 * time, the answer stays in memory) and calls the owner's token source.
 */
#include "k8s/cred.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/child.h"
#include "base/file.h"
#include "base/log.h"

#define TOKEN_REREAD   (60 * NS_SEC)
#define TOKEN_MAX      (64u << 10)
#define EXPIRY_MARGIN  (10 * NS_SEC) /* a token must outlive the request that carries it */
#define EXEC_TIMEOUT   (60 * NS_SEC)
#define EXEC_PATIENCE  (300 * NS_SEC) /* when a person has to log in */
#define EXEC_MAX_WORDS 256

static void set_secret(char **slot, char *value)
{
	if (*slot)
		mem_wipe(*slot, strlen(*slot));
	free(*slot);
	*slot = value;
}

void cred_init(struct cred *c, struct loop *l, const struct k8s_config *config)
{
	*c = (struct cred){.loop = l, .config = config};
	if (config->token && !config->token_file) {
		c->token = xstrdup(config->token);
		log_secret(c->token);
	}
	log_secret(config->password ? config->password : "");
}

void cred_release(struct cred *c)
{
	set_secret(&c->token, NULL);
	set_secret(&c->key_pem, NULL);
	free(c->cert_pem);
	*c = (struct cred){0};
}

bool cred_renewable(const struct cred *c)
{
	const struct k8s_config *k = c->config;

	return k->token_file || (!k->token && (k->exec || k->token_fn));
}

/* --- files ------------------------------------------------------------------------------------ */

static int read_token(struct cred *c, struct err *e)
{
	autofree char *text = NULL;
	size_t len = 0;

	if (file_read(&text, &len, c->config->token_file, TOKEN_MAX, e) < 0)
		return err_wrap(e, "token");
	while (len && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	if (!len || strlen(text) != len || strpbrk(text, " \t\r\n"))
		return err_set(e, ERR_INVALID, "%s: does not hold a token", c->config->token_file);
	c->read_at = clock_mono();
	if (!streq(c->token, text))
		log_secret(text);
	set_secret(&c->token, TAKE(text));
	return 0;
}

static int refresh_file(struct cred *c, bool refused, struct err *e)
{
	struct err why = ERR_INIT;

	if (c->token && !refused && clock_mono() - c->read_at < TOKEN_REREAD)
		return 0;
	if (read_token(c, &why) == 0)
		return 0;
	if (!c->token) {
		*e = why;
		return -1;
	}
	/* The kubelet may be replacing it right now: the old one is good for some time. */
	c->read_at = clock_mono();
	return 0;
}

/* --- plugins ---------------------------------------------------------------------------------- */

static int wants_terminal(bool *yes, const json_t *exec, struct err *e)
{
	const char *mode = jx_str_or(exec, "interactiveMode", "IfAvailable");
	bool tty = isatty(STDIN_FILENO);

	if (streq(mode, "Always") && !tty)
		return err_set(e, ERR_DENIED, "it needs a terminal on standard input");
	*yes = tty && !streq(mode, "Never");
	return 0;
}

static char *exec_info(const struct k8s_config *k, bool interactive)
{
	json_t *spec = json_object();
	autojson json_t *info = json_object();

	if (k->exec_cluster)
		json_object_set(spec, "cluster", k->exec_cluster);
	json_object_set_new(spec, "interactive", json_boolean(interactive));
	json_object_set_new(info, "kind", json_string("ExecCredential"));
	json_object_set(info, "apiVersion", jx_get(k->exec, "apiVersion"));
	json_object_set_new(info, "spec", spec);
	return json_dumps(info, JSON_COMPACT);
}

/* The last line of what a plugin said, where most of them put the reason. */
static const char *last_line(struct buf *b)
{
	const char *text = buf_str(b);

	while (b->len && strchr(" \t\r\n", b->data[b->len - 1]))
		b->data[--b->len] = '\0';
	const char *nl = strrchr(text, '\n');
	return nl ? nl + 1 : text;
}

static void free_words(char **words)
{
	for (size_t i = 0; words[i]; i++) {
		mem_wipe(words[i], strlen(words[i]));
		free(words[i]);
	}
}

static void fill_env(char **env, const json_t *exec, char *info)
{
	const json_t *pairs = jx_get(exec, "env");
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(pairs) && n < EXEC_MAX_WORDS - 2; i++) {
		const json_t *pair = json_array_get(pairs, i);

		env[n++] = xasprintf("%s=%s", jx_str(pair, "name"), jx_str(pair, "value"));
	}
	env[n] = xasprintf("KUBERNETES_EXEC_INFO=%s", info);
}

static int child_exec(struct child_result *out, struct cred *c, bool interactive, struct err *e)
{
	const json_t *exec = c->config->exec, *args = jx_get(exec, "args");
	const char *argv[EXEC_MAX_WORDS] = {jx_str(exec, "command")};
	char *env[EXEC_MAX_WORDS] = {NULL};
	autofree char *info = exec_info(c->config, interactive);

	if (json_array_size(args) > EXEC_MAX_WORDS - 2)
		return err_set(e, ERR_INVALID, "more than %d arguments", EXEC_MAX_WORDS - 2);
	for (size_t i = 0; i < json_array_size(args); i++)
		argv[i + 1] = json_string_value(json_array_get(args, i));
	fill_env(env, exec, info);
	const struct child_opts o = {
		.argv = argv,
		.env_add = (const char *const *)env,
		.stdin_inherit = interactive,
		.timeout = interactive ? EXEC_PATIENCE : EXEC_TIMEOUT,
	};
	int rc = child_run(out, c->loop, &o, e);
	free_words(env);
	return rc;
}

static int run_plugin(struct exec_answer *a, struct cred *c, struct err *e)
{
	const json_t *exec = c->config->exec;
	struct child_result r = {0};
	bool interactive = false;
	int rc = -1;

	if (wants_terminal(&interactive, exec, e) < 0)
		return -1;
	if (child_exec(&r, c, interactive, e) < 0)
		return -1;
	if (r.exit_code != 0)
		err_set(e, ERR_DENIED, "exit code %d: %.200s", r.exit_code, last_line(&r.err));
	else
		rc = exec_decode(a, buf_str(&r.out), r.out.len, jx_str(exec, "apiVersion"), e);
	if (r.out.data)
		mem_wipe(r.out.data, r.out.len);
	child_result_release(&r);
	return rc;
}

static bool is_fresh(const struct cred *c)
{
	return c->have && (!c->expiry || clock_wall() < c->expiry - EXPIRY_MARGIN);
}

static void take_answer(struct cred *c, struct exec_answer *a)
{
	if (a->token)
		log_secret(a->token);
	set_secret(&c->token, TAKE(a->token));
	if (!streq(c->cert_pem, a->cert_pem) || !streq(c->key_pem, a->key_pem)) {
		free(c->cert_pem);
		c->cert_pem = TAKE(a->cert_pem);
		set_secret(&c->key_pem, TAKE(a->key_pem));
		c->generation++;
	}
	c->expiry = a->expiry;
	c->have = true;
	c->refused = false;
}

static int refresh_exec(struct cred *c, struct err *e)
{
	struct exec_answer a = {0};
	const char *command = jx_str(c->config->exec, "command");
	int rc = run_plugin(&a, c, e);

	if (rc == 0)
		take_answer(c, &a);
	else if (e->code == ERR_NOT_FOUND)
		err_hint(e, "%.150s",
			 jx_str_or(c->config->exec, "installHint",
				   "install the plugin, or fix user.exec.command"));
	exec_answer_release(&a);
	return rc < 0 ? err_wrap(e, "exec plugin %.100s", command) : 0;
}

static int refresh_callback(struct cred *c, bool refused, struct err *e)
{
	struct exec_answer a = {0};

	if (c->config->token_fn(&a.token, &a.expiry, refused, c->config->token_arg, e) < 0)
		return err_wrap(e, "token");
	take_answer(c, &a);
	exec_answer_release(&a);
	return 0;
}

int cred_refresh(struct cred *c, bool refused, struct err *e)
{
	const struct k8s_config *k = c->config;
	int rc;

	if (k->token_file)
		return refresh_file(c, refused, e);
	if (k->token || (!k->exec && !k->token_fn))
		return 0;
	refused = refused || c->refused;
	if (!refused && is_fresh(c))
		return 0;
	if (c->running)
		return err_set(e, ERR_INTERNAL, "a token is being fetched already");
	c->running = true;
	rc = k->exec ? refresh_exec(c, e) : refresh_callback(c, refused, e);
	c->running = false;
	return rc;
}

bool cred_reread(struct cred *c)
{
	autofree char *old = c->token ? xstrdup(c->token) : NULL;
	struct err e = ERR_INIT;

	if (!c->config->token_file) {
		c->refused = true;
		return false;
	}
	if (read_token(c, &e) < 0)
		return false;
	return !streq(old, c->token);
}

char *cred_header(const struct cred *c)
{
	const struct k8s_config *k = c->config;

	if (c->token)
		return xasprintf("Authorization: Bearer %s", c->token);
	if (!k->username)
		return NULL;
	autofree char *pair = xasprintf("%s:%s", k->username, k->password ? k->password : "");
	autofree char *code = base64_encode(pair, strlen(pair));
	char *line = xasprintf("Authorization: Basic %s", code);
	log_secret(code);
	mem_wipe(pair, strlen(pair));
	mem_wipe(code, strlen(code));
	return line;
}
