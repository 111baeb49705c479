/* The VPPs of forwarders and functions: one thread each, in a container of its owner.
 *
 * What a packet costs it, whether it polls, what its firewall lets through, and what fluid flows
 * (sim/flows.h) leave of it.  A VPP is made when it is first needed, and ends with its owner. */
#pragma once

#include "models/acl.h"
#include "sim/cpu.h"
#include "sim/dataplane.h"

/* The CPU of the container in which an owner's VPP runs; false: there is none now. */
typedef struct VppCpu {
    CpuGroup *group;
    int version;      /* NSM_VERSION(...) of its image */
    uint64_t process; /* the container's process: another after a restart */
    guint node;
    double idle;    /* cores that the container uses without traffic, beside its jobs */
    const Acl *acl; /* what it filters by; NULL: nothing is filtered */
} VppCpu;
typedef bool (*VppCpuOf)(void *data, const char *owner, VppCpu *out);
void vswitch_set_cpus(DataPlane *base, VppCpuOf cpu_of, void *data);

/* The CPU time that flows use in an owner's VPP, in cores.  `saturated`: all that its quota gives;
 * the ring is then always full, and what comes waits behind it, and for the next CFS period. */
void vswitch_set_load(DataPlane *base, const char *owner, double cores, bool saturated);

/* What VPP spends on one packet of that size that comes by `in` and goes by `out` (names of ports;
 * NULL: none), in s of CPU. */
double vswitch_cost(const DataPlane *base, const char *in, const char *out, uint32_t bytes);

/* How many packets each rule of an owner's firewall has decided on, restarts included; the entry
 * behind the last rule is the implicit deny's.  False when it has no rules, or no packet came. */
bool vswitch_rule_counts(const DataPlane *base, const char *owner, const Acl **acl,
                         const uint64_t **counts);
/* The same many packets more at each firewall on the way from that interface; of flows that are not
 * sent one by one. */
void vswitch_count_rules(DataPlane *base, const char *pod_port, const AclPacket *header,
                         bool backward, uint64_t n);
