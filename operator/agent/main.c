/* main.c - presto-agent's verbs. Usage errors exit with 2, failures with 1, `run` with java's own
 * code. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "operator/agent/agent.h"

static const char usage[] =
	"presto-agent " VERSION "\n"
	"usage: presto-agent install DIR         copy this program to DIR/presto-agent\n"
	"       presto-agent run ROLE            run Presto; ROLE is coordinator or worker\n"
	"       presto-agent probe ready|live    ask this pod's Presto\n"
	"       presto-agent version\n";

static int fail(const struct err *e)
{
	agent_log("%s%s%s", e->msg, e->hint[0] ? "; " : "", e->hint);
	return 1;
}

static int run(const char *role)
{
	const char *dir = getenv("PRESTO_DATA_DIR");
	const struct agent a = {
		.role = role,
		.data_dir = dir && *dir ? dir : AGENT_DATA_DIR,
		.pod_id = getenv("POD_ID"),
		.pod_ip = getenv("POD_IP"),
		.checksum = getenv("PRESTO_CHECKSUM"),
		.coordinator = getenv("PRESTO_COORDINATOR"),
	};

	return agent_run(&a);
}

static int probe(const char *what)
{
	const char *dir = getenv("PRESTO_DATA_DIR");
	struct err e = ERR_INIT;
	char port[8];

	agent_port(port, dir && *dir ? dir : AGENT_DATA_DIR);
	if (probe_run(what, port, &e) < 0) {
		/* The kubelet puts what a probe prints into its event. */
		puts(e.msg);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc == 3 && streq(argv[1], "install"))
		return agent_install(argv[2], &e) < 0 ? fail(&e) : 0;
	if (argc == 3 && streq(argv[1], "run") &&
	    (streq(argv[2], "coordinator") || streq(argv[2], "worker")))
		return run(argv[2]);
	if (argc == 3 && streq(argv[1], "probe") &&
	    (streq(argv[2], "ready") || streq(argv[2], "live")))
		return probe(argv[2]);
	if (argc == 2 && (streq(argv[1], "version") || streq(argv[1], "--version"))) {
		puts("presto-agent " VERSION);
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
