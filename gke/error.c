/* error.c - refusals: shapes, texts that have to be read because nothing else says it, remedies. */
#include "gke/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define RETRY_MAX_S 3600.0

static void copy(char *out, size_t size, const char *text)
{
	if (text)
		snprintf(out, size, "%s", text);
}

/* What is between a and b after at; NULL when it is not there. */
static const char *between(char *out, size_t size, const char *at, const char *a, const char *b)
{
	const char *start = strstr(at, a), *end;

	if (!start)
		return NULL;
	start += strlen(a);
	end = strstr(start, b);
	if (!end || (size_t)(end - start) >= size)
		return NULL;
	memcpy(out, start, (size_t)(end - start));
	out[end - start] = '\0';
	return end;
}

/* --- quotas ----------------------------------------------------------------------------------- */

/* A number in quotes after a word, before stop; -1 when it is not there. */
static double number(const char *at, const char *stop, const char *word)
{
	char text[40];
	const char *found = strstr(at, word), *end;

	if (!found || (stop && found >= stop) || !between(text, sizeof(text), found, "'", "'"))
		return -1;
	double v = strtod(text, (char **)(uintptr_t)&end);
	return end != text && !*end && v >= 0 && v < 1e15 ? v : -1;
}

static bool is_metric(const char *s)
{
	return *s && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(s);
}

/* resource "CPUS": request requires '9.0' and is short '1.0'. project has a quota of '8.0' with '8.0' available */
static size_t parse_insufficient(struct gke_quota *out, size_t max, const char *text)
{
	static const char look[] = "resource \"";
	size_t n = 0;

	for (const char *at = strstr(text, look); at && n < max;) {
		const char *next = strstr(at + 1, look);
		struct gke_quota q = {.metric = ""};

		if (between(q.metric, sizeof(q.metric), at, look, "\"") && is_metric(q.metric)) {
			q.needed = number(at, next, "requires ");
			q.missing = number(at, next, "short ");
			q.limit = number(at, next, "quota of ");
			q.available = number(at, next, "with ");
			if (q.needed >= 0 || q.missing >= 0)
				out[n++] = q;
		}
		at = next;
	}
	return n;
}

/* Quota 'IN_USE_ADDRESSES' exceeded. Limit: 8.0 in region us-central1. */
static size_t parse_exceeded(struct gke_quota *out, size_t max, const char *text)
{
	static const char look[] = "Quota '";
	size_t n = 0;

	for (const char *at = strstr(text, look); at && n < max; at = strstr(at + 1, look)) {
		struct gke_quota q = {.needed = -1, .missing = -1, .limit = -1, .available = -1};
		const char *end = between(q.metric, sizeof(q.metric), at, look, "'"), *limit;
		bool again = false;

		if (!end || !is_metric(q.metric) || !starts_with(end, "' exceeded"))
			continue;
		limit = strstr(end, "Limit: ");
		if (limit && limit - end < 40) {
			char *rest = NULL;
			double v = strtod(limit + 7, &rest);

			if (rest != limit + 7 && v >= 0 && v < 1e15)
				q.limit = v;
			if (rest && starts_with(rest, " in region "))
				snprintf(q.where, sizeof(q.where), "%.*s",
					 (int)strspn(rest + 11,
						     "abcdefghijklmnopqrstuvwxyz0123456789-"),
					 rest + 11);
		}
		/* Each node says the same. */
		for (size_t i = 0; i < n; i++)
			again = again ||
				(streq(out[i].metric, q.metric) && streq(out[i].where, q.where));
		if (!again)
			out[n++] = q;
	}
	return n;
}

size_t gke_quota_parse(struct gke_quota *out, size_t max, const char *text)
{
	size_t n = parse_insufficient(out, max, text);

	return n + parse_exceeded(out + n, max - n, text);
}

static void column(struct buf *out, double v)
{
	if (v < 0)
		buf_fit(out, " %10s", "-");
	else
		buf_fit(out, " %10.12g", v);
}

void gke_quota_table(struct buf *out, const struct gke_quota *q, size_t n)
{
	buf_fit(out, "%-28s %10s %10s %10s %10s\n", "quota", "needed", "missing", "limit", "free");
	for (size_t i = 0; i < n; i++) {
		buf_fit(out, "%-28s", q[i].metric);
		column(out, q[i].needed);
		column(out, q[i].missing);
		column(out, q[i].limit);
		column(out, q[i].available);
		buf_fit(out, "%s%s\n", *q[i].where ? "  " : "", q[i].where);
	}
}

/* --- shapes ----------------------------------------------------------------------------------- */

static bool type_is(const json_t *detail, const char *name)
{
	return ends_with(jx_str_or(detail, "@type", ""), name);
}

