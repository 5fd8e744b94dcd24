/* verbs.c - get, list, create, apply, patch, delete and the two questions, on top of client.c. */
#include <stdlib.h>
#include <string.h>

#include "k8s/client_internal.h"

#define LOG_BYTES (256u << 10)

static int bad_name(const char *what, const char *name, struct err *e)
{
	if (!*name || streq(name, ".") || streq(name, "..") || strpbrk(name, "/%"))
		return err_set(e, ERR_INVALID, "\"%.80s\" is not a %s", name, what);
	return 0;
}

int k8s_ref_check(const struct k8s_res *r, const struct k8s_ref *ref, struct err *e)
{
	if (!ref->name)
		return err_set(e, ERR_INVALID, "%s without a name", r->kind);
	if (bad_name("name", ref->name, e) < 0)
		return -1;
	if (r->namespaced && (!ref->ns || !*ref->ns))
		return err_set(e, ERR_INVALID, "%s %s: no namespace", r->kind, ref->name);
	return r->namespaced ? bad_name("namespace", ref->ns, e) : 0;
}

int k8s_get(json_t **out, struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
	    struct err *e)
{
	if (k8s_ref_check(r, ref, e) < 0)
		return -1;
	struct k8s_call c = {.method = "GET", .path = k8s_path(r, ref, NULL)};
	return k8s_send_one(out, k, &c, e);
}

/* --- list ------------------------------------------------------------------------------------- */

struct listing {
	const struct k8s_res *res;
	json_t *items;
};

/* The items of a list do not say what they are: kind and apiVersion come first, as elsewhere. */
static int take_item(const json_t *item, void *arg, struct err *e)
{
	struct listing *l = arg;
	json_t *own = json_object(), *v;
	const char *key;

	if (json_array_size(l->items) >= K8S_MAX_ITEMS) {
		json_decref(own);
		return err_set(e, ERR_INVALID, "more than %d %s", K8S_MAX_ITEMS, l->res->plural);
	}
	json_object_set_new(own, "apiVersion", json_string(k8s_api_version(l->res)));
	json_object_set_new(own, "kind", json_string(l->res->kind));
	jx_foreach (item, key, v)
		json_object_set(own, key, v);
	json_array_append_new(l->items, own);
	return 0;
}

static char *list_path(const struct k8s_res *r, const char *ns, const struct k8s_list_opts *o,
		       size_t limit, const char *next)
{
	const struct k8s_ref all = {.ns = ns};
	char *path = k8s_path(r, &all, NULL);
	char number[24];

	snprintf(number, sizeof(number), "%zu", limit);
	k8s_url_add(&path, "labelSelector", o ? o->label_selector : NULL);
	k8s_url_add(&path, "fieldSelector", o ? o->field_selector : NULL);
	k8s_url_add(&path, "limit", limit ? number : NULL);
	k8s_url_add(&path, "continue", next);
	return path;
}

/* Every page of one listing; limit 0 asks for it in one piece. */
static int list_pages(struct listing *l, struct k8s *k, const char *ns,
		      const struct k8s_list_opts *o, size_t limit, struct err *e)
{
	autofree char *next = NULL;

	do {
		autojson json_t *meta = NULL;
		struct k8s_call c = {
			.method = "GET",
			.path = list_path(l->res, ns, o, limit, next),
			.timeout = K8S_LIST_TIMEOUT,
			.max_body = K8S_LIST_BODY,
		};
		int rc = -1;

		if (k8s_send(k, &c, 1) > 0)
			*e = c.e;
		else
			rc = jx_items_each(&meta, buf_str(&c.r.body), c.r.body.len, take_item, l,
					   e);
		k8s_call_release(&c);
		if (rc < 0)
			return -1;
		free(next);
		next = xstrdup(jx_str_or(meta, "metadata.continue", ""));
	} while (*next);
	return 0;
}

int k8s_list(json_t **out, struct k8s *k, const struct k8s_res *r, const char *ns,
	     const struct k8s_list_opts *o, struct err *e)
{
	autojson json_t *items = json_array();
	struct listing l = {.res = r, .items = items};
	int rc;

	if (ns && *ns && bad_name("namespace", ns, e) < 0)
		return -1;
	rc = list_pages(&l, k, ns, o, o && o->limit ? o->limit : K8S_PAGE, e);
	if (rc < 0 && e->code == ERR_GONE && json_array_size(items)) {
		err_clear(e);
		json_array_clear(items);
		rc = list_pages(&l, k, ns, o, 0, e);
	}
	if (rc < 0)
		return -1;
	*out = TAKE(items);
	return 0;
}

/* --- writes ----------------------------------------------------------------------------------- */

