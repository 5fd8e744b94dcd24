/* secret.c - forgetting. */
#include "gke/secret.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX (32u << 10)

void secret_free(char *s)
{
	if (s)
		mem_wipe(s, strlen(s));
	free(s);
}

void secret_freep(char **s)
{
	secret_free(*s);
	*s = NULL;
}

void secret_set(char **slot, char *value)
{
	secret_free(*slot);
	*slot = value;
}

static void wipe(json_t *v)
{
	const char *key UNUSED;
	json_t *member;

	jx_foreach (v, key, member)
		wipe(member);
	for (size_t i = 0; i < json_array_size(v); i++)
		wipe(json_array_get(v, i));
	/* The text is heap memory of a tree that is ours alone and about to go. */
	if (json_is_string(v))
		mem_wipe((void *)(uintptr_t)json_string_value(v), json_string_length(v));
}

void secret_json_freep(json_t **v)
{
	if (*v)
		wipe(*v);
	json_decref(*v);
	*v = NULL;
}

void secret_resp_release(struct http_resp *r)
{
	if (r->body.data)
		mem_wipe(r->body.data, r->body.cap);
	http_resp_release(r);
}

int secret_token_check(char *text, const char *what, struct err *e)
{
	size_t len = strlen(text);

	while (len && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	if (!len)
		return err_set(e, ERR_INVALID, "%s: holds no token", what);
	if (len > TOKEN_MAX)
		return err_set(e, ERR_INVALID, "%s: a token of %zu bytes is none", what, len);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F)
			return err_set(e, ERR_INVALID, "%s: holds more than a token", what);
	return 0;
}
