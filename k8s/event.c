/*
 * event.c - Events, written from the loop: a repeated one is counted, not written again, and each is
 * written at most every 10 s. What cannot be written is dropped after some tries.
 */
#include "k8s/event.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/strmap.h"

#define SAME_WITHIN (600 * NS_SEC)
#define PAUSE       (10 * NS_SEC)
#define MAX_RECORDS 256
#define MAX_TRIES   3
#define MAX_MESSAGE 1000 /* the API allows 1024 bytes */

struct record {
	struct events *ev;
	char *key, *ns, *name;
	json_t *body; /* as created, without what counting changes */
	unsigned count, tries;
	ns_t first, last; /* clock_wall */
	ns_t written;     /* clock_mono, 0: never */
	bool created, dirty;
	struct http_call *call;
	char *sent; /* the body of the running call */
	struct loop_timer *timer;
};

struct events {
	struct k8s *k;
	char *component, *instance;
	struct strmap *records;
	uint64_t serial;
};

static void flush(struct record *r);

static void record_free(void *p)
{
	struct record *r = p;

	http_call_free(r->call);
	loop_timer_free(r->timer);
	json_decref(r->body);
	free(r->sent);
	free(r->key);
	free(r->ns);
	free(r->name);
	free(r);
}

struct events *events_new(struct k8s *k, const char *component, const char *instance)
{
	struct events *ev = xcalloc(1, sizeof(*ev));

	ev->k = k;
	ev->component = xstrdup(component);
	ev->instance = xstrdup(instance);
	ev->records = strmap_new(record_free);
	return ev;
}

