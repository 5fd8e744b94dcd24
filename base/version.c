/* version.c - the one file that knows the version macros, so that a commit recompiles only this. */
#include "base/version.h"

const char version_text[] = VERSION;
const char version_commit[] = COMMIT;
