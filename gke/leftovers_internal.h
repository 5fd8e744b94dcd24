/*
 * leftovers_internal.h - shared by leftovers.c (listing, deleting) and leftovers_match.c (whose is it). Nobody else
 * includes it.
 */
#ifndef GKE_LEFTOVERS_INTERNAL_H
#define GKE_LEFTOVERS_INTERNAL_H

#include "gke/compute.h"

/* One that was listed. thing.why NULL: it may only turn out to be the cluster's by what it is linked to. */
struct leftover {
	struct compute_thing thing;
	json_t *links; /* what it names: "regions/R/targetPools/N"; owned */
	bool recent;   /* not older than marks.since */
};

/* leftover_may - is it worth keeping, although nothing but its links could tell? */
bool leftover_may(const char *name);
/* leftover_links - what a thing names, without itself; an array of texts, owned. */
json_t *leftover_links(const json_t *thing);
/* leftovers_follow - whose the others are, by what they use and what uses them. */
void leftovers_follow(struct leftover *v, size_t n, const struct compute_marks *m);

#endif
