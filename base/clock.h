/*
 * clock.h - the two clocks. Only loops, commands and mains read them; everything pure gets a
 * time as a parameter. Tests may set both.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/err.h"

ns_t clock_mono(void); /* since an arbitrary start, never goes back */
ns_t clock_wall(void); /* since 1970-01-01T00:00:00Z */
/* clock_fake - both clocks stand still at these values until changed; (-1, -1) turns it off. */
void clock_fake(ns_t mono, ns_t wall);

#define TIME_RFC3339_SIZE 32
/* time_format - "2019-08-01T10:20:30Z" (seconds), as Kubernetes writes metav1.Time. */
void time_format(char out[TIME_RFC3339_SIZE], ns_t wall);
/* time_parse - RFC 3339 with optional fraction and offset. ERR_INVALID on anything else. */
int time_parse(ns_t *wall, const char *text, struct err *e) MUST_CHECK;
/* duration_parse - "90s", "1m30s", "500ms", "2h", "15m" (Go's syntax, no sign). ERR_INVALID. */
int duration_parse(ns_t *out, const char *text, struct err *e) MUST_CHECK;
#define DURATION_SIZE 24
/* duration_format - "850ms", "12s", "2m05s", "3h10m": for people. */
void duration_format(char out[DURATION_SIZE], ns_t d);
/* age_format - "5s", "3m20s", "4h", "12d": as kubectl shows ages. */
void age_format(char out[DURATION_SIZE], ns_t d);

#endif
