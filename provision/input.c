/* input.c - see input.h. */
#include "provision/input.h"

#include <signal.h>
#include <unistd.h>

#include "base/file.h"

int input_read(char **out, size_t *len, const char *path, size_t max, struct err *e)
{
	sigset_t set, before;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* The loop has them as a descriptor, and the loop does not turn while we wait here. */
	pthread_sigmask(SIG_UNBLOCK, &set, &before);
	if (streq(path, "-"))
		rc = file_read_fd(out, len, STDIN_FILENO, "standard input", max, e);
	else
		rc = file_read(out, len, path, max, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
