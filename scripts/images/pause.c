/*
 * pause - PID 1 of a pod's sandbox: keeps the namespaces alive, reaps what its
 * containers leave behind, ends when asked to.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

static void reap(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

int main(void)
{
	const struct sigaction on_end = { .sa_handler = end };
	const struct sigaction on_child = { .sa_handler = reap, .sa_flags = SA_NOCLDSTOP };

	/* PID 1 gets only the signals it has a handler for. */
	if (sigaction(SIGINT, &on_end, NULL) < 0 || sigaction(SIGTERM, &on_end, NULL) < 0 ||
	    sigaction(SIGCHLD, &on_child, NULL) < 0)
		return EXIT_FAILURE;
	for (;;)
		pause();
}
