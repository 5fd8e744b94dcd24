/* serviceusage.c - is an API switched on in a project? */
#include "gke/project.h"

int serviceusage_state(enum gke_service *out, struct gke *g, const char *project, enum gke_api api,
		       struct err *e)
{
	autofree char *path = gke_path("/projects/%s/services/%s", project, gke_api_host(api));
	autojson json_t *reply = NULL;
	struct gke_error why;
	const struct gke_req q = {
		.api = GKE_SERVICEUSAGE, .method = "GET", .path = path, .why = &why};
	const char *state;

	if (gke_call(&reply, g, &q, e) < 0) {
		/* 401 is about the credential: nothing else would work either. */
		if (why.http != 403 && why.http != 404)
			return err_wrap(e, "is %s switched on", gke_api_host(api));
		err_clear(e);
		*out = GKE_SERVICE_UNKNOWN;
		return 0;
	}
	state = jx_str(reply, "state");
	*out = streq(state, "ENABLED")    ? GKE_SERVICE_ENABLED
	       : streq(state, "DISABLED") ? GKE_SERVICE_DISABLED
					  : GKE_SERVICE_UNKNOWN;
	return 0;
}
