/* sql_page.c - what a coordinator says about a statement, taken apart and distrusted. */
#include "presto/sql_page.h"

#include <string.h>

/* The part of nextUri that counts. Its host is what the coordinator takes itself for. */
static int next_of(char out[SQL_URI_SIZE], const json_t *page, struct err *e)
{
	const json_t *v = jx_get(page, "nextUri");
	const char *uri = json_string_value(v);

	out[0] = '\0';
	if (!v || json_is_null(v))
		return 0;
	const char *path = uri ? strstr(uri, "/v1/statement/") : NULL;
	if (!path || strlen(path) >= SQL_URI_SIZE || strstr(path, "..") ||
	    strspn(path,
		   "-._~/%?=&0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
		    strlen(path))
		return err_set(e, ERR_PROTOCOL,
			       "the coordinator sent a nextUri that is none of its own");
	memcpy(out, path, strlen(path) + 1);
	return 0;
}

static int check_columns(const json_t *columns, struct err *e)
{
	if (!json_is_array(columns))
		return err_set(e, ERR_PROTOCOL, "the coordinator sent columns that are no list");
	for (size_t i = 0; i < json_array_size(columns); i++) {
		const json_t *c = json_array_get(columns, i);

		if (!json_is_string(jx_get(c, "name")) || !json_is_string(jx_get(c, "type")))
			return err_set(e, ERR_PROTOCOL,
				       "the coordinator sent a column without name or type");
	}
	return 0;
}

static int check_data(const json_t *data, const json_t *columns, struct err *e)
{
	if (!json_is_array(data) || !columns)
		return err_set(e, ERR_PROTOCOL, "the coordinator sent rows without columns");
	for (size_t i = 0; i < json_array_size(data); i++) {
		const json_t *row = json_array_get(data, i);

		if (!json_is_array(row) || json_array_size(row) != json_array_size(columns))
			return err_set(
				e, ERR_PROTOCOL,
				"the coordinator sent a row that is not as wide as its columns");
	}
	return 0;
}

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

static int small_int(const json_t *o, const char *path)
{
	json_int_t v = jx_int(o, path);

	return v > INT32_MAX || v < INT32_MIN ? 0 : (int)v;
}

static void error_of(struct sql_page *p, const json_t *error)
{
	p->failed = true;
	p->message = jx_str_or(error, "message", "");
	if (!*p->message) /* an exception without a text: its type is better than nothing */
		p->message = jx_str_or(error, "failureInfo.type",
				       "the query failed and the engine did not say why");
	copy_text(p->error.name, sizeof(p->error.name), jx_str_or(error, "errorName", "UNKNOWN"));
	copy_text(p->error.type, sizeof(p->error.type), jx_str_or(error, "errorType", "UNKNOWN"));
	p->error.code = small_int(error, "errorCode");
	p->error.line = small_int(error, "errorLocation.lineNumber");
	p->error.column = small_int(error, "errorLocation.columnNumber");
}

static double percent_of(const json_t *stats)
{
	const json_t *told = jx_get(stats, "progressPercentage");
	double total = (double)jx_int(stats, "totalSplits"), percent = 0;

	if (json_is_number(told))
		percent = json_number_value(told);
	else if (total > 0)
		percent = 100.0 * (double)jx_int(stats, "completedSplits") / total;
	return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

static const json_t *present(const json_t *page, const char *key)
{
	const json_t *v = jx_get(page, key);

	return json_is_null(v) ? NULL : v;
}

int sql_page_decode(struct sql_page *out, const char *text, size_t len, struct err *e)
{
	autojson json_t *tree = NULL;
	struct sql_page p = {0};

	if (jx_parse(&tree, text, len, "reply of the coordinator", e) < 0)
		return -1;
	if (!json_is_string(jx_get(tree, "id")))
		return err_set(e, ERR_PROTOCOL,
			       "the reply of the coordinator is not about a query");
	if (next_of(p.next, tree, e) < 0)
		return -1;
	p.columns = present(tree, "columns");
	p.data = present(tree, "data");
	if (p.columns && check_columns(p.columns, e) < 0)
		return -1;
	if (p.data && check_data(p.data, p.columns, e) < 0)
		return -1;
	p.stats = jx_get(tree, "stats");
	p.state = jx_str_or(p.stats, "state", "UNKNOWN");
	p.percent = percent_of(p.stats);
	if (present(tree, "error"))
		error_of(&p, present(tree, "error"));
	p.tree = TAKE(tree);
	*out = p;
	return 0;
}

void sql_page_release(struct sql_page *p)
{
	json_decref(p->tree);
	*p = (struct sql_page){0};
}
