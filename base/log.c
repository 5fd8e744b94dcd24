/* log.c - one write per line, so that lines of several processes do not mix; secrets cut out first.
 */
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define MAX_MESSAGE (8u << 10)
#define MAX_SECRETS 64
#define MIN_SECRET  6

static enum log_level least_level = LOG_INFO_LEVEL;
static bool as_json;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

static struct {
	char *text;
	size_t len;
} secrets[MAX_SECRETS]; /* newest first */

void log_setup(enum log_level least, bool json)
{
	least_level = least;
	as_json = json;
}

bool log_enabled(enum log_level level)
{
	return level >= least_level;
}

static void forget(size_t i)
{
	mem_wipe(secrets[i].text, secrets[i].len);
	free(secrets[i].text);
	secrets[i].text = NULL;
	secrets[i].len = 0;
}

static void forget_all(void)
{
	for (size_t i = 0; i < MAX_SECRETS; i++)
		forget(i);
}

void log_secret(const char *secret)
{
	static bool registered;
	size_t slot;

	if (!secret || strlen(secret) < MIN_SECRET)
		return;
	if (!registered)
		registered = atexit(forget_all) == 0;
	/* The slot of the same secret, or the oldest, moves to the front. */
	for (slot = 0; slot < MAX_SECRETS - 1 && secrets[slot].text; slot++) {
		if (streq(secrets[slot].text, secret))
			break;
	}
	forget(slot);
	memmove(secrets + 1, secrets, slot * sizeof(secrets[0]));
	secrets[0].text = xstrdup(secret);
	secrets[0].len = strlen(secret);
}

/* The longest known secret that starts here, or 0: one may be the beginning of another. */
static size_t known_secret(const char *p, size_t left)
{
	size_t longest = 0;

	for (size_t i = 0; i < MAX_SECRETS && secrets[i].text; i++) {
		if (secrets[i].len > longest && secrets[i].len <= left &&
		    memcmp(p, secrets[i].text, secrets[i].len) == 0)
			longest = secrets[i].len;
	}
	return longest;
}

/* How long the run is that ends at what cannot be part of a credential. */
static size_t credential(const char *p)
{
	return strcspn(p, " \t\r\n\"'&,;<>(){}[]\\");
}

/*
 * secret_form - p is at a word that announces a secret: how many bytes announce it, and how many
 * the secret has. "Bearer x", "token=x", "token: x", "\"password\":\"x\"", "access_token=x".
 */
static bool secret_form(const char *p, size_t *intro, size_t *len)
{
	static const char *const schemes[] = {"bearer ", "basic "};
	static const char *const names[] = {"token", "password", "passwd", "secret"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		*intro = strlen(schemes[i]);
		*len = strncasecmp(p, schemes[i], *intro) == 0 ? credential(p + *intro) : 0;
		if (*len)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		if (strncasecmp(p, names[i], n) != 0)
			continue;
		n += strspn(p + n, "\"'");
		if (p[n] != '=' && p[n] != ':')
			continue;
		n++;
		n += strspn(p + n, " \"'");
		*intro = n;
		*len = credential(p + n);
		/* "Authorization token: Bearer x": the scheme is not the secret. */
		if (*len && strncasecmp(p + n, "bearer ", 7) != 0)
			return true;
	}
	*len = 0;
	return false;
}

/* Writes the mark over the first of len bytes; returns its length, never more than len. */
static size_t mark(char *to, size_t len)
{
	static const char word[] = "[redacted]";

	if (len >= sizeof(word) - 1) {
		memcpy(to, word, sizeof(word) - 1);
		return sizeof(word) - 1;
	}
	if (len > 3)
		len = 3;
	memset(to, '*', len);
	return len;
}

void log_redact(char *text)
{
	const char *from = text, *end = text + strlen(text);
	char *to = text;

	while (from < end) {
		size_t intro = 0, len = known_secret(from, (size_t)(end - from));
		/* A form's own secret may be the beginning of a longer known one. */
		if (!len && secret_form(from, &intro, &len)) {
			size_t known = known_secret(from + intro, (size_t)(end - from) - intro);
			len = known > len ? known : len;
		}
		if (!len) {
			*to++ = *from++;
			continue;
		}
		memmove(to, from, intro);
		to += intro;
		from += intro + len;
		to += mark(to, len);
	}
	*to = '\0';
}

/* Control characters and broken UTF-8 are escaped: nothing may forge a line or move a cursor. */
static void escape(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t n = utf8_char((const char *)p);
		if (as_json && (*p == '"' || *p == '\\'))
			buf_fit(out, "\\%c", *p);
		else if (*p == '\n')
			buf_fit(out, "\\n");
		else if (*p == '\t')
			buf_fit(out, "\\t");
		else if (n == 0)
			buf_fit(out, as_json ? "\\ufffd" : "\\x%02x", *p);
		else if (*p < 0x20 || *p == 0x7F)
			buf_fit(out, as_json ? "\\u%04x" : "\\x%02x", *p);
		else if (*p == 0xC2 && p[1] < 0xA0) /* the C1 controls */
			buf_fit(out, "\\u%04x", p[1]);
		else
			buf_fit(out, "%.*s", (int)n, (const char *)p);
		p += n ? n : 1;
	}
}

static void write_line(const struct buf *line)
{
	const char *p = line->data;
	size_t left = line->len;

	while (left) {
		ssize_t n = write(STDERR_FILENO, p, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody is left to be told */
		p += n;
		left -= (size_t)n;
	}
}

static void emit(enum log_level level, const char *key, const char *message)
{
	struct buf line = BUF_INIT(16 * MAX_MESSAGE);
	char now[TIME_RFC3339_SIZE];

	time_format(now, clock_wall());
	if (as_json) {
		buf_fit(&line, "{\"time\":\"%s\",\"level\":\"%s\"", now, level_names[level]);
		if (key) {
			buf_fit(&line, ",\"key\":\"");
			escape(&line, key);
			buf_fit(&line, "\"");
		}
		buf_fit(&line, ",\"msg\":\"");
		escape(&line, message);
		buf_fit(&line, "\"}\n");
	} else {
		buf_fit(&line, "%s %-5s ", now, level_names[level]);
		if (key) {
			escape(&line, key);
			buf_fit(&line, ": ");
		}
		escape(&line, message);
		buf_fit(&line, "\n");
	}
	write_line(&line);
	buf_release(&line);
}

void log_at(enum log_level level, const char *key, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	int saved = errno;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	autofree char *message = xmalloc(n < 0 ? 1 : (size_t)n + 1);
	message[0] = '\0';
	va_start(ap, fmt);
	if (n >= 0)
		(void)vsnprintf(message, (size_t)n + 1, fmt, ap);
	va_end(ap);
	/* Redact the whole before cutting it: half a secret would not be recognised. */
	log_redact(message);
	if (strlen(message) > MAX_MESSAGE)
		message[MAX_MESSAGE] = '\0';
	autofree char *about = key ? xstrndup(key, 512) : NULL;
	if (about)
		log_redact(about);
	emit(level, about, message);
	errno = saved;
}

void log_err(enum log_level level, const char *key, const struct err *e, const char *doing)
{
	log_at(level, key, "%s%s%s%s%s%s", doing ? doing : "", doing ? ": " : "", e->msg,
	       e->hint[0] ? " (" : "", e->hint, e->hint[0] ? ")" : "");
}
