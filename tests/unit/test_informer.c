/* The rows of the informer's state table, against a server that does the wrong things on purpose. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "k8s/informer.h"
#include "tests/fault/faultserver.h"

#define LIST    "/api/v1/namespaces/ns/configmaps?!watch"
#define WATCH   "/api/v1/namespaces/ns/configmaps?watch=1"
#define SECONDS (10 * NS_SEC)

struct setup {
	struct fault *f;
	struct loop *l;
	struct k8s *k;
	struct informer *i;
	char log[4096]; /* "+a=1 ~a=2 -a=2 " */
	const char *want;
	bool done;
};

struct entry {
	char *value; /* owned, so that a leak of an entry shows */
};

static int project(void *entry, const json_t *obj, void *arg UNUSED)
{
	struct entry *n = entry;
	const char *v = jx_str_or(obj, "data.v", "");

	if (streq(v, "hidden"))
		return -1;
	n->value = xstrdup(v);
	return 0;
}

static void release(void *entry)
{
	struct entry *n = entry;

	free(n->value);
}

static void check(struct setup *s)
{
	s->done = s->want && strcmp(s->log, s->want) == 0;
}

static void notify(const char *key, const void *old, const void *new, void *arg)
{
	struct setup *s = arg;
	const struct entry *n = new ? new : old;
	size_t len = strlen(s->log);

	assert_ptr_equal(informer_get(s->i, key), new);
	snprintf(s->log + len, sizeof(s->log) - len, "%c%s=%s ",
		 !old   ? '+'
		 : !new ? '-'
			: '~',
		 strchr(key, '/') + 1, n->value);
	check(s);
}

static void client(struct setup *s, const char *token_file)
{
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	c.server = xstrdup(fault_url(s->f));
	c.token_file = token_file ? xstrdup(token_file) : NULL;
	assert_ok(k8s_new(&s->k, s->l, &c, NULL, &e), &e);
}

static void informer(struct setup *s, ns_t silence)
{
	const struct informer_opts o = {.res = &K8S_CONFIGMAP,
					.ns = "ns",
					.label_selector = "a=b,c",
					.seed = 7,
					.silence = silence,
					.backoff_min = 20 * NS_MS};
	const struct informer_ops ops = {sizeof(struct entry), project, notify, release, s};
	struct err e = ERR_INIT;

	assert_ok(informer_new(&s->i, s->k, &o, &ops, &e), &e);
	assert_ok(informer_start(s->i, &e), &e);
}

static int begin(void **state)
{
	struct setup *s = xcalloc(1, sizeof(*s));
	struct err e = ERR_INIT;

	assert_ok(loop_new(&s->l, &e), &e);
	s->f = fault_start(NULL);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct setup *s = *state;

	informer_free(s->i);
	k8s_free(s->k);
	loop_free(s->l);
	fault_stop(s->f);
	free(s);
	return 0;
}

static void until(struct setup *s, const char *log)
{
	struct err e = ERR_INIT;

	s->want = log;
	check(s);
	if (loop_wait(s->l, &s->done, clock_mono() + SECONDS, &e) < 0)
		fail_msg("\"%s\" is not \"%s\": %s (%s)", s->log, log, e.msg,
			 informer_last_error(s->i));
}

/* Turn the loop until the server has seen n requests of that kind. */
static void until_asked(struct setup *s, const char *target, size_t n)
{
	ns_t limit = clock_mono() + SECONDS;
	struct err e = ERR_INIT;

	while (fault_count_of(s->f, "GET", target) < n) {
		if (clock_mono() > limit)
			fail_msg("asked %zu times for %s and not %zu times (%s)",
				 fault_count_of(s->f, "GET", target), target, n,
				 informer_last_error(s->i));
		assert_ok(loop_sleep(s->l, 5 * NS_MS, &e), &e);
	}
}

#define ITEM(name, rv, v)                                                             \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"" rv "\"},\"data\":{\"v\":\"" v "\"}}"
#define LISTED(rv, more, items)                                                         \
	"{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"" rv "\"" more \
	"},\"items\":[" items "]}"
#define EVENT(type, name, rv, v) "{\"type\":\"" type "\",\"object\":" ITEM(name, rv, v) "}\n"
#define BOOKMARK(rv) \
	"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" rv "\"}}}\n"
#define STATUS(code, reason, message)                                                              \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"" message \
	"\",\"reason\":\"" reason "\",\"code\":" #code "}"
#define ERROR_EVENT(code, reason) \
	"{\"type\":\"ERROR\",\"object\":" STATUS(code, reason, "because") "}\n"
