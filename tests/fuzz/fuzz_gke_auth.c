/* fuzz_gke_auth.c - credential files, answers of programs, refusals, and hosts that may be told a secret. */
#include <stdlib.h>
#include <string.h>

#include "gke/auth_internal.h"
#include "tests/fuzz/fuzz.h"

static void look_at_file(const char *text, size_t size)
{
	struct auth_spec *s = NULL;
	struct err e = ERR_INIT;

	if (auth_spec_decode(&s, text, size, "f", NULL, &e) < 0) {
		MUST(!s && e.code != ERR_OK && e.msg[0]);
		return;
	}
	MUST(e.code == ERR_OK);
	for (const struct auth_spec *i = s; i; i = i->source)
		MUST((i->kind == AUTH_IMPERSONATED) == (i->source != NULL));
	auth_spec_free(s);
}

static void look_at_answer(const char *text, size_t size)
{
	autosecret char *token = NULL;
	struct err e = ERR_INIT;

	if (auth_executable_decode(&token, text, size, 1795336931 * NS_SEC, false, &e) < 0)
		MUST(!token && e.code != ERR_OK);
	else
		MUST(token && *token && !strpbrk(token, " \r\n"));
}

static void look_at_refusal(const char *text, size_t size)
{
	struct http_resp r = {.status = 400, .headers = BUF_INIT(4096), .body = BUF_INIT(1u << 20)};
	struct auth_refusal why;
	struct err e = ERR_INIT;

	MUST(buf_add(&r.body, text, size, &e) == 0);
	if (buf_addf(&r.headers, &e, "date: %.60s\n", text) < 0)
		err_clear(&e);
	auth_refusal_decode(&why, &r, 1795336931 * NS_SEC);
	MUST(strlen(why.error) < sizeof(why.error) &&
	     strlen(why.description) < sizeof(why.description));
	http_resp_release(&r);
}

static void look_at_url(const char *url)
{
	struct err e = ERR_INIT;
	autofree char *email = auth_email_of_url(url);

	if (endpoint_check(url, ENDPOINT_STS, NULL, "f", &e) == 0)
		MUST(strstr(url, "googleapis.com") || strstr(url, "GOOGLEAPIS") ||
		     endpoint_loopback(url) || strcasestr(url, "googleapis.com"));
	if (email)
		MUST(*email && !strpbrk(email, "/?# "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = NULL;

	if (size > (1u << 17))
		return 0;
	text = xmalloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	look_at_file(text, size);
	look_at_answer(text, size);
	look_at_refusal(text, size);
	look_at_url(text);
	return 0;
}
