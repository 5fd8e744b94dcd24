/*
 * properties.h - Java properties texts, as java.util.Properties reads them: enough to put a user's lines over
 * ours without a key being there twice. Pure.
 */
#ifndef OPERATOR_PROPERTIES_H
#define OPERATOR_PROPERTIES_H

#include "base/buf.h"

#define PROPERTIES_MAX (1u << 20)

/*
 * properties_merge - the lines of @ours, then those of @theirs. Where a key is in both, or more than once, its
 * last line stays, at the place of that line. Comments and blank lines are dropped, continued lines stay whole.
 * *out is owned and ends with a newline unless it is empty. ERR_INVALID: larger than PROPERTIES_MAX.
 */
int properties_merge(char **out, const char *ours, const char *theirs, struct err *e) MUST_CHECK;
/* properties_has - does the text set this key? */
bool properties_has(const char *text, const char *key);

#endif