static void add_violation(struct gke_error *x, const char *field, const char *text)
{
	size_t n = strlen(x->violations);

	snprintf(x->violations + n, sizeof(x->violations) - n, "%s%s%s%s", n ? "; " : "",
		 field ? field : "", field && *field ? ": " : "", text ? text : "");
}

static void take_retry(struct gke_error *x, const char *text)
{
	char *end = NULL;
	double seconds = text ? strtod(text, &end) : 0;

	if (end && streq(end, "s") && seconds > 0 && seconds < RETRY_MAX_S)
		x->retry_delay = (ns_t)(seconds * (double)NS_SEC);
}

static void take_info(struct gke_error *x, const json_t *d)
{
	copy(x->reason, sizeof(x->reason), jx_str(d, "reason"));
	copy(x->service, sizeof(x->service), jx_str(d, "metadata.service"));
	copy(x->consumer, sizeof(x->consumer), jx_str(d, "metadata.consumer"));
	copy(x->permission, sizeof(x->permission), jx_str(d, "metadata.permission"));
}

static void take_detail(struct gke_error *x, const json_t *d)
{
	const json_t *list;

	if (type_is(d, ".ErrorInfo")) {
		take_info(x, d);
	} else if (type_is(d, ".RetryInfo")) {
		take_retry(x, jx_str(d, "retryDelay"));
	} else if (type_is(d, ".RequestInfo")) {
		copy(x->request_id, sizeof(x->request_id), jx_str(d, "requestId"));
	} else if (type_is(d, ".Help")) {
		copy(x->help, sizeof(x->help), jx_str(d, "links.0.url"));
	} else if (type_is(d, ".BadRequest")) {
		list = jx_get(d, "fieldViolations");
		for (size_t i = 0; i < json_array_size(list) && i < 8; i++)
			add_violation(x, jx_str(json_array_get(list, i), "field"),
				      jx_str(json_array_get(list, i), "description"));
	} else if (type_is(d, ".QuotaFailure") || type_is(d, ".PreconditionFailure")) {
		list = jx_get(d, "violations");
		for (size_t i = 0; i < json_array_size(list) && i < 8; i++)
			add_violation(x, jx_str(json_array_get(list, i), "subject"),
				      jx_str(json_array_get(list, i), "description"));
	}
}

static bool take_json(struct gke_error *x, const char *body, size_t len)
{
	autojson json_t *doc = NULL;
	struct err ignored = ERR_INIT;
	const json_t *o, *details;

	if (!len || jx_parse(&doc, body, len, "reply", &ignored) < 0)
		return false;
	/* Some front ends answer with a list of one. */
	o = jx_get(json_is_array(doc) ? json_array_get(doc, 0) : doc, "error");
	if (!json_is_object(o))
		return false;
	copy(x->message, sizeof(x->message), jx_str(o, "message"));
	copy(x->status, sizeof(x->status), jx_str(o, "status"));
	details = jx_get(o, "details");
	for (size_t i = 0; i < json_array_size(details) && i < 32; i++)
		take_detail(x, json_array_get(details, i));
	if (!*x->reason)
		copy(x->reason, sizeof(x->reason), jx_str(o, "errors.0.reason"));
	if (!*x->message)
		copy(x->message, sizeof(x->message), jx_str(o, "errors.0.message"));
	return true;
}

/* The words of an HTML page or a plain text, on one line. */
static void take_words(struct gke_error *x, const char *body, size_t len)
{
	const char *title = memmem(body, len, "<title>", 7);
	char text[200];
	size_t n = 0;
	bool tag = false;

	if (title) {
		len -= (size_t)(title - body);
		body = title;
	}
	for (size_t i = 0; i < len && body[i] && n + 2 < sizeof(text); i++) {
		if (title && n && i + 8 <= len && !memcmp(body + i, "</title>", 8))
			break;
		if (body[i] == '<' || body[i] == '>') {
			tag = body[i] == '<';
			continue;
		}
		bool blank = (unsigned char)body[i] <= ' ';
		if (tag || (blank && (!n || text[n - 1] == ' ')))
			continue;
		text[n++] = blank ? ' ' : body[i];
	}
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	snprintf(x->message, sizeof(x->message), "HTTP %d%s%s", x->http, n ? ": " : "", text);
}

/* --- what it means ---------------------------------------------------------------------------- */

static bool any(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(text, *words))
			return true;
	return false;
}

static bool is_stockout(const struct gke_error *x)
{
	static const char *const words[] = {"does not have enough resources available",
					    "GCE_STOCKOUT", "ZONE_RESOURCE_POOL_EXHAUSTED",
					    "currently does not have sufficient capacity", NULL};

	return any(x->message, words) || any(x->reason, words);
}

