/*
 * names.h - what Google accepts as names, checked before anything is sent (its own clients do not).
 */
#ifndef GKE_NAMES_H
#define GKE_NAMES_H

#include "base/err.h"

/* Each returns 0, or -1 with ERR_INVALID that quotes the text and says the rule. */
int gke_check_project(const char *project, struct err *e) MUST_CHECK;
int gke_check_location(const char *location, struct err *e) MUST_CHECK; /* zone or region */
/* gke_check_name - clusters and node pools: at most 40 of a-z 0-9 -, a letter first, no hyphen last. */
int gke_check_name(const char *name, const char *what, struct err *e) MUST_CHECK;
/* gke_check_label - at most 63 of a-z 0-9 _ -; the key starts with a letter. */
int gke_check_label(const char *key, const char *value, struct err *e) MUST_CHECK;

bool gke_is_zone(const char *location); /* "us-central1-a"; false: a region */
/* gke_region_of - "us-central1" of either. Owned. */
char *gke_region_of(const char *location) NEVER_NULL;

#endif
