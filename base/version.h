/* version.h - what this build is. The strings come from the Makefile. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char version_text[];   /* "0.1.0" */
extern const char version_commit[]; /* "0123456789ab", or "unknown" outside a checkout */

#endif