#define TOO_NEW                                                                                      \
	"{\"kind\":\"Status\",\"code\":504,\"reason\":\"Timeout\",\"message\":\"Too large resource " \
	"version: 9, current: 5\",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"," \
	"\"message\":\"Too large resource version\"}]}}"

/* Most scenarios begin with one object and a watch. */
static void start_with_a(struct setup *s)
{
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("10", "", ITEM("a", "9", "1"))));
	client(s, NULL);
}

static void lists_from_the_cache_then_watches_with_bookmarks(void **state)
{
	struct setup *s = *state;
	struct informer_stats st;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "11", "2")),
		     FAULT_CHUNK(EVENT("MODIFIED", "a", "12", "3")),
		     FAULT_CHUNK(EVENT("DELETED", "b", "13", "2")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 ~a=3 -b=2 ");
	const char *list = fault_request(s->f, 0)->target;
	assert_has(list, "resourceVersion=0");
	assert_has(list, "labelSelector=a%3Db%2Cc");
	assert_null(strstr(list, "limit"));
	const char *watch = fault_request(s->f, 1)->target;
	assert_has(watch, "resourceVersion=10");
	assert_has(watch, "allowWatchBookmarks=true");
	long seconds = strtol(strstr(watch, "timeoutSeconds=") + 15, NULL, 10);
	assert_in_range(seconds, 300, 600);
	st = informer_stats(s->i);
	assert_int_equal(st.lists, 1);
	assert_int_equal(st.events, 3);
	assert_true(informer_synced(s->i));
	assert_int_equal(informer_len(s->i), 1);
}

static void events_cut_anywhere_arrive_whole(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK("{\"type\":\"ADDED\",\"obj"), FAULT_DELAY(20),
		     FAULT_CHUNK("ect\":" ITEM("b", "11", "2") "}"), FAULT_DELAY(20),
		     FAULT_CHUNK("\n"), FAULT_CHUNK(EVENT("ADDED", "c", "12", "3")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 +c=3 ");
}

static void half_a_line_at_a_reset_is_not_an_event_and_the_watch_goes_on_where_it_was(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "11", "2")),
		     FAULT_DELAY(30), FAULT_CHUNK("{\"type\":\"ADDED\",\"object\":{\"meta"),
		     FAULT_DELAY(30), FAULT_RESET);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "c", "12", "3")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 +c=3 ");
	assert_int_equal(fault_count_of(s->f, "GET", LIST), 1);
	assert_has(fault_request(s->f, 2)->target, "resourceVersion=11");
}

static void a_bookmark_moves_only_the_version(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(BOOKMARK("77")));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "78", "2")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 ");
	assert_has(fault_request(s->f, 2)->target, "resourceVersion=77");
	assert_int_equal(informer_stats(s->i).bookmarks, 1);
}

static void expired_in_the_stream_lists_again_and_drops_what_is_gone(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "11", "2")),
		     FAULT_CHUNK(ERROR_EVENT(410, "Expired")));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("30", "", ITEM("b", "11", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 -a=1 "); /* b has not changed: not told again */
	until_asked(s, WATCH, 2);
	const char *list = fault_request(s->f, 2)->target;
	assert_has(list, "resourceVersion=11");
	assert_has(list, "resourceVersionMatch=NotOlderThan");
	assert_null(strstr(list, "limit"));
	assert_int_equal(informer_stats(s->i).relists, 1);
}

static void expired_as_http_status_lists_again(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_STATUS(410),
		     FAULT_BODY(STATUS(410, "Expired", "old")));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("30", "", ITEM("a", "20", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 ~a=2 ");
}

static void a_list_that_is_too_new_or_too_old_is_asked_for_fresh_and_in_pages(void **state)
{
	struct setup *s = *state;

	for (int round = 0; round < 2; round++) {
		fault_clear(s->f);
		s->log[0] = '\0';
		fault_script(s->f, "GET", LIST, FAULT_STATUS(round ? 410 : 504),
			     FAULT_BODY(round ? STATUS(410, "Expired", "x") : TOO_NEW));
		fault_script(
			s->f, "GET", LIST,
			FAULT_BODY(LISTED("30", ",\"continue\":\"t/k=\"", ITEM("a", "1", "1"))));
		fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("30", "", ITEM("b", "2", "2"))));
		fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "c", "31", "3")),
			     FAULT_HOLD);
		client(s, NULL);
		informer(s, 0);
		until(s, "+a=1 +b=2 +c=3 ");
		assert_null(strstr(fault_request(s->f, 1)->target, "resourceVersion"));
		assert_has(fault_request(s->f, 1)->target, "limit=500");
		assert_has(fault_request(s->f, 2)->target, "continue=t%2Fk%3D");
		informer_free(TAKE(s->i));
		k8s_free(TAKE(s->k));
	}
}

