/*
 * auth_internal.h - shared by auth*.c: what a credential is made of, and how each kind becomes a
 * token. Nobody else includes it (but tests).
 */
#ifndef GKE_AUTH_INTERNAL_H
#define GKE_AUTH_INTERNAL_H

#include "gke/auth.h"
#include "gke/endpoint.h"
#include "gke/secret.h"

#define AUTH_SCOPE_CLOUD  "https://www.googleapis.com/auth/cloud-platform"
#define AUTH_SCOPE_IAM    "https://www.googleapis.com/auth/iam"
#define AUTH_TOKEN_URL    "https://oauth2.googleapis.com/token"
#define AUTH_FILE_MAX     (64u << 10)
#define AUTH_MAX_DEPTH    4 /* credentials inside credentials */
#define AUTH_MAX_HEADERS  16
#define AUTH_MAX_DELEGATE 8

enum auth_kind {
	AUTH_ACCESS_TOKEN,
	AUTH_SERVICE_ACCOUNT,
	AUTH_AUTHORIZED_USER,
	AUTH_METADATA,
	AUTH_EXTERNAL,
	AUTH_IMPERSONATED,
	AUTH_GCLOUD,
};

enum subject_kind { SUBJECT_FILE, SUBJECT_URL, SUBJECT_EXECUTABLE };

struct auth_subject {
	enum subject_kind kind;
	char *place;                         /* file, URL or command line */
	char *headers[AUTH_MAX_HEADERS + 1]; /* URL: "Name: value", NULL-terminated; secret */
	char *output_file; /* executable: where it may leave its answer, or NULL */
	ns_t timeout;      /* executable */
	char *field;       /* JSON: the member with the token; NULL: the text is the token */
};

/* One credential, decoded. Owned strings; those of other kinds are NULL. */
struct auth_spec {
	enum auth_kind kind;
	char *principal, *project, *quota_project, *universe;
	char *token_uri;                                 /* key, user, external (STS) */
	char *key_id, *key_pem;                          /* key */
	char *client_id, *client_secret, *refresh_token; /* user; client of external */
	char *token, *token_file;                        /* access token, from text or file */
	char *audience, *subject_type, *token_info_url, *workforce_project; /* external */
	struct auth_subject subject;
	char *impersonate_url; /* impersonated, of source */
	char *delegates[AUTH_MAX_DELEGATE + 1];
	unsigned lifetime_s;
	struct auth_spec *source;
};

void auth_spec_free(struct auth_spec *s);
void auth_spec_freep(struct auth_spec **s);

/*
 * auth_spec_decode - a credential file's text. Pure. @name is its path for messages, @universe the
 * one that the environment asks for (NULL: googleapis.com). ERR_INVALID, ERR_DENIED; no message
 * quotes a value that may be secret.
 */
int auth_spec_decode(struct auth_spec **out, const char *text, size_t len, const char *name,
		     const char *universe, struct err *e) MUST_CHECK;

struct auth_answer {
	char *token;
	ns_t expiry;     /* wall clock, 0 unknown */
	char *principal; /* when the answer says, or NULL */
};
void auth_answer_release(struct auth_answer *a);

struct auth {
	struct loop *loop;
	struct gke_env env;
	struct http *google; /* Google, or loopback by plain http; proxy as the environment says */
	struct http *direct; /* the metadata server: plain, no proxy */
	struct http *named;  /* URLs of the user's own file */
	ns_t (*now)(void);
	ns_t backoff, metadata_wait;
	char *gcloud, *user_agent;
	char *token_host;   /* CLOUDSDK_AUTH_TOKEN_HOST, checked, or NULL */
	char *metadata_url; /* "http://metadata.google.internal" */
	char *ca;

	struct auth_spec *spec;
	char source[512];
	char *file;    /* that it is from, or NULL */
	char *acts_as; /* the impersonation that was asked for, or NULL */
	char *quota_project;
	char *project; /* from the metadata server or gcloud */

	char *token; /* what is given out now */
	ns_t expiry;
	char *principal; /* as learned with the token */
	bool running;
};

/* auth_fetch - a fresh token of a credential: no cache. @again: the last one was refused. */
int auth_fetch(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
	       const char *scopes, bool again, struct err *e) MUST_CHECK;
int auth_fetch_key(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
		   const char *scopes, struct err *e) MUST_CHECK;
int auth_fetch_user(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
		    struct err *e) MUST_CHECK;
int auth_fetch_external(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
			const char *scopes, bool again, struct err *e) MUST_CHECK;
int auth_fetch_impersonated(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
			    const char *scopes, bool again, struct err *e) MUST_CHECK;
int auth_fetch_metadata(struct auth_answer *out, struct auth *a, const char *scopes,
			struct err *e) MUST_CHECK;
int auth_fetch_gcloud(struct auth_answer *out, struct auth *a, struct err *e) MUST_CHECK;

/* auth_subject_token - the token of somebody else that proves who we are. Owned, secret. */
int auth_subject_token(char **out, struct auth *a, const struct auth_spec *s, bool again,
		       struct err *e) MUST_CHECK;
/* auth_executable_decode - what such a program says. Pure. *out is secret. ERR_DENIED: it failed;
 * ERR_GONE: its token has ended. */
int auth_executable_decode(char **out, const char *text, size_t len, ns_t now, bool need_expiry,
			   struct err *e) MUST_CHECK;

/* auth_metadata_find - is there a metadata server? May wait. */
bool auth_metadata_find(struct auth *a);
/* auth_whose - ask Google whose token it is: e-mail or principal, NULL when it does not say; @e is why, if it refused. */
char *auth_whose(struct auth *a, const char *token, ns_t *expiry, struct err *e);

/*
 * auth_post - one request to a token endpoint, with its retry rules: 408, 429, 500, 503, a lost
 * connection and passing OAuth errors, three times. *out is the JSON of a 2xx reply, secret. A
 * refusal is ERR_DENIED with the OAuth error in *oauth (may be NULL) and skew, by the server's own
 * clock, in *skew_s.
 */
struct auth_refusal {
	int http;
	char error[64], description[320], subtype[64];
	int64_t skew_s; /* our clock less the server's */
};
int auth_post(json_t **out, struct auth *a, const char *url, const char *const *headers,
	      const struct buf *body, struct auth_refusal *why, struct err *e) MUST_CHECK;
/* auth_refusal_decode - a refusing reply's fields, whatever it is. Pure. */
void auth_refusal_decode(struct auth_refusal *out, const struct http_resp *r, ns_t now);
/* auth_form_add - "&key=value", escaped. */
void auth_form_add(struct buf *form, const char *key, const char *value);
void auth_form_release(struct buf *form); /* wipes */
/* auth_answer_take - access_token, expires_in, id_token of a token endpoint's reply. */
int auth_answer_take(struct auth_answer *out, const json_t *reply, ns_t now, const char *who,
		     struct err *e) MUST_CHECK;
/* auth_email_of_url - the e-mail in ".../serviceAccounts/EMAIL:generateAccessToken". Owned or NULL. */
char *auth_email_of_url(const char *url);

/* jwt_rs256 - header {"alg":"RS256","typ":"JWT","kid":kid} and claims, signed with a PEM key. Owned,
 * secret. ERR_INVALID: not an RSA key, or locked with a password. */
int jwt_rs256(char **out, const char *kid, const json_t *claims, const char *pem,
	      struct err *e) MUST_CHECK;

#endif