void events_free(struct events *ev)
{
	if (!ev)
		return;
	strmap_free(ev->records);
	free(ev->component);
	free(ev->instance);
	free(ev);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void set_time(json_t *o, const char *key, ns_t wall)
{
	char text[TIME_RFC3339_SIZE];

	time_format(text, wall);
	json_object_set_new(o, key, json_string(text));
}

static void set_counts(json_t *o, const struct record *r)
{
	json_object_set_new(o, "count", json_integer(r->count));
	set_time(o, "lastTimestamp", r->last);
}

static void later(struct record *r)
{
	if (!loop_timer_armed(r->timer))
		loop_timer_at(r->timer, r->written + PAUSE);
}

static void on_written(struct http_resp *resp, struct err *e, void *arg)
{
	struct record *r = arg;

	http_call_free(TAKE(r->call));
	free(TAKE(r->sent));
	if (e->code == ERR_OK && resp->status / 100 == 2) {
		r->created = true;
		r->tries = 0;
	} else if (e->code == ERR_OK && resp->status == 404 && r->created) {
		/* The server has forgotten it, as it does with events: start over. */
		r->created = false;
		r->dirty = true;
	} else if (e->code == ERR_OK && resp->status == 409 && !r->created) {
		r->created = true; /* an earlier try did arrive */
	} else if (++r->tries < MAX_TRIES) {
		r->dirty = true;
	} else {
		log_debug(r->name, "event not written: HTTP %d %s", resp->status, e->msg);
		r->tries = 0;
	}
	if (r->dirty)
		later(r);
}

static void send_record(struct record *r)
{
	static const char *const create[] = {"Content-Type: application/json", NULL};
	static const char *const patch[] = {"Content-Type: application/merge-patch+json", NULL};
	const struct k8s_ref ref = {r->ns, r->created ? r->name : NULL};
	autojson json_t *body = r->created ? json_object() : json_deep_copy(r->body);
	autofree char *path = k8s_path(&K8S_EVENT, &ref, NULL);
	struct err e = ERR_INIT;

	set_counts(body, r);
	r->sent = json_dumps(body, JSON_COMPACT);
	struct http_req q = {
		.method = r->created ? "PATCH" : "POST",
		.url = path,
		.headers = r->created ? patch : create,
		.body = {.bytes = r->sent, .len = strlen(r->sent)},
	};
	r->dirty = false;
	r->written = clock_mono();
	if (k8s_start(&r->call, r->ev->k, &q, on_written, r, &e) < 0) {
		log_debug(r->name, "event not written: %s", e.msg);
		free(TAKE(r->sent));
	}
}

static void flush(struct record *r)
{
	if (!r->dirty || r->call)
		return;
	if (r->written && clock_mono() - r->written < PAUSE)
		later(r);
	else
		send_record(r);
}

static void on_timer(void *arg)
{
	flush(arg);
}

/* --- recording -------------------------------------------------------------------------------- */

struct oldest {
	const char *key;
	ns_t last;
};

static bool find_oldest(const char *key, void *value, void *arg)
{
	const struct record *r = value;
	struct oldest *o = arg;

	if (!o->key || r->last < o->last)
		*o = (struct oldest){key, r->last};
	return true;
}

static void make_room(struct events *ev)
{
	struct oldest o = {NULL, 0};

	if (strmap_len(ev->records) < MAX_RECORDS)
		return;
	strmap_each(ev->records, find_oldest, &o);
	autofree char *key = xstrdup(o.key);
	strmap_del(ev->records, key);
}

static char *key_of(const struct event_ref *about, bool warning, const char *reason,
		    const char *message)
{
	struct sha256 s;
	char hex[SHA256_HEX_SIZE];

	sha256_init(&s);
	sha256_adds(&s, about->kind);
	sha256_adds(&s, about->ns ? about->ns : "");
	sha256_adds(&s, about->name);
	sha256_adds(&s, about->uid ? about->uid : "");
	sha256_adds(&s, warning ? "Warning" : "Normal");
	sha256_adds(&s, reason);
	sha256_adds(&s, message);
	sha256_hex(&s, hex);
	return xstrdup(hex);
}

static json_t *event_body(const struct record *r, const struct event_ref *about, bool warning,
			  const char *reason, const char *message)
{
	const struct events *ev = r->ev;
	json_t *involved = json_object(), *body = json_object();

	json_object_set_new(involved, "apiVersion", json_string(about->api_version));
	json_object_set_new(involved, "kind", json_string(about->kind));
	json_object_set_new(involved, "name", json_string(about->name));
	if (about->ns && *about->ns)
		json_object_set_new(involved, "namespace", json_string(about->ns));
	if (about->uid)
		json_object_set_new(involved, "uid", json_string(about->uid));
	json_object_set_new(body, "apiVersion", json_string("v1"));
	json_object_set_new(body, "kind", json_string("Event"));
	jx_set(body, "metadata.name", json_string(r->name));
	jx_set(body, "metadata.namespace", json_string(r->ns));
	json_object_set_new(body, "involvedObject", involved);
	json_object_set_new(body, "type", json_string(warning ? "Warning" : "Normal"));
	json_object_set_new(body, "reason", json_string(reason));
	json_object_set_new(body, "message", json_string(message));
	jx_set(body, "source.component", json_string(ev->component));
	json_object_set_new(body, "reportingComponent", json_string(ev->component));
	json_object_set_new(body, "reportingInstance", json_string(ev->instance));
	set_time(body, "firstTimestamp", r->first);
	return body;
}

/* Unique among all writers: the time, our serial number, and the owner's name in front. */
static char *event_name(struct events *ev, const char *about)
{
	return xasprintf("%.200s.%llx%04llx", about, (unsigned long long)clock_wall(),
			 (unsigned long long)(++ev->serial & 0xffff));
}

static struct record *new_record(struct events *ev, const char *key, const struct event_ref *about)
{
	struct record *r = xcalloc(1, sizeof(*r));

	make_room(ev);
	r->ev = ev;
	r->key = xstrdup(key);
	r->ns = xstrdup(about->ns && *about->ns ? about->ns : "default");
	r->name = event_name(ev, about->name);
	r->first = clock_wall();
	r->timer = loop_timer_new(k8s_loop(ev->k), on_timer, r);
	strmap_put(ev->records, key, r);
	return r;
}

/* At most MAX_MESSAGE bytes, and no character cut in two. */
static char *fit_message(const char *message)
{
	char *text = xstrndup(message, MAX_MESSAGE);
	size_t n = strlen(text);

	log_redact(text);
	n = strlen(text);
	if (strlen(message) > MAX_MESSAGE) {
		while (n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
			n--;
		if (n && (unsigned char)text[n - 1] >= 0xc0)
			n--;
		text[n] = '\0';
	}
	return text;
}

void events_record_ref(struct events *ev, const struct event_ref *about, bool warning,
		       const char *reason, const char *message)
{
	autofree char *text = fit_message(message);
	autofree char *key = key_of(about, warning, reason, text);
	struct record *r = strmap_get(ev->records, key);
	ns_t now = clock_wall();

	if (r && now - r->last > SAME_WITHIN) {
		strmap_del(ev->records, key);
		r = NULL;
	}
	if (!r) {
		r = new_record(ev, key, about);
		r->body = event_body(r, about, warning, reason, text);
	}
	r->count++;
	r->last = now;
	r->dirty = true;
	flush(r);
}

void events_record(struct events *ev, const json_t *about, bool warning, const char *reason,
		   const char *fmt, ...)
{
	const struct event_ref ref = {
		jx_str_or(about, "apiVersion", ""),
		jx_str_or(about, "kind", ""),
		obj_ns(about),
		obj_name(about) ? obj_name(about) : "",
		obj_uid(about),
	};
	char message[MAX_MESSAGE + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	events_record_ref(ev, &ref, warning, reason, message);
}
