/*
 * event.h - Kubernetes Events about an object, aggregated: the same (object, type, reason, message)
 * again within 10 minutes raises count by a patch instead of a new Event, at most one write per 10 s
 * each. Recording never fails the caller and never waits: writes go out from the loop.
 */
#ifndef K8S_EVENT_H
#define K8S_EVENT_H

#include "k8s/k8s.h"

struct events;

struct events *events_new(struct k8s *k, const char *component, const char *instance);
void events_free(struct events *ev); /* what is not sent yet is dropped */
void events_record(struct events *ev, const json_t *about, bool warning, const char *reason,
		   const char *fmt, ...) PRINTF_LIKE(5, 6);
/* events_record_ref - the same from the five facts instead of an object. */
struct event_ref {
	const char *api_version, *kind, *ns, *name, *uid;
};
void events_record_ref(struct events *ev, const struct event_ref *about, bool warning,
		       const char *reason, const char *message);

#endif
