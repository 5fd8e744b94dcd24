/* gke_version.c - aliases and versions against the lists of a location. */
#include "provision/gke_version.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PARTS   4 /* 1.33.1-gke.1386000 */
#define NEAREST 3

static void parts_of(long out[PARTS], const char *text)
{
	for (size_t i = 0; i < PARTS; i++) {
		char *end;

		while (*text && !isdigit((unsigned char)*text))
			text++;
		out[i] = strtol(text, &end, 10);
		text = end;
	}
}

static int compare(const char *a, const char *b)
{
	long x[PARTS], y[PARTS];

	parts_of(x, a);
	parts_of(y, b);
	for (size_t i = 0; i < PARTS; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* "1.33" stands for 1.33.1-gke.5, not for 1.330. */
static bool stands_for(const char *wanted, const char *version)
{
	size_t n = strlen(wanted);

	return streq(wanted, "latest") || (!strncmp(version, wanted, n) &&
					   (!version[n] || version[n] == '.' || version[n] == '-'));
}

static const char *highest(const json_t *list, const char *wanted)
{
	const char *best = NULL;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *v = json_string_value(json_array_get(list, i));

		if (v && strlen(v) < GKE_VERSION_SIZE && stands_for(wanted, v) &&
		    (!best || compare(v, best) > 0))
			best = v;
	}
	return best;
}

static const json_t *channel_of(const json_t *server, const char *name)
{
	const json_t *list = jx_get(server, "channels");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(jx_str(json_array_get(list, i), "channel"), name))
			return json_array_get(list, i);
	return NULL;
}

/* Another channel that has it is the likeliest remedy. */
static const char *channel_with(const json_t *server, const char *wanted)
{
	const json_t *list = jx_get(server, "channels");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (highest(jx_get(json_array_get(list, i), "validVersions"), wanted))
			return jx_str(json_array_get(list, i), "channel");
	return NULL;
}

/* Of two versions, the one that a user of @wanted would rather have: the nearest minor, its latest patch. */
static bool better(const char *a, const char *b, const char *wanted)
{
	long x[PARTS], y[PARTS], w[PARTS];

	parts_of(x, a);
	parts_of(y, b);
	parts_of(w, wanted);
	for (size_t i = 0; i < 2; i++)
		if (labs(x[i] - w[i]) != labs(y[i] - w[i]))
			return labs(x[i] - w[i]) < labs(y[i] - w[i]);
	return compare(a, b) > 0;
}

static void nearest(char *out, size_t size, const json_t *list, const char *wanted)
{
	const char *last = NULL;

	*out = '\0';
	for (size_t k = 0; k < NEAREST; k++) {
		const char *best = NULL;
		size_t n = strlen(out);

		for (size_t i = 0; i < json_array_size(list); i++) {
			const char *v = json_string_value(json_array_get(list, i));

			if (v && (!last || better(last, v, wanted)) &&
			    (!best || better(v, best, wanted)))
				best = v;
		}
		if (!best)
			return;
		last = best;
		snprintf(out + n, size - n, "%s%.40s", n ? ", " : "", best);
	}
}

static int refuse(const json_t *server, const json_t *list, const char *channel, const char *wanted,
		  struct err *e)
{
	const char *other = channel_with(server, wanted);
	char near[140], name[24] = "", other_name[24] = "";

	for (size_t i = 0; channel && channel[i] && i + 1 < sizeof(name); i++)
		name[i] = (char)tolower((unsigned char)channel[i]);
	for (size_t i = 0; other && other[i] && i + 1 < sizeof(other_name); i++)
		other_name[i] = (char)tolower((unsigned char)other[i]);
	nearest(near, sizeof(near), list, wanted);
	err_set(e, ERR_INVALID, "Google offers no version \"%.40s\"%s%s", wanted,
		*name ? " in the release channel " : "", name);
	if (other)
		return err_hint(e, "releaseChannel: %s has it; nearest here: %s", other_name, near);
	return err_hint(e, "nearest: %s", near);
}

int gke_version_resolve(char out[GKE_VERSION_SIZE], const json_t *server, const char *channel,
			const char *wanted, struct err *e)
{
	bool none = streq(channel, "UNSPECIFIED"), any = !wanted || !*wanted || streq(wanted, "-");
	const char *name = none ? NULL : channel ? channel : "REGULAR";
	const json_t *of = name ? channel_of(server, name) : NULL;
	const json_t *list = name ? jx_get(of, "validVersions")
				  : jx_get(server, "validMasterVersions");
	const char *found = any && name ? jx_str(of, "defaultVersion")
			    : any       ? jx_str(server, "defaultClusterVersion")
					: highest(list, wanted);

	if (!found && !any && json_array_size(list))
		return refuse(server, list, name, wanted, e);
	snprintf(out, GKE_VERSION_SIZE, "%s", found ? found : "");
	return 0;
}
