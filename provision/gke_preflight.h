/*
 * gke_preflight.h - what must be true before the POST that makes a cluster: APIs on, rights, a location, version and
 * machine types that exist, quotas that suffice, nodes that the Presto pods fit on. Looks only; one request tells the
 * cluster's fate within seconds where Google would take minutes.
 *
 * The report, of which a plan shows the members that struct cluster_facts.details knows:
 *	{"version": RESOLVED or absent, "zones": [ZONE...],
 *	 "quotas": [{"metric","where","needed","available","limit","short": BOOL}...],  (available and limit null: not known)
 *	 "warnings": [TEXT...],
 *	 "problems": [{"code","text","hint","lines":[TEXT...]}...]}  (code: err_name; hint, lines may be absent)
 */
#ifndef PROVISION_GKE_PREFLIGHT_H
#define PROVISION_GKE_PREFLIGHT_H

#include "presto/presto.h"
#include "provision/gke_spec.h"
#include "provision/google.h"

struct gke_preflight {
	struct gke *gke;
	const struct gke_spec *spec;
	const char *project;
	const char *location; /* the one that is about to be used: each has quotas of its own */
	const struct presto *presto; /* decoded; NULL: whether pods fit is not looked at */
};

/*
 * gke_preflight_look - asks, and collects all that is wrong in *report (owned). What cannot be found out (no right to
 * ask, an API that does not answer) is a warning. Fails only when nothing would work: ERR_DENIED that is
 * about the credential, ERR_UNAVAILABLE and the like of the container API, ERR_TIMEOUT, ERR_CANCELLED.
 */
int gke_preflight_look(json_t **report, const struct gke_preflight *p, struct err *e) MUST_CHECK;
/*
 * gke_preflight_check - the first problem of a report as an error (ERR_DENIED, ERR_NOT_FOUND, ERR_INVALID, ERR_QUOTA);
 * the others, and the table of quotas that are short, are lines below it. 0: there is none.
 */
int gke_preflight_check(const json_t *report, struct app *a, struct err *e) MUST_CHECK;
/* gke_preflight_details - quotas, warnings and problems of a report into a cluster_facts.details. */
void gke_preflight_details(json_t *details, const json_t *report);

#endif
