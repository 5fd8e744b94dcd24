/*
 * run.c - PID 1 of a Presto pod: waits for the right files, starts java, hands signals on, reaps,
 * and turns a worker's SIGTERM into Presto's graceful shutdown. What could block (name look-ups,
 * slow answers) runs in a forked child, so that a signal is always answered at once.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "operator/agent/agent.h"

#define FILES_WAIT_MS \
	90000 /* kubelet refreshes a mounted ConfigMap within its sync period and cache time, a    \
		 minute or so */
#define FILES_POLL_MS       250
#define TICK_MS             500
#define COORDINATOR_GONE_MS 10000
#define ASK_EVERY_MS        2000
#define ASK_TIMEOUT_MS      4000
#define SHUTDOWN_TRIES      3

static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};

enum drain { RUNNING, ASKING, DRAINING, STOPPING };

struct run {
	const struct agent *a;
	char port[8];
	int signals; /* signalfd */
	sigset_t old_mask;
	pid_t java;
	int java_status;
	bool java_gone;
	enum drain drain;
	pid_t asker; /* the child that talks to Presto or the coordinator, 0: none */
	int tries;
	int64_t next_ask, coordinator_seen;
};

void agent_log(const char *fmt, ...)
{
	va_list ap;
	char line[1024];

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "presto-agent: %s\n", line);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int signal_next(struct run *r, int timeout_ms)
{
	struct pollfd p = {.fd = r->signals, .events = POLLIN};
	struct signalfd_siginfo info;

	if (poll(&p, 1, timeout_ms) > 0 &&
	    read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		return (int)info.ssi_signo;
	return 0;
}

static int signals_open(struct run *r, struct err *e)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		sigaddset(&mask, handled[i]);
	if (sigprocmask(SIG_BLOCK, &mask, &r->old_mask) < 0)
		return err_set(e, ERR_IO, "sigprocmask: %s", strerror(errno));
	r->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 ? err_set(e, ERR_IO, "signalfd: %s", strerror(errno)) : 0;
}

/*
 * Fixed ConfigMap names mean that a new pod may be given the kubelet's stale copy: wait for the
 * files that the operator meant. Starting with others after that is better than not starting: the
 * reason is in the log.
 */
static int files_wait(struct agent_files *out, struct run *r, struct err *e)
{
	int64_t deadline = now_ms() + FILES_WAIT_MS;
	char got[SHA256_HEX_SIZE];
	bool said = false;

	for (;;) {
		int sig;

		if (files_read(out, r->a->data_dir, e) < 0)
			return -1;
		files_checksum(out, got);
		if (!r->a->checksum || streq(got, r->a->checksum))
			return 0;
		if (now_ms() >= deadline) {
			agent_log("the mounted files still have checksum %.12s instead of %.12s: "
				  "starting with them",
				  got, r->a->checksum);
			return 0;
		}
		if (!said)
			agent_log(
				"waiting for the mounted files to have checksum %.12s (now %.12s)",
				r->a->checksum, got);
		said = true;
		files_release(out);
		sig = signal_next(r, FILES_POLL_MS);
		if (sig == SIGTERM || sig == SIGINT)
			return err_set(e, ERR_CANCELLED, "stopped before Presto was started");
	}
}

/* Presto warns below 8192 open files and refuses below 4096. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int java_start(struct run *r, const struct java_command *c, const char *run_dir,
		      struct err *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_set(e, ERR_IO, "fork: %s", strerror(errno));
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
		if (chdir(run_dir) == 0)
			execv(c->argv[0], c->argv);
		agent_log("%s: %s", c->argv[0], strerror(errno));
		_exit(127);
	}
	r->java = pid;
	return 0;
}

static int prepare_and_start(struct run *r, struct err *e)
{
	autofree char *run_dir = xasprintf("%s/run", r->a->data_dir);
	AUTO(files_release) struct agent_files files = {0};
	AUTO(java_command_release) struct java_command command = {0};

	if (files_wait(&files, r, e) < 0)
		return -1;
	if (etc_write(&files, run_dir, etc_node_total(), e) < 0 || java_link(run_dir, e) < 0 ||
	    java_command_of(&command, r->a, run_dir, e) < 0)
		return -1;
	agent_port(r->port, r->a->data_dir);
	raise_file_limit();
	return java_start(r, &command, run_dir, e);
}

/* --- graceful stop of a worker ------------------------------------------------------------------
 */

