/* names.c - rules for names. Pure. */
#include "gke/names.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

int gke_check_project(const char *project, struct err *e)
{
	const char *colon = strchr(project, ':'); /* "example.com:project" of old domains */
	const char *name = colon ? colon + 1 : project;
	size_t n = strlen(name);
	bool all_digits = n && strspn(name, DIGITS) == n;
	bool fine = n >= 6 && n <= 30 && strspn(name, LOWER DIGITS "-") == n &&
		    strchr(LOWER, name[0]) && name[n - 1] != '-';

	if (colon && strspn(project, LOWER DIGITS ".-:") != strlen(project))
		fine = false;
	if (fine)
		return 0;
	err_set(e, ERR_INVALID, "\"%.80s\" is not a project id", project);
	return err_hint(e, all_digits ? "this is a project number: give the project's id"
				      : "6 to 30 of a-z, 0-9 and hyphens, a letter first");
}

int gke_check_location(const char *location, struct err *e)
{
	const char *dash = strchr(location, '-'), *second = dash ? strchr(dash + 1, '-') : NULL;
	size_t n = strlen(location);
	bool fine = n <= 40 && dash && dash > location && dash[1] &&
		    strspn(location, LOWER DIGITS "-") == n && strchr(LOWER, location[0]) &&
		    location[n - 1] != '-';

	if (fine && second)
		fine = second > dash + 1 && second[1] && !strchr(second + 1, '-');
	if (fine)
		return 0;
	err_set(e, ERR_INVALID, "\"%.60s\" is not a location", location);
	return err_hint(e, "a region as us-central1, or a zone as us-central1-a");
}

int gke_check_name(const char *name, const char *what, struct err *e)
{
	size_t n = strlen(name);

	if (n && n <= 40 && strspn(name, LOWER DIGITS "-") == n && strchr(LOWER, name[0]) &&
	    name[n - 1] != '-')
		return 0;
	err_set(e, ERR_INVALID, "\"%.80s\" cannot be the name of a %s", name, what);
	return err_hint(e, "1 to 40 of a-z, 0-9 and hyphens, a letter first, no hyphen last");
}

int gke_check_label(const char *key, const char *value, struct err *e)
{
	size_t k = strlen(key), v = strlen(value);

	if (!k || k > 63 || strspn(key, LOWER DIGITS "_-") != k || !strchr(LOWER, key[0])) {
		err_set(e, ERR_INVALID, "\"%.80s\" cannot be the key of a label", key);
		return err_hint(e, "1 to 63 of a-z, 0-9, _ and -, a letter first");
	}
	if (v > 63 || strspn(value, LOWER DIGITS "_-") != v) {
		err_set(e, ERR_INVALID, "\"%.80s\" cannot be the value of label %s", value, key);
		return err_hint(e, "at most 63 of a-z, 0-9, _ and -");
	}
	return 0;
}

bool gke_is_zone(const char *location)
{
	const char *dash = strchr(location, '-');

	return dash && strchr(dash + 1, '-');
}

char *gke_region_of(const char *location)
{
	return gke_is_zone(location)
		       ? xstrndup(location, (size_t)(strrchr(location, '-') - location))
		       : xstrdup(location);
}
