/* kubeconfig_lock.h - FILE.lock as client-go makes it, for kubeconfig_edit.c. */
#ifndef K8S_KUBECONFIG_LOCK_H
#define K8S_KUBECONFIG_LOCK_H

#include "k8s/kubeconfig_edit.h"

struct kubeconfig_locks;

/*
 * kubeconfig_locks_new - lock all these files (the names end in NULL), in the one order that everybody uses. A file in a
 * folder that may not be written is left unlocked, see kubeconfig_locks_have; one in a folder that is not there, too.
 * ERR_TIMEOUT says who holds it.
 */
int kubeconfig_locks_new(struct kubeconfig_locks **out, char *const *files,
			 const struct kubeconfig_opts *o, struct err *e) MUST_CHECK;
/* kubeconfig_locks_have - ERR_DENIED or ERR_IO says why this file could not be locked. */
int kubeconfig_locks_have(const struct kubeconfig_locks *l, const char *file,
			  struct err *e) MUST_CHECK;
void kubeconfig_locks_free(struct kubeconfig_locks *l);
void kubeconfig_locks_freep(struct kubeconfig_locks **l);

#endif
