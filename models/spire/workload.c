/* Messages of SPIRE, and a workload's attempts to get its SVID (go-spiffe v2.0.0
 * workloadapi/backoff.go: linear). */
#include "models/spire/spire.h"

static void
clear_message(Message *message)
{
    SpireMessage *spire = (SpireMessage *)message;
    g_free(spire->pod_key);
    g_free(spire->node);
}

SpireMessage *
spire_message(MessageType type, uint64_t pod_uid, const char *pod_key, const char *node)
{
    SpireMessage *message = message_new(type, sizeof *message, clear_message);
    message->pod_uid = pod_uid;
    message->pod_key = g_strdup(pod_key);
    message->node = g_strdup(node);
    return message;
}

static void
clear_sync(Message *message)
{
    g_free(((SpireSync *)message)->node);
    g_array_unref(((SpireSync *)message)->known);
}

SpireSync *
spire_sync(const char *node, const GArray *known)
{
    SpireSync *sync = message_new(MESSAGE_SPIRE_SYNC, sizeof *sync, clear_sync);
    sync->node = g_strdup(node);
    sync->known = g_array_sized_new(false, false, sizeof(uint64_t), known->len);
    g_array_append_vals(sync->known, known->data, known->len);
    return sync;
}

static void
clear_entries(Message *message)
{
    g_array_unref(((SpireEntries *)message)->uids);
    g_array_unref(((SpireEntries *)message)->removed);
}

SpireEntries *
spire_entries(void)
{
    SpireEntries *entries = message_new(MESSAGE_SPIRE_ENTRIES, sizeof *entries, clear_entries);
    entries->uids = g_array_new(false, false, sizeof(uint64_t));
    entries->removed = g_array_new(false, false, sizeof(uint64_t));
    return entries;
}

bool
spire_has(const GArray *uids, uint64_t uid)
{
    for (guint i = 0; i < uids->len; i++) {
        if (g_array_index(uids, uint64_t, i) == uid) {
            return true;
        }
    }
    return false;
}

void
svid_init(Svid *svid, const ProcessInfo *info)
{
    *svid = (Svid){0};
    g_autofree char *url = process_env(info, "SPIFFE_ENDPOINT_SOCKET", SPIRE_AGENT_SOCKET);
    svid->address = process_address(info, url);
}

void
svid_clear(Svid *svid)
{
    g_clear_pointer(&svid->address, g_free);
}

static void
attempt(Svid *svid, const ProcessInfo *info, Actions *actions)
{
    svid->attempts++;
    SpireMessage *fetch = spire_message(MESSAGE_SPIRE_FETCH, info->pod_uid, info->pod_key, NULL);
    fetch->container = info->container_index;
    actions_call(actions, svid->address, SVID_TAG, fetch)->flags = CALL_PLAIN;
}

void
svid_begin(Svid *svid, const ProcessInfo *info, Actions *actions)
{
    attempt(svid, info, actions);
}

static void
retry_later(Svid *svid, const ProcessInfo *info, const char *why, Actions *actions)
{
    nsec_t step = calibration_nsec(info->calibration, PARAMETER_SPIRE_RETRY_STEP);
    nsec_t max = calibration_nsec(info->calibration, PARAMETER_SPIRE_RETRY_MAX);
    actions_trace_value(actions, TRACE_IDENTITY_REFUSED, info->pod_key,
                        actions_string(actions, why), svid->attempts);
    actions_timer(actions, SVID_TAG, MIN(step * svid->attempts, max));
}

nsec_t
svid_token_life(const Svid *svid, nsec_t now, nsec_t lifetime)
{
    nsec_t half = (svid->expires - svid->received) / 2;
    if (half <= 0) {
        return lifetime;
    }
    nsec_t n_renewals = (now - svid->received) / half;
    return MIN(lifetime, svid->expires + n_renewals * half - now);
}

bool
svid_step(Svid *svid, const ProcessInfo *info, const Input *input, Actions *actions)
{
    switch ((int)input->kind) {
    case INPUT_TIMER:
        attempt(svid, info, actions);
        return false;
    case INPUT_FAILURE:
        retry_later(svid, info, failure_text(input->failure), actions);
        return false;
    case INPUT_REPLY:
        if (input->message->type != MESSAGE_SPIRE_SVID) {
            retry_later(svid, info, message_error_text(input->message), actions);
            return false;
        }
        svid->received = input->now;
        svid->expires = ((const SpireSvid *)input->message)->expires;
        actions_trace_value(actions, TRACE_IDENTITY_RECEIVED, info->pod_key,
                            actions_string(actions, info->container->name), svid->attempts);
        return true;
    default:
        return false;
    }
}