static bool is_quota(struct gke_error *x)
{
	static const char *const words[] = {"GCE_QUOTA_EXCEEDED", "QUOTA_EXCEEDED", "quotaExceeded",
					    NULL};

	x->n_quotas = gke_quota_parse(x->quotas, GKE_MAX_QUOTAS, x->message);
	return x->n_quotas || strcasestr(x->message, "insufficient regional quota") ||
	       streq(x->reason, words[0]) || streq(x->reason, words[1]) ||
	       streq(x->reason, words[2]);
}

static bool is_rate(const struct gke_error *x)
{
	static const char *const words[] = {"quota exceeded for quota metric",
					    "concurrent operations quota", "too many operations",
					    NULL};
	static const char *const reasons[] = {"RATE_LIMIT_EXCEEDED",
					      "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED",
					      "rateLimitExceeded", "userRateLimitExceeded", NULL};

	return (x->http == 429 || x->http == 403 || !x->http) &&
	       (any(x->message, words) || any(x->reason, reasons));
}

static bool is_busy(const struct gke_error *x)
{
	static const char *const words[] = {"incompatible operation",
					    "please wait",
					    "currently being created, deleted, updated or repaired",
					    "resourceNotReady",
					    "is not ready",
					    "resourceInUseByAnother",
					    NULL};
	bool state = streq(x->status, "FAILED_PRECONDITION") || x->http == 400 || x->http == 409;

	return state && (any(x->message, words) || any(x->reason, words));
}

static void find_operation(struct gke_error *x)
{
	const char *at = strstr(x->message, "operation-");
	size_t n = at ? strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;

	if (n > 10 && n < sizeof(x->operation))
		snprintf(x->operation, sizeof(x->operation), "%.*s", (int)n, at);
}

static void find_permission(struct gke_error *x)
{
	if (*x->permission)
		return;
	if (!between(x->permission, sizeof(x->permission), x->message, "Required \"",
		     "\" permission") &&
	    !between(x->permission, sizeof(x->permission), x->message, "Required '",
		     "' permission"))
		between(x->permission, sizeof(x->permission), x->message, "Permission '",
			"' denied");
}

static bool is_api_off(const struct gke_error *x)
{
	return streq(x->reason, "SERVICE_DISABLED") || streq(x->reason, "accessNotConfigured") ||
	       strstr(x->message, "API has not been used in project");
}

static enum gke_cause cause_of(struct gke_error *x)
{
	if (is_stockout(x))
		return GKE_CAUSE_STOCKOUT;
	if (is_rate(x))
		return GKE_CAUSE_RATE;
	if (is_quota(x))
		return GKE_CAUSE_QUOTA;
	if (is_busy(x))
		return GKE_CAUSE_BUSY;
	switch (x->http) {
	case 401:
		return GKE_CAUSE_AUTH;
	case 403:
		if (is_api_off(x))
			return GKE_CAUSE_API_OFF;
		return streq(x->reason, "BILLING_DISABLED") || strstr(x->message, "billing")
			       ? GKE_CAUSE_BILLING
			       : GKE_CAUSE_RIGHTS;
	case 404:
		return GKE_CAUSE_MISSING;
	case 409:
		return streq(x->status, "ABORTED") ? GKE_CAUSE_TRANSIENT : GKE_CAUSE_EXISTS;
	case 412:
		return GKE_CAUSE_FINGERPRINT;
	case 429:
		return GKE_CAUSE_RATE;
	case 408:
	case 500:
	case 502:
	case 503:
	case 504:
		return GKE_CAUSE_TRANSIENT;
	}
	return x->http >= 400 && x->http < 500 ? GKE_CAUSE_INVALID : GKE_CAUSE_OTHER;
}

void gke_error_decode(struct gke_error *out, int http, const char *body, size_t len)
{
	*out = (struct gke_error){.http = http};
	if (!take_json(out, body, len) || !*out->message)
		take_words(out, body, len);
	out->cause = cause_of(out);
	if (out->cause == GKE_CAUSE_BUSY)
		find_operation(out);
	if (out->cause == GKE_CAUSE_RIGHTS)
		find_permission(out);
	if (out->cause == GKE_CAUSE_API_OFF && !*out->service)
		between(out->service, sizeof(out->service), out->message, "/apis/api/", "/");
}

void gke_error_text(struct gke_error *out, const char *code, const char *message)
{
	*out = (struct gke_error){0};
	copy(out->reason, sizeof(out->reason), code);
	copy(out->message, sizeof(out->message), message && *message ? message : code);
	out->cause = cause_of(out);
}

/* --- as an error ------------------------------------------------------------------------------ */

