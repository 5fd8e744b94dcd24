/*
 * proof.h - questions to a coordinator through the API server's service proxy: how many workers have joined, what a
 * statement returns.
 */
#ifndef PROVISION_PROOF_H
#define PROVISION_PROOF_H

#include "k8s/proxy.h"
#include "presto/sql.h"
#include "provision/step.h"

#define PROOF_SQL    "select count(*) from tpch.tiny.nation"
#define PROOF_ANSWER 25

/* A coordinator to talk to. Fill k and svc (borrowed), then coordinator_client. */
struct coordinator {
	struct k8s *k;
	struct k8s_svc svc;
};

/* coordinator_client - for presto_sql() and the others. It borrows @at. */
struct presto_client coordinator_client(struct coordinator *at, const char *user);

/* The same for the steps, with c->service. */
int proof_cluster(struct presto_cluster *out, struct step_ctx *c, struct err *e) MUST_CHECK;
int proof_nation(struct step_ctx *c, struct err *e) MUST_CHECK;

#endif
