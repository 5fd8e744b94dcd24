/*
 * push.h - images into a registry by the OCI distribution protocol: asked for before sent, mounted
 * from a neighbour where possible, each blob one streamed PUT (Artifact Registry takes no chunks),
 * a broken one again from its start. Basic, bearer and Google's own credentials.
 */
#ifndef GKE_PUSH_H
#define GKE_PUSH_H

#include "gke/auth.h"
#include "gke/oci.h"

struct push;

enum push_how { PUSH_THERE, PUSH_MOUNTED, PUSH_SENT };

struct push_opts {
	const char *host;            /* "us-central1-docker.pkg.dev", "127.0.0.1:5000" */
	const char *user, *password; /* NULL: none */
	/* Google's token instead: only for *.pkg.dev, *.gcr.io and loopback. Borrowed, lives longer. */
	struct auth *google;
	const char *ca_pem, *user_agent; /* as in http_opts */
	ns_t backoff;                    /* first pause after a failure; 0: 1 s */
	/* Each may be NULL. progress: one blob or manifest is there now. sending: now and then while one goes
	 * out. on_retry: something went wrong and is done again, whole. */
	void (*progress)(const char *digest, int64_t bytes, enum push_how how, void *arg);
	void (*sending)(const char *digest, int64_t sent, int64_t bytes, void *arg);
	void (*on_retry)(const struct err *e, void *arg);
	void *arg;
};

/* push_new - sends nothing. ERR_INVALID: not a host; ERR_DENIED: not one for Google's token. Plain
 * http is spoken to loopback only. */
int push_new(struct push **out, struct loop *l, const struct push_opts *o,
	     struct err *e) MUST_CHECK;
void push_free(struct push *p);
void push_freep(struct push **p);
/* push_host_is_google - one that takes Google's token: *.pkg.dev, *.gcr.io. */
bool push_host_is_google(const char *host);

/*
 * push_image - the image of an archive under repository:tag, with its blobs; when the registry has
 * the very manifest under that tag, nothing is written. @mount_from: a repository of the same
 * registry that may hold the blobs, or NULL. *how: PUSH_THERE when nothing was written.
 * Errors: ERR_DENIED (with the registry's words), ERR_NOT_FOUND (no such repository), ERR_INVALID,
 * ERR_UNAVAILABLE after four tries, ERR_CANCELLED.
 */
int push_image(enum push_how *how, struct push *p, const char *repository, const char *tag,
	       const struct oci *image, const char *mount_from, struct err *e) MUST_CHECK;

/* push_look - does the registry have repository:reference? Asks with its credentials, changes nothing. */
int push_look(bool *there, struct push *p, const char *repository, const char *reference,
	      struct err *e) MUST_CHECK;

/* push_blob - one blob; *how says what it took. The bytes are b's, or those of its file. */
struct push_blob {
	const char *digest; /* "sha256:..." */
	int64_t size;
	const void *bytes; /* or NULL: */
	int fd;
	int64_t offset;
};
int push_blob(enum push_how *how, struct push *p, const char *repository, const struct push_blob *b,
	      const char *mount_from, struct err *e) MUST_CHECK;
/* push_manifest - under a tag or digest. */
int push_manifest(enum push_how *how, struct push *p, const char *repository, const char *reference,
		  const char *media_type, const void *bytes, size_t len, struct err *e) MUST_CHECK;

/* What a 401 asks for. Pure. */
struct push_challenge {
	bool bearer, basic;
	char realm[512], service[256], scope[512];
};
void push_challenge_parse(struct push_challenge *out, const char *header);

#endif
