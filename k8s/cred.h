/*
 * cred.h - who we are, for client.c: bearer tokens from text, file, exec plugin or callback, and
 * client certificates that a plugin hands out. Kept in memory only.
 */
#ifndef K8S_CRED_H
#define K8S_CRED_H

#include "base/loop.h"
#include "k8s/kubeconfig.h"

struct cred {
	struct loop *loop;
	const struct k8s_config *config; /* borrowed */
	char *token;                     /* what is sent now, or NULL */
	char *cert_pem, *key_pem;        /* from a plugin, or NULL */
	unsigned generation;             /* counts changes of the certificate */
	ns_t expiry;                     /* clock_wall; 0: unknown */
	ns_t read_at;                    /* clock_mono of the last reading of the file */
	bool have, refused, running;
};

void cred_init(struct cred *c, struct loop *l, const struct k8s_config *config);
void cred_release(struct cred *c);
/*
 * cred_refresh - make the token one that should be accepted. @refused: the server just said 401.
 * May run a plugin or the callback, so it may wait. A file that cannot be read any more leaves the old token.
 */
int cred_refresh(struct cred *c, bool refused, struct err *e) MUST_CHECK;
/* cred_reread - after a 401 where waiting is not allowed: files are read at once, a plugin is run
 * by the next cred_refresh. True when the token is another one now. */
bool cred_reread(struct cred *c);
/* cred_renewable - could a refresh after a 401 change anything? */
bool cred_renewable(const struct cred *c);
/* cred_header - "Authorization: ..." or NULL. Owned, a secret. */
char *cred_header(const struct cred *c);

/* exec_check - is this user.exec one that we can run? ERR_INVALID says what is wrong. */
int exec_check(const json_t *exec, struct err *e) MUST_CHECK;
/* exec_cluster_info - spec.cluster of the plugin's request, from a resolved cluster and its kubeconfig entry. */
json_t *exec_cluster_info(const struct k8s_config *c, const json_t *cluster);

struct exec_answer {
	char *token, *cert_pem, *key_pem;
	ns_t expiry; /* clock_wall, 0: none given */
};
/* exec_decode - a plugin's output. Pure. ERR_PROTOCOL; @out is written only on success. */
int exec_decode(struct exec_answer *out, const char *text, size_t len, const char *api_version,
		struct err *e) MUST_CHECK;
void exec_answer_release(struct exec_answer *a);

#endif
