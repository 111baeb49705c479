/* VPP's start. */
#include "models/nsm/vpp.h"

#include <string.h>

bool
vpp_runs_inside(const ProcessInfo *info)
{
    if (info->paused || info->container == NULL || info->container->image == NULL) {
        return false;
    }
    switch ((int)component_of_image(info->container->image)) {
    case COMPONENT_FORWARDER:
    case COMPONENT_FIREWALL:
        return true;
    case COMPONENT_NSE: /* cmd-nse-icmp-responder-vpp and the like: memif */
        return strstr(info->container->image, "memif") != NULL ||
               strstr(info->container->image, "vpp") != NULL;
    default:
        return false;
    }
}

void
vpp_boot_init(VppBoot *boot, const ProcessInfo *info)
{
    process_random(info, "vpp-boot", &boot->random);
}

void
vpp_boot_begin(VppBoot *boot, Actions *actions)
{
    (void)boot;
    actions_work(actions, VPP_BOOT_TAG, MESSAGE_WORK_VPP_BOOT, 1);
}

bool
vpp_boot_step(VppBoot *boot, const ProcessInfo *info, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_WORK) {
        actions_timer(actions, VPP_BOOT_TAG, process_draw(info, PARAMETER_VPP_BOOT, &boot->random));
        return false;
    }
    return input->kind == INPUT_TIMER;
}
