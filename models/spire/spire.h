/* SPIRE: how a workload gets its identity (FACTS 3.8).
 *
 *   Pod bound -> registrar (watch) -> entry in the server -> the server's entry cache, rebuilt
 *   every 5 s -> the agent's sync, every 5 s +-10 % -> signed SVID -> the workload's next attempt
 *   (at 0, 1, 3, 6, 10, 15, 21 s), after the agent has attested it through the kubelet.
 *
 * With identity mode `static-entry` entries exist beforehand per (namespace, service account), as
 * `spire-server entry create` makes them, and only attestation remains. */
#pragma once

#include "models/machine.h"

#define SPIRE_LABEL "spiffe.io/spiffe-id"
#define SPIRE_SERVER_PORT "8081"
#define SPIRE_AGENT_SOCKET "unix:///run/spire/sockets/agent.sock"

/* SPIRE_ENTRY (registrar to server), SPIRE_FETCH (workload to agent). */
typedef struct SpireMessage {
    Message base;
    uint64_t pod_uid;
    char *pod_key; /* "namespace/name" */
    char *node;    /* parent of the entry */
    guint container;
    bool removed; /* SPIRE_ENTRY: the Pod is gone, and so is its entry */
} SpireMessage;
SpireMessage *spire_message(MessageType type, uint64_t pod_uid, const char *pod_key,
                            const char *node);

/* SPIRE_SYNC: what this node's agent may issue, compared with what it knows. */
typedef struct SpireSync {
    Message base;
    char *node;
    GArray *known; /* uint64_t: Pods whose SVIDs the agent has, in the order it got them */
} SpireSync;
SpireSync *spire_sync(const char *node, const GArray *known);

/* SPIRE_ENTRIES; weight: how many are new. */
typedef struct SpireEntries {
    Message base;
    GArray *uids;    /* uint64_t: new entries, in order */
    GArray *removed; /* uint64_t: known ones that have been removed */
} SpireEntries;
SpireEntries *spire_entries(void);

/* Whether an array of Pod uids holds this one. */
bool spire_has(const GArray *uids, uint64_t uid);

/* SPIRE_SVID. */
typedef struct SpireSvid {
    Message base;
    nsec_t expires;
} SpireSvid;

Machine *spire_server_new(const ProcessInfo *info);
Machine *spire_registrar_new(const ProcessInfo *info);
Machine *spire_agent_new(const ProcessInfo *info);
Machine *wait_for_it_new(const ProcessInfo *info);

/* ---- the workload's side: embedded in every machine that needs an SVID ---- */

/* go-spiffe's X509Source: attempts with a linear back-off, for ever.  The owner forwards inputs
 * whose tag is SVID_TAG; `svid_step` returns true when the SVID has just arrived. */
#define SVID_TAG UINT64_C(0xfffffffffffffff1)

typedef struct Svid {
    char *address; /* the agent's socket */
    int attempts;
    nsec_t received; /* when it came; 0: not yet */
    nsec_t expires;
} Svid;

void svid_init(Svid *svid, const ProcessInfo *info);
void svid_clear(Svid *svid);
void svid_begin(Svid *svid, const ProcessInfo *info, Actions *actions);

/* How long a token signed now lives: `lifetime`, but not beyond the SVID (sdk pkg/tools/spiffejwt).
 * The agent renews the SVID at half its life (FACTS 3.8), at no cost to the workload. */
nsec_t svid_token_life(const Svid *svid, nsec_t now, nsec_t lifetime);
bool svid_step(Svid *svid, const ProcessInfo *info, const Input *input, Actions *actions);
