/*
 * step_rights.c - may we do all that is to be done? Asked of the API server before anything is made, so that a missing
 * right is one message and not half an installation.
 */
#include <stdlib.h>
#include <string.h>

#include "k8s/obj.h"
#include "provision/step.h"

#define QUESTIONS_MAX 96

struct need {
	const char *group, *resource, *subresource, *verb;
	bool cluster;          /* not in the namespace */
	enum object_id object; /* only when this one is to be written; OBJ_COUNT: always */
};

/* A server-side apply is a patch, and a create when it makes the object. */
static const struct need needs[] = {
	{"", "namespaces", NULL, "create", true, OBJ_NAMESPACE},
	{"", "namespaces", NULL, "patch", true, OBJ_NAMESPACE},
	{"apiextensions.k8s.io", "customresourcedefinitions", NULL, "create", true, OBJ_CRD},
	{"apiextensions.k8s.io", "customresourcedefinitions", NULL, "patch", true, OBJ_CRD},
	{"apiextensions.k8s.io", "customresourcedefinitions", NULL, "watch", true, OBJ_CRD},
	{"", "serviceaccounts", NULL, "create", false, OBJ_ACCOUNT},
	{"", "serviceaccounts", NULL, "patch", false, OBJ_ACCOUNT},
	{"rbac.authorization.k8s.io", "roles", NULL, "create", false, OBJ_ROLE},
	{"rbac.authorization.k8s.io", "roles", NULL, "patch", false, OBJ_ROLE},
	{"rbac.authorization.k8s.io", "rolebindings", NULL, "create", false, OBJ_BINDING},
	{"rbac.authorization.k8s.io", "rolebindings", NULL, "patch", false, OBJ_BINDING},
	{"apps", "deployments", NULL, "create", false, OBJ_OPERATOR},
	{"apps", "deployments", NULL, "patch", false, OBJ_OPERATOR},
	{PRESTO_GROUP, "prestos", NULL, "create", false, OBJ_PRESTO},
	{PRESTO_GROUP, "prestos", NULL, "patch", false, OBJ_PRESTO},
	{PRESTO_GROUP, "prestos", NULL, "get", false, OBJ_COUNT},
	{"apps", "deployments", NULL, "get", false, OBJ_COUNT},
	{"", "pods", NULL, "list", false, OBJ_COUNT},
	{"", "pods", "log", "get", false, OBJ_COUNT},
	{"", "services", "proxy", "get", false, OBJ_COUNT},
	{"", "services", "proxy", "create", false, OBJ_COUNT},
	{"", "services", "proxy", "delete", false, OBJ_COUNT},
};

bool step_rights_needed(const struct step_ctx *c)
{
	return any_write(c);
}

/* Whoever may do everything need not be asked about each thing. */
static int may_all(bool *all, struct step_ctx *c, struct err *e)
{
	struct k8s_access q = {.group = "*", .resource = "*", .verb = "*"};

	if (k8s_can(c->k, &q, 1, e) < 0)
		return -1;
	*all = q.allowed;
	free(q.reason);
	return 0;
}

static size_t own_questions(struct k8s_access *q, const struct step_ctx *c)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		const struct need *w = &needs[i];

		if (w->object != OBJ_COUNT && c->objects[w->object].action == OBJECT_KEEP)
			continue;
		q[n++] = (struct k8s_access){.group = w->group,
					     .resource = w->resource,
					     .subresource = w->subresource,
					     .verb = w->verb,
					     .ns = w->cluster ? NULL : c->env->ns};
	}
	return n;
}

/* Nobody may grant what he does not have himself: the operator's role, verb by verb. The texts are borrowed, but for
 * resources with a subresource, which are cut into scratch. */
static size_t role_questions(struct k8s_access *q, size_t max, const struct step_ctx *c,
			     json_t *scratch)
{
	const json_t *rules = jx_get(c->objects[OBJ_ROLE].want, "rules");
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i),
			     *resources = jx_get(rule, "resources");
		const json_t *verbs = jx_get(rule, "verbs");

		for (size_t j = 0; j < json_array_size(resources); j++) {
			const char *name = json_string_value(json_array_get(resources, j)),
				   *slash = strchr(name, '/');
			json_t *bare = slash ? json_stringn(name, (size_t)(slash - name)) : NULL;

			if (bare)
				json_array_append_new(scratch, bare);
			for (size_t v = 0; v < json_array_size(verbs) && n < max; v++)
				q[n++] = (struct k8s_access){
					.group = jx_str_or(rule, "apiGroups.0", ""),
					.resource = bare ? json_string_value(bare) : name,
					.subresource = slash ? slash + 1 : NULL,
					.verb = json_string_value(json_array_get(verbs, v)),
					.ns = c->env->ns};
		}
	}
	return n;
}

static size_t tell_missing(struct step_ctx *c, const struct k8s_access *q, size_t n)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++) {
		if (q[i].allowed)
			continue;
		missing++;
		app_detail(c->app, "missing: %s %s%s%s%s%s%s%s", q[i].verb, q[i].resource,
			   q[i].subresource ? "/" : "", q[i].subresource ? q[i].subresource : "",
			   *q[i].group ? "." : "", q[i].group, q[i].ns ? " in namespace " : "",
			   q[i].ns ? q[i].ns : "");
	}
	return missing;
}

static int ask_role(struct step_ctx *c, size_t *missing, struct err *e)
{
	struct k8s_access q[QUESTIONS_MAX], escalate = {.group = "rbac.authorization.k8s.io",
							.resource = "roles",
							.verb = "escalate",
							.ns = c->env->ns};
	autojson json_t *scratch = json_array();
	size_t n = role_questions(q, ARRAY_LEN(q), c, scratch);

	if (c->objects[OBJ_ROLE].action == OBJECT_KEEP &&
	    c->objects[OBJ_BINDING].action == OBJECT_KEEP)
		return 0;
	if (k8s_can(c->k, &escalate, 1, e) < 0)
		return -1;
	free(escalate.reason);
	if (escalate.allowed)
		return 0;
	if (k8s_can(c->k, q, n, e) < 0)
		return -1;
	*missing += tell_missing(c, q, n);
	for (size_t i = 0; i < n; i++)
		free(q[i].reason);
	return 0;
}

int step_rights_run(struct step_ctx *c, struct err *e)
{
	struct k8s_access q[ARRAY_LEN(needs)];
	size_t n = own_questions(q, c), missing = 0;
	bool all = false;

	if (may_all(&all, c, e) < 0)
		return -1;
	if (all) {
		step_say(c, "everything is allowed");
		return 0;
	}
	if (k8s_can(c->k, q, n, e) < 0)
		return -1;
	missing = tell_missing(c, q, n);
	for (size_t i = 0; i < n; i++)
		free(q[i].reason);
	if (ask_role(c, &missing, e) < 0)
		return -1;
	if (missing) {
		err_set(e, ERR_DENIED, "%zu rights are missing on %s; nothing was made", missing,
			k8s_config_of(c->k)->server);
		return err_hint(e, "let an administrator grant %s",
				c->provider->grant ? c->provider->grant
						   : "them, or use another --context");
	}
	step_say(c, "all %zu are there", n);
	return 0;
}
