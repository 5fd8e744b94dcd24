/*
 * http_parse.c - texts: URLs of ours, headers of the peer, libcurl's failures. No I/O.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/http_internal.h"

static void free_curl_text(char **s)
{
	curl_free(*s);
}
#define autocurl AUTO(free_curl_text)

static void free_curl_url(CURLU **u)
{
	curl_url_cleanup(*u);
}

/* --- URLs ------------------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
	return !strcasecmp(host, "localhost") || streq(host, "[::1]") ||
	       (starts_with(host, "127.") && strspn(host, "0123456789.") == strlen(host));
}

static int check_scheme(const struct http *h, const struct http_target *t, const char *scheme,
			struct err *e)
{
	if (streq(scheme, "https"))
		return 0;
	if (!t->plain)
		return err_set(e, ERR_INVALID, "%s: scheme \"%s\" is not supported", t->name,
			       scheme);
	if (h->plain == HTTP_PLAIN_ANY ||
	    (h->plain == HTTP_PLAIN_LOOPBACK && (t->loopback || h->unix_socket)))
		return 0;
	err_set(e, ERR_INVALID, "%s: plain http is not allowed here", t->name);
	return err_hint(e, "use https");
}

/* libcurl checks the certificate against the URL's host: so the URL names it, and we connect
 * elsewhere. */
static int rename_host(struct http_target *t, const struct http *h, CURLU *u, const char *host,
		       const char *port, struct err *e)
{
	autocurl char *url = NULL;
	bool known_port = streq(port, "443");

	if (curl_url_set(u, CURLUPART_HOST, h->server_name, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
		return err_set(e, ERR_INVALID, "TLS server name \"%s\" is not a host name",
			       h->server_name);
	t->url = xstrdup(url);
	t->host = known_port ? xasprintf("Host: %s", host) : xasprintf("Host: %s:%s", host, port);
	t->connect_to = xasprintf("::%s:%s", host, port);
	return 0;
}

int http_target_init(struct http_target *t, const struct http *h, const char *url, struct err *e)
{
	AUTO(free_curl_url) CURLU *u = curl_url();
	autocurl char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *user = NULL;
	CURLUcode rc;

	*t = (struct http_target){0};
	rc = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	/* The text itself is not shown: we do not know which part of it is secret. */
	if (rc != CURLUE_OK)
		return err_set(e, ERR_INVALID, "not a URL: %s", curl_url_strerror(rc));
	if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		return err_set(e, ERR_INVALID, "a URL with a user name in it is not supported");
	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return err_set(e, ERR_INVALID, "not a URL: no host");
	if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return err_set(e, ERR_INVALID, "%.128s: scheme \"%.16s\" is not supported", host,
			       scheme);
	t->plain = streq(scheme, "http");
	t->loopback = is_loopback(host);
	snprintf(t->name, sizeof(t->name), "%.96s:%s%.110s", host, port, path);
	if (check_scheme(h, t, scheme, e) < 0)
		return -1;
	if (h->server_name && !t->plain && !streq(h->server_name, host))
		return rename_host(t, h, u, host, port, e);
	t->url = xstrdup(url);
	return 0;
}

void http_target_release(struct http_target *t)
{
	free(t->url);
	free(t->host);
	free(t->connect_to);
	*t = (struct http_target){0};
}

char *http_url_escape(const char *s)
{
	autocurl char *escaped = curl_easy_escape(NULL, s, (int)strlen(s));

	return xstrdup(escaped ? escaped : "");
}

/* --- headers ---------------------------------------------------------------------------------- */

int http_header_add(struct buf *headers, const char *line, size_t len, struct err *e)
{
	const char *colon = memchr(line, ':', len), *value, *end = line + len;
	char name[128];
	size_t n;

	if (!colon || colon == line || (size_t)(colon - line) >= sizeof(name))
		return 0;
	n = (size_t)(colon - line);
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)line[i]) && !strchr("!#$%&'*+-.^_`|~", line[i]))
			return 0;
		name[i] = (char)tolower((unsigned char)line[i]);
	}
	name[n] = '\0';
	value = colon + 1;
	if (memchr(value, '\0', (size_t)(end - value)))
		return 0;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && strchr(" \t\r\n", end[-1]))
		end--;
	if (memchr(value, '\n', (size_t)(end - value)))
		return 0;
	return buf_addf(headers, e, "%s: %.*s\n", name, (int)(end - value), value);
}

const char *http_header(const struct http_resp *r, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	for (const char *p = buf_str(&r->headers), *end; (end = strchr(p, '\n')); p = end + 1) {
		if (strncmp(p, name, n) != 0 || p[n] != ':')
			continue;
		snprintf(out, size, "%.*s", (int)(end - p - (ptrdiff_t)n - 2), p + n + 2);
		return out;
	}
	return NULL;
}

/* "Sun, 22 Nov 2026 08:41:07 GMT" */
bool http_date(int64_t *seconds, const struct http_resp *r)
{
	char text[64];
	struct tm t = {0};
	const char *end = http_header(r, "date", text, sizeof(text))
				  ? strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &t)
				  : NULL;

	if (!end || *end)
		return false;
	*seconds = timegm(&t);
	return true;
}

