/* junit.c - writes JUnit XML: one suite, one case per check. */
#include "provision/junit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"

/* XML 1.0 has no way to write most control characters, not even escaped. */
static void escape(struct buf *b, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_fit(b, "&amp;");
			break;
		case '<':
			buf_fit(b, "&lt;");
			break;
		case '>':
			buf_fit(b, "&gt;");
			break;
		case '"':
			buf_fit(b, "&quot;");
			break;
		case '\n':
			buf_fit(b, "&#10;");
			break;
		default:
			buf_fit(b, "%c", (unsigned char)*text < 0x20 ? '?' : *text);
		}
	}
}

static double seconds(ns_t d)
{
	return (double)d / (double)NS_SEC;
}

int junit_write(const char *path, const char *suite, ns_t wall, const struct junit_case *cases,
		size_t n, struct err *e)
{
	autofree char *whole = NULL;
	AUTO(buf_release) struct buf b = BUF_INIT(4u << 20);
	char began[TIME_RFC3339_SIZE];
	size_t failed = 0, skipped = 0;
	ns_t total = 0;

	for (size_t i = 0; i < n; i++) {
		failed += cases[i].failure != NULL;
		skipped += cases[i].skipped;
		total += cases[i].took;
	}
	time_format(began, wall);
	buf_fit(&b,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"");
	escape(&b, suite);
	buf_fit(&b,
		"\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\" "
		"timestamp=\"%s\">\n",
		n, failed, skipped, seconds(total), began);
	for (size_t i = 0; i < n; i++) {
		buf_fit(&b, "    <testcase classname=\"");
		escape(&b, suite);
		buf_fit(&b, "\" name=\"");
		escape(&b, cases[i].name);
		buf_fit(&b, "\" time=\"%.3f\">", seconds(cases[i].took));
		if (cases[i].skipped)
			buf_fit(&b, "<skipped/>");
		if (cases[i].failure) {
			buf_fit(&b, "<failure message=\"");
			escape(&b, cases[i].failure);
			buf_fit(&b, "\"/>");
		}
		buf_fit(&b, "</testcase>\n");
	}
	buf_fit(&b, "  </testsuite>\n</testsuites>\n");
	/* Named by the user: a link is followed, not replaced. */
	whole = realpath(path, NULL);
	return file_write_atomic(whole ? whole : path, b.data, b.len, 0644, e);
}