/* What an object is and where: the table row and the reference, borrowed from the object. */
static int identify(const struct k8s_res **r, struct k8s_ref *ref, const json_t *obj, struct err *e)
{
	*r = k8s_res_of(obj);
	if (!*r)
		return err_set(e, ERR_INVALID, "unknown kind %.60s of %.60s",
			       jx_str_or(obj, "kind", "(none)"),
			       jx_str_or(obj, "apiVersion", "(none)"));
	*ref = (struct k8s_ref){.ns = obj_ns(obj), .name = obj_name(obj)};
	return 0;
}

int k8s_create(json_t **out, struct k8s *k, const json_t *obj, struct err *e)
{
	const struct k8s_res *r = NULL;
	struct k8s_ref ref = {0};

	if (identify(&r, &ref, obj, e) < 0)
		return -1;
	if (r->namespaced && (!ref.ns || bad_name("namespace", ref.ns, e) < 0))
		return ref.ns ? -1 : err_set(e, ERR_INVALID, "%s without a namespace", r->kind);
	struct k8s_call c = {
		.method = "POST",
		.path = k8s_path(r, &(struct k8s_ref){.ns = ref.ns}, NULL),
		.content_type = "application/json",
		.body = json_dumps(obj, JSON_COMPACT),
		.once = true,
	};
	return k8s_send_one(out, k, &c, e);
}

static int apply_call(struct k8s_call *c, const json_t *obj, const struct k8s_apply_opts *o,
		      struct err *e)
{
	const struct k8s_res *r = NULL;
	struct k8s_ref ref = {0};

	if (identify(&r, &ref, obj, e) < 0 || k8s_ref_check(r, &ref, e) < 0)
		return -1;
	*c = (struct k8s_call){
		.method = "PATCH",
		.path = k8s_path(r, &ref, o->subresource),
		.content_type = "application/apply-patch+yaml",
		.body = json_dumps(obj, JSON_COMPACT),
	};
	k8s_url_add(&c->path, "fieldManager", o->field_manager);
	k8s_url_add(&c->path, "force", o->no_force ? "false" : "true");
	k8s_url_add(&c->path, "dryRun", o->dry_run ? "All" : NULL);
	return 0;
}

int k8s_apply(json_t **out, struct k8s *k, const json_t *obj, const struct k8s_apply_opts *o,
	      struct err *e)
{
	struct k8s_call c;

	if (apply_call(&c, obj, o, e) < 0)
		return -1;
	return k8s_send_one(out, k, &c, e);
}

size_t k8s_apply_all(json_t **outs, struct k8s *k, const json_t *const *objs,
		     const struct k8s_apply_opts *o, struct err *errs, size_t n)
{
	autofree struct k8s_call *calls = xcalloc(n ? n : 1, sizeof(*calls));
	size_t failed = 0;

	for (size_t i = 0; i < n; i++)
		if (apply_call(&calls[i], objs[i], o, &calls[i].e) < 0)
			calls[i].settled = true;
	k8s_send(k, calls, n);
	for (size_t i = 0; i < n; i++) {
		struct k8s_call *c = &calls[i];

		errs[i] = c->e;
		if (outs)
			outs[i] = NULL;
		if (outs && c->e.code == ERR_OK &&
		    jx_parse(&outs[i], buf_str(&c->r.body), c->r.body.len, c->path, &errs[i]) < 0)
			outs[i] = NULL;
		failed += errs[i].code != ERR_OK;
		k8s_call_release(c);
	}
	return failed;
}

int k8s_merge_patch(json_t **out, struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
		    const char *subresource, const json_t *patch, struct err *e)
{
	if (k8s_ref_check(r, ref, e) < 0)
		return -1;
	struct k8s_call c = {
		.method = "PATCH",
		.path = k8s_path(r, ref, subresource),
		.content_type = "application/merge-patch+json",
		.body = json_dumps(patch, JSON_COMPACT),
	};
	return k8s_send_one(out, k, &c, e);
}

static char *delete_body(const struct k8s_delete_opts *o)
{
	autojson json_t *body = json_object();

	json_object_set_new(body, "kind", json_string("DeleteOptions"));
	json_object_set_new(body, "apiVersion", json_string("v1"));
	json_object_set_new(body, "propagationPolicy",
			    json_string(o && o->propagation ? o->propagation : "Background"));
	if (o && o->uid)
		jx_set(body, "preconditions.uid", json_string(o->uid));
	if (o && o->resource_version)
		jx_set(body, "preconditions.resourceVersion", json_string(o->resource_version));
	if (o && o->grace_set && o->grace_seconds >= 0)
		json_object_set_new(body, "gracePeriodSeconds", json_integer(o->grace_seconds));
	return json_dumps(body, JSON_COMPACT);
}