ns_t http_retry_after(const char *value, ns_t wall)
{
	size_t digits = strspn(value, "0123456789");
	ns_t delay;

	if (digits && !value[digits]) {
		delay = digits > 9 ? HTTP_RETRY_CEILING : strtoll(value, NULL, 10) * NS_SEC;
	} else {
		time_t t = isalpha((unsigned char)*value) ? curl_getdate(value, NULL) : -1;

		if (t < 0 || t > INT64_MAX / NS_SEC)
			return 0;
		delay = (ns_t)t * NS_SEC - wall;
	}
	if (delay < 0)
		return 0;
	return delay < HTTP_RETRY_CEILING ? delay : HTTP_RETRY_CEILING;
}

/* --- failures --------------------------------------------------------------------------------- */

struct cause {
	int curl;
	enum err_code code;
	const char *text; /* NULL: libcurl's own */
};

static const struct cause causes[] = {
	{CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE, "the host name cannot be resolved"},
	{CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE, "the proxy's name cannot be resolved"},
	{CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE, NULL},
	/* The only time-out that is libcurl's is the one for the connection. */
	{CURLE_OPERATION_TIMEDOUT, ERR_UNAVAILABLE, "no connection within 10 s"},
	{CURLE_GOT_NOTHING, ERR_UNAVAILABLE, "the peer closed the connection without a reply"},
	{CURLE_PARTIAL_FILE, ERR_UNAVAILABLE, "the connection ended in the middle of the reply"},
	{CURLE_RECV_ERROR, ERR_UNAVAILABLE, NULL},
	{CURLE_SEND_ERROR, ERR_UNAVAILABLE, NULL},
	/* Only http_call.c's refusal to repeat a POST ends in this one. */
	{CURLE_ABORTED_BY_CALLBACK, ERR_UNAVAILABLE, "the connection ended while sending"},
	{CURLE_SEND_FAIL_REWIND, ERR_UNAVAILABLE, "the connection ended while sending"},
	{CURLE_PROXY, ERR_UNAVAILABLE, NULL},
	{CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE, NULL},
	{CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED, NULL},
	{CURLE_SSL_ISSUER_ERROR, ERR_DENIED, NULL},
	{CURLE_SSL_CERTPROBLEM, ERR_INVALID, NULL},
	{CURLE_SSL_CACERT_BADFILE, ERR_INVALID, NULL},
	{CURLE_FILESIZE_EXCEEDED, ERR_INVALID, "the reply is larger than its limit"},
	{CURLE_URL_MALFORMAT, ERR_INVALID, NULL},
	{CURLE_READ_ERROR, ERR_IO, "the body to send could not be read"},
	{CURLE_OUT_OF_MEMORY, ERR_INTERNAL, NULL},
};

static const struct cause *find_cause(int code)
{
	static const struct cause other = {0, ERR_PROTOCOL, NULL};

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (causes[i].curl == code)
			return &causes[i];
	return &other;
}

/* How TLS 1.3 and 1.2 say no to our certificate: an alert, at the handshake or at the first read.
 */
static bool is_tls_refusal(const char *detail)
{
	return strstr(detail, "alert") &&
	       (strstr(detail, "certificate") || strstr(detail, "unknown ca") ||
		strstr(detail, "access denied"));
}

/*
 * A CA of the right name with another key (a cluster that was made again) fails in the signature,
 * which libcurl reports as a failed handshake with whatever OpenSSL complained about first.
 */
static bool is_bad_signature(int code, const char *detail)
{
	return code == CURLE_SSL_CONNECT_ERROR &&
	       (strstr(detail, "asn1 encoding routines") || strstr(detail, "rsa routines") ||
		strstr(detail, "certificate verify failed"));
}

static int err_verification(struct err *e, const char *name, const char *text)
{
	err_set(e, ERR_DENIED, "%s: %s", name, text);
	return err_hint(e, "the certificate is not one that the configured CA vouches for under "
			   "this name");
}

int http_err_curl(struct err *e, const char *name, int code, int os_errno, const char *detail)
{
	const struct cause *c = find_cause(code);
	const char *text = c->text;
	char own[200] = "";

	if (!text && code == CURLE_COULDNT_CONNECT && os_errno) {
		text = os_errno == ECONNREFUSED ? "connection refused" : strerror(os_errno);
	} else if (starts_with(detail, "getpeername")) { /* reset before libcurl looked */
		text = "the connection was reset";
	} else if (!text) {
		snprintf(own, sizeof(own), "%s",
			 *detail ? detail : curl_easy_strerror((CURLcode)code));
		/* Prose starts small, names ("OpenSSL ...") stay. */
		if (strspn(own + 1, "abcdefghijklmnopqrstuvwxyz") == strcspn(own + 1, " :,"))
			own[0] = (char)tolower((unsigned char)own[0]);
		text = own;
	}
	if (is_tls_refusal(detail)) {
		err_set(e, ERR_DENIED, "%s: the peer refused our certificate: %s", name, text);
		return err_hint(e, "check the client certificate and its key");
	}
	if (is_bad_signature(code, detail))
		return err_verification(e, name, "the certificate is not signed by the known CA");
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return err_verification(e, name, text);
	err_set(e, c->code, "%s: %s", name, text);
	if (strstr(detail, "wrong version number"))
		return err_hint(e, "the peer speaks plain http on this port");
	return -1;
}

bool http_refused(const struct err *e)
{
	return e->code == ERR_UNAVAILABLE && strstr(e->msg, "connection refused");
}
