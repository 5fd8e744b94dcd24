/*
 * cmd_ui.c - Presto's web UI on 127.0.0.1: a reverse proxy through the API server's service proxy.
 * The API server puts its own proxy path in front of redirects and of links in HTML; that is taken
 * off again. Only pages of our own may ask: a foreign Host or Origin header is refused, or any web
 * page could reach the cluster through this port.
 */
#include <stdlib.h>
#include <string.h>

#include "base/httpd.h"
#include "provision/commands.h"
#include "provision/session.h"

#define MAX_BODY   (1u << 20)
#define MAX_ANSWER (16u << 20)

struct ui_opts {
	struct session_opts session;
	int port;
};

static const struct opt ui_opts[] = {
	{"port", 0, OPT_COUNT, offsetof(struct ui_opts, port), "PORT",
	 "listen on this port (default: a free one)", NULL},
	SESSION_OPTS(struct ui_opts, session),
	{0},
};

struct ui {
	struct app *app;
	struct session session;
	char *prefix; /* what the API server puts in front */
	struct httpd *server;
	struct relay *relays; /* on their way */
	bool refresh;         /* the API server refused the token: get another one */
};

struct relay {
	struct ui *ui;
	struct httpd_call *from;
	struct http_call *to;
	char *url, *headers[4];
	struct relay *next;
};

static void relay_free(struct relay *r)
{
	for (struct relay **at = &r->ui->relays; *at; at = &(*at)->next) {
		if (*at == r) {
			*at = r->next;
			break;
		}
	}
	http_call_free(r->to);
	for (size_t i = 0; i < ARRAY_LEN(r->headers); i++)
		free(r->headers[i]);
	free(r->url);
	free(r);
}

/* without - text with every occurrence of prefix taken out. Owned. */
static char *without(const char *text, size_t len, const char *prefix, size_t *out_len)
{
	char *out = xmalloc(len + 1), *to = out;
	size_t skip = strlen(prefix);

	for (size_t i = 0; i < len;) {
		if (len - i >= skip && memcmp(text + i, prefix, skip) == 0)
			i += skip;
		else
			*to++ = text[i++];
	}
	*to = '\0';
	*out_len = (size_t)(to - out);
	return out;
}

/* own_location - a redirect of the API server or of Presto as one within this proxy: whose host it names does not matter. */
static char *own_location(const struct ui *ui, const char *location)
{
	const char *host = strstr(location, "://");
	const char *path = host ? strchrnul(host + 3, '/') : location;
	size_t unused;
	autofree char *own = without(path, strlen(path), ui->prefix, &unused);

	return xasprintf("Location: %s", *own ? own : "/");
}

static void on_answer(struct http_resp *answer, struct err *e, void *arg)
{
	struct relay *r = arg;
	struct ui *ui = r->ui;
	char type[200] = "", location[2048] = "", cache[200] = "";
	autofree char *where = NULL, *caching = NULL, *body = NULL;
	const char *headers[3] = {NULL};
	size_t n = 0, len = answer->body.len;

	if (e->code) {
		httpd_reply_text(r->from, 502, "%s\n", e->msg);
	} else if (answer->status == 401) {
		ui->refresh = true;
		httpd_reply_text(r->from, 502,
				 "the API server refused the credentials; they are being renewed: "
				 "try again\n");
	} else {
		http_header(answer, "content-type", type, sizeof(type));
		if (http_header(answer, "location", location, sizeof(location))) {
			where = own_location(ui, location);
			headers[n++] = where;
		}
		if (http_header(answer, "cache-control", cache, sizeof(cache))) {
			caching = xasprintf("Cache-Control: %s", cache);
			headers[n++] = caching;
		}
		if (starts_with(type, "text/html"))
			body = without(buf_str(&answer->body), len, ui->prefix, &len);
		httpd_reply(r->from, answer->status, *type ? type : NULL,
			    body ? body : buf_str(&answer->body), len, headers);
	}
	relay_free(r);
}

static bool is_own(const struct ui *ui, const char *value, const char *scheme)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost"};

	for (size_t i = 0; value && i < ARRAY_LEN(hosts); i++) {
		char own[64];

		snprintf(own, sizeof(own), "%s%s:%d", scheme, hosts[i], httpd_port(ui->server));
		if (streq(value, own))
			return true;
	}
	return false;
}

/* Dots and encoded slashes would be resolved on the way, and lead out of what is served here. */
static bool leads_out(const char *path)
{
	static const char *const parts[] = {"/..", "%2e", "%2f", "%5c", "\\"};
	autofree char *plain = xstrndup(path, strcspn(path, "?"));

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strcasestr(plain, parts[i]))
			return true;
	return false;
}

