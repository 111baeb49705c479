/* The healing of one connection by cmd-nsc (FACTS 2.2; sdk@v1.4.0:pkg/networkservice/common/heal/
 * eventloop.go:44-215).
 *
 * After each successful Request the connection is watched: by a monitor stream to the manager, and,
 * where echoes are possible, by a repeated check of the path.  When the stream breaks or tells
 * DOWN, one check decides whether the endpoint is kept; when the repeated check fails, it is not.
 * Then one attempt follows the other, without delay, until a Request succeeds.  An attempt that
 * selects anew closes the old connection first and names neither endpoint nor mechanism.
 *
 * `begin` serialises: what is noticed during a refresh waits for its end, and the owner makes no
 * refresh while `heal_busy`.  The owner forwards inputs whose tag `heal_owns`. */
#pragma once

#include "models/nsm/channel.h"
#include "models/nsm/connection.h"
#include "models/spire/spire.h"

/* What all connections of a client share. */
typedef struct HealContext {
    const ProcessInfo *info;
    const Svid *svid;
    const char *manager; /* address */
    Channel *channel;    /* to the manager */
    bool liveness;       /* NSM_LIVENESS_CHECK_ENABLED */
    DataPlaneCheck check;
    bool checks_each_attempt; /* nsm_heal_checks_each_attempt */
    nsec_t request_timeout;
    nsec_t dial_timeout;
    nsec_t token_lifetime;
} HealContext;

typedef enum HealState {
    HEAL_OFF, /* there is no connection yet, or no more */
    HEAL_WATCHING,
    HEAL_PROBING, /* one check decides about the next attempt */
    HEAL_CLOSING,
    HEAL_REQUESTING,
} HealState;

typedef enum HealCause { HEAL_NO_CAUSE, HEAL_LIVENESS, HEAL_CONTROL_PLANE } HealCause;

typedef struct Heal {
    uint64_t tags; /* lowest of HEAL_N_TAGS */
    HealState state;
    Connection *connection; /* as it was answered last; NULL: none */
    WireKind wanted;        /* mechanism as first asked for */
    bool watching;          /* the monitor stream stands */
    bool checking;          /* the repeated check runs */
    bool refreshing;
    HealCause waiting; /* noticed during a refresh */
    char *why;         /* of a cause in the control plane */
    bool reselect;
    int attempts;
    nsec_t try_end;
} Heal;

#define HEAL_N_TAGS 8
void heal_init(Heal *heal, uint64_t tags, WireKind wanted);
void heal_clear(Heal *heal);

static inline bool
heal_owns(const Heal *heal, uint64_t tag)
{
    return tag >= heal->tags && tag < heal->tags + HEAL_N_TAGS;
}

bool heal_busy(const Heal *heal);

/* A Request has succeeded (the first one, or a refresh): watches its answer from now on. */
void heal_established(Heal *heal, const HealContext *context, Connection *answer, nsec_t now,
                      Actions *actions);
void heal_refresh_begins(Heal *heal);
void heal_refresh_failed(Heal *heal, const HealContext *context, nsec_t now, Actions *actions);

/* True when a heal has just succeeded: heal->connection is new, and is watched. */
bool heal_step(Heal *heal, const HealContext *context, const Input *input, Actions *actions);

/* Ends watching and healing. */
void heal_stop(Heal *heal, Actions *actions);