static void a_continue_token_that_expires_starts_the_list_over(void **state)
{
	struct setup *s = *state;

	fault_script(s->f, "GET", LIST, FAULT_STATUS(410), FAULT_BODY(STATUS(410, "Expired", "x")));
	fault_script(s->f, "GET", LIST,
		     FAULT_BODY(LISTED("30", ",\"continue\":\"t\"", ITEM("a", "1", "1"))));
	fault_script(s->f, "GET", LIST, FAULT_STATUS(410), FAULT_BODY(STATUS(410, "Expired", "x")));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("40", "", ITEM("b", "2", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_HOLD);
	client(s, NULL);
	informer(s, 0);
	until(s, "+a=1 +b=2 -a=1 ");
}

static void watches_that_end_at_once_back_off_and_list(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(""));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("11", "", ITEM("a", "11", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 ~a=2 ");
	assert_int_equal(informer_stats(s->i).errors, 1);
}

static void a_watch_that_ends_after_a_while_goes_on_without_a_list(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(""), FAULT_DELAY(1100));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "11", "2")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 ");
	assert_int_equal(informer_stats(s->i).lists, 1);
	assert_int_equal(informer_stats(s->i).errors, 0);
}

static void throttled_watches_wait_as_told_and_keep_their_place(void **state)
{
	struct setup *s = *state;
	ns_t start = clock_mono();

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_STATUS(429), FAULT_HEADER("Retry-After: 1"),
		     FAULT_BODY(STATUS(429, "TooManyRequests", "slow")));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "11", "2")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=2 ");
	assert_true(clock_mono() - start >= NS_SEC);
	assert_int_equal(informer_stats(s->i).lists, 1);
	assert_string_equal(informer_last_error(s->i), "");
}

static void other_errors_list_again(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_STATUS(500), FAULT_BODY("oops"));
	fault_script(s->f, "GET", LIST, FAULT_STATUS(503), FAULT_BODY("later"));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("11", "", ITEM("a", "11", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(ERROR_EVENT(500, "InternalError")));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("12", "", ITEM("a", "12", "3"))));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK("this is no JSON\n"), FAULT_HOLD);
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("13", "", ITEM("a", "13", "4"))));
	fault_script(s->f, "GET", WATCH, FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 ~a=2 ~a=3 ~a=4 ");
}

static void a_list_cut_in_the_middle_makes_nothing_vanish(void **state)
{
	struct setup *s = *state;

	fault_script(s->f, "GET", LIST,
		     FAULT_BODY(LISTED("10", "", ITEM("a", "8", "1") "," ITEM("b", "9", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(ERROR_EVENT(410, "Expired")));
	/* Right after a list: backs off, and asks afresh. First half a body, then half a text. */
	fault_script(s->f, "GET", LIST, FAULT_LENGTH(5000),
		     FAULT_RAW("{\"metadata\":{},\"items\":["), FAULT_CLOSE);
	fault_script(s->f, "GET", LIST,
		     FAULT_BODY("{\"metadata\":{\"resourceVersion\":\"11\"},\"items\":[" ITEM(
			     "a", "8", "1")));
	fault_script(s->f, "GET", LIST, FAULT_BODY("{\"kind\":\"Whatever\"}"));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("", "", "")));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("12", "", ITEM("b", "9", "2"))));
	fault_script(s->f, "GET", WATCH, FAULT_HOLD);
	client(s, NULL);
	informer(s, 0);
	until(s, "+a=1 +b=2 -a=1 ");
	assert_int_equal(fault_unused(s->f), 1); /* the last watch is being asked for */
	until_asked(s, WATCH, 2);
}

static void a_silent_watch_is_replaced_at_its_place(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(BOOKMARK("15")), FAULT_HOLD);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "16", "2")), FAULT_HOLD);
	informer(s, 200 * NS_MS);
	until(s, "+a=1 +b=2 ");
	assert_has(fault_request(s->f, 2)->target, "resourceVersion=15");
	assert_int_equal(informer_stats(s->i).lists, 1);
	assert_int_equal(informer_stats(s->i).errors, 0);
}