static enum err_code code_of(const struct gke_error *x)
{
	static const enum err_code codes[] = {
		[GKE_CAUSE_OTHER] = ERR_PROTOCOL,    [GKE_CAUSE_TRANSIENT] = ERR_UNAVAILABLE,
		[GKE_CAUSE_RATE] = ERR_THROTTLED,    [GKE_CAUSE_QUOTA] = ERR_QUOTA,
		[GKE_CAUSE_STOCKOUT] = ERR_QUOTA,    [GKE_CAUSE_BUSY] = ERR_CONFLICT,
		[GKE_CAUSE_EXISTS] = ERR_EXISTS,     [GKE_CAUSE_API_OFF] = ERR_DENIED,
		[GKE_CAUSE_AUTH] = ERR_DENIED,       [GKE_CAUSE_RIGHTS] = ERR_DENIED,
		[GKE_CAUSE_BILLING] = ERR_DENIED,    [GKE_CAUSE_FINGERPRINT] = ERR_CONFLICT,
		[GKE_CAUSE_MISSING] = ERR_NOT_FOUND, [GKE_CAUSE_INVALID] = ERR_INVALID,
	};

	return codes[x->cause];
}

static void hint_api(const struct gke_error *x, struct err *e)
{
	const char *project = starts_with(x->consumer, "projects/") ? x->consumer + 9 : "";

	err_hint(e, "run: gcloud services enable %.60s%s%.60s (it takes some minutes to be seen)",
		 *x->service ? x->service : "the API", *project ? " --project " : "", project);
}

static void hint_rights(const struct gke_error *x, const char *who, struct err *e)
{
	if (streq(x->reason, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
		err_hint(e, "this token lacks the scope cloud-platform: use another credential");
	else if (streq(x->reason, "USER_PROJECT_DENIED"))
		err_hint(e,
			 "%.60s needs roles/serviceusage.serviceUsageConsumer on the quota "
			 "project",
			 who);
	else if (*x->permission)
		err_hint(e, "%.60s needs %.60s%s", who, x->permission,
			 starts_with(x->permission, "container.") ? " (roles/container.admin)"
								  : "");
	else
		err_hint(e, "%.80s lacks a right here: ask for roles/container.admin", who);
}

static void hint(const struct gke_error *x, const char *who, struct err *e)
{
	switch (x->cause) {
	case GKE_CAUSE_API_OFF:
		hint_api(x, e);
		break;
	case GKE_CAUSE_RIGHTS:
		hint_rights(x, who ? who : "the caller", e);
		break;
	case GKE_CAUSE_AUTH:
		err_hint(e, "Google does not accept this credential: prestoctl auth status tells "
			    "which one it is");
		break;
	case GKE_CAUSE_BILLING:
		err_hint(e, "link the project to a billing account");
		break;
	case GKE_CAUSE_QUOTA:
		err_hint(e, "ask for less, or for more quota: "
			    "https://console.cloud.google.com/iam-admin/quotas");
		break;
	case GKE_CAUSE_STOCKOUT:
		err_hint(e, "take another zone or machine type, or try later");
		break;
	case GKE_CAUSE_RATE:
		err_hint(e, "wait a minute");
		break;
	default:
		break;
	}
}

static void add_detail(const struct gke_error *x, struct buf *detail)
{
	struct err full = ERR_INIT;
	struct buf table = BUF_INIT(8u << 10);

	if (x->n_quotas)
		gke_quota_table(&table, x->quotas, x->n_quotas);
	if (*x->violations)
		buf_fit(&table, "%s\n", x->violations);
	if (strlen(x->message) > 400)
		buf_fit(&table, "%s\n", x->message);
	if (*x->help)
		buf_fit(&table, "see %s\n", x->help);
	if (*x->request_id)
		buf_fit(&table, "request %s\n", x->request_id);
	if (table.len && buf_adds(detail, buf_str(&table), &full) < 0)
		err_clear(&full);
	buf_release(&table);
}

int gke_error_set(const struct gke_error *x, const char *principal, struct buf *detail,
		  struct err *e)
{
	const char *text = x->message;

	if (x->cause == GKE_CAUSE_QUOTA && x->n_quotas) {
		const struct gke_quota *q = &x->quotas[0];

		if (q->needed >= 0 && q->limit >= 0)
			err_set(e, ERR_QUOTA,
				"not enough quota: %s needs %.12g, the limit is %.12g%s", q->metric,
				q->needed, q->limit, x->n_quotas > 1 ? ", and more" : "");
		else
			err_set(e, ERR_QUOTA, "not enough quota: %s is used up%s%s%s", q->metric,
				*q->where ? " in " : "", q->where,
				x->n_quotas > 1 ? ", and more" : "");
	} else {
		err_set(e, code_of(x), "%.400s%s%.150s", text,
			*x->violations && !strstr(text, x->violations) ? ": " : "",
			*x->violations && !strstr(text, x->violations) ? x->violations : "");
	}
	e->http = x->http;
	e->retry_after = x->retry_delay;
	hint(x, principal, e);
	if (detail)
		add_detail(x, detail);
	return -1;
}
