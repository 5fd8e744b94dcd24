/* names.c - pure: cluster and UID in, names out. A change here renames what lives in clusters:
 * never. */
#include "presto/names.h"

#include <assert.h>
#include <string.h>

#include "base/sha256.h"

#define UNIQUE_DIGITS 10
#define KEPT          (NAME_MAX_LEN - 1 - UNIQUE_DIGITS)

static void digest36(char out[UNIQUE_DIGITS + 1], const char *text)
{
	struct sha256 s;
	unsigned char digest[32];

	sha256_init(&s);
	sha256_add(&s, text, strlen(text));
	sha256_end(&s, digest);
	sha256_base36(digest, out, UNIQUE_DIGITS);
}

/* Puts a name of any length into 63 characters; what is cut off still counts, through the hash. */
static void fit(char out[NAME_SIZE], const char *whole)
{
	char unique[UNIQUE_DIGITS + 1];
	size_t keep = strlen(whole);

	if (keep <= NAME_MAX_LEN) {
		memcpy(out, whole, keep + 1);
		return;
	}
	keep = KEPT;
	while (keep > 1 && (whole[keep - 1] == '-' || whole[keep - 1] == '.'))
		keep--;
	digest36(unique, whole);
	snprintf(out, NAME_SIZE, "%.*s-%s", (int)keep, whole, unique);
}

void name_of(char out[NAME_SIZE], const char *cluster, const char *uid, const char *override)
{
	char unique[UNIQUE_DIGITS + 1];

	if (override && *override) {
		fit(out, override);
		return;
	}
	digest36(unique, uid);
	autofree char *whole = xasprintf("%s-%s", cluster, unique);
	fit(out, whole);
}

void name_child(char out[NAME_SIZE], const char *prefix, const char *name)
{
	autofree char *whole = xasprintf("%s-%s", prefix, name);

	fit(out, whole);
}

static bool lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

void name_environment(char out[NAME_SIZE], const char *environment, const char *name)
{
	size_t len = 0;

	if (environment && *environment) {
		assert(strlen(environment) <= NAME_MAX_LEN);
		memcpy(out, environment, strlen(environment) + 1);
		return;
	}
	for (; *name && len < NAME_MAX_LEN; name++)
		if (lower_or_digit(*name) || (*name == '_' && len))
			out[len++] = *name;
	assert(len); /* a NAME begins with a letter or a digit */
	out[len] = '\0';
}
