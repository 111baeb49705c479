/* gRPC's connection back-off. */
#include "models/nsm/channel.h"

#define FIRST NSEC_PER_SEC
#define MAX_PAUSE (120 * NSEC_PER_SEC)
#define JITTER 0.2

void
channel_init(Channel *channel, const ProcessInfo *info)
{
    *channel = (Channel){.pause = FIRST};
    process_random(info, "reconnect", &channel->random);
}

void
channel_ready(Channel *channel)
{
    channel->pause = FIRST;
    channel->next = 0;
}

nsec_t
channel_refused(Channel *channel, nsec_t now)
{
    double jitter = 1 + JITTER * (2 * random_uniform(&channel->random) - 1);
    nsec_t delay = (nsec_t)((double)channel->pause * jitter);
    channel->pause = MIN(channel->pause * 8 / 5, MAX_PAUSE);
    channel->next = now + delay;
    return delay;
}

nsec_t
channel_wait(const Channel *channel, nsec_t now)
{
    return MAX(channel->next - now, 0);
}
