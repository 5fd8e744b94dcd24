/* auth_post.c - asking a token endpoint: its retry rules, what it answers, what it refuses. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "gke/auth_internal.h"

#define TRIES     4
#define TIMEOUT   (20 * NS_SEC)
#define REPLY_MAX (256u << 10)
#define PAUSE_MAX (30 * NS_SEC)
#define FORM_MAX  (256u << 10)

/* --- forms ------------------------------------------------------------------------------------ */

void auth_form_add(struct buf *form, const char *key, const char *value)
{
	autosecret char *text = http_url_escape(value);

	if (!form->max)
		form->max = FORM_MAX;
	buf_fit(form, "%s%s=%s", form->len ? "&" : "", key, text);
}

void auth_form_release(struct buf *form)
{
	if (form->data)
		mem_wipe(form->data, form->cap);
	buf_release(form);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

void auth_refusal_decode(struct auth_refusal *out, const struct http_resp *r, ns_t now)
{
	autosecretjson json_t *o = NULL;
	struct err ignored = ERR_INIT;
	int64_t theirs;

	*out = (struct auth_refusal){.http = r->status};
	if (http_date(&theirs, r))
		out->skew_s = now / NS_SEC - theirs;
	if (!r->body.len || jx_parse(&o, r->body.data, r->body.len, "reply", &ignored) < 0)
		return;
	if (json_is_object(jx_get(o, "error"))) {
		copy_text(out->error, sizeof(out->error), jx_str(o, "error.status"));
		copy_text(out->description, sizeof(out->description), jx_str(o, "error.message"));
		const json_t *details = jx_path(o, "error.details");
		for (size_t i = 0; i < json_array_size(details) && !out->subtype[0]; i++)
			copy_text(out->subtype, sizeof(out->subtype),
				  jx_str(json_array_get(details, i), "reason"));
		return;
	}
	copy_text(out->error, sizeof(out->error), jx_str(o, "error"));
	copy_text(out->description, sizeof(out->description), jx_str(o, "error_description"));
	copy_text(out->subtype, sizeof(out->subtype), jx_str(o, "error_subtype"));
}

static bool passing(const struct auth_refusal *why)
{
	static const char *const errors[] = {"internal_failure", "server_error",
					     "temporarily_unavailable"};
	static const int codes[] = {408, 429, 500, 502, 503, 504};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (why->http == codes[i])
			return true;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (streq(why->error, errors[i]) || streq(why->description, errors[i]))
			return true;
	return false;
}

static int refuse(const struct auth_refusal *why, const char *url, struct err *e)
{
	const char *host = strstr(url, "://") ? strstr(url, "://") + 3 : url;
	enum err_code code = why->http == 429   ? ERR_THROTTLED
			     : why->http == 404 ? ERR_NOT_FOUND
			     : why->http >= 500 ? ERR_UNAVAILABLE
						: ERR_DENIED;

	if (*why->error || *why->description)
		err_set(e, code, "%.*s refuses: %s%s%s", (int)strcspn(host, "/?#"), host,
			why->error, *why->error && *why->description ? ": " : "", why->description);
	else
		err_set(e, code, "%.*s answers with HTTP %d", (int)strcspn(host, "/?#"), host,
			why->http);
	e->http = why->http;
	log_redact(e->msg);
	return -1;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int once(json_t **out, struct auth *a, const struct http_req *q, struct auth_refusal *why,
		ns_t *wait, struct err *e)
{
	AUTO(secret_resp_release) struct http_resp r = {0};
	struct err bad = ERR_INIT;

	*why = (struct auth_refusal){0};
	if (http_do(a->google, q, &r, e) < 0) {
		log_redact(e->msg);
		return -1;
	}
	auth_refusal_decode(why, &r, a->now());
	/* Some failures come with status 200. */
	if (r.status / 100 != 2 || *why->error) {
		*wait = r.retry_after;
		return refuse(why, q->url, e);
	}
	*why = (struct auth_refusal){0};
	if (jx_parse(out, buf_str(&r.body), r.body.len, "reply", &bad) < 0 ||
	    !json_is_object(*out)) {
		secret_json_freep(out);
		return err_set(e, ERR_PROTOCOL,
			       "the token endpoint answers with something that is not JSON");
	}
	return 0;
}

int auth_post(json_t **out, struct auth *a, const char *url, const char *const *headers,
	      const struct buf *body, struct auth_refusal *why, struct err *e)
{
	static const char *const form[] = {"Content-Type: application/x-www-form-urlencoded",
					   "Accept: application/json", NULL};
	const struct http_req q = {
		.method = "POST",
		.url = url,
		.headers = headers ? headers : form,
		.body = {.bytes = body->data, .len = body->len},
		.timeout = TIMEOUT,
		.max_body = REPLY_MAX,
	};
	struct auth_refusal mine;

	if (!why)
		why = &mine;
	for (unsigned n = 0;; n++) {
		ns_t wait = 0, pause = a->backoff << n;
		bool again;

		if (once(out, a, &q, why, &wait, e) == 0)
			return 0;
		again = why->http ? passing(why)
				  : e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT;
		if (!again || n + 1 >= TRIES)
			return -1;
		pause = wait > pause ? wait : pause;
		err_clear(e);
		if (loop_sleep(a->loop, pause < PAUSE_MAX ? pause : PAUSE_MAX, e) < 0)
			return err_wrap(e, "waiting to ask again for a token");
	}
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The e-mail inside an id_token: only shown, never trusted, so its signature does not matter. */
static char *email_of_id_token(const char *jwt)
{
	const char *dot = jwt ? strchr(jwt, '.') : NULL, *end = dot ? strchr(dot + 1, '.') : NULL;
	autosecretjson json_t *claims = NULL;
	autosecret char *part = NULL, *text = NULL;
	struct err ignored = ERR_INIT;
	size_t len = 0;
	const char *email;

	if (!end)
		return NULL;
	part = xstrndup(dot + 1, (size_t)(end - dot - 1));
	if (base64_decode(&text, &len, part, &ignored) < 0 ||
	    jx_parse(&claims, text, len, "id_token", &ignored) < 0)
		return NULL;
	email = jx_str(claims, "email");
	return email && strlen(email) < 256 ? xstrdup(email) : NULL;
}

int auth_answer_take(struct auth_answer *out, const json_t *reply, ns_t now, const char *who,
		     struct err *e)
{
	const char *token = jx_str(reply, "access_token");
	json_int_t seconds = jx_int(reply, "expires_in");
	autosecret char *copy = NULL;

	if (!token)
		return err_set(e, ERR_PROTOCOL, "%s: the reply has no access_token", who);
	copy = xstrdup(token);
	if (secret_token_check(copy, who, e) < 0)
		return -1;
	log_secret(copy);
	if (seconds < 0 || seconds > 366 * 86400)
		seconds = 0;
	*out = (struct auth_answer){
		.token = TAKE(copy),
		.expiry = seconds ? now + seconds * NS_SEC : 0,
		.principal = email_of_id_token(jx_str(reply, "id_token")),
	};
	return 0;
}

void auth_answer_release(struct auth_answer *a)
{
	secret_free(a->token);
	free(a->principal);
	*a = (struct auth_answer){0};
}
