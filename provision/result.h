/*
 * result.h - rows of a SQL statement as an aligned table, CSV (RFC 4180) or JSON (one object a
 * line), streamed: only the first rows of a table are held back, to learn how wide the columns are.
 */
#ifndef PROVISION_RESULT_H
#define PROVISION_RESULT_H

#include "presto/sql.h"

enum result_format { RESULT_TABLE, RESULT_CSV, RESULT_JSON };

struct result;

/* result_new - @to is borrowed. NULL values: empty in a table's cell and in CSV, null in JSON. */
struct result *result_new(enum result_format format, FILE *to);
void result_free(struct result *r);
/* result_sink - to be given to presto_sql; rows go to the file as they come. ERR_IO when it cannot
 * be written. */
struct sql_sink result_sink(struct result *r);
/* result_end - what is still held back, and for a table the number of rows. */
int result_end(struct result *r, struct err *e) MUST_CHECK;
size_t result_rows(const struct result *r);
/* result_cell - one value as text, as a table shows it: control characters escaped, doubles as
 * short as they are exact. Owned. */
char *result_cell(const json_t *v);

#endif
