/* The start of VPP in a forwarder's or function's container: CPU time first, then the time until
 * its API answers (cmd-forwarder-vpp, cmd-nse-firewall-vpp: a phase of their main).
 *
 * Embedded; the owner forwards inputs whose tag is VPP_BOOT_TAG. */
#pragma once

#include "models/machine.h"

#define VPP_BOOT_TAG UINT64_C(0xfffffffffffffff3)

/* Whether VPP runs inside this process' container: its interfaces and cross-connects go with it. */
bool vpp_runs_inside(const ProcessInfo *info);

typedef struct VppBoot {
    RandomStream random;
} VppBoot;

void vpp_boot_init(VppBoot *boot, const ProcessInfo *info);
void vpp_boot_begin(VppBoot *boot, Actions *actions);

/* True when VPP is up. */
bool vpp_boot_step(VppBoot *boot, const ProcessInfo *info, const Input *input, Actions *actions);
