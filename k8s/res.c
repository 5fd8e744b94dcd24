/* res.c - the static table of kinds, and the paths of their objects. No I/O. */
#include "k8s/res.h"

#include <string.h>

#include "base/http.h"

#define CORE(var, kind_, plural_, namespaced_) \
	const struct k8s_res var = {"", "v1", kind_, plural_, namespaced_}
#define GROUP(var, group_, version_, kind_, plural_, namespaced_) \
	const struct k8s_res var = {group_, version_, kind_, plural_, namespaced_}
#define RBAC "rbac.authorization.k8s.io"

CORE(K8S_NAMESPACE, "Namespace", "namespaces", false);
CORE(K8S_NODE, "Node", "nodes", false);
CORE(K8S_POD, "Pod", "pods", true);
CORE(K8S_SERVICE, "Service", "services", true);
CORE(K8S_ENDPOINTS, "Endpoints", "endpoints", true);
CORE(K8S_CONFIGMAP, "ConfigMap", "configmaps", true);
CORE(K8S_SECRET, "Secret", "secrets", true);
CORE(K8S_SERVICEACCOUNT, "ServiceAccount", "serviceaccounts", true);
CORE(K8S_PVC, "PersistentVolumeClaim", "persistentvolumeclaims", true);
CORE(K8S_EVENT, "Event", "events", true);
GROUP(K8S_DEPLOYMENT, "apps", "v1", "Deployment", "deployments", true);
GROUP(K8S_REPLICASET, "apps", "v1", "ReplicaSet", "replicasets", true);
GROUP(K8S_ROLE, RBAC, "v1", "Role", "roles", true);
GROUP(K8S_ROLEBINDING, RBAC, "v1", "RoleBinding", "rolebindings", true);
GROUP(K8S_CLUSTERROLE, RBAC, "v1", "ClusterRole", "clusterroles", false);
GROUP(K8S_CLUSTERROLEBINDING, RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", false);
GROUP(K8S_NETWORKPOLICY, "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true);
GROUP(K8S_HPA, "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true);
GROUP(K8S_CRD, "apiextensions.k8s.io", "v1", "CustomResourceDefinition",
      "customresourcedefinitions", false);
GROUP(K8S_SSAR, "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
      false);
GROUP(K8S_STORAGECLASS, "storage.k8s.io", "v1", "StorageClass", "storageclasses", false);
GROUP(K8S_PRESTO, "starburstdata.com", "v1", "Presto", "prestos", true);

static const struct {
	const struct k8s_res *res;
	const char *api_version;
} table[] = {
	{&K8S_NAMESPACE, "v1"},
	{&K8S_NODE, "v1"},
	{&K8S_POD, "v1"},
	{&K8S_SERVICE, "v1"},
	{&K8S_ENDPOINTS, "v1"},
	{&K8S_CONFIGMAP, "v1"},
	{&K8S_SECRET, "v1"},
	{&K8S_SERVICEACCOUNT, "v1"},
	{&K8S_PVC, "v1"},
	{&K8S_EVENT, "v1"},
	{&K8S_DEPLOYMENT, "apps/v1"},
	{&K8S_REPLICASET, "apps/v1"},
	{&K8S_ROLE, RBAC "/v1"},
	{&K8S_ROLEBINDING, RBAC "/v1"},
	{&K8S_CLUSTERROLE, RBAC "/v1"},
	{&K8S_CLUSTERROLEBINDING, RBAC "/v1"},
	{&K8S_NETWORKPOLICY, "networking.k8s.io/v1"},
	{&K8S_HPA, "autoscaling/v2"},
	{&K8S_CRD, "apiextensions.k8s.io/v1"},
	{&K8S_SSAR, "authorization.k8s.io/v1"},
	{&K8S_STORAGECLASS, "storage.k8s.io/v1"},
	{&K8S_PRESTO, "starburstdata.com/v1"},
};

const struct k8s_res *k8s_res_of(const json_t *obj)
{
	const char *api_version = json_string_value(jx_get(obj, "apiVersion"));
	const char *kind = json_string_value(jx_get(obj, "kind"));

	if (!api_version || !kind)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (streq(table[i].res->kind, kind) && streq(table[i].api_version, api_version))
			return table[i].res;
	return NULL;
}

const char *k8s_api_version(const struct k8s_res *r)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].res == r || (streq(table[i].res->group, r->group) &&
					  streq(table[i].res->version, r->version)))
			return table[i].api_version;
	return r->version;
}

char *k8s_path(const struct k8s_res *r, const struct k8s_ref *ref, const char *sub)
{
	bool in_ns = r->namespaced && ref && ref->ns && *ref->ns;
	autofree char *ns = in_ns ? http_url_escape(ref->ns) : NULL;
	autofree char *name = ref && ref->name ? http_url_escape(ref->name) : NULL;
	bool core = !*r->group;

	return xasprintf("%s%s%s/%s%s%s/%s%s%s%s%s", core ? "/api" : "/apis", core ? "" : "/",
			 r->group, r->version, in_ns ? "/namespaces/" : "", in_ns ? ns : "",
			 r->plural, name ? "/" : "", name ? name : "", name && sub ? "/" : "",
			 name && sub ? sub : "");
}
