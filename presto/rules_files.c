/* rules_files.c - rules for what becomes files in etc/ and etc/catalog/: names, contents, sizes. */
#include <string.h>

#include "presto/findings.h"

#define CONFIGMAP_MAX ((size_t)1 << 20)
#define CONFIGMAP_OUR (16u << 10) /* for names, labels and the files that we write ourselves */
#define KEY_MAX       253

/* Written by us from the other fields; a file of the same name would be lost or win silently. */
static const char *const our_files[] = {"config.properties", "jvm.config", "node.properties",
					"memory.properties"};

static const char *file_name_fault(const char *name)
{
	if (!*name || strlen(name) > KEY_MAX)
		return "a file name has 1 to 253 characters";
	if (strspn(name, "-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
	    strlen(name))
		return "a file name consists of letters, digits, '-', '_' and '.'";
	if (starts_with(name, "..") || streq(name, "."))
		return "a file name must not begin with '..'";
	if (streq(name, "catalog"))
		return "etc/catalog is a folder: see additionalCatalogs";
	for (size_t i = 0; i < ARRAY_LEN(our_files); i++)
		if (streq(name, our_files[i]))
			return "this file is written by the operator: use additionalProperties, "
			       "additionalJvmConfigProperties, environment or memory";
	return NULL;
}

static const char *catalog_name_fault(const char *name)
{
	if (!*name || strlen(name) > KEY_MAX - strlen(".properties"))
		return "a catalog name has 1 to 242 characters";
	if (strspn(name, "-_0123456789abcdefghijklmnopqrstuvwxyz") != strlen(name) || *name == '-')
		return "a catalog name consists of lower-case letters, digits, '_' and '-'";
	if (streq(name, "system"))
		return "the catalog system is Presto's own";
	return NULL;
}

/* Does a line of a Java properties text, at its first character, set key to something? */
static bool line_sets(const char *line, size_t len, const char *key)
{
	size_t n = strlen(key);

	if (len <= n || strncmp(line, key, n) != 0 || !strchr("=: \t\f", line[n]))
		return false;
	return strspn(line + n, "=: \t\f\r") < len - n;
}

static bool sets(const char *text, const char *key)
{
	bool continued = false;

	while (*text) {
		size_t len = strcspn(text, "\n"), blank = strspn(text, " \t\f"), slashes = 0;

		if (!continued && blank < len && line_sets(text + blank, len - blank, key))
			return true;
		while (slashes < len && text[len - 1 - slashes] == '\\')
			slashes++;
		continued = slashes % 2 &&
			    (continued || (text[blank] != '#' && text[blank] != '!'));
		text += len + (text[len] == '\n');
	}
	return false;
}

/* Decoded size, or -1. As strict as the API server: standard alphabet, padded, line ends allowed.
 */
static ssize_t base64_size(const char *text)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0, pad = 0;

	for (; *text; text++) {
		if (*text == '\n' || *text == '\r')
			continue;
		if (*text == '=')
			pad++;
		else if (pad || !strchr(alphabet, *text))
			return -1;
		n++;
	}
	return n % 4 || pad > 2 ? -1 : (ssize_t)(n / 4 * 3 - pad);
}

static void check_catalogs(struct findings *f, const json_t *spec)
{
	const struct place at = place_of("spec.additionalCatalogs");
	char q[QUOTED_SIZE];
	const char *name;
	const json_t *text;
	size_t size = 0;

	jx_foreach (jx_get(spec, "additionalCatalogs"), name, text) {
		struct place p = place_child(&at, name);
		const char *fault = catalog_name_fault(name);

		if (json_is_null(text))
			continue;
		size += strlen(name) + json_string_length(text);
		if (fault)
			found(f, &p, "Invalid value: %s: %s", quoted(q, name), fault);
		else if (!sets(json_string_value(text), "connector.name"))
			found(f, &p,
			      "Invalid value: %s: no line sets connector.name, without which no "
			      "node would start",
			      quoted(q, json_string_value(text)));
	}
	if (size > CONFIGMAP_MAX - CONFIGMAP_OUR)
		found(f, &at,
		      "Too long: %zu bytes of catalogs do not fit into a ConfigMap, which takes "
		      "%zu",
		      size, CONFIGMAP_MAX - CONFIGMAP_OUR);
}

static size_t text_size(const json_t *spec, const char *path)
{
	return strlen(jx_str_or(spec, path, ""));
}

static size_t check_text_files(struct findings *f, const json_t *files)
{
	const struct place at = place_of("spec.additionalEtcPrestoTextFiles");
	char q[QUOTED_SIZE];
	const char *name;
	const json_t *text;
	size_t size = 0;

	jx_foreach (files, name, text) {
		struct place p = place_child(&at, name);
		const char *fault = file_name_fault(name);

		if (json_is_null(text))
			continue;
		size += strlen(name) + json_string_length(text);
		if (fault)
			found(f, &p, "Invalid value: %s: %s", quoted(q, name), fault);
	}
	return size;
}

static size_t check_binary_files(struct findings *f, const json_t *files, const json_t *texts)
{
	const struct place at = place_of("spec.additionalEtcPrestoBinaryFiles");
	char q[QUOTED_SIZE];
	const char *name;
	const json_t *text;
	size_t size = 0;

	jx_foreach (files, name, text) {
		struct place p = place_child(&at, name);
		const char *fault = file_name_fault(name);

		if (json_is_null(text))
			continue;
		ssize_t bytes = base64_size(json_string_value(text));
		if (fault)
			found(f, &p, "Invalid value: %s: %s", quoted(q, name), fault);
		else if (json_is_string(jx_get(texts, name)))
			found(f, &p, "Duplicate value: %s: a text file has the same name",
			      quoted(q, name));
		else if (bytes < 0)
			found(f, &p, "Invalid value: %s: not base64 with padding",
			      quoted(q, json_string_value(text)));
		size += strlen(name) + (bytes > 0 ? (size_t)bytes : 0);
	}
	return size;
}

void rules_files_check(struct findings *f, const json_t *spec)
{
	const json_t *texts = jx_get(spec, "additionalEtcPrestoTextFiles");
	const json_t *binaries = jx_get(spec, "additionalEtcPrestoBinaryFiles");

	check_catalogs(f, spec);
	/* All of these share the one ConfigMap of the configuration. */
	size_t size = check_text_files(f, texts) + check_binary_files(f, binaries, texts) +
		      2 * text_size(spec, "additionalJvmConfigProperties") +
		      text_size(spec, "coordinator.additionalProperties") +
		      text_size(spec, "worker.additionalProperties");
	if (size > CONFIGMAP_MAX - CONFIGMAP_OUR) {
		struct place at = place_of(jx_is_empty(binaries)
						   ? "spec.additionalEtcPrestoTextFiles"
						   : "spec.additionalEtcPrestoBinaryFiles");

		found(f, &at,
		      "Too long: %zu bytes of files in etc/ do not fit into a ConfigMap, which "
		      "takes %zu",
		      size, CONFIGMAP_MAX - CONFIGMAP_OUR);
	}
}