int k8s_delete(struct k8s *k, const struct k8s_res *r, const struct k8s_ref *ref,
	       const struct k8s_delete_opts *o, struct err *e)
{
	if (k8s_ref_check(r, ref, e) < 0)
		return -1;
	struct k8s_call c = {
		.method = "DELETE",
		.path = k8s_path(r, ref, NULL),
		.content_type = "application/json",
		.body = delete_body(o),
	};
	if (k8s_send_one(NULL, k, &c, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	return 0;
}

/* --- questions -------------------------------------------------------------------------------- */

int k8s_served(bool *yes, struct k8s *k, const struct k8s_res *r, struct err *e)
{
	autojson json_t *doc = NULL;
	bool core = !*r->group;
	struct k8s_call c = {
		.method = "GET",
		.path = xasprintf("%s%s%s/%s", core ? "/api" : "/apis", core ? "" : "/", r->group,
				  r->version),
	};

	if (k8s_send_one(&doc, k, &c, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		err_clear(e);
		*yes = false;
		return 0;
	}
	const json_t *list = jx_get(doc, "resources");
	*yes = false;
	for (size_t i = 0; i < json_array_size(list); i++)
		*yes = *yes || streq(jx_str(json_array_get(list, i), "name"), r->plural);
	return 0;
}

static void access_call(struct k8s_call *c, const struct k8s_access *q)
{
	autojson json_t *review = json_object();
	json_t *ask = json_object();

	json_object_set_new(ask, "group", json_string(q->group));
	json_object_set_new(ask, "resource", json_string(q->resource));
	json_object_set_new(ask, "verb", json_string(q->verb));
	if (q->subresource)
		json_object_set_new(ask, "subresource", json_string(q->subresource));
	if (q->ns)
		json_object_set_new(ask, "namespace", json_string(q->ns));
	json_object_set_new(review, "apiVersion", json_string(k8s_api_version(&K8S_SSAR)));
	json_object_set_new(review, "kind", json_string(K8S_SSAR.kind));
	jx_set(review, "spec.resourceAttributes", ask);
	*c = (struct k8s_call){
		.method = "POST",
		.path = k8s_path(&K8S_SSAR, NULL, NULL),
		.content_type = "application/json",
		.body = json_dumps(review, JSON_COMPACT),
	};
}

static int access_answer(struct k8s_access *q, const struct k8s_call *c, struct err *e)
{
	autojson json_t *doc = NULL;

	if (c->e.code != ERR_OK) {
		*e = c->e;
		return -1;
	}
	if (jx_parse(&doc, buf_str(&c->r.body), c->r.body.len, c->path, e) < 0)
		return -1;
	const char *reason = jx_str(doc, "status.reason");
	q->allowed = jx_bool(doc, "status.allowed");
	q->reason = reason && *reason ? xstrdup(reason) : NULL;
	return 0;
}

int k8s_can(struct k8s *k, struct k8s_access *q, size_t n, struct err *e)
{
	autofree struct k8s_call *calls = xcalloc(n ? n : 1, sizeof(*calls));
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		q[i].allowed = false;
		q[i].reason = NULL;
		access_call(&calls[i], &q[i]);
	}
	k8s_send(k, calls, n);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0 && access_answer(&q[i], &calls[i], e) < 0)
			rc = err_wrap(e, "asking for rights");
		k8s_call_release(&calls[i]);
	}
	for (size_t i = 0; rc < 0 && i < n; i++)
		free(TAKE(q[i].reason));
	return rc;
}

int k8s_pod_log(char **out, struct k8s *k, const struct k8s_ref *pod, const char *container,
		int tail_lines, bool previous, struct err *e)
{
	char lines[16], limit[16];

	if (k8s_ref_check(&K8S_POD, pod, e) < 0)
		return -1;
	struct k8s_call c = {
		.method = "GET",
		.path = k8s_path(&K8S_POD, pod, "log"),
		.max_body = 2 * LOG_BYTES,
	};
	snprintf(lines, sizeof(lines), "%d", tail_lines);
	snprintf(limit, sizeof(limit), "%u", LOG_BYTES);
	k8s_url_add(&c.path, "container", container);
	k8s_url_add(&c.path, "tailLines", tail_lines > 0 ? lines : NULL);
	k8s_url_add(&c.path, "limitBytes", limit);
	k8s_url_add(&c.path, "previous", previous ? "true" : NULL);
	int rc = k8s_send(k, &c, 1) > 0 ? -1 : 0;
	if (rc < 0)
		*e = c.e;
	else
		*out = buf_take(&c.r.body);
	k8s_call_release(&c);
	return rc;
}
