/* pods.c - why pods do not run, in words, from their status and the last lines of their logs. */
#include <stdlib.h>
#include <string.h>

#include "k8s/k8s.h"
#include "k8s/wait.h"

#define MAX_TEXT  (16u << 10)
#define LOG_LINES 10

struct trouble {
	struct k8s *k;
	struct buf text;
	bool fatal, logs;
};

/* Waiting reasons of the kubelet, and whether waiting longer can help. */
static const struct {
	const char *reason;
	bool fatal;
} reasons[] = {
	{"ImagePullBackOff", true},
	{"ErrImagePull", false}, /* the first try may just have been unlucky */
	{"InvalidImageName", true},
	{"ErrImageNeverPull", true},
	{"ImageInspectError", true},
	{"CreateContainerConfigError", true},
	{"CreateContainerError", false},
	{"RunContainerError", false},
	{"CrashLoopBackOff", true},
};

static void say(struct trouble *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct trouble *t, const char *fmt, ...)
{
	struct err full = ERR_INIT;
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	/* Of very many pods the first ones have to do. */
	if (buf_addf(&t->text, &full, "%s%s", t->text.len ? "\n" : "", line) < 0)
		return;
}

static void say_log(struct trouble *t, const json_t *pod, const char *container, bool previous)
{
	const struct k8s_ref ref = {obj_ns(pod), obj_name(pod)};
	autofree char *text = NULL;
	struct err ignored = ERR_INIT;
	char *save = NULL;

	if (!t->logs ||
	    k8s_pod_log(&text, t->k, &ref, container, LOG_LINES, previous, &ignored) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		say(t, "  | %s", line);
}

static bool is_image_reason(const char *reason)
{
	return strstr(reason, "Image") != NULL;
}

static void say_waiting(struct trouble *t, const json_t *pod, const json_t *c, const char *reason)
{
	const char *name = jx_str_or(c, "name", ""), *image = jx_str_or(c, "image", "");
	const char *message = jx_str_or(c, "state.waiting.message", "");
	bool known = false, name_image = is_image_reason(reason) && !strstr(message, image);

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (!streq(reasons[i].reason, reason))
			continue;
		known = true;
		t->fatal = t->fatal || reasons[i].fatal;
	}
	if (!known) {
		say(t, "pod %s: container %s is starting (%s)", obj_name(pod), name, reason);
		return;
	}
	say(t, "pod %s: container %s: %s%s%s%s%s", obj_name(pod), name, reason,
	    name_image ? ": image " : "", name_image ? image : "", *message ? ": " : "", message);
	if (streq(reason, "CrashLoopBackOff")) {
		const json_t *last = jx_path(c, "lastState.terminated");

		say(t, "  it ended with exit code %lld (%s)", (long long)jx_int(last, "exitCode"),
		    jx_str_or(last, "reason", "no reason given"));
		say_log(t, pod, name, true);
	}
}

/* One container; true when it was worth a word. */
static bool look_at_container(struct trouble *t, const json_t *pod, const json_t *c)
{
	const char *reason = jx_str(c, "state.waiting.reason");
	const json_t *ended = jx_path(c, "state.terminated");

	if (reason) {
		say_waiting(t, pod, c, reason);
		return true;
	}
	if (!ended || jx_int(ended, "exitCode") == 0)
		return false;
	say(t, "pod %s: container %s ended with exit code %lld (%s)", obj_name(pod),
	    jx_str_or(c, "name", ""), (long long)jx_int(ended, "exitCode"),
	    jx_str_or(ended, "reason", "no reason given"));
	say_log(t, pod, jx_str_or(c, "name", ""), false);
	return true;
}

static bool look_at_list(struct trouble *t, const json_t *pod, const char *path)
{
	const json_t *list = jx_path(pod, path);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		/* The main ones wait for the init ones: the first that speaks is the cause. */
		if (!jx_bool(c, "ready") && look_at_container(t, pod, c))
			return true;
	}
	return false;
}

static void look_at_pod(struct trouble *t, const json_t *pod)
{
	const json_t *scheduled = obj_condition(pod, "PodScheduled");
	const char *phase = jx_str_or(pod, "status.phase", "Unknown");
	const char *reason = jx_str_or(pod, "status.reason", "");

	if (obj_deleting(pod) || streq(phase, "Succeeded") || obj_condition_true(pod, "Ready"))
		return;
	if (streq(jx_str(scheduled, "status"), "False")) {
		say(t, "pod %s: not scheduled: %s", obj_name(pod),
		    jx_str_or(scheduled, "message", "no node was found yet"));
		return;
	}
	if (look_at_list(t, pod, "status.initContainerStatuses") ||
	    look_at_list(t, pod, "status.containerStatuses"))
		return;
	if (streq(phase, "Failed"))
		say(t, "pod %s: failed%s%s: %s", obj_name(pod), *reason ? ": " : "", reason,
		    jx_str_or(pod, "status.message", "no message"));
	else
		say(t, "pod %s: %s, not ready yet", obj_name(pod),
		    streq(phase, "Running") ? "running" : "starting");
}

int k8s_pods_trouble(char **out, bool *fatal, struct k8s *k, const char *ns,
		     const char *label_selector, bool logs, struct err *e)
{
	const struct k8s_list_opts o = {.label_selector = label_selector};
	struct trouble t = {.k = k, .text = BUF_INIT(MAX_TEXT), .logs = logs};
	autojson json_t *pods = NULL;

	if (k8s_list(&pods, k, &K8S_POD, ns, &o, e) < 0)
		return err_wrap(e, "looking at the pods");
	for (size_t i = 0; i < json_array_size(pods); i++)
		look_at_pod(&t, json_array_get(pods, i));
	*out = t.text.len ? buf_take(&t.text) : NULL;
	*fatal = t.fatal;
	buf_release(&t.text);
	return 0;
}
