/*
 * sql.h - Presto's client protocol over any transport: POST /v1/statement, then nextUri until it is gone.
 * The caller brings a function that does one HTTP exchange (through the API server's service proxy, or
 * directly), so this knows nothing of Kubernetes. Only the path of nextUri from "/v1/" on is used:
 * its host is whatever the coordinator believes to be.
 */
#ifndef PRESTO_SQL_H
#define PRESTO_SQL_H

#include "base/http.h"
#include "base/jx.h"

/* One exchange; q->url is a path. A reply of any status is success. ERR_UNAVAILABLE may be tried again. */
typedef int presto_transport_fn(struct http_resp *r, const struct http_req *q, void *arg,
				struct err *e);

struct presto_client {
	presto_transport_fn *transport;
	void *arg;
	struct loop *loop;
	const char *user, *catalog, *schema, *source; /* user is mandatory */
};

struct sql_column {
	const char *name, *type;
};

struct sql_sink {
	/* columns: once, before the first row; also for results without rows when the engine tells them */
	int (*columns)(const struct sql_column *c, size_t n, void *arg, struct err *e);
	int (*row)(const json_t *row, void *arg, struct err *e); /* an array */
	/* NULL is fine, as for the two above */
	void (*progress)(const char *state, double percent, const json_t *stats, void *arg);
	void *arg;
};

/* what the engine said */
struct sql_error {
	char name[64], type[32]; /* "SYNTAX_ERROR", "USER_ERROR" */
	int code, line, column;  /* line 0: no position */
};

/*
 * presto_sql - one statement (no final semicolon), rows to the sink as they come.
 * Returns 0, or -1: ERR_INVALID = the engine refused it (se filled; msg is the engine's), ERR_UNAVAILABLE,
 * ERR_TIMEOUT, ERR_CANCELLED (the query is then cancelled on the server with DELETE nextUri, bounded to 5 s),
 * ERR_PROTOCOL. 503 and connection loss of a GET are retried for up to 10 s; a POST is not repeated once it
 * may have arrived. "Query is gone" (410, 404) is ERR_UNAVAILABLE.
 */
int presto_sql(const struct presto_client *c, const char *sql, const struct sql_sink *sink,
	       struct sql_error *se, ns_t deadline, struct err *e) MUST_CHECK;
/* presto_sql_value - run a statement and return the single value of its single row. Owned. */
int presto_sql_value(json_t **out, const struct presto_client *c, const char *sql, ns_t deadline,
		     struct err *e) MUST_CHECK;
/* sql_split - cut a script at semicolons outside quotes and comments; *out is a NULL-terminated owned array of owned texts. */
int sql_split(char ***out, const char *script, struct err *e) MUST_CHECK;
void sql_split_free(char **statements);

struct presto_info {
	bool coordinator, starting;
	char version[64], environment[64];
};
/* GET /v1/info; no reply within 5 s is ERR_UNAVAILABLE, as a JVM that starts is busy */
int presto_info_get(struct presto_info *out, const struct presto_client *c,
		    struct err *e) MUST_CHECK;
/* presto_info_decode, presto_cluster_decode - pure, for replies got elsewhere (the operator's polls). */
int presto_info_decode(struct presto_info *out, const char *text, size_t len,
		       struct err *e) MUST_CHECK;
struct presto_cluster {
	int active_workers, running, queued, blocked;
};
/* GET /v1/cluster (312 to 34x): counts of workers that joined and of queries */
int presto_cluster_get(struct presto_cluster *out, const struct presto_client *c,
		       struct err *e) MUST_CHECK;
int presto_cluster_decode(struct presto_cluster *out, const char *text, size_t len,
			  struct err *e) MUST_CHECK;

#endif
