/* gke_rights.c - see gke_rights.h. */
#include "provision/gke_rights.h"

#include <string.h>

enum group { CLUSTER, INSIDE, DNS, IMAGES, IMAGES_MAKE, QUOTAS, LEFTOVERS, ACT_AS, GROUPS };

static const struct {
	const char *role;
	const char *without; /* what does not work then; NULL: nothing does */
} groups[GROUPS] = {
	[CLUSTER] = {"roles/container.admin", NULL},
	/* clusterAdmin makes clusters, but may do nothing inside of them. */
	[INSIDE] = {"roles/container.admin", NULL},
	[DNS] = {"roles/container.admin", NULL},
	[IMAGES] = {"roles/artifactregistry.admin", NULL},
	[IMAGES_MAKE] = {"roles/artifactregistry.admin",
			 "the repository of images cannot be made when it is absent"},
	[QUOTAS] = {"roles/compute.viewer", "quotas and machine types are not known"},
	[LEFTOVERS] = {"roles/compute.viewer",
		       "after down nobody can tell whether disks or load balancers are left"},
	/* It may well be granted on the nodes' service account alone, which the project does not know. */
	[ACT_AS] = {"roles/iam.serviceAccountUser",
		    "the cluster can only be made if it is granted on the service account of the "
		    "nodes"},
};

static const struct right {
	const char *permission;
	enum group group;
} rights[] = {
	{"container.clusters.create", CLUSTER},
	{"container.clusters.get", CLUSTER},
	{"container.clusters.list", CLUSTER},
	{"container.clusters.update", CLUSTER},
	{"container.clusters.delete", CLUSTER},
	{"container.operations.get", CLUSTER},
	{"container.operations.list", CLUSTER},
	{"container.clusters.connect", DNS},
	{"container.namespaces.create", INSIDE},
	{"container.customResourceDefinitions.create", INSIDE},
	{"container.thirdPartyObjects.create", INSIDE},
	{"container.serviceAccounts.create", INSIDE},
	{"container.roles.create", INSIDE},
	{"container.roles.bind", INSIDE},
	{"container.roles.escalate", INSIDE},
	{"container.roleBindings.create", INSIDE},
	{"container.deployments.create", INSIDE},
	{"container.pods.get", INSIDE},
	{"artifactregistry.repositories.get", IMAGES},
	{"artifactregistry.repositories.downloadArtifacts", IMAGES},
	{"artifactregistry.repositories.uploadArtifacts", IMAGES},
	{"artifactregistry.repositories.create", IMAGES_MAKE},
	{"compute.projects.get", QUOTAS},
	{"compute.regions.get", QUOTAS},
	{"compute.machineTypes.get", QUOTAS},
	{"compute.disks.list", LEFTOVERS},
	{"compute.forwardingRules.list", LEFTOVERS},
	{"compute.firewalls.list", LEFTOVERS},
	{"iam.serviceAccounts.actAs", ACT_AS},
};

size_t gke_rights(const char *out[GKE_RIGHTS_MAX], const struct gke_right_uses *uses)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		enum group g = rights[i].group;

		if ((g == DNS && !uses->dns) || (g == ACT_AS && !uses->machines) ||
		    ((g == IMAGES || g == IMAGES_MAKE) && !uses->registry))
			continue;
		out[n++] = rights[i].permission;
	}
	return n;
}

void gke_rights_all(struct gke_right_groups *may)
{
	*may = (struct gke_right_groups){.cluster = true, .quotas = true};
}

static bool lacks(const json_t *missing, const char *permission)
{
	for (size_t i = 0; i < json_array_size(missing); i++)
		if (streq(json_string_value(json_array_get(missing, i)), permission))
			return true;
	return false;
}

/* "user:dev@example.com", as policies name members. Federated ones are named in full already. */
static json_t *hint_of(const char *project, const char *who, const char *role)
{
	const char *kind = !who                                    ? NULL
			   : strstr(who, "://")                    ? ""
			   : ends_with(who, "gserviceaccount.com") ? "serviceAccount:"
								   : "user:";
	json_t *whole = kind ? jx_strf("gcloud projects add-iam-policy-binding %s --member %s%s "
				       "--role %s",
				       project, kind, who, role)
			     : NULL;

	/* A command that is cut off helps nobody. */
	if (whole && json_string_length(whole) < sizeof(((struct err *)0)->hint))
		return whole;
	json_decref(whole);
	return jx_strf("let an administrator of %s grant %s", project, role);
}

static void refuse(json_t *report, json_t *lines, const char *role, const char *project,
		   const char *who)
{
	size_t n = json_array_size(lines);

	json_array_append_new(
		jx_get(report, "problems"),
		json_pack("{s:s, s:o, s:o, s:o}", "code", err_name(ERR_DENIED), "text",
			  jx_strf("%s lacks %zu permission%s in project %s",
				  who ? who : "this credential", n, n == 1 ? "" : "s", project),
			  "hint", hint_of(project, who, role), "lines", lines));
}

static void tell(json_t *report, enum group g, const char *list, const char *who)
{
	json_array_append_new(jx_get(report, "warnings"),
			      jx_strf("%s lacks %s (%s): %s", who ? who : "this credential", list,
				      groups[g].role, groups[g].without));
}

void gke_rights_judge(struct gke_right_groups *may, json_t *report, const json_t *missing,
		      const char *project, const char *principal)
{
	json_t *lines = json_array();
	const char *role = NULL;
	char list[GROUPS][240] = {""};

	gke_rights_all(may);
	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		const struct right *r = &rights[i];
		size_t n = strlen(list[r->group]);

		if (!lacks(missing, r->permission))
			continue;
		may->cluster = may->cluster && !streq(r->permission, "container.clusters.list");
		may->quotas = may->quotas && r->group != QUOTAS;
		snprintf(list[r->group] + n, sizeof(list[0]) - n, "%s%s", n ? ", " : "",
			 r->permission);
		if (groups[r->group].without)
			continue;
		role = role ? role : groups[r->group].role;
		json_array_append_new(
			lines, jx_strf("missing: %s (%s)", r->permission, groups[r->group].role));
	}
	if (json_array_size(lines))
		refuse(report, json_incref(lines), role, project, principal);
	json_decref(lines);
	for (enum group g = 0; g < GROUPS; g++)
		if (*list[g] && groups[g].without)
			tell(report, g, list[g], principal);
}
