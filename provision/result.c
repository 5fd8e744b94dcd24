/* result.c - prints SQL results. Pure formatting over a FILE: no client, no options. */
#include "provision/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "provision/text_width.h"

#define HELD_ROWS  500 /* enough to see how wide columns are, few enough to start printing soon */
#define CELL_WIDTH 200 /* a column is padded up to here; longer cells are printed whole */

struct column {
	char *name;
	bool right;
	size_t width;
};

struct result {
	enum result_format format;
	FILE *to;
	struct column *columns;
	size_t n, rows;
	char ***held; /* rows of cells, until the table's head is printed */
	size_t held_n;
	bool head_done;
};

struct result *result_new(enum result_format format, FILE *to)
{
	struct result *r = xcalloc(1, sizeof(*r));

	r->format = format;
	r->to = to;
	return r;
}

static void cells_free(char **cells, size_t n)
{
	for (size_t i = 0; cells && i < n; i++)
		free(cells[i]);
	free(cells);
}

static void forget(struct result *r)
{
	for (size_t i = 0; i < r->held_n; i++)
		cells_free(r->held[i], r->n);
	free(r->held);
	for (size_t i = 0; i < r->n; i++)
		free(r->columns[i].name);
	free(r->columns);
	r->held = NULL;
	r->columns = NULL;
	r->held_n = r->n = 0;
}

void result_free(struct result *r)
{
	if (!r)
		return;
	forget(r);
	free(r);
}

size_t result_rows(const struct result *r)
{
	return r->rows;
}

static int written(const struct result *r, struct err *e)
{
	return ferror(r->to) ? err_set(e, ERR_IO, "writing the result: %s", strerror(errno)) : 0;
}

/* --- values -------------------------------------------------------------------------------------
 */

/* The fewest digits with which every double inside reads back as itself: 0.1, not
 * 0.10000000000000001. */
static size_t digits_of(const json_t *v, size_t most)
{
	char text[40];

	if (json_is_real(v)) {
		for (; most < 17; most++) {
			snprintf(text, sizeof(text), "%.*g", (int)most, json_real_value(v));
			if (strtod(text, NULL) == json_real_value(v))
				break;
		}
	}
	for (size_t i = 0; i < json_array_size(v); i++)
		most = digits_of(json_array_get(v, i), most);
	for (void *it = jx_iter(v); it; it = jx_iter_next(v, it))
		most = digits_of(json_object_iter_value(it), most);
	return most;
}

static char *dump(const json_t *v)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY |
					   JSON_REAL_PRECISION(digits_of(v, 15)));

	return text ? text : xstrdup("?");
}

char *result_cell(const json_t *v)
{
	AUTO(buf_release) struct buf b = BUF_INIT(64u << 20);
	const char *text = json_string_value(v);

	if (!v || json_is_null(v))
		return xstrdup("");
	if (!text)
		return dump(v);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			buf_fit(&b, "\\n");
		else if (c == '\t')
			buf_fit(&b, "\\t");
		else if (c == '\r')
			buf_fit(&b, "\\r");
		else if (c < 0x20 || c == 0x7f)
			buf_fit(&b, "\\x%02x",
				c); /* a row must not be able to command the terminal */
		else
			buf_fit(&b, "%c", c);
	}
	return buf_take(&b);
}

/* --- table --------------------------------------------------------------------------------------
 */

static void pad(FILE *to, size_t n, char c)
{
	while (n--)
		putc(c, to);
}

static void print_cells(const struct result *r, char *const *cells)
{
	for (size_t i = 0; i < r->n; i++) {
		size_t width = text_width(cells[i]);
		size_t room = r->columns[i].width > width ? r->columns[i].width - width : 0;

		fputs(i ? " | " : " ", r->to);
		if (r->columns[i].right)
			pad(r->to, room, ' ');
		fputs(cells[i], r->to);
		/* no trailing spaces: they are noise in a diff */
		if (!r->columns[i].right && i + 1 < r->n)
			pad(r->to, room, ' ');
	}
	putc('\n', r->to);
}

