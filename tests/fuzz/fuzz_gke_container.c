/* fuzz_gke_container.c - operations and clusters as some server might describe them. */
#include <stdlib.h>
#include <string.h>

#include "gke/container.h"
#include "tests/fuzz/fuzz.h"

static void look_at_operation(const json_t *o)
{
	struct gke_op_status s;

	gke_op_decode(&s, o);
	MUST(s.progress == -1 || (s.progress >= 0 && s.progress <= 1));
	MUST(!s.failed || (s.state == GKE_OP_DONE && s.why.message[0]));
}

static void look_at_cluster(const json_t *o)
{
	struct gke_error why;

	(void)container_state(o);
	if (container_trouble(&why, o))
		MUST(why.message[0]);
	for (enum gke_way way = GKE_WAY_PUBLIC; way <= GKE_WAY_DNS; way++) {
		struct gke_access a = {0};
		struct err e = ERR_INIT;

		if (container_access(&a, o, way, &e) == 0)
			MUST(starts_with(a.server, "https://") &&
			     !strpbrk(a.server + 8, "/@ \r\n?#"));
		else
			MUST(e.code != ERR_OK && !a.server && !a.ca_pem);
		gke_access_release(&a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = NULL;
	autojson json_t *o = NULL;
	struct err e = ERR_INIT;

	if (size > (1u << 16))
		return 0;
	text = xmalloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	if (jx_parse(&o, text, size, "f", &e) < 0)
		return 0;
	look_at_operation(o);
	look_at_cluster(o);
	return 0;
}