static bool is_served(const char *path)
{
	static const char *const roots[] = {"/ui", "/v1"};

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		if (starts_with(path, roots[i]) && strchr("/?", path[strlen(roots[i])]))
			return !leads_out(path);
	}
	return streq(path, "/");
}

static void copy_header(struct relay *r, const char *name)
{
	const char *value = httpd_header(r->from, name);
	size_t at = 0;

	while (r->headers[at])
		at++;
	if (value && strlen(value) < 4096)
		r->headers[at] = xasprintf("%s: %s", name, value);
}

static void on_request(struct httpd_call *c, void *arg)
{
	struct ui *ui = arg;
	const char *origin = httpd_header(c, "Origin");
	struct http_req q = {.method = httpd_method(c), .max_body = MAX_ANSWER};
	struct err e = ERR_INIT;
	struct relay *r;

	if (!is_own(ui, httpd_header(c, "Host"), "") ||
	    (origin && !is_own(ui, origin, "http://"))) {
		httpd_reply_text(c, 403, "this proxy answers only to its own address\n");
		return;
	}
	if (!is_served(httpd_path(c))) {
		httpd_reply_text(c, 404, "only /, /ui and /v1 are here\n");
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->ui = ui;
	r->from = c;
	r->next = ui->relays;
	ui->relays = r;
	r->url = xasprintf("%s%s", ui->prefix, httpd_path(c));
	copy_header(r, "Accept");
	copy_header(r, "Content-Type");
	copy_header(r, "X-Presto-User");
	q.url = r->url;
	q.headers = (const char *const *)r->headers;
	q.body.bytes = httpd_body(c, &q.body.len);
	if (k8s_start(&r->to, ui->session.coordinator.k, &q, on_answer, r, &e) < 0) {
		httpd_reply_text(c, 502, "%s\n", e.msg);
		relay_free(r);
	}
}

/* The outer level of the loop, where waiting is allowed: an exec plugin may take its time. */
static void on_idle(void *arg)
{
	struct ui *ui = arg;
	struct err e = ERR_INIT;

	if (!ui->refresh)
		return;
	ui->refresh = false;
	if (k8s_token_refresh(ui->session.coordinator.k, true, &e) < 0)
		progress_warn(ui->app->progress, "%s", e.msg);
}

static int serve(struct ui *ui, int port, struct err *e)
{
	autofree char *address = xasprintf("127.0.0.1:%d", port);
	const struct httpd_opts o = {
		.address = address, .max_body = MAX_BODY, .fn = on_request, .arg = ui};

	if (httpd_new(&ui->server, ui->app->loop, &o, e) < 0)
		return e->code == ERR_EXISTS ? err_hint(e, "choose another port by --port, or "
							   "leave it out for a free one")
					     : -1;
	if (ui->app->json)
		app_result_json(
			json_pack("{s:o}", "url",
				  jx_strf("http://127.0.0.1:%d/ui/", httpd_port(ui->server))));
	else
		app_print("http://127.0.0.1:%d/ui/\n", httpd_port(ui->server));
	fflush(stdout);
	progress_note(ui->app->progress, "the web UI of %s/%s is served until Ctrl-C",
		      ui->session.ns, ui->session.presto);
	loop_deadline(ui->app->loop, 0);
	if (loop_run(ui->app->loop, on_idle, ui, e) < 0 && e->code == ERR_CANCELLED)
		err_clear(e); /* Ctrl-C is how it is meant to end */
	return e->code ? -1 : 0;
}

static int cmd_ui_run(struct app *a, int argc, char **argv, struct err *e)
{
	struct ui_opts o = {0};
	struct ui ui = {.app = a, .session = {.target = TARGET_INIT}};
	int rc;

	if (app_options(a, &cmd_ui, &o, &argc, argv, e) < 0)
		return -1;
	if (o.port > 65535)
		return app_usage(a, e, "--port: %d is no port; there are 1 to 65535", o.port);
	if (app_start(a, e) < 0)
		return -1;
	rc = session_open(&ui.session, a, NULL, &o.session, e);
	if (rc == 0) {
		ui.prefix = k8s_proxy_path(&ui.session.coordinator.svc);
		rc = serve(&ui, o.port, e);
	}
	while (ui.relays)
		relay_free(ui.relays);
	httpd_free(ui.server);
	free(ui.prefix);
	session_release(&ui.session);
	return rc;
}

const struct command cmd_ui = {
	.name = "ui",
	.summary = "serve Presto's web UI on 127.0.0.1, until Ctrl-C",
	.about = "A reverse proxy through the API server: nothing needs to be exposed. It answers "
		 "only to\n"
		 "its own address.",
	.opts = ui_opts,
	.run = cmd_ui_run,
};
