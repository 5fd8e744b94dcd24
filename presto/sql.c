/* sql.c - one statement from POST to its last page, and what becomes of it when we stop early. */
#include "presto/sql.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "presto/sql_page.h"

#define REQUEST_TIMEOUT (30 * NS_SEC) /* a page waits for a second at most */
#define RETRY_FOR       (10 * NS_SEC)
#define CANCEL_TIMEOUT  (5 * NS_SEC)
#define QUICK_PAGES     20 /* empty pages in a row without a wait in the coordinator, before we wait */
#define HEADERS_MAX     6

struct run {
	const struct presto_client *c;
	const struct sql_sink *sink;
	ns_t deadline;
	char *headers[HEADERS_MAX + 1]; /* owned, NULL-terminated */
	char next[SQL_URI_SIZE];
	bool columns_told;
	unsigned quick;
};

/* --- requests ---------------------------------------------------------------------------------- */

static int add_header(struct run *q, const char *name, const char *value, struct err *e)
{
	size_t n = 0;

	if (!value || !*value)
		return 0;
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(e, ERR_INVALID, "%s must not hold control characters", name);
	while (q->headers[n])
		n++;
	q->headers[n] = xasprintf("%s: %s", name, value);
	return 0;
}

static int headers_of(struct run *q, struct err *e)
{
	const struct presto_client *c = q->c;

	if (!c->user || !*c->user)
		return err_set(e, ERR_INVALID, "a query needs the name of a user");
	if (add_header(q, "X-Presto-User", c->user, e) < 0 ||
	    add_header(q, "X-Presto-Source", c->source, e) < 0 ||
	    add_header(q, "X-Presto-Catalog", c->catalog, e) < 0 ||
	    add_header(q, "X-Presto-Schema", c->schema, e) < 0)
		return -1;
	return add_header(q, "Content-Type", "text/plain; charset=utf-8", e);
}

static int time_left(ns_t *out, const struct run *q, struct err *e)
{
	ns_t left = q->deadline ? q->deadline - clock_mono() : REQUEST_TIMEOUT;

	if (left <= 0)
		return err_set(e, ERR_TIMEOUT, "timed out");
	*out = left < REQUEST_TIMEOUT ? left : REQUEST_TIMEOUT;
	return 0;
}

static int ask(struct http_resp *r, const struct run *q, const char *method, const char *path,
	       const char *body, ns_t timeout, struct err *e)
{
	const struct http_req req = {
		.method = method,
		.url = path,
		.headers = (const char *const *)q->headers,
		.body = {.bytes = body, .len = body ? strlen(body) : 0},
		.timeout = timeout,
	};

	return q->c->transport(r, &req, q->c->arg, e);
}

static void first_line(char *out, size_t size, const struct buf *body)
{
	snprintf(out, size, "%.*s", (int)strcspn(buf_str(body), "\r\n"), buf_str(body));
}

int presto_refused(const struct http_resp *r, const char *what, struct err *e)
{
	char text[200];
	enum err_code code = ERR_PROTOCOL;

	if (r->status == 401 || r->status == 403)
		code = ERR_DENIED;
	else if (r->status == 400)
		code = ERR_INVALID;
	else if (r->status == 404 || r->status == 410 || r->status >= 500)
		code = ERR_UNAVAILABLE;
	first_line(text, sizeof(text), &r->body);
	err_set(e, code, "%s: the coordinator answered %d%s%s", what, r->status, *text ? ": " : "",
		text);
	e->http = r->status;
	return -1;
}

static int post(struct sql_page *page, const struct run *q, const char *sql, struct err *e)
{
	struct http_resp r = {0};
	ns_t timeout = 0;

	if (time_left(&timeout, q, e) < 0)
		return -1;
	int rc = ask(&r, q, "POST", "/v1/statement", sql, timeout, e);
	if (rc == 0)
		rc = r.status == 200 ? sql_page_decode(page, buf_str(&r.body), r.body.len, e)
				     : presto_refused(&r, "/v1/statement", e);
	http_resp_release(&r);
	return rc;
}

/* One attempt. *again tells whether another may help: the page stays where it is. */
static int get_once(struct sql_page *page, bool *again, const struct run *q, struct err *e)
{
	struct http_resp r = {0};
	ns_t timeout = 0;

	*again = false;
	if (time_left(&timeout, q, e) < 0)
		return -1;
	int rc = ask(&r, q, "GET", q->next, NULL, timeout, e);
	if (rc < 0) {
		*again = e->code == ERR_UNAVAILABLE;
	} else if (r.status == 200) {
		rc = sql_page_decode(page, buf_str(&r.body), r.body.len, e);
	} else if (r.status == 404 || r.status == 410) {
		rc = err_set(e, ERR_UNAVAILABLE,
			     "the query is gone: the coordinator does not know it any more");
		err_hint(e, "it may have been restarted; run the statement again");
	} else {
		*again = r.status == 502 || r.status == 503 || r.status == 504;
		rc = presto_refused(&r, "next page", e);
	}
	http_resp_release(&r);
	return rc;
}

