/* progress.c - see progress.h. Writes to one stream; reads the clock for elapsed times only. */
#include "provision/progress.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/jx.h"

#define SPIN_EVERY (120 * NS_MS)
#define QUIET_FOR  (10 * NS_SEC)
#define TEXT_MAX   400
#define NAME_WIDTH 20
#define TEXT_WIDTH 48

struct progress {
	struct progress_opts o;
	struct loop_timer *timer;
	char name[32], title[48], text[TEXT_MAX];
	bool open, live; /* a step is running; a live line is on the screen */
	ns_t began, told;
	unsigned turn;
};

static const char *paint(const struct progress *p, const char *code)
{
	return p->o.color ? code : "";
}

static void wipe_live(struct progress *p)
{
	if (p->live)
		fputs("\r\033[K", p->o.to);
	p->live = false;
}

static size_t columns(const struct progress *p)
{
	struct winsize w = {0};

	return ioctl(fileno(p->o.to), TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

static void draw_live(struct progress *p)
{
	char took[DURATION_SIZE], line[TEXT_MAX + 128];
	size_t width = columns(p) - 1;

	duration_format(took, (clock_mono() - p->began) / NS_SEC * NS_SEC);
	snprintf(line, sizeof(line), "%c %-*s %s", "|/-\\"[p->turn % 4], NAME_WIDTH, p -> title,
		 p -> text);
	if (strlen(line) + strlen(took) + 1 > width)
		line[width > strlen(took) + 1 ? width - strlen(took) - 1 : 0] = '\0';
	fprintf(p->o.to, "\r\033[K%s %s%s%s", line, paint(p, "\033[2m"), took, paint(p, "\033[0m"));
	fflush(p->o.to);
	p->live = true;
}

static void on_spin(void *arg)
{
	struct progress *p = arg;

	if (!p->open)
		return;
	p->turn++;
	draw_live(p);
	loop_timer_after(p->timer, SPIN_EVERY);
}

struct progress *progress_new(const struct progress_opts *o)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->o = *o;
	if (o->tty && !o->json && o->loop)
		p->timer = loop_timer_new(o->loop, on_spin, p);
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	wipe_live(p);
	fflush(p->o.to);
	loop_timer_free(p->timer);
	free(p);
}

static void put_json(struct progress *p, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text)
		fprintf(p->o.to, "%s\n", text);
	fflush(p->o.to);
	free(text);
	json_decref(o);
}

static void step_json(struct progress *p, const char *state, const char *text)
{
	json_t *o = json_object();

	json_object_set_new(o, "event", json_string("step"));
	json_object_set_new(o, "name", json_string(p->name));
	json_object_set_new(o, "state", json_string(state));
	json_object_set_new(o, "message", jx_strf("%s", text));
	json_object_set_new(o, "elapsed_ms", json_integer((clock_mono() - p->began) / NS_MS));
	put_json(p, o);
}

void progress_begin(struct progress *p, const char *name, const char *title)
{
	if (!p)
		return;
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->title, sizeof(p->title), "%s", title);
	p->text[0] = '\0';
	p->open = true;
	p->began = p->told = clock_mono();
	if (p->o.json)
		step_json(p, "started", "");
	else if (p->timer)
		loop_timer_after(p->timer, SPIN_EVERY);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	char text[TEXT_MAX];
	ns_t now = clock_mono();
	va_list ap;

	if (!p || !p->open)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (streq(text, p->text))
		return;
	memcpy(p->text, text, sizeof(text));
	if (p->o.json) {
		step_json(p, "running", text);
	} else if (p->timer) {
		draw_live(p);
	} else if (now - p->told >= QUIET_FOR) {
		fprintf(p->o.to, "  ... %s: %.160s\n", p->title, text);
		fflush(p->o.to);
		p->told = now;
	}
}

void progress_end(struct progress *p, bool ok, const char *fmt, ...)
{
	char text[TEXT_MAX], took[DURATION_SIZE];
	va_list ap;

	if (!p || !p->open)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->open = false;
	if (p->timer)
		loop_timer_stop(p->timer);
	if (p->o.json) {
		step_json(p, ok ? "done" : "failed", text);
		return;
	}
	wipe_live(p);
	duration_format(took, clock_mono() - p->began);
	fprintf(p->o.to, "%s%s%s %-*s %-*s %s%s%s\n", paint(p, ok ? "\033[32m" : "\033[31m"),
		ok ? "+" : "x", paint(p, "\033[0m"), NAME_WIDTH, p->title, TEXT_WIDTH, text,
		paint(p, "\033[2m"), took, paint(p, "\033[0m"));
	fflush(p->o.to);
}

void progress_warn(struct progress *p, const char *fmt, ...)
{
	char text[TEXT_MAX];
	json_t *o;
	va_list ap;

	if (!p)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!p->o.json) {
		wipe_live(p);
		fprintf(p->o.to, "%s!%s warning: %s\n", paint(p, "\033[33m"), paint(p, "\033[0m"),
			text);
		fflush(p->o.to);
		return;
	}
	o = json_object();
	json_object_set_new(o, "event", json_string("warning"));
	json_object_set_new(o, "message", jx_strf("%s", text));
	put_json(p, o);
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p || p->o.json)
		return;
	wipe_live(p);
	va_start(ap, fmt);
	vfprintf(p->o.to, fmt, ap);
	va_end(ap);
	fputc('\n', p->o.to);
	fflush(p->o.to);
}
