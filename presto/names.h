/*
 * names.h - the names of a cluster's objects. They can never change for a living cluster.
 */
#ifndef PRESTO_NAMES_H
#define PRESTO_NAMES_H

#include "base/err.h"

#define NAME_MAX_LEN 63
#define NAME_SIZE    (NAME_MAX_LEN + 1)

/*
 * name_of - NAME: @override when not empty, else "<cluster>-<first 10 base-36 digits of SHA-256(uid)>".
 * Longer than 63: cut, see name_child.
 */
void name_of(char out[NAME_SIZE], const char *cluster, const char *uid, const char *override);
/* name_child - "<prefix>-<name>"; longer than 63 characters: the first 52, '-', 10 base-36 digits of the
 * SHA-256 of the whole, so that two long names stay two. No '-' or '.' before the cut's dash is doubled. */
void name_child(char out[NAME_SIZE], const char *prefix, const char *name);
/* name_environment - node.environment: @environment when set, else NAME without what [a-z0-9][_a-z0-9]* forbids. */
void name_environment(char out[NAME_SIZE], const char *environment, const char *name);

#define ROLE_CATALOGS      "catalogs"
#define ROLE_CONFIGURATION "configuration"
#define ROLE_COORDINATOR   "coordinator"
#define ROLE_WORKER        "worker"
#define LABEL_MANAGED_BY   "app.kubernetes.io/managed-by"
#define MANAGED_BY         "presto-operator"

#endif
