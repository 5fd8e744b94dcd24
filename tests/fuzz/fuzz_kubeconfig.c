/* fuzz_kubeconfig.c - a kubeconfig in: refused with its place, or each context resolves or says why. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "k8s/kubeconfig.h"

/* Certificates may be files: this target opens none that the input names. */
static bool names_files(const char *text, size_t len)
{
	static const char *const keys[] = {"certificate-authority", "client-certificate",
					   "client-key", "\\"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *at = text, *end = text + len;
		size_t n = strlen(keys[i]);

		while ((at = memmem(at, (size_t)(end - at), keys[i], n))) {
			at += n;
			if ((size_t)(end - at) < 5 || memcmp(at, "-data", 5) != 0)
				return true;
		}
	}
	return false;
}

static void resolve(const struct kubeconfig *k, const char *context)
{
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	if (kubeconfig_resolve(&c, k, context, &e) < 0) {
		MUST(e.code != ERR_OK && e.msg[0] && !c.server);
		return;
	}
	MUST(e.code == ERR_OK && c.server && c.ns && !c.cert_pem == !c.key_pem);
	autofree char *text = kubeconfig_text(&c, "again");
	AUTO(kubeconfig_freep) struct kubeconfig *again = NULL;
	MUST(kubeconfig_add(&again, text, strlen(text), "again", ".", &e) == 0);
	k8s_config_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	AUTO(kubeconfig_freep) struct kubeconfig *k = NULL;
	struct err e = ERR_INIT;

	if (names_files(text, size))
		return 0;
	if (kubeconfig_add(&k, text, size, "input", "/nowhere", &e) < 0) {
		MUST(e.code == ERR_INVALID && strncmp(e.msg, "input", 5) == 0 && !k);
		return 0;
	}
	autojson json_t *names = kubeconfig_contexts(k);
	resolve(k, NULL);
	for (size_t i = 0; i < json_array_size(names); i++)
		resolve(k, json_string_value(json_array_get(names, i)));
	return 0;
}