static int get(struct sql_page *page, const struct run *q, struct err *e)
{
	ns_t began = clock_mono(), pause = 50 * NS_MS;
	bool again;

	while (get_once(page, &again, q, e) < 0) {
		if (!again || clock_mono() - began + pause > RETRY_FOR)
			return -1;
		err_clear(e);
		if (loop_sleep(q->c->loop, pause, e) < 0)
			return -1;
		pause = pause < NS_SEC ? pause * 2 : pause;
	}
	return 0;
}

/* Best effort and bounded: the caller's error is what counts. */
static void cancel(const struct run *q)
{
	struct http_resp r = {0};
	struct err ignored = ERR_INIT;
	struct loop_tidy tidy;

	if (!*q->next)
		return;
	loop_tidy_begin(q->c->loop, &tidy);
	if (ask(&r, q, "DELETE", q->next, NULL, CANCEL_TIMEOUT, &ignored) < 0)
		err_clear(&ignored);
	loop_tidy_end(q->c->loop, &tidy);
	http_resp_release(&r);
}

/* --- pages ------------------------------------------------------------------------------------- */

static int tell_columns(struct run *q, const json_t *columns, struct err *e)
{
	size_t n = json_array_size(columns);
	autofree struct sql_column *c = xcalloc(n + 1, sizeof(*c));

	q->columns_told = true;
	for (size_t i = 0; i < n; i++) {
		c[i].name = jx_str(json_array_get(columns, i), "name");
		c[i].type = jx_str(json_array_get(columns, i), "type");
	}
	return q->sink->columns ? q->sink->columns(c, n, q->sink->arg, e) : 0;
}

static int tell_page(struct run *q, const struct sql_page *p, struct err *e)
{
	if (q->sink->progress)
		q->sink->progress(p->state, p->percent, p->stats, q->sink->arg);
	if (p->columns && !q->columns_told && tell_columns(q, p->columns, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(p->data); i++)
		if (q->sink->row && q->sink->row(json_array_get(p->data, i), q->sink->arg, e) < 0)
			return -1;
	return 0;
}

static int engine_error(const struct sql_page *p, struct sql_error *se, struct err *e)
{
	*se = p->error;
	if (streq(p->error.name, "SERVER_STARTING_UP"))
		return err_set(e, ERR_UNAVAILABLE, "%s", p->message);
	return err_set(e, ERR_INVALID, "%s", p->message);
}

/* A coordinator that answers empty pages at once must not be asked in circles. */
static int calm_down(struct run *q, const struct sql_page *p, ns_t asked, struct err *e)
{
	if (json_array_size(p->data) || clock_mono() - asked > 10 * NS_MS)
		q->quick = 0;
	else if (++q->quick > QUICK_PAGES)
		return loop_sleep(q->c->loop, 20 * NS_MS, e);
	return 0;
}

static int pages(struct run *q, const char *sql, struct sql_error *se, struct err *e)
{
	struct sql_page p = {0};
	ns_t asked = clock_mono();
	int rc = post(&p, q, sql, e);

	while (rc == 0) {
		memcpy(q->next, p.next, sizeof(q->next));
		rc = p.failed ? engine_error(&p, se, e) : tell_page(q, &p, e);
		if (p.failed)
			q->next[0] = '\0'; /* over already: nothing to cancel */
		if (rc == 0 && *q->next)
			rc = calm_down(q, &p, asked, e);
		sql_page_release(&p);
		if (rc < 0 || !*q->next)
			break;
		asked = clock_mono();
		rc = get(&p, q, e);
	}
	return rc;
}

int presto_sql(const struct presto_client *c, const char *sql, const struct sql_sink *sink,
	       struct sql_error *se, ns_t deadline, struct err *e)
{
	struct run q = {.c = c, .sink = sink, .deadline = deadline};
	struct sql_error unused = {0};
	int rc = headers_of(&q, e);

	se = se ? se : &unused;
	*se = (struct sql_error){0};
	if (rc == 0)
		rc = pages(&q, sql, se, e);
	if (rc < 0 && e->code != ERR_UNAVAILABLE)
		cancel(&q);
	for (size_t i = 0; i < HEADERS_MAX; i++)
		free(q.headers[i]);
	return rc;
}

/* --- one value --------------------------------------------------------------------------------- */

struct single {
	json_t *value;
	size_t rows;
};

static int single_row(const json_t *row, void *arg, struct err *e)
{
	struct single *s = arg;

	if (s->rows++ || json_array_size(row) != 1)
		return err_set(e, ERR_PROTOCOL,
			       "the statement has more than the one value that was expected");
	s->value = json_incref(json_array_get(row, 0));
	return 0;
}

int presto_sql_value(json_t **out, const struct presto_client *c, const char *sql, ns_t deadline,
		     struct err *e)
{
	struct single s = {0};
	const struct sql_sink sink = {.row = single_row, .arg = &s};

	if (presto_sql(c, sql, &sink, NULL, deadline, e) < 0) {
		json_decref(s.value);
		return -1;
	}
	if (!s.rows)
		return err_set(e, ERR_PROTOCOL, "the statement has no row");
	*out = s.value;
	return 0;
}
