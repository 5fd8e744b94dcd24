/*
 * listing.h - environments as rows, for `list` and `gc`: GKE clusters of a project by their labels, and what this machine
 * remembers. A row:
 *	{"name", "provider", "cluster", "project", "location", "state", "here": is it known on this machine,
 *	 and of a cluster that Google shows: "run", "created", "ageSeconds", "expires", "ttlSeconds" (left, below 0: past it;
 *	 both absent without a ttl), "nodes", "machineTypes": [TEXT...], "protected",
 *	 "endpoint": how its API server is reached: public, private, dns}
 */
#ifndef PROVISION_LISTING_H
#define PROVISION_LISTING_H

#include "provision/google.h"

#define LISTING_MAX (4u << 20)

/* listing_row - of a cluster of Google's; NULL: it is no environment of ours. Pure, owned. */
json_t *listing_row(const json_t *cluster, const char *project, ns_t now);
/* listing_project - all environments of a project, sorted by name; zones that do not answer are warned of, and *whole is
 * false then. */
int listing_project(json_t **rows, bool *whole, struct app *a, struct google *g,
		    const char *project, struct err *e) MUST_CHECK;
/* listing_local - rows of what this machine remembers. */
int listing_local(json_t **rows, struct err *e) MUST_CHECK;
/* listing_mark - "here" in the rows of a project that are among the local ones. Pure. */
void listing_mark(json_t *rows, const json_t *local);
/*
 * listing_join - local rows into those of a project (@project NULL: nobody looked at one): the same cluster is one row
 * with "here"; one that should be there and is not says so, when the listing was whole. Pure.
 */
void listing_join(json_t *rows, const json_t *local, const char *project, bool whole);
/* listing_table - for people. */
void listing_table(struct buf *out, const json_t *rows);

/* listing_expired - is it past its end? Pure. */
bool listing_expired(const json_t *row);

#endif
