/*
 * kubectl.h - what kubectl is given of an environment's cluster: an entry in its own kubeconfig, and how to take that
 * away again. What was merged where is remembered in the environment's state folder, in "kubeconfigs": one JSON object a
 * line, {"file":F, "name":N, "cluster":HASH, "user":HASH}; appended, as several prestoctl may do it at once.
 */
#ifndef PROVISION_KUBECTL_H
#define PROVISION_KUBECTL_H

#include "k8s/kubeconfig_edit.h"
#include "provision/google.h"
#include "provision/target.h"

struct kubectl_entry {
	char *name;             /* gke_PROJECT_LOCATION_CLUSTER, or prestoctl-ENVIRONMENT */
	json_t *cluster, *user; /* the user of gke is an exec plugin: no token is in it */
	char *ns;
};

/*
 * kubectl_entry - of a cluster that is connected to. Pure. Where tokens come from a callback (gke) the entry is called as
 * the configuration's context, and its user runs @self (the absolute path of prestoctl) with @login, the options for the
 * same login (kubectl_login). @env: NULL when it has no name; @ns: of the Presto resource, NULL: the configuration's.
 */
void kubectl_entry(struct kubectl_entry *out, const char *env, const struct k8s_config *config,
		   const char *self, json_t *login, const char *ns);
void kubectl_entry_release(struct kubectl_entry *k);
/* kubectl_login - {"--credentials", PATH ...}: how prestoctl becomes the same again. Owned array; @g NULL: empty. */
json_t *kubectl_login(const struct google *g);

/* kubectl_text - a kubeconfig of its own for the cluster; owned, holds secrets. */
char *kubectl_text(const struct target *t, const struct k8s *k);
/*
 * kubectl_merge - into @file (NULL: where kubectl would write). Remembers it when the environment has a name. Returns 0, or
 * -1 as kubeconfig_merge does.
 */
int kubectl_merge(struct kubeconfig_done *out, char **name, struct target *t, struct k8s *k,
		  const char *file, bool set_current, struct err *e) MUST_CHECK;
/*
 * kubectl_remove - everywhere where it was merged, what still is as it was written. *removed becomes an array of
 * {"file":F, "context":NAME, "stays":N}, owned. A file that cannot be read is an error, the others are done.
 */
int kubectl_remove(json_t **removed, struct app *a, const struct state *s,
		   struct err *e) MUST_CHECK;

#endif
