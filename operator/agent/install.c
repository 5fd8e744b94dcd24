/* install.c - the program copies itself: the operator's image has no shell and no cp. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/agent/agent.h"

static int copy(int to, int from, const char *path, struct err *e)
{
	char block[65536];
	ssize_t got;

	while ((got = read(from, block, sizeof(block))) > 0) {
		for (ssize_t done = 0; done < got;) {
			ssize_t put = write(to, block + done, (size_t)(got - done));

			if (put < 0)
				return err_set(e, err_errno(errno), "%s: %s", path,
					       strerror(errno));
			done += put;
		}
	}
	return got < 0 ? err_set(e, ERR_IO, "/proc/self/exe: %s", strerror(errno)) : 0;
}

int agent_install(const char *dir, struct err *e)
{
	autofree char *temp = xasprintf("%s/.presto-agent.%d", dir, (int)getpid());
	autofree char *path = xasprintf("%s/presto-agent", dir);
	AUTO(closep) int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO(closep) int to = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	if (from < 0)
		return err_set(e, ERR_IO, "/proc/self/exe: %s", strerror(errno));
	if (to < 0)
		return err_set(e, err_errno(errno), "%s: %s", temp, strerror(errno));
	/* The umask of an image that we do not know must not take the execute bits away. */
	if (copy(to, from, temp, e) < 0 || fchmod(to, 0755) < 0 || rename(temp, path) < 0) {
		int saved = errno;

		unlink(temp);
		return e->code ? -1 : err_set(e, err_errno(saved), "%s: %s", path, strerror(saved));
	}
	return 0;
}
