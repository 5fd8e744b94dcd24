/* status.c - what an API server says when it refuses: metav1.Status to struct err. Pure. */
#include <string.h>

#include "k8s/client_internal.h"

#define MAX_CAUSES 8

static enum err_code code_of(int status, const char *reason, const char *message)
{
	switch (status) {
	case 401:
		return ERR_DENIED;
	case 403:
		return message && strstr(message, "exceeded quota") ? ERR_QUOTA : ERR_DENIED;
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return streq(reason, "AlreadyExists") ? ERR_EXISTS : ERR_CONFLICT;
	case 410:
		return ERR_GONE;
	case 429:
		return ERR_THROTTLED;
	case 400:
	case 405:
	case 413:
	case 422:
		return ERR_INVALID;
	}
	return status >= 500 ? ERR_UNAVAILABLE : ERR_PROTOCOL;
}

/* The causes that the message does not tell already: "spec.x: Invalid value: ...". */
static void add_causes(struct buf *text, const json_t *status)
{
	const json_t *causes = jx_path(status, "details.causes");
	struct err full = ERR_INIT;

	for (size_t i = 0; i < json_array_size(causes) && i < MAX_CAUSES; i++) {
		const json_t *c = json_array_get(causes, i);
		const char *field = jx_str_or(c, "field", "");
		const char *message = jx_str(c, "message");

		if (!message || strstr(buf_str(text), message))
			continue;
		if (buf_addf(text, &full, "; %s%s%s", field, *field ? ": " : "", message) < 0)
			return;
	}
}

static void set_hint(struct err *e)
{
	if (e->http == 401)
		err_hint(e, "the API server does not accept these credentials: log in again");
	else if (e->http == 403 && e->code == ERR_DENIED)
		err_hint(e, "this identity lacks the right: ask for a role that has it");
}

/* The start of a body that is no Status, fit for one line. */
static void plain_text(char *out, size_t size, const struct http_resp *r)
{
	const char *body = buf_str(&r->body);
	size_t n = 0;

	for (; *body && n + 1 < size; body++) {
		bool blank = (unsigned char)*body <= ' ';

		if (blank && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = blank ? ' ' : *body;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

static json_t *parse_status(const struct http_resp *r)
{
	struct err ignored = ERR_INIT;
	json_t *doc = NULL;

	if (!r->body.len || jx_parse(&doc, r->body.data, r->body.len, "status", &ignored) < 0)
		return NULL;
	if (streq(jx_str(doc, "kind"), "Status"))
		return doc;
	json_decref(doc);
	return NULL;
}

static void set_from_status(const json_t *status, int http, struct err *e)
{
	const char *message = jx_str_or(status, "message", "");
	json_int_t seconds = jx_int(status, "details.retryAfterSeconds");
	struct buf text = BUF_INIT(2048);

	buf_fit(&text, "%.1500s", message);
	add_causes(&text, status);
	err_set(e, code_of(http, jx_str(status, "reason"), message), "%.470s", buf_str(&text));
	buf_release(&text);
	e->http = http;
	if (seconds > 0 && seconds < 86400)
		e->retry_after = seconds * NS_SEC;
	set_hint(e);
}

int k8s_status_json(const json_t *status, struct err *e)
{
	json_int_t code = jx_int(status, "code");

	set_from_status(status, code >= 400 && code < 600 ? (int)code : 500, e);
	if (!*e->msg)
		snprintf(e->msg, sizeof(e->msg), "the API server answered HTTP %d", e->http);
	return -1;
}

int k8s_status_err(const struct http_resp *r, struct err *e)
{
	autojson json_t *status = parse_status(r);
	const char *message = jx_str(status, "message");
	char plain[160];

	if (message && *message) {
		set_from_status(status, r->status, e);
	} else {
		plain_text(plain, sizeof(plain), r);
		err_set(e, code_of(r->status, jx_str(status, "reason"), NULL),
			"the API server answered HTTP %d%s%s", r->status, *plain ? ": " : "",
			plain);
		e->http = r->status;
		set_hint(e);
	}
	if (r->retry_after)
		e->retry_after = r->retry_after;
	return -1;
}

bool k8s_status_too_new(const struct http_resp *r)
{
	autojson json_t *status = parse_status(r);
	const json_t *causes = jx_path(status, "details.causes");

	if (r->status != 504 && r->status != 400)
		return false;
	for (size_t i = 0; i < json_array_size(causes); i++)
		if (streq(jx_str(json_array_get(causes, i), "reason"), "ResourceVersionTooLarge"))
			return true;
	return strstr(jx_str_or(status, "message", ""), "Too large resource version") != NULL;
}
