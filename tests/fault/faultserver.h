/*
 * faultserver.h - an HTTP/1.1 server inside the test program, for faults and order only: it knows
 * nothing of any API. Replies are scripted per request, everything that came is recorded.
 * One thread accepts, one serves each connection; all functions may be called at any time from the
 * test's thread. What goes wrong in the server itself (no port, no memory) ends the test program.
 *
 *	struct fault *f = fault_start(NULL);
 *
 *	fault_script(f, "GET", "/api/v1/pods?watch=true", FAULT_CHUNK("{\"type\":"),
 *FAULT_DELAY(50), FAULT_CHUNK("\"ADDED\"}\n"), FAULT_RESET); fault_always(f, "GET", "/api/v1/pods",
 *FAULT_HEADER("Content-Type: application/json"), FAULT_BODY("{\"items\":[]}"));
 */
#ifndef TESTS_FAULTSERVER_H
#define TESTS_FAULTSERVER_H

#include "base/mem.h"

struct fault;

struct fault_opts {
	bool tls;                /* https with a certificate for 127.0.0.1, ::1 and localhost */
	bool client_cert;        /* ... that also demands a client certificate of its CA */
	const char *unix_socket; /* listen there instead of 127.0.0.1; removed by fault_stop */
};

struct fault *fault_start(const struct fault_opts *o); /* NULL: plain http on a free port */
void fault_stop(struct fault *f);                      /* ends all connections; NULL is fine */

/* Borrowed until fault_stop: "http://127.0.0.1:PORT" ("http://localhost" for a unix socket). */
const char *fault_url(const struct fault *f);
char *fault_url_of(const struct fault *f, const char *target); /* owned: url + target */
/* PEM texts, NULL without tls. Each server makes a CA of its own: another one's is a wrong one. */
const char *fault_ca(const struct fault *f);
const char *fault_client_cert(const struct fault *f);
const char *fault_client_key(const struct fault *f);
/* fault_free_port - a port on 127.0.0.1 where nobody listens. */
int fault_free_port(void);

/* --- scripts: what a request gets ---------------------------------------------------------------
 */

enum fault_kind {
	FAULT_K_END,
	FAULT_K_STATUS,
	FAULT_K_HEADER,
	FAULT_K_BODY,
	FAULT_K_DRIP,
	FAULT_K_LENGTH,
	FAULT_K_CHUNK,
	FAULT_K_RAW,
	FAULT_K_DELAY,
	FAULT_K_GATE,
	FAULT_K_CLOSE,
	FAULT_K_RESET,
	FAULT_K_HOLD,
};

struct fault_act {
	enum fault_kind kind;
	const char *text;
	size_t len; /* of text; 0: strlen */
	long n;
};

/* Before the reply: its status (else 200) and further header lines. */
#define FAULT_STATUS(code) ((struct fault_act){FAULT_K_STATUS, NULL, 0, code})
#define FAULT_HEADER(line) ((struct fault_act){FAULT_K_HEADER, line, 0, 0})
/* A whole reply with Content-Length; the same one byte at a time, ms apart. */
#define FAULT_BODY(text)           ((struct fault_act){FAULT_K_BODY, text, 0, 0})
#define FAULT_BODY_BYTES(p, bytes) ((struct fault_act){FAULT_K_BODY, p, bytes, 0})
#define FAULT_DRIP(text, ms)       ((struct fault_act){FAULT_K_DRIP, text, 0, ms})
/* The head only, promising so many bytes: FAULT_RAW sends some of them. */
#define FAULT_LENGTH(bytes) ((struct fault_act){FAULT_K_LENGTH, NULL, 0, bytes})
/* One chunk; the head goes out before the first (FAULT_CHUNK("") sends just that), the last chunk
 * at the end of the script. */
#define FAULT_CHUNK(text) ((struct fault_act){FAULT_K_CHUNK, text, 0, 0})
/* Bytes as they are. As the first thing of a reply they stand for all of it, status line included,
 * and the connection is closed at the end of the script. */
