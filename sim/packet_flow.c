/* What became of a flow's packets, summed up. */
#include "sim/packet_flow.h"

static const char *const reason_texts[] = {
#define X(name, text) [DROP_##name] = text,
    DROP_REASONS(X)
#undef X
};

static const char *const part_names[] = {
#define X(name, text) [DELAY_##name] = text,
    DELAY_PARTS(X)
#undef X
};

const char *
drop_reason_text(DropReason reason)
{
    return reason_texts[reason];
}

const char *
delay_part_name(DelayPart part)
{
    return part_names[part];
}

void
packet_flow_init(PacketFlow *flow)
{
    flow->n_sent = flow->n_arrived = flow->n_dropped = 0;
    flow->delays = g_array_new(false, true, sizeof(PlaceDelays));
    flow->drops = g_array_new(false, true, sizeof(PlaceDrops));
}

void
packet_flow_clear(PacketFlow *flow)
{
    g_clear_pointer(&flow->delays, g_array_unref);
    g_clear_pointer(&flow->drops, g_array_unref);
}

PlaceDelays *
packet_flow_delays(PacketFlow *flow, const char *place, guint *hint)
{
    GArray *delays = flow->delays;
    for (guint i = 0; i < delays->len; i++) {
        guint k = (*hint + i) % delays->len;
        PlaceDelays *one = &g_array_index(delays, PlaceDelays, k);
        if (one->place == place) {
            *hint = k;
            return one;
        }
    }
    g_array_append_val(delays, ((PlaceDelays){.place = place}));
    *hint = delays->len - 1;
    return &g_array_index(delays, PlaceDelays, *hint);
}

void
packet_flow_note(PacketFlow *flow, const char *place, DelayPart part, nsec_t delay)
{
    guint hint = 0;
    packet_flow_delays(flow, place, &hint)->parts[part] += (double)delay;
}

void
packet_flow_note_drop(PacketFlow *flow, DropReason reason, const char *place, const char *rule)
{
    for (guint i = 0; i < flow->drops->len; i++) {
        PlaceDrops *one = &g_array_index(flow->drops, PlaceDrops, i);
        if (one->reason == reason && one->place == place && one->rule == rule) {
            one->n++;
            return;
        }
    }
    g_array_append_val(flow->drops, ((PlaceDrops){reason, place, rule, 1}));
}
