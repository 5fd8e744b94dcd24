/*
 * secret.h - texts that are wiped before their memory is given back, and replies that hold some.
 */
#ifndef GKE_SECRET_H
#define GKE_SECRET_H

#include "base/http.h"
#include "base/jx.h"

void secret_free(char *s); /* NULL is fine */
void secret_freep(char **s);
#define autosecret AUTO(secret_freep) /* autosecret char *token = NULL; */

/* secret_set - put an owned value into a slot, wiping what was there. */
void secret_set(char **slot, char *value);
/* secret_json_freep - wipe every text of a tree that nobody else holds, and let it go. */
void secret_json_freep(json_t **v);
#define autosecretjson AUTO(secret_json_freep)
/* secret_resp_release - a reply with a token in it. */
void secret_resp_release(struct http_resp *r);
/*
 * secret_token_check - is this one line of visible characters, as a header takes it? Trailing white
 * space is cut off in place. ERR_INVALID without quoting it; @what names where it came from.
 */
int secret_token_check(char *text, const char *what, struct err *e) MUST_CHECK;

#endif