#define FAULT_RAW(text) ((struct fault_act){FAULT_K_RAW, text, 0, 0})
#define FAULT_DELAY(ms) ((struct fault_act){FAULT_K_DELAY, NULL, 0, ms})
/* Wait until the test has called fault_open(f, number). */
#define FAULT_GATE(number) ((struct fault_act){FAULT_K_GATE, NULL, 0, number})
/* End here: by FIN (over TLS without a close_notify), by RST, or say no more until the peer goes.
 */
#define FAULT_CLOSE ((struct fault_act){FAULT_K_CLOSE, NULL, 0, 0})
#define FAULT_RESET ((struct fault_act){FAULT_K_RESET, NULL, 0, 0})
#define FAULT_HOLD  ((struct fault_act){FAULT_K_HOLD, NULL, 0, 0})

/*
 * fault_script - one reply, used once, in the order of adding. fault_always - used whenever no
 * one-time reply matches. method NULL matches all. target is a path, "*" at its end matches any
 * rest; terms after "?" must all be in the request's query ("watch=true"), or must not ("!watch").
 * Of several that match, the one with the most terms wins. Nothing matches: 404.
 */
#define fault_script(f, method, target, ...) \
	fault_add(f, false, method, target,  \
		  (const struct fault_act[]){__VA_ARGS__, {FAULT_K_END, NULL, 0, 0}})
#define fault_always(f, method, target, ...) \
	fault_add(f, true, method, target,   \
		  (const struct fault_act[]){__VA_ARGS__, {FAULT_K_END, NULL, 0, 0}})
void fault_add(struct fault *f, bool always, const char *method, const char *target,
	       const struct fault_act *acts);
/* fault_unused - one-time replies that nobody has asked for yet. */
size_t fault_unused(struct fault *f);
void fault_open(struct fault *f, unsigned gate); /* gates 0 to 63; open for ever */
/* fault_reset_connections - the next n connections are reset before anything is read. */
void fault_reset_connections(struct fault *f, unsigned n);

/* --- what came ----------------------------------------------------------------------------------
 */

struct fault_request {
	char *method, *target; /* target with its query, as sent */
	char *headers;         /* "Name: value\r\n" lines as sent */
	char *body;            /* NUL-terminated */
	size_t body_len;
	unsigned connection; /* from 1 */
	char *client;        /* common name of the client certificate, NULL without */
};

size_t fault_count(struct fault *f); /* requests that were read to their end */
/* fault_request - the i-th from 0; NULL when there is none. Valid until fault_clear or fault_stop.
 */
const struct fault_request *fault_request(struct fault *f, size_t i);
/* fault_count_of - how many match method and target (as for fault_script). */
size_t fault_count_of(struct fault *f, const char *method, const char *target);
/* fault_request_header - a value, owned, NULL when absent. Any case of the name. */
char *fault_request_header(const struct fault_request *r, const char *name);
unsigned fault_connections(struct fault *f); /* accepted so far */
unsigned fault_connections_open(struct fault *f);
/* fault_clear - forget scripts, requests, gates and failures; connections stay. */
void fault_clear(struct fault *f);

/* --- torture ------------------------------------------------------------------------------------
 */

enum fault_how {
	FAULT_HOW_RESET, /* connection reset after the request was read; its script is not used up
			  */
	FAULT_HOW_LOST,  /* the script is used up, but the reply does not come: closed */
	FAULT_HOW_UNAVAILABLE, /* 503 without a body; the script is not used up */
};

/* fault_fail_at - the k-th request from now (from 1; 0: none) fails like this. */
void fault_fail_at(struct fault *f, size_t k, enum fault_how how);
/*
 * fault_torture - run the scenario once with failing = 0 and count its requests, then once for each
 * of them with that one failing. The scenario adds its scripts itself (everything is cleared before
 * each run) and checks what must hold. Returns the number of requests of the first run.
 */
size_t fault_torture(struct fault *f, enum fault_how how,
		     void (*scenario)(struct fault *f, size_t failing, void *arg), void *arg);

#endif
