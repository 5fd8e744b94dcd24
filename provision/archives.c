/* archives.c - see archives.h. */
#include "provision/archives.h"

#include <string.h>

#include "base/child.h"
#include "base/log.h"
#include "provision/provider.h"

#define IMAGES       "images/build"
#define OPERATOR     "localhost/presto-operator:"
#define PRESTO       "localhost/presto:"
#define PATH_TIMEOUT (30 * NS_SEC)

int archive_built(char **out, struct app *a, const char *ref, struct err *e)
{
	AUTO(child_result_release) struct child_result done = {0};
	autofree char *tool = NULL;
	const char *argv[] = {NULL, "-q", "--tag", "dev", "path", ref, NULL};
	struct child_opts o = {.argv = argv, .timeout = PATH_TIMEOUT};

	if (!starts_with(ref, PRESTO) && !starts_with(ref, OPERATOR))
		return 0;
	if (provider_tool(&tool, "PRESTOCTL_IMAGES", IMAGES, e) < 0)
		return -1;
	argv[0] = tool;
	if (starts_with(ref, OPERATOR))
		argv[3] = ref + strlen(OPERATOR);
	if (child_run(&done, a->loop, &o, e) < 0)
		return err_wrap(e, "looking for the archive of %s", ref);
	if (done.exit_code) {
		log_debug("images", "%s", buf_str(&done.err));
		return 0;
	}
	*out = xstrndup(buf_str(&done.out), strcspn(buf_str(&done.out), "\n"));
	return 0;
}

const char *archive_recipe(const char *ref)
{
	if (starts_with(ref, OPERATOR))
		return "scripts/images/build build presto-operator";
	/* The only one that there is a recipe for. */
	return streq(ref, PRESTO "312") ? "scripts/images/build build presto" : NULL;
}
