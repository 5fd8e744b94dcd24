/* desired_service.c - the coordinator's Service: for clients, and for the workers' discovery. Pure. */
#include <string.h>

#include "operator/desired_parts.h"

json_t *desired_service(const struct presto *p)
{
	char name[NAME_SIZE];
	json_t *service, *port, *spec;

	presto_service_name(name, p);
	service = desired_object("v1", "Service", name, p, ROLE_COORDINATOR);
	port = pack("{s:s, s:s, s:i, s:i}", "name", "http", "protocol", "TCP", "port", PRESTO_PORT,
		    "targetPort", PRESTO_PORT);
	if (streq(p->service_type, "NodePort") && p->service_node_port)
		json_object_set_new(port, "nodePort", json_integer(p->service_node_port));
	spec = pack("{s:s, s:[o]}", "type", p->service_type, "ports", port);
	/*
	 * Workers announce themselves here. Were the coordinator only reachable once it is ready, they would miss its first look at
	 * who is there, and the next one is ten seconds later. A client that comes early is refused either way.
	 */
	json_object_set_new(spec, "publishNotReadyAddresses", json_true());
	if (p->service_additional)
		jx_merge(spec, p->service_additional);
	/* Last: a Service that selects other pods would not be this cluster's. */
	json_object_set_new(spec, "selector", desired_selector(p, ROLE_COORDINATOR));
	json_object_set_new(service, "spec", spec);
	return service;
}
