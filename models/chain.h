/* Chains as the manifests declare them: who asks for which network service, which endpoints serve
 * it, and the order that the service's matches ask for.
 *
 * A static analysis, made with the same selection rules as the forwarder's (models/nsm/select.h);
 * `vwire explain` and `vwire validate` print it, a run compares the walked path with it. */
#pragma once

#include "models/dataplane.h"
#include "models/nsm/nsurl.h"
#include "models/scenario.h"

/* A container that offers network services. */
typedef struct ChainEndpoint {
    const Object *object; /* workload or Pod */
    const ContainerSpec *container;
    const PodSpec *pod;
    bool passthrough;
    bool registers; /* registers its network services by itself (NSM_REGISTER_SERVICE) */
    char *name;     /* "namespace/workload" */
    char **services;
    Labels labels;
} ChainEndpoint;

typedef struct ChainLink {
    char *from;              /* "namespace/workload" of the link's client */
    Labels labels;           /* of the link's client */
    GPtrArray *candidates;   /* ChainEndpoint *, in the order of trial */
    const ChainEndpoint *to; /* the first of them; NULL: none */
    GPtrArray *lines;        /* char *: why */
} ChainLink;

typedef struct Chain {
    guint index; /* in Chains */
    char *name;  /* the service's name, made unique where several clients ask for it */
    char *service;
    const Object *client;
    const PodSpec *client_pod; /* as admitted: with what a webhook injects */
    char *client_name;         /* "namespace/workload" */
    NsMechanism mechanism;     /* of the client's end */
    char *interface;
    char *connection;   /* suffix of the connection's id: "-0" for the first URL */
    guint manifest;     /* index of the entry of spec.manifests that brings the client */
    GPtrArray *links;   /* ChainLink * */
    GPtrArray *members; /* Object *: client and chosen endpoints, in order */
    char *problem;      /* why it cannot work; NULL: nothing found */
} Chain;

typedef struct Chains {
    GPtrArray *endpoints;  /* ChainEndpoint * */
    GPtrArray *chains;     /* Chain * */
    GPtrArray *injected;   /* PodSpec *, owned */
    GHashTable *by_client; /* "namespace/workload" -> GPtrArray of Chain *, owned */
    GHashTable *by_name;   /* name -> Chain * */
} Chains;

Chains *chains_find(const Scenario *scenario);
void chains_free(Chains *chains);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Chains, chains_free)

/* Names of the Pods that an object's controller makes first, "namespace/name"; DaemonSets: none
 * (they depend on the nodes).  Frees its strings. */
GPtrArray *object_pod_keys(const Object *object);

/* Whether a Pod "namespace/name" is one of an object's: the Pod itself, or by the name that its
 * controllers give. */
bool object_owns_pod(const Object *object, const char *pod_key);

/* The chains whose client a Pod "namespace/name" is (Chain *; borrowed); NULL: none. */
const GPtrArray *chains_of_pod(const Chains *chains, const char *pod_key);

/* The chain of a connection, by its id "<namespace>/<pod>-<index>"; NULL: none. */
Chain *chains_of_connection(const Chains *chains, const char *connection);

/* Compares a walk (from dataplane walk) with the chain: NULL when every endpoint was met in the
 * declared order and the last ends it, otherwise what is wrong.  Free with g_free. */
char *chain_check_walk(const Chain *chain, const GArray *hops);

/* "nsc-kernel-x [nsm-1] -> forwarder-vpp-y -> ..."; free with g_free. */
char *walk_format(const GArray *hops);
