/* fault_internal.h - shared by faultserver.c (scripts, log), fault_serve.c (wire), fault_tls.c. */
#ifndef TESTS_FAULT_INTERNAL_H
#define TESTS_FAULT_INTERNAL_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "tests/fault/faultserver.h"

struct fault_script {
	bool always;
	char *method, *target;
	struct fault_act *acts; /* texts owned */
	struct fault_script *next;
};

struct fault_tls {
	SSL_CTX *ctx;
	char *ca, *client_cert, *client_key;
};

struct fault_conn {
	struct fault *f;
	pthread_t thread;
	int fd;
	SSL *ssl;
	unsigned number;
	bool reset; /* how it ends */
	bool closed;
	struct fault_conn *next;
};

struct fault {
	struct fault_opts opts;
	char *url, *socket_path;
	int listener;
	pthread_t acceptor;
	struct fault_tls tls;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t changed;
	bool stopping;
	uint64_t gates;
	unsigned accepted, open, resets;
	struct fault_conn *conns;
	struct fault_script *scripts, *used; /* used: freed by fault_clear, a thread may be in it */
	struct fault_request **log;
	size_t log_len, log_base; /* log_base: requests forgotten by fault_clear */
	size_t fail_at, seen;
	enum fault_how how;
};

void fault_tls_init(struct fault_tls *t, bool client_cert);
void fault_tls_release(struct fault_tls *t);
/* fault_conn_main - serve one connection until it ends. */
void *fault_conn_main(void *conn);

/* What the wire asks of the scripts: record a request, and say what to answer. */
enum fault_answer { FAULT_ANSWER_SCRIPT, FAULT_ANSWER_RESET, FAULT_ANSWER_CLOSE, FAULT_ANSWER_503 };
enum fault_answer fault_take(struct fault *f, struct fault_request *r,
			     const struct fault_act **acts);
/* fault_pause - wait ms (< 0: for the gate); false when the server is stopping. */
bool fault_pause(struct fault *f, long ms, unsigned gate);

#endif
