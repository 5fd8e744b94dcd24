/*
 * The program of the test image: a server and a client small enough to be one static file.
 * probe serve PORT TEXT | probe get HOST PORT | probe resolve NAME | probe keep FILE TEXT
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int serve(const char *port, const char *text)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)atoi(port))};
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(s, 16) != 0)
		return perror("serve"), 1;
	printf("serving %s\n", text);
	fflush(stdout);
	for (;;) {
		int c = accept(s, NULL, NULL);

		if (c >= 0) {
			dprintf(c, "%s\n", text);
			close(c);
		}
	}
}

static int look_up(const char *name, const char *port, struct addrinfo **found)
{
	struct addrinfo want = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	int status = getaddrinfo(name, port, &want, found);

	if (status != 0)
		printf("%s: %s\n", name, gai_strerror(status));
	return status;
}

static int get(const char *host, const char *port)
{
	struct addrinfo *a;
	char text[256];
	ssize_t n;
	int s;

	if (look_up(host, port, &a) != 0)
		return 1;
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(s, a->ai_addr, a->ai_addrlen) != 0)
		return perror("connect"), 1;
	while ((n = read(s, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	return 0;
}

static int resolve(const char *name)
{
	struct addrinfo *a;

	if (look_up(name, NULL, &a) != 0)
		return 1;
	puts(inet_ntoa(((struct sockaddr_in *)a->ai_addr)->sin_addr));
	return 0;
}

static int keep(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0)
		return perror(path), 1;
	return serve("8081", text);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "get") == 0)
		return get(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "resolve") == 0)
		return resolve(argv[2]);
	if (argc == 4 && strcmp(argv[1], "keep") == 0)
		return keep(argv[2], argv[3]);
	return 2;
}
