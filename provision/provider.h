/*
 * provider.h - where Kubernetes comes from. A provider makes or finds a cluster, gives access to it, brings images to
 * its nodes if it can, and removes what it made. One provider_X.c each, one row in providers[].
 */
#ifndef PROVISION_PROVIDER_H
#define PROVISION_PROVIDER_H

#include "k8s/k8s.h"
#include "provision/app.h"
#include "provision/env.h"
#include "provision/state.h"

struct provider_ctx {
	struct app *app;
	const struct env *env; /* NULL when only the state is known (a command without -f) */
	struct state *state;
	bool adopt; /* --adopt: take over a cluster of this environment that our state knows nothing of */
	bool removing;                    /* for `down`: what is not ours is as good as absent */
	struct provider_removal *removal; /* during `down` and `gc`, else NULL */
	char away[160]; /* set by access(): what to look at when the API server does not answer */
};

/* How a cluster is removed, and what came of it. For providers whose clusters leave things behind. */
struct provider_removal {
	bool ignore_leftovers; /* they are not even looked for */
	bool delete_leftovers; /* what is left and surely the cluster's is deleted too; else only listed */
	bool keep_disks;   /* volumes are kept: listed, and not counted as left */
	bool unprotect;    /* deletion protection is not heeded */
	bool only_expired; /* refused unless its time is over at the very moment */
	/*
	 * What is still there, or NULL when nobody looked: [{"kind", "name", "path", "why", "match": "ours"|"kept"|"looks like
	 * it"}...]. Owned by whoever owns the struct.
	 */
	json_t *left;
	bool partial; /* not everything could be looked at: absence from left proves nothing */
};

struct cluster_facts {
	bool ready;      /* access() will work now */
	bool exists;     /* something of it is there, perhaps not running */
	bool changes;    /* it is there, and ensure() would change it */
	bool elastic;    /* nodes come as pods need them: those of now say little about room */
	char words[200]; /* "local cluster default, 2 nodes", for people */
	/*
	 * What a plan shows beyond the words, or NULL: {"changes":[TEXT...], "requests":[{"method","url","body"}...],
	 * "quotas":[{"metric","where","needed","available","limit","short"}...], "warnings":[TEXT...],
	 * "problems":[{"code","text","hint","lines":[TEXT...]}...]}, each may be absent, as may
	 * "version": TEXT, of Kubernetes; with problems ensure() would fail. Owned: whoever observes releases it with json_decref.
	 */
	json_t *details;
};

struct provider {
	const char *name;
	const char *grant; /* what to ask for when rights inside the cluster are missing; or NULL */
	/*
	 * prepare - complete the environment once it was read, before anything is made of it: the provider knows where
	 * images will be. Talks to nobody. NULL: nothing to complete.
	 */
	int (*prepare)(struct provider_ctx *c, struct env *v, struct err *e);
	/* observe - what is there. Changes nothing there; with --adopt the state remembers what was found. */
	int (*observe)(struct cluster_facts *out, struct provider_ctx *c, struct err *e);
	/* ensure - make it or bring it back; remembers in the state that we did. NULL: it cannot. */
	int (*ensure)(struct provider_ctx *c, char words[200], struct err *e);
	/* access - a client; also remembers in the state where that was. */
	int (*access)(struct k8s **out, struct provider_ctx *c, struct err *e);
	/* images - see to it that the nodes can start these images: bring them, or check that they can be pulled. */
	int (*images)(struct provider_ctx *c, struct k8s *k, const char *const *refs, size_t n,
		      char words[200], struct err *e);
	/*
	 * record - before anything is removed, of a cluster that goes as a whole: refuse if it is protected, and write down
	 * what it has outside of itself (disks, load balancers). NULL: nothing.
	 */
	int (*record)(struct provider_ctx *c, struct k8s *k, struct err *e);
	/* release - Presto is gone, the cluster still lives: take away what only it can (load balancers). NULL: nothing. */
	int (*release)(struct provider_ctx *c, struct k8s *k, struct err *e);
	/*
	 * destroy - remove the cluster and all that it left. Works without record and release, too: then the API server did
	 * not answer. Something is left: -1, with the exit code set and c->removal->left filled. NULL: it never made one.
	 */
	int (*destroy)(struct provider_ctx *c, char words[200], struct err *e);
};

extern const struct provider provider_local, provider_existing, provider_gke;
const struct provider *provider_find(const char *name); /* NULL: none of that name */

/* provider_client - a client that says who we are, and on the step's line when it asks again. Takes the config over. */
int provider_client(struct k8s **out, struct app *a, struct k8s_config *config,
		    struct err *e) MUST_CHECK;
/* provider_connect - a client by kubeconfig file (NULL: the usual places) and context (NULL: current). @context_used and
 * @server (owned, may be NULL pointers) tell what that was. */
int provider_connect(struct k8s **out, struct app *a, const char *kubeconfig, const char *context,
		     char **context_used, char **server, struct err *e) MUST_CHECK;
/*
 * Who made the cluster is in the state, and in the cluster itself, in case the state gets lost: a ConfigMap
 * kube-system/prestoctl-cluster with the environment's label.
 * provider_made - by what the state remembers. provider_mark - write the ConfigMap, once, when the state says so.
 * provider_marked - does the ConfigMap name this environment? false too when it may not be read.
 */
bool provider_made(const struct provider_ctx *c);
int provider_mark(struct provider_ctx *c, struct k8s *k, const char *env, struct err *e) MUST_CHECK;
bool provider_marked(struct k8s *k, const char *env);
/* provider_tool - one of the project's own scripts ("devcluster/devcluster"): $env_name, beside the build, or installed.
 * Owned path. ERR_NOT_FOUND says where it was looked for. */
int provider_tool(char **out, const char *env_name, const char *relative, struct err *e) MUST_CHECK;
/* nodes_have_image - is the image on every node that takes pods, by what the kubelets report? */
bool nodes_have_image(const json_t *nodes, const char *ref);

#endif
