/*
 * res.h - the kinds that we speak about: a static table, no discovery. A kind of an optional group
 * is asked for with k8s_served() before it is used.
 */
#ifndef K8S_RES_H
#define K8S_RES_H

#include "base/jx.h"

struct k8s_res {
	const char *group; /* "" for core */
	const char *version;
	const char *kind;
	const char *plural;
	bool namespaced;
};

extern const struct k8s_res K8S_NAMESPACE, K8S_NODE, K8S_POD, K8S_SERVICE, K8S_ENDPOINTS,
	K8S_CONFIGMAP, K8S_SECRET, K8S_SERVICEACCOUNT, K8S_PVC, K8S_EVENT, K8S_DEPLOYMENT,
	K8S_REPLICASET, K8S_ROLE, K8S_ROLEBINDING, K8S_CLUSTERROLE, K8S_CLUSTERROLEBINDING,
	K8S_NETWORKPOLICY, K8S_HPA, K8S_CRD, K8S_SSAR, K8S_STORAGECLASS, K8S_PRESTO;

struct k8s_ref {
	const char *ns; /* NULL or "" for cluster-scoped kinds, and for lists over all namespaces */
	const char *name;
};

/* k8s_res_of - the table row of an object's apiVersion and kind, or NULL. */
const struct k8s_res *k8s_res_of(const json_t *obj);
/* k8s_api_version - "v1" or "apps/v1"; static string per row. */
const char *k8s_api_version(const struct k8s_res *r);
/* k8s_path - "/apis/apps/v1/namespaces/NS/deployments/NAME"; name NULL: the collection;
 * sub NULL or "status", "scale", "log" ... Names are percent-encoded. Owned. */
char *k8s_path(const struct k8s_res *r, const struct k8s_ref *ref, const char *sub);

#endif
