/*
 * error.h - what Google's APIs say when they refuse: the newer shape with details, the older one of
 * compute, HTML of proxies and front ends. Pure.
 */
#ifndef GKE_ERROR_H
#define GKE_ERROR_H

#include "base/http.h"
#include "base/jx.h"

enum gke_cause {
	GKE_CAUSE_OTHER,
	GKE_CAUSE_TRANSIENT, /* worth another try after a pause */
	GKE_CAUSE_RATE,      /* too fast: nothing was done, try later */
	GKE_CAUSE_QUOTA,     /* of resources: trying again cannot help */
	GKE_CAUSE_STOCKOUT,  /* the zone has no such machines now */
	GKE_CAUSE_BUSY,      /* another operation runs on it: .operation, when it is named */
	GKE_CAUSE_EXISTS,
	GKE_CAUSE_API_OFF, /* .service */
	GKE_CAUSE_AUTH,    /* 401 */
	GKE_CAUSE_RIGHTS,  /* 403 of IAM: .permission, when it is named */
	GKE_CAUSE_BILLING,
	GKE_CAUSE_FINGERPRINT, /* it was changed meanwhile: read it again */
	GKE_CAUSE_MISSING,
	GKE_CAUSE_INVALID,
};

#define GKE_MAX_QUOTAS 12

/* One resource that is short. Numbers are -1 where the text does not say. */
struct gke_quota {
	char metric[64], where[64];
	double needed, missing, limit, available;
};

struct gke_error {
	int http;
	enum gke_cause cause;
	char status[48], reason[64];
	char message[1600];
	char service[128], consumer[128], permission[128], operation[128];
	char request_id[80];
	char help[256];       /* a link */
	char violations[600]; /* "field: what; field: what" */
	ns_t retry_delay;
	bool lost; /* no reply: it may have been done */
	struct gke_quota quotas[GKE_MAX_QUOTAS];
	size_t n_quotas;
};

/* gke_error_decode - a reply that is not 2xx. Never fails: the worst text still has its status. */
void gke_error_decode(struct gke_error *out, int http, const char *body, size_t len);
/* gke_error_text - the same from a text and codes inside an operation. code may be empty. */
void gke_error_text(struct gke_error *out, const char *code, const char *message);
/*
 * gke_error_set - as an error with its remedy. @principal may be NULL. The long parts (a table of
 * quotas, field violations, request id, link) are appended to detail when that is not NULL, as lines.
 * Returns -1. ERR_QUOTA for quotas and stockouts, ERR_THROTTLED, ERR_CONFLICT (busy, fingerprint),
 * ERR_EXISTS, ERR_DENIED, ERR_NOT_FOUND, ERR_INVALID, ERR_UNAVAILABLE, ERR_PROTOCOL.
 */
int gke_error_set(const struct gke_error *x, const char *principal, struct buf *detail,
		  struct err *e);

/* gke_quota_parse - every resource that a text calls short. Returns how many are in out. */
size_t gke_quota_parse(struct gke_quota *out, size_t max, const char *text);
/* gke_quota_table - columns for people. */
void gke_quota_table(struct buf *out, const struct gke_quota *q, size_t n);

#endif