static int ask_shutdown(const struct run *r)
{
	struct err e = ERR_INIT;
	int status = 0;

	if (http_ask(&status, NULL, "127.0.0.1", r->port, "PUT", "/v1/info/state",
		     "\"SHUTTING_DOWN\"", ASK_TIMEOUT_MS, &e) == 0 &&
	    status != 200)
		err_set(&e, ERR_PROTOCOL, "PUT /v1/info/state: status %d", status);
	if (e.code)
		agent_log("%s", e.msg);
	return e.code != ERR_OK;
}

static int ask_coordinator(const struct run *r)
{
	autofree char *host = xstrdup(r->a->coordinator);
	char *colon = strrchr(host, ':');
	struct err e = ERR_INIT;
	int status = 0;

	if (!colon)
		return 1;
	*colon = '\0';
	return http_ask(&status, NULL, host, colon + 1, "GET", "/v1/info", NULL, ASK_TIMEOUT_MS,
			&e) < 0 ||
	       status != 200;
}

static void ask(struct run *r, int (*question)(const struct run *))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(question(r));
	r->asker = pid > 0 ? pid : 0;
	r->next_ask = now_ms() + ASK_EVERY_MS;
}

static void stop_now(struct run *r, const char *why)
{
	agent_log("%s: stopping Presto", why);
	r->drain = STOPPING;
	kill(r->java, SIGTERM);
}

static void asker_done(struct run *r, bool yes)
{
	r->asker = 0;
	if (r->drain == ASKING && yes) {
		agent_log("Presto finishes its tasks and then stops");
		r->drain = DRAINING;
		r->coordinator_seen = now_ms();
	} else if (r->drain == ASKING && ++r->tries >= SHUTDOWN_TRIES) {
		stop_now(r, "Presto does not take the request to finish");
	} else if (r->drain == DRAINING && yes) {
		r->coordinator_seen = now_ms();
	}
}

/* tick - what a drain does while time passes. Without a coordinator no task will ever end: do not
 * wait for them. */
static void tick(struct run *r)
{
	if (r->drain == DRAINING && r->a->coordinator &&
	    now_ms() - r->coordinator_seen > COORDINATOR_GONE_MS) {
		stop_now(r, "no coordinator for 10 s");
		return;
	}
	if (r->asker || now_ms() < r->next_ask)
		return;
	if (r->drain == ASKING)
		ask(r, ask_shutdown);
	else if (r->drain == DRAINING && r->a->coordinator)
		ask(r, ask_coordinator);
}

static void on_stop(struct run *r, int sig)
{
	if (streq(r->a->role, "worker") && r->drain == RUNNING) {
		agent_log("%s: asking Presto to finish its tasks",
			  sig == SIGTERM ? "SIGTERM" : "SIGINT");
		r->drain = ASKING;
		r->next_ask = 0;
	} else if (r->drain != STOPPING) {
		stop_now(r, sig == SIGTERM ? "SIGTERM" : "SIGINT");
	}
}

static void reap(struct run *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == r->java) {
			r->java_gone = true;
			r->java_status = status;
		} else if (pid == r->asker) {
			asker_done(r, WIFEXITED(status) && WEXITSTATUS(status) == 0);
		}
	}
}

static void serve(struct run *r)
{
	while (!r->java_gone) {
		int sig = signal_next(r, r->drain == RUNNING ? -1 : TICK_MS);

		if (sig == SIGTERM || sig == SIGINT)
			on_stop(r, sig);
		else if (sig && sig != SIGCHLD)
			kill(r->java, sig);
		/* always: two SIGCHLDs may arrive as one */
		reap(r);
		if (!r->java_gone)
			tick(r);
	}
}

int agent_run(const struct agent *a)
{
	struct run r = {.a = a, .signals = -1};
	struct err e = ERR_INIT;

	if (signals_open(&r, &e) < 0 || prepare_and_start(&r, &e) < 0) {
		agent_log("%s%s%s", e.msg, e.hint[0] ? "; " : "", e.hint);
		return e.code == ERR_CANCELLED ? 128 + SIGTERM : 1;
	}
	serve(&r);
	if (r.asker)
		kill(r.asker, SIGKILL);
	if (WIFSIGNALED(r.java_status)) {
		agent_log("java was ended by signal %d", WTERMSIG(r.java_status));
		return 128 + WTERMSIG(r.java_status);
	}
	if (WEXITSTATUS(r.java_status))
		agent_log("java ended with code %d", WEXITSTATUS(r.java_status));
	return WEXITSTATUS(r.java_status);
}
