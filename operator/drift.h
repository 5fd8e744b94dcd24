/*
 * drift.h - does a live object still hold what we want? Pure. The API server adds defaults, rewrites
 * quantities and leaves out what is empty; other managers own other fields. None of that is drift.
 */
#ifndef OPERATOR_DRIFT_H
#define OPERATOR_DRIFT_H

#include "base/jx.h"

/*
 * drift_covers - every field that @want sets has the same value in @live: quantities by value, lists of named
 * things by their names in any order, other lists element by element, empty as good as absent.
 * @path (may be NULL) gets the dotted path of the first difference.
 */
bool drift_covers(const json_t *want, const json_t *live, char *path, size_t path_size);
/* drift_restrict - the parts of @live that @want speaks about, in @want's shape. Owned. */
json_t *drift_restrict(const json_t *want, const json_t *live);
/* drift_foreign - a merge patch ({"data": {"key": null}}) that removes what others put into the data of our
 * ConfigMap, or NULL when there is nothing or @want is no ConfigMap. Owned. */
json_t *drift_foreign(const json_t *want, const json_t *live);

#endif
