/*
 * archives.h - images that are files here: the archives that scripts/images makes of the project's own images.
 */
#ifndef PROVISION_ARCHIVES_H
#define PROVISION_ARCHIVES_H

#include "provision/app.h"

/*
 * archive_built - the archive of one of our own images, named as scripts/images names them: "localhost/presto:312". *out
 * (owned) stays NULL for any other image, and when it is not built. ERR_NOT_FOUND: the script itself is not here.
 */
int archive_built(char **out, struct app *a, const char *ref, struct err *e) MUST_CHECK;
/* archive_recipe - "scripts/images/build build presto" for such an image; NULL for any other. Static. */
const char *archive_recipe(const char *ref);

#endif
