/*
 * wait.h - wait until an object is as wanted: a watch, not a poll, with a deadline, and with words
 * about what was still missing.
 */
#ifndef K8S_WAIT_H
#define K8S_WAIT_H

#include "k8s/k8s.h"

/* A condition looks at an object (NULL: absent): 1 reached, 0 not yet (why: what is missing), -1 it never will (e set). */
typedef int k8s_cond_fn(const json_t *obj, char *why, size_t why_size, void *arg, struct err *e);

/*
 * k8s_wait - until fn says 1. Survives lost connections. ERR_TIMEOUT's message ends with the last why.
 * @on_change (may be NULL) hears each new why. @out (may be NULL) gets the last object, owned.
 */
int k8s_wait(json_t **out, struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
	     k8s_cond_fn *fn, void *arg, void (*on_change)(const char *why, void *arg),
	     ns_t deadline, struct err *e) MUST_CHECK;

k8s_cond_fn k8s_cond_gone; /* arg unused */
k8s_cond_fn k8s_cond_crd_established;
k8s_cond_fn
	k8s_cond_deployment_ready; /* observedGeneration, updated == replicas == available, no old pods */
k8s_cond_fn k8s_cond_true; /* arg: const char *, a condition type, of the current generation */

/*
 * k8s_pods_trouble - why pods of a selector do not run: "pod NAME: ImagePullBackOff: ..." from container
 * states, scheduling conditions and, for crashed containers, the last log lines. *fatal is set when waiting
 * cannot help (image cannot be pulled, invalid image name, config error, crash loop). Owned text, NULL when fine.
 */
int k8s_pods_trouble(char **out, bool *fatal, struct k8s *k, const char *ns,
		     const char *label_selector, bool logs, struct err *e) MUST_CHECK;

#endif
