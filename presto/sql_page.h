/*
 * sql_page.h - inside presto/ only: one page of a statement's results (QueryResults). Pure.
 */
#ifndef PRESTO_SQL_PAGE_H
#define PRESTO_SQL_PAGE_H

#include "presto/sql.h"

#define SQL_URI_SIZE 1024

struct sql_page {
	json_t *tree;            /* owned; all else borrows from it */
	char next[SQL_URI_SIZE]; /* "/v1/statement/...", empty on the last page */
	const json_t *columns;   /* array of {name, type}, or NULL while the engine does not know */
	const json_t *data;      /* array of rows as wide as columns, or NULL */
	const json_t *stats;     /* may be NULL */
	const char *state;       /* "QUEUED", "RUNNING", ... never NULL */
	double percent;          /* 0 to 100 */
	bool failed;
	struct sql_error error; /* when failed */
	const char *message;
};

/* sql_page_decode - ERR_PROTOCOL when it is not such a page, or its next page is somewhere else. */
int sql_page_decode(struct sql_page *out, const char *text, size_t len, struct err *e) MUST_CHECK;
void sql_page_release(struct sql_page *p);

/*
 * presto_refused - the error for a reply that is not 200. @what was asked for, e.g. "/v1/info".
 * Returns -1.
 */
int presto_refused(const struct http_resp *r, const char *what, struct err *e);

#endif
