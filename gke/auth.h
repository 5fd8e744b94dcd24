/*
 * auth.h - who we are to Google: a credential is found once, its access token is fetched when
 * needed and early replaced. Nothing is ever written to disk; secrets are registered with the log,
 * wiped when they go, and are in no message.
 *
 * Looked for in this order, the first that is there counts (one that is there and broken is an
 * error, not a reason to go on):
 *	auth_opts.access_token, .access_token_file, .credential_file
 *	GOOGLE_OAUTH_ACCESS_TOKEN
 *	CLOUDSDK_AUTH_ACCESS_TOKEN_FILE
 *	GOOGLE_APPLICATION_CREDENTIALS
 *	GOOGLE_CREDENTIALS (Terraform: a path, or the JSON itself)
 *	CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE
 *	CLOUDSDK_CONFIG (else ~/.config/gcloud)/application_default_credentials.json
 *	the metadata server (GCE_METADATA_HOST, _ROOT, _IP; not with NO_GCE_CHECK)
 *	gcloud config config-helper
 */
#ifndef GKE_AUTH_H
#define GKE_AUTH_H

#include "base/http.h"
#include "gke/env.h"

#define AUTH_SCOPES                                       \
	"https://www.googleapis.com/auth/cloud-platform " \
	"https://www.googleapis.com/auth/userinfo.email"
#define AUTH_EARLY (225 * NS_SEC) /* a token is replaced so long before it ends */

struct auth;

struct auth_opts {
	const char *access_token;      /* a raw token: cannot be renewed */
	const char *access_token_file; /* a file with one: read again when refused */
	const char *credential_file;
	/*
	 * Service accounts, comma separated: the last one is who we act as, those before it are the
	 * chain of delegates. NULL: CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT or
	 * GOOGLE_IMPERSONATE_SERVICE_ACCOUNT; "": none.
	 */
	const char *impersonate;
	const char *quota_project; /* NULL: environment, else the credential's */
	struct gke_env env;
	const char *ca_pem;     /* as in http_opts; NULL: gke_ca_pem, else the system's */
	const char *user_agent; /* NULL: "prestoctl" */
	ns_t (*now)(void);      /* wall clock; NULL: clock_wall */
	ns_t backoff;           /* first pause before asking a token endpoint again; 0: 1 s */
	const char *gcloud;     /* program; NULL: "gcloud" */
	/* How long one question to find the metadata server takes; 0: 3 s (three tries). */
	ns_t metadata_wait;
};

/*
 * auth_new - find the credential and read it; asks the metadata server whether it is there (so it
 * may wait), fetches no token. Returns 0, or -1 with ERR_NOT_FOUND (nothing found: the hint says
 * what to do; or a named file is missing), ERR_INVALID (a file that is no credential, a kind that is
 * not supported), ERR_DENIED (a file that cannot be read, an endpoint that is not Google's).
 */
int auth_new(struct auth **out, struct loop *l, const struct auth_opts *o,
	     struct err *e) MUST_CHECK;
void auth_free(struct auth *a); /* NULL is fine */
void auth_freep(struct auth **a);

/*
 * auth_token - a token that lasts for some minutes; waits when one must be fetched. @refused: the
 * server has just answered 401 to the last one, so another is fetched; a token that cannot be
 * renewed is ERR_DENIED then. *token is owned and secret (secret_free wipes it); *expiry is on the
 * wall clock, 0 when unknown; a token from a file is given some minutes, then the file is read again. Fits k8s_config.token_fn with the struct auth as arg.
 * When an early replacement fails for a passing reason the token of before is given while it lasts.
 */
int auth_token(char **token, ns_t *expiry, bool refused, void *auth, struct err *e) MUST_CHECK;

/* What X-Goog-User-Project should say; NULL: nothing. Borrowed. */
const char *auth_quota_project(const struct auth *a);
/* auth_project - the project that the credential belongs to, a default for files without one; NULL
 * when it is not known without asking. Borrowed. */
const char *auth_project(const struct auth *a);
const char *auth_universe(const struct auth *a); /* "googleapis.com"; borrowed */
/* auth_principal - e-mail or principal://... as far as known; NULL: unknown. Borrowed. */
const char *auth_principal(const struct auth *a);
/*
 * For those who want to log in the same way again: auth_file - the file that the credential is from, NULL when from
 * none; *token: it holds an access token. auth_acts_as - what was asked as auth_opts.impersonate, or NULL. Borrowed.
 */
const char *auth_file(const struct auth *a, bool *token);
const char *auth_acts_as(const struct auth *a);
/* auth_given - a raw access token, which somebody else renews: its end is not known. */
bool auth_given(const struct auth *a);
/* Every variable that has a say in who we are, ended by NULL: auth_places only where no option names a credential. */
extern const char *const auth_places[], *const auth_variables[];
/* auth_well_known - where a login is kept when no variable names one. Owned, NULL without a home folder. */
char *auth_well_known(const struct gke_env *env);

/* What `auth status` shows; no field is secret. */
struct auth_status {
	char kind[160];      /* "service account key", "workload identity federation (file)" ... */
	char source[512];    /* "GOOGLE_APPLICATION_CREDENTIALS: /path/key.json" */
	char principal[512]; /* empty when Google does not say */
	char quota_project[128];
	char project[128];
	char universe[128];
	ns_t expiry; /* of the token, wall clock; 0 unknown */
	bool renewable;
};
/*
 * auth_status - fetches a token when there is none, and asks Google whose it is where the credential
 * does not say (that question may fail: principal stays empty). Fails as auth_token does; *out has
 * kind and source in any case.
 */
int auth_status(struct auth_status *out, struct auth *a, struct err *e) MUST_CHECK;

#endif
