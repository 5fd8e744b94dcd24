/* fuzz_sql_page.c - replies of a coordinator: what is taken is what it says it is. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "presto/sql_page.h"

static void page(const char *text, size_t size)
{
	struct sql_page p;
	struct err e = ERR_INIT;

	if (sql_page_decode(&p, text, size, &e) < 0) {
		MUST(e.code == ERR_PROTOCOL);
		return;
	}
	MUST(!*p.next || (strncmp(p.next, "/v1/statement/", 14) == 0 && !strstr(p.next, "..")));
	MUST(p.state && p.percent >= 0 && p.percent <= 100);
	MUST(!p.failed || (p.message && *p.message));
	for (size_t i = 0; i < json_array_size(p.data); i++)
		MUST(json_array_size(json_array_get(p.data, i)) == json_array_size(p.columns));
	sql_page_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct presto_info info;
	struct presto_cluster cluster;
	struct err e = ERR_INIT;

	page((const char *)data, size);
	MUST(presto_info_decode(&info, (const char *)data, size, &e) == 0 ||
	     e.code == ERR_PROTOCOL);
	err_clear(&e);
	if (presto_cluster_decode(&cluster, (const char *)data, size, &e) == 0)
		MUST(cluster.active_workers >= 0 && cluster.blocked >= 0);
	return 0;
}
