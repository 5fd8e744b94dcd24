/* poll.c - one timer per cluster, one request at a time: /v1/info until it has started, then /v1/cluster. */
#include "operator/poll.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/strmap.h"
#include "presto/presto.h"
#include "presto/sql.h"

#define FAST       (1 * NS_SEC)
#define SLOWEST    (5 * NS_SEC) /* while progressing, with many clusters at once */
#define SPREAD     (20 * NS_MS) /* per cluster that is polled fast */
#define STEADY     (30 * NS_SEC)
#define TIMEOUT    (4 * NS_SEC)
#define ANSWER_MAX (64u << 10)
#define LOST       3 /* failures after which an old answer counts no more */

struct target {
	struct poller *p;
	char *key;
	char ip[46];
	bool fast;
	bool whole; /* the last answer told all: it need not ask /v1/info again */
	struct poll_answer answer;
	struct poll_answer next; /* with what /v1/info said, until /v1/cluster completes it */
	struct loop_timer *timer;
	struct http_call *call;
	char url[96];
};

struct poller {
	struct loop *loop;
	struct http *http;
	void (*changed)(const char *key, void *arg);
	void *arg;
	struct strmap *targets;
	size_t fast;
	uint64_t requests, random;
};

static void ask(void *arg);

static void target_free(void *v)
{
	struct target *t = v;

	t->p->fast -= t->fast;
	http_call_free(t->call);
	loop_timer_free(t->timer);
	free(t->key);
	free(t);
}

/* Steady clusters are spread over 30 to 60 s, so that a restart does not ask them all in the same second. */
static ns_t pause_of(struct target *t)
{
	struct poller *p = t->p;
	ns_t fast = (ns_t)p->fast * SPREAD;

	if (t->fast || t->answer.failures)
		return fast < FAST ? FAST : fast > SLOWEST ? SLOWEST : fast;
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return STEADY + (ns_t)(p->random % (uint64_t)STEADY);
}

static void settle(struct target *t, const struct poll_answer *now)
{
	const struct poll_answer old = t->answer;
	bool lost = now->failures == LOST || now->failures == 2 * LOST;
	bool other = now->asked != old.asked || now->starting != old.starting ||
		     now->active != old.active || strcmp(now->version, old.version) != 0 || lost;

	t->answer = *now;
	loop_timer_after(t->timer, pause_of(t));
	if (other)
		t->p->changed(t->key, t->p->arg);
}

static void failed(struct target *t)
{
	struct poll_answer now = t->answer;

	t->whole = false;
	if (now.failures < 1000)
		now.failures++;
	if (now.failures >= LOST)
		now = (struct poll_answer){.failures = now.failures};
	settle(t, &now);
}

static void on_cluster(struct http_resp *r, struct err *e, void *arg)
{
	struct target *t = arg;
	struct poll_answer now = t->next;
	struct presto_cluster cluster;
	struct err bad = ERR_INIT;

	http_call_free(TAKE(t->call));
	if (e->code != ERR_OK || r->status >= 500) {
		failed(t);
		return;
	}
	now.failures = 0;
	now.asked = true;
	/* Newer engines want a login here: whether workers have joined then has to be seen from their pods. */
	now.active = r->status == 200 && presto_cluster_decode(&cluster, buf_str(&r->body),
							       r->body.len, &bad) == 0
			     ? cluster.active_workers
			     : -1;
	t->whole = true;
	settle(t, &now);
}

static void send(struct target *t, const char *path, http_done_fn *fn)
{
	static const char *const headers[] = {"Connection: close", "X-Presto-User: presto-operator",
					      NULL};
	struct http_req q = {.method = "GET",
			     .url = t->url,
			     .headers = headers,
			     .timeout = TIMEOUT,
			     .max_body = ANSWER_MAX};
	bool six = strchr(t->ip, ':') != NULL;
	struct err e = ERR_INIT;

	snprintf(t->url, sizeof(t->url), "http://%s%s%s:%d%s", six ? "[" : "", t->ip,
		 six ? "]" : "", PRESTO_PORT, path);
	t->p->requests++;
	if (http_start(&t->call, t->p->http, &q, fn, t, &e) < 0)
		failed(t);
}

static void on_info(struct http_resp *r, struct err *e, void *arg)
{
	struct target *t = arg;
	struct poll_answer now = t->answer;
	struct presto_info info;
	struct err bad = ERR_INIT;

	http_call_free(TAKE(t->call));
	if (e->code != ERR_OK || r->status != 200 ||
	    presto_info_decode(&info, buf_str(&r->body), r->body.len, &bad) < 0) {
		failed(t);
		return;
	}
	snprintf(now.version, sizeof(now.version), "%s", info.version);
	now.starting = info.starting;
	if (info.starting) {
		now.failures = 0;
		now.asked = true;
		now.active = 0;
		settle(t, &now);
		return;
	}
	t->next = now;
	send(t, "/v1/cluster", on_cluster);
}

static void ask(void *arg)
{
	struct target *t = arg;

	if (t->call)
		return;
	t->next = t->answer;
	if (t->whole)
		send(t, "/v1/cluster", on_cluster);
	else
		send(t, "/v1/info", on_info);
}

int poller_new(struct poller **out, struct loop *l, void (*changed)(const char *key, void *arg),
	       void *arg, struct err *e)
{
	static const struct http_opts opts = {
		.proxy = "", .plain = HTTP_PLAIN_ANY, .user_agent = "presto-operator"};
	struct poller *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	p->changed = changed;
	p->arg = arg;
	p->random = (uint64_t)clock_wall() | 1;
	p->targets = strmap_new(target_free);
	if (http_new(&p->http, l, &opts, e) < 0) {
		poller_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void poller_free(struct poller *p)
{
	if (!p)
		return;
	strmap_free(p->targets);
	http_free(p->http);
	free(p);
}

void poller_want(struct poller *p, const char *key, const char *ip, bool progressing)
{
	struct target *t = strmap_get(p->targets, key);

	if (t && strcmp(t->ip, ip) != 0) {
		strmap_del(p->targets, key);
		t = NULL;
	}
	if (t && t->fast == progressing)
		return;
	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->p = p;
		t->key = xstrdup(key);
		snprintf(t->ip, sizeof(t->ip), "%s", ip);
		t->timer = loop_timer_new(p->loop, ask, t);
		strmap_put(p->targets, key, t);
		loop_timer_after(t->timer, 0);
	}
	p->fast += progressing;
	p->fast -= t->fast;
	t->fast = progressing;
	if (!t->call && (t->answer.asked || t->answer.failures))
		loop_timer_after(t->timer, pause_of(t));
}

void poller_forget(struct poller *p, const char *key)
{
	strmap_del(p->targets, key);
}

struct poll_answer poller_get(const struct poller *p, const char *key)
{
	const struct target *t = strmap_get(p->targets, key);

	return t ? t->answer : (struct poll_answer){0};
}

uint64_t poller_requests(const struct poller *p)
{
	return p->requests;
}
