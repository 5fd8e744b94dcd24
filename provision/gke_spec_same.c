/* gke_spec_same.c - comparing what was asked of Google with what it tells. Pure. */
#include "provision/gke_spec_same.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define VERSION_PARTS 4

/* "1.33.5-gke.1" into numbers; how many there are. */
static size_t version_parts(long out[VERSION_PARTS], const char *text)
{
	size_t n = 0;

	while (n < VERSION_PARTS && *text >= '0' && *text <= '9') {
		char *end;

		out[n++] = strtol(text, &end, 10);
		text = end;
		if (starts_with(text, "-gke."))
			text += strlen("-gke.");
		else if (*text == '.')
			text++;
	}
	return n;
}

bool version_older(const char *have, const char *want)
{
	long a[VERSION_PARTS] = {0}, b[VERSION_PARTS] = {0};
	size_t n = version_parts(b, want);

	if (!version_parts(a, have))
		return false;
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

struct cidr {
	unsigned char bytes[16];
	bool v6;
	long bits;
};

static bool cidr_parse(struct cidr *out, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[64];

	*out = (struct cidr){.v6 = strchr(text, ':') != NULL};
	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	out->bits = strtol(slash + 1, NULL, 10);
	return inet_pton(out->v6 ? AF_INET6 : AF_INET, address, out->bytes) == 1;
}

bool same_cidr(const char *a, const char *b)
{
	struct cidr x, y;

	if (!cidr_parse(&x, a) || !cidr_parse(&y, b))
		return streq(a, b);
	return x.v6 == y.v6 && x.bits == y.bits && memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0;
}

static bool has_network(const json_t *blocks, const json_t *asked)
{
	for (size_t i = 0; i < json_array_size(blocks); i++) {
		const json_t *one = json_array_get(blocks, i);
		const char *name = jx_str(asked, "displayName");

		if (same_cidr(jx_str_or(one, "cidrBlock", ""), jx_str_or(asked, "cidrBlock", "")) &&
		    (!name || streq(name, jx_str_or(one, "displayName", ""))))
			return true;
	}
	return false;
}

bool same_networks(const json_t *asked, const json_t *have)
{
	const json_t *a = jx_get(asked, "cidrBlocks"), *b = jx_get(have, "cidrBlocks");

	if (!jx_bool(have, "enabled"))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!has_network(b, json_array_get(a, i)))
			return false;
	/* The other way round, by addresses only: a name that was not asked for is no difference. */
	for (size_t i = 0; i < json_array_size(b); i++) {
		autojson json_t *bare = json_pack("{s:s}", "cidrBlock",
						  jx_str_or(json_array_get(b, i), "cidrBlock", ""));

		if (!has_network(a, bare))
			return false;
	}
	return true;
}

static bool same_taint(const json_t *a, const json_t *b)
{
	return streq(jx_str_or(a, "key", ""), jx_str_or(b, "key", "")) &&
	       streq(jx_str_or(a, "value", ""), jx_str_or(b, "value", "")) &&
	       streq(jx_str_or(a, "effect", ""), jx_str_or(b, "effect", ""));
}

static bool has_each(const json_t *list, const json_t *wanted)
{
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		bool found = false;

		for (size_t j = 0; j < json_array_size(list) && !found; j++)
			found = same_taint(json_array_get(list, j), json_array_get(wanted, i));
		if (!found)
			return false;
	}
	return true;
}

bool same_taints(const json_t *asked, const json_t *have)
{
	return has_each(have, asked) && has_each(asked, have);
}

static bool same_time(const char *a, const char *b)
{
	struct err e = ERR_INIT;
	ns_t x, y;

	return time_parse(&x, a, &e) == 0 && time_parse(&y, b, &e) == 0 && x == y;
}

bool same_window(const json_t *asked, const json_t *have)
{
	static const char daily[] = "dailyMaintenanceWindow.startTime",
			  again[] = "recurringWindow.recurrence",
			  from[] = "recurringWindow.window.startTime",
			  to[] = "recurringWindow.window.endTime";

	if (jx_str(asked, daily))
		return streq(jx_str(asked, daily), jx_str_or(have, daily, ""));
	return streq(jx_str_or(asked, again, ""), jx_str_or(have, again, "")) &&
	       same_time(jx_str_or(asked, from, ""), jx_str_or(have, from, "")) &&
	       same_time(jx_str_or(asked, to, ""), jx_str_or(have, to, ""));
}