static void print_head(struct result *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct column *c = &r->columns[i];

		c->width = text_width(c->name);
		for (size_t k = 0; k < r->held_n; k++) {
			size_t width = text_width(r->held[k][i]);

			if (width > c->width)
				c->width = width < CELL_WIDTH ? width : CELL_WIDTH;
		}
	}
	for (size_t i = 0; i < r->n; i++) {
		fprintf(r->to, "%s%s", i ? " | " : " ", r->columns[i].name);
		if (i + 1 < r->n)
			pad(r->to, r->columns[i].width - text_width(r->columns[i].name), ' ');
	}
	putc('\n', r->to);
	for (size_t i = 0; i < r->n; i++) {
		fputs(i ? "+" : "", r->to);
		pad(r->to, r->columns[i].width + (i + 1 < r->n ? 2 : 1), '-');
	}
	putc('\n', r->to);
	for (size_t k = 0; k < r->held_n; k++)
		print_cells(r, r->held[k]);
	r->head_done = true;
}

static void table_row(struct result *r, const json_t *row)
{
	char **cells = xcalloc(r->n, sizeof(*cells));

	for (size_t i = 0; i < r->n; i++)
		cells[i] = result_cell(json_array_get(row, i));
	if (r->head_done) {
		print_cells(r, cells);
		cells_free(cells, r->n);
		return;
	}
	r->held = xreallocarray(r->held, r->held_n + 1, sizeof(*r->held));
	r->held[r->held_n++] = cells;
	if (r->held_n == HELD_ROWS)
		print_head(r);
}

/* --- CSV and JSON -------------------------------------------------------------------------------
 */

static void csv_field(FILE *to, const char *text)
{
	if (!text[strcspn(text, "\",\r\n")] && *text) {
		fputs(text, to);
		return;
	}
	putc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', to);
		putc(*text, to);
	}
	putc('"', to);
}

static void csv_row(const struct result *r, const json_t *row)
{
	for (size_t i = 0; i < r->n; i++) {
		const json_t *v = json_array_get(row, i);
		autofree char *text = NULL;

		if (i)
			putc(',', r->to);
		if (!v || json_is_null(v))
			continue; /* an empty field; the empty string is "" */
		if (!json_is_string(v))
			text = dump(v);
		csv_field(r->to, text ? text : json_string_value(v));
	}
	fputs("\r\n", r->to);
}

static void object_row(const struct result *r, const json_t *row)
{
	putc('{', r->to);
	for (size_t i = 0; i < r->n; i++) {
		autojson json_t *name = json_string(r->columns[i].name);
		autofree char *key = dump(name), *value = dump(json_array_get(row, i));

		/* written by hand: two columns of one name are legal in SQL, and both are wanted */
		fprintf(r->to, "%s%s:%s", i ? "," : "", key, value);
	}
	fputs("}\n", r->to);
}

/* --- the sink -----------------------------------------------------------------------------------
 */

static bool is_number(const char *type)
{
	static const char *const kinds[] = {"bigint", "integer", "smallint", "tinyint",
					    "double", "real",    "decimal"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (starts_with(type, kinds[i]))
			return true;
	}
	return false;
}

static int on_columns(const struct sql_column *c, size_t n, void *arg, struct err *e)
{
	struct result *r = arg;

	r->columns = xcalloc(n ? n : 1, sizeof(*r->columns));
	r->n = n;
	for (size_t i = 0; i < n; i++) {
		autojson json_t *name = json_string(c[i].name);

		r->columns[i].name = r->format == RESULT_TABLE ? result_cell(name)
							       : xstrdup(c[i].name);
		r->columns[i].right = is_number(c[i].type);
	}
	if (r->format == RESULT_CSV) {
		for (size_t i = 0; i < n; i++) {
			if (i)
				putc(',', r->to);
			csv_field(r->to, r->columns[i].name);
		}
		fputs("\r\n", r->to);
	}
	return written(r, e);
}

static int on_row(const json_t *row, void *arg, struct err *e)
{
	struct result *r = arg;

	r->rows++;
	if (r->format == RESULT_TABLE)
		table_row(r, row);
	else if (r->format == RESULT_CSV)
		csv_row(r, row);
	else
		object_row(r, row);
	return written(r, e);
}

struct sql_sink result_sink(struct result *r)
{
	return (struct sql_sink){.columns = on_columns, .row = on_row, .arg = r};
}

int result_end(struct result *r, struct err *e)
{
	if (r->format == RESULT_TABLE && r->n) {
		if (!r->head_done)
			print_head(r);
		fprintf(r->to, "(%zu row%s)\n", r->rows, r->rows == 1 ? "" : "s");
	}
	fflush(r->to);
	return written(r, e);
}