static void a_refused_token_is_read_again(void **state)
{
	struct setup *s = *state;
	char path[] = "/tmp/k8s-token-XXXXXX";
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "old-token\n", 10), 10);
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("10", "", ITEM("a", "9", "1"))));
	fault_script(s->f, "GET", WATCH, FAULT_GATE(1), FAULT_STATUS(401), FAULT_BODY("no"));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "11", "2")), FAULT_HOLD);
	client(s, path);
	informer(s, 0);
	until(s, "+a=1 ");
	assert_int_equal(pwrite(fd, "new-token\n", 10, 0), 10);
	fault_open(s->f, 1);
	until(s, "+a=1 +b=2 ");
	autofree char *before = fault_request_header(fault_request(s->f, 1), "authorization");
	autofree char *after = fault_request_header(fault_request(s->f, 2), "authorization");
	assert_string_equal(before, "Bearer old-token");
	assert_string_equal(after, "Bearer new-token");
	assert_int_equal(informer_stats(s->i).errors, 0);
	close(fd);
	unlink(path);
}

static void a_token_refused_for_good_backs_off(void **state)
{
	struct setup *s = *state;

	fault_always(s->f, "GET", LIST, FAULT_STATUS(401), FAULT_BODY("no"));
	client(s, NULL);
	informer(s, 0);
	until_asked(s, LIST, 4);
	assert_true(informer_stats(s->i).errors >= 2);
	assert_has(informer_last_error(s->i), "401");
}

static void objects_of_no_interest_are_not_kept(void **state)
{
	struct setup *s = *state;

	fault_script(
		s->f, "GET", LIST,
		FAULT_BODY(LISTED("10", "", ITEM("a", "9", "1") "," ITEM("h", "8", "hidden"))));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("MODIFIED", "a", "11", "hidden")),
		     FAULT_CHUNK(EVENT("MODIFIED", "h", "12", "2")), FAULT_HOLD);
	client(s, NULL);
	informer(s, 0);
	until(s, "+a=1 -a=1 +h=2 ");
}

/* --- reading one's own writes ------------------------------------------------------------------- */

static void put(struct setup *s, const char *text)
{
	autojson json_t *obj = NULL;
	struct err e = ERR_INIT;

	assert_ok(jx_parse(&obj, text, strlen(text), "put", &e), &e);
	informer_put(s->i, obj);
}

static const char *value(struct setup *s, const char *key)
{
	const struct entry *n = informer_get(s->i, key);

	return n ? n->value : NULL;
}

static void older_events_do_not_undo_our_write(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(""), FAULT_GATE(1),
		     FAULT_CHUNK(EVENT("MODIFIED", "a", "11", "stale")),
		     FAULT_CHUNK(EVENT("MODIFIED", "a", "12", "ours")),
		     FAULT_CHUNK(EVENT("MODIFIED", "a", "13", "newer")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 ");
	put(s, ITEM("a", "12", "ours"));
	assert_string_equal(value(s, "ns/a"), "ours");
	fault_open(s->f, 1);
	until(s, "+a=1 ~a=newer "); /* neither the older one nor our own is told */
}

static void an_event_that_was_faster_than_the_reply_is_not_undone(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("MODIFIED", "a", "12", "ours")),
		     FAULT_CHUNK(EVENT("MODIFIED", "a", "13", "newer")), FAULT_GATE(1),
		     FAULT_CHUNK(EVENT("MODIFIED", "a", "14", "last")), FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 ~a=ours ~a=newer ");
	put(s, ITEM("a", "12", "ours"));
	assert_string_equal(value(s, "ns/a"), "newer");
	fault_open(s->f, 1);
	until(s, "+a=1 ~a=ours ~a=newer ~a=last ");
}

static void what_we_made_again_is_not_taken_away_by_the_old_ones_end(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(
		s->f, "GET", WATCH, FAULT_CHUNK(""), FAULT_GATE(1),
		FAULT_CHUNK(EVENT("DELETED", "a", "11", "1")), FAULT_DELAY(50),
		FAULT_CHUNK("{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\","
			    "\"namespace\":\"ns\",\"uid\":\"u2\",\"resourceVersion\":\"12\"}}}\n"),
		FAULT_CHUNK("{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"a\","
			    "\"namespace\":\"ns\",\"uid\":\"u2\",\"resourceVersion\":\"13\"}}}\n"),
		FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 ");
	put(s, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"uid\":\"u2\","
	       "\"resourceVersion\":\"12\"},\"data\":{\"v\":\"again\"}}");
	fault_open(s->f, 1);
	until(s, "+a=1 -a=again ");
}

static void a_list_ends_waiting_for_our_event(void **state)
{
	struct setup *s = *state;

	start_with_a(s);
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "10", "1")), FAULT_GATE(1),
		     FAULT_CHUNK(ERROR_EVENT(410, "Expired")));
	fault_script(s->f, "GET", LIST, FAULT_BODY(LISTED("20", "", ITEM("a", "15", "later"))));
	fault_script(s->f, "GET", WATCH, FAULT_CHUNK(EVENT("MODIFIED", "a", "21", "last")),
		     FAULT_HOLD);
	informer(s, 0);
	until(s, "+a=1 +b=1 ");
	put(s, ITEM("a", "12", "ours"));
	fault_open(s->f, 1);
	until(s, "+a=1 +b=1 ~a=later -b=1 ~a=last ");
}

