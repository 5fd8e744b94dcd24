/*
 * kubeconfig_edit.h - one cluster, one user and the context that joins them, put into the kubeconfig files that kubectl
 * itself would write, and taken out again. Every other key and value stays, unknown ones too, in its order; comments go.
 */
#ifndef K8S_KUBECONFIG_EDIT_H
#define K8S_KUBECONFIG_EDIT_H

#include "base/loop.h"
#include "base/sha256.h"
#include "k8s/kubeconfig.h"

/* All three are called @name. The bodies are what stands under "cluster" and "user"; borrowed. */
struct kubeconfig_entry {
	const char *name;
	const json_t *cluster, *user;
	const char *ns; /* of the context, unless somebody has given it one; NULL: none */
};

/* --- one document: pure --------------------------------------------------------------------------- */

enum kubeconfig_section { KUBECONFIG_CLUSTERS, KUBECONFIG_CONTEXTS, KUBECONFIG_USERS };

bool kubeconfig_has(const json_t *doc, enum kubeconfig_section s, const char *name);
/*
 * kubeconfig_put - make or change the entry of one section. What an entry that is there says beside the address of the
 * cluster and who the user is stays: extensions, proxy, namespace. Returns whether the document is another one now.
 */
bool kubeconfig_put(json_t *doc, enum kubeconfig_section s, const struct kubeconfig_entry *entry);
/* kubeconfig_of_entry - a kubeconfig (YAML) of its own; owned, holds the secrets of the entry. */
char *kubeconfig_of_entry(const struct kubeconfig_entry *entry);
/* What was put: the address and the identity alone, in the words in which kubectl writes them again. */
struct kubeconfig_marks {
	char cluster[SHA256_HEX_SIZE], user[SHA256_HEX_SIZE];
};
void kubeconfig_mark(struct kubeconfig_marks *out, const struct kubeconfig_entry *entry);
/*
 * kubeconfig_drop - remove the entries of this name that still are what was put, and the choice of the context when it
 * was the current one. A cluster or user that another context needs stays. *stays becomes the number of entries of that
 * name that are left. Returns whether the document is another one now.
 */
bool kubeconfig_drop(json_t *doc, const char *name, const struct kubeconfig_marks *marks,
		     size_t *stays);

/* --- files ---------------------------------------------------------------------------------------- */

/*
 * Which file: @file alone when it is named. Else kubectl's rule: of KUBECONFIG's list (or ~/.kube/config) the first file
 * that has the entry; for a new one the first file that exists, and the last of the list when none does.
 *
 * All files of the list are locked by client-go's convention, FILE.lock that only one can make, so kubectl and we never
 * write at once; in addition our own processes queue for the folder (flock), so that a lock of ours that nobody holds is
 * known to be a dead process's. One of kubectl's is taken for dead when it is older than 30 s and did not change while we
 * looked; then it is removed, and that is said. (kubectl reads before it locks: it may undo what came in between. Nothing
 * that others do can help that.)
 *
 * A file is written whole or not at all, keeps mode and owner, is 0600 when it is new; a link is followed. What was there
 * before the last change is FILE.prestoctl-backup, 0600.
 */
struct kubeconfig_opts {
	struct loop *loop;
	const char *file; /* NULL: by kubectl's rule */
	bool set_current; /* make the context the current one; when there is none it becomes that in any case */
	ns_t patience;                               /* with a lock; 0: 60 s */
	void (*on_wait)(const char *why, void *arg); /* may be NULL */
	/* may be NULL; kubeconfig_merge calls it before it writes, @file is where the context will be; -1 ends it */
	int (*before)(const char *file, void *arg, struct err *e);
	void *arg;
};

struct kubeconfig_done {
	char *file;   /* where the context is, as it was named; owned */
	char *backup; /* owned, NULL when nothing was there */
	bool changed; /* false: all of it was there already */
	bool current; /* the context is the current one now */
	size_t stays; /* after a removal: entries of that name that are not ours any more */
};

/*
 * kubeconfig_merge - ERR_INVALID with file:line:column for a file that is no kubeconfig (nothing is touched then),
 * ERR_DENIED for one that may not be written, ERR_TIMEOUT when a lock stays.
 */
int kubeconfig_merge(struct kubeconfig_done *out, const struct kubeconfig_opts *o,
		     const struct kubeconfig_entry *entry, struct err *e) MUST_CHECK;
/* kubeconfig_unmerge - from o->file, which must be named. A file that is gone is success. */
int kubeconfig_unmerge(struct kubeconfig_done *out, const struct kubeconfig_opts *o,
		       const char *name, const struct kubeconfig_marks *marks,
		       struct err *e) MUST_CHECK;
void kubeconfig_done_release(struct kubeconfig_done *d);

/* kubeconfig_parts - a resolved configuration as the bodies of an entry; both owned, @user holds secrets. */
void kubeconfig_parts(json_t **cluster, json_t **user, const struct k8s_config *c);

#endif
