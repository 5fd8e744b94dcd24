/* cmd_version.c - what this build is, and what it was built with. */
#include <curl/curl.h>

#include "base/version.h"
#include "provision/commands.h"

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	const char *curl = curl_version_info(CURLVERSION_NOW)->version;
	json_t *o;

	if (app_options(a, &cmd_version, NULL, &argc, argv, e) < 0)
		return -1;
	if (!a->json) {
		app_print("prestoctl %s (%s), libcurl %s, jansson %s\n", version_text,
			  version_commit, curl, jansson_version_str());
		return 0;
	}
	o = json_object();
	json_object_set_new(o, "version", json_string(version_text));
	json_object_set_new(o, "commit", json_string(version_commit));
	json_object_set_new(o, "libcurl", json_string(curl));
	json_object_set_new(o, "jansson", json_string(jansson_version_str()));
	app_result_json(o);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.summary = "the version of this program",
	.run = run,
};