/* --- torture ------------------------------------------------------------------------------------ */

static void scenario(struct fault *f, size_t failing UNUSED, void *arg)
{
	struct setup *s = arg;
	struct err e = ERR_INIT;

	s->log[0] = '\0';
	fault_always(f, "GET", LIST,
		     FAULT_BODY(LISTED("12", "", ITEM("a", "9", "1") "," ITEM("b", "12", "2"))));
	fault_script(f, "GET", LIST, FAULT_BODY(LISTED("10", "", ITEM("a", "9", "1"))));
	/* What was said before a lost connection is said again, as a real server does. */
	fault_always(f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "12", "2")), FAULT_HOLD);
	fault_script(f, "GET", WATCH, FAULT_CHUNK(EVENT("ADDED", "b", "12", "2")));
	client(s, NULL);
	informer(s, 0);
	until(s, "+a=1 +b=2 ");
	ns_t limit = clock_mono() + SECONDS;
	while (informer_stats(s->i).watches < 2 && clock_mono() < limit)
		assert_ok(loop_sleep(s->l, 5 * NS_MS, &e), &e);
	assert_int_equal(informer_len(s->i), 2);
	informer_free(TAKE(s->i));
	k8s_free(TAKE(s->k));
}

static void whichever_request_fails_the_store_ends_right(void **state)
{
	struct setup *s = *state;

	for (enum fault_how how = FAULT_HOW_RESET; how <= FAULT_HOW_UNAVAILABLE; how++)
		assert_true(fault_torture(s->f, how, scenario, s) >= 2);
}

static void a_server_that_is_not_there_is_waited_for(void **state)
{
	struct setup *s = *state;
	struct k8s_config c = K8S_CONFIG_INIT;
	struct err e = ERR_INIT;

	c.server = xasprintf("http://127.0.0.1:%d", fault_free_port());
	assert_ok(k8s_new(&s->k, s->l, &c, NULL, &e), &e);
	informer(s, 0);
	assert_ok(loop_sleep(s->l, 300 * NS_MS, &e), &e);
	/* 20 ms doubling with up to as much again: some tries, and not a flood. */
	assert_in_range(informer_stats(s->i).lists, 2, 6);
	assert_has(informer_last_error(s->i), "refused");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lists_from_the_cache_then_watches_with_bookmarks),
		T(events_cut_anywhere_arrive_whole),
		T(half_a_line_at_a_reset_is_not_an_event_and_the_watch_goes_on_where_it_was),
		T(a_bookmark_moves_only_the_version),
		T(expired_in_the_stream_lists_again_and_drops_what_is_gone),
		T(expired_as_http_status_lists_again),
		T(a_list_that_is_too_new_or_too_old_is_asked_for_fresh_and_in_pages),
		T(a_continue_token_that_expires_starts_the_list_over),
		T(watches_that_end_at_once_back_off_and_list),
		T(a_watch_that_ends_after_a_while_goes_on_without_a_list),
		T(throttled_watches_wait_as_told_and_keep_their_place),
		T(other_errors_list_again),
		T(a_list_cut_in_the_middle_makes_nothing_vanish),
		T(a_silent_watch_is_replaced_at_its_place),
		T(a_refused_token_is_read_again),
		T(a_token_refused_for_good_backs_off),
		T(objects_of_no_interest_are_not_kept),
		T(older_events_do_not_undo_our_write),
		T(an_event_that_was_faster_than_the_reply_is_not_undone),
		T(what_we_made_again_is_not_taken_away_by_the_old_ones_end),
		T(a_list_ends_waiting_for_our_event),
		T(whichever_request_fails_the_store_ends_right),
		T(a_server_that_is_not_there_is_waited_for),
	};

	return RUN(tests);
}
