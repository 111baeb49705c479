/* Registration and its refresh. */
#include "models/nsm/enroll.h"

#include "models/nsm/version.h"

#define EXPIRY (60 * NSEC_PER_SEC)      /* what an endpoint asks for */
#define RETRY (200 * NSEC_PER_MSEC)     /* registry/common/retry/nse_client.go */
#define TRY_TIMEOUT (15 * NSEC_PER_SEC) /* the same: its try */

void
enrolment_init(Enrolment *enrolment, const ProcessInfo *info, NseRecord *take_record)
{
    *enrolment = (Enrolment){.info = info, .record = take_record};
    svid_init(&enrolment->svid, info);
    g_autofree char *url = process_env(info, "NSM_CONNECT_TO", NSM_MANAGER_SOCKET);
    enrolment->manager = process_address(info, url);
    enrolment->version = process_version(info);
}

void
enrolment_clear(Enrolment *enrolment)
{
    svid_clear(&enrolment->svid);
    g_clear_pointer(&enrolment->manager, g_free);
    g_clear_pointer(&enrolment->record, nse_record_unref);
}

void
enrolment_begin(Enrolment *enrolment, Actions *actions)
{
    svid_begin(&enrolment->svid, enrolment->info, actions);
}

static void
call_manager(Enrolment *enrolment, Message *take_message, bool endpoints, Actions *actions)
{
    enrolment->calling = true;
    Action *call = actions_call(actions, enrolment->manager, ENROLL_TAG, take_message);
    call->timeout = TRY_TIMEOUT;
    call->dial_timeout = nsm_registry_dial_timeout(enrolment->version, endpoints);
}

void
enrolment_register(Enrolment *enrolment, nsec_t now, Actions *actions)
{
    if (!enrolment->registered && !enrolment->failing && enrolment->n_services == 0) {
        actions_trace(actions, TRACE_REGISTER_STARTED, enrolment->info->pod_key, NULL);
    }
    const GPtrArray *services = enrolment->info->own_services;
    if (services != NULL && enrolment->n_services < services->len) {
        call_manager(enrolment,
                     registry_service(g_ptr_array_index(services, enrolment->n_services)), false,
                     actions);
        return;
    }
    NseRecord *record = nse_record_copy(enrolment->record);
    record->expires = now + EXPIRY;
    call_manager(enrolment, registry_message(MESSAGE_REGISTRY_REGISTER, record), true, actions);
}

/* A call or stream whose tag is in use takes the place of the older one. */
static void
watch(Enrolment *enrolment, Actions *actions)
{
    actions_open(actions, enrolment->manager, ENROLL_WATCH_TAG,
                 registry_message(MESSAGE_REGISTRY_WATCH, nse_record_ref(enrolment->record)))
        ->dial_timeout = nsm_registry_dial_timeout(enrolment->version, true);
}

static void
on_watch(Enrolment *enrolment, const Input *input, Actions *actions)
{
    if (input->kind != INPUT_CLOSED || enrolment->calling || enrolment->failing) {
        return; /* otherwise the attempt under way opens the next one */
    }
    actions_trace(actions, TRACE_NOTE, enrolment->info->pod_key,
                  "the registration's watch broke: registering again");
    actions_stop_timer(actions, ENROLL_TAG);
    enrolment_register(enrolment, input->now, actions);
}

static EnrolmentEvent
on_answer(Enrolment *enrolment, const Input *input, Actions *actions)
{
    enrolment->calling = false;
    const GPtrArray *services = enrolment->info->own_services;
    bool service = services != NULL && enrolment->n_services < services->len;
    if (service && input->kind == INPUT_REPLY && input->message->type == MESSAGE_OK) {
        enrolment->n_services++;
        enrolment_register(enrolment, input->now, actions);
        return ENROLMENT_PENDING;
    }
    bool ok = input->kind == INPUT_REPLY && input->message->type == MESSAGE_REGISTRY_NSE;
    if (!ok) {
        const char *why = input_problem(input);
        if (!enrolment->failing) {
            actions_trace(actions, TRACE_NOTE, enrolment->info->pod_key,
                          actions_printf(actions, "registration failed, trying again: %s", why));
        }
        enrolment->failing = true;
        actions_timer(actions, ENROLL_TAG, RETRY);
        return ENROLMENT_PENDING;
    }
    enrolment->failing = false;
    nsec_t granted = registry_message_record(input->message)->expires - input->now;
    actions_timer(actions, ENROLL_TAG, granted * 2 / 3); /* registry/common/refresh */
    watch(enrolment, actions);
    if (enrolment->registered) {
        return ENROLMENT_PENDING;
    }
    enrolment->registered = true;
    actions_trace(actions, TRACE_REGISTERED, enrolment->info->pod_key,
                  actions_string(actions, enrolment->record->name));
    return ENROLMENT_DONE;
}

EnrolmentEvent
enrolment_step(Enrolment *enrolment, const Input *input, Actions *actions)
{
    if (input->tag == SVID_TAG) {
        return svid_step(&enrolment->svid, enrolment->info, input, actions) ? ENROLMENT_IDENTITY
                                                                            : ENROLMENT_PENDING;
    }
    if (input->tag == ENROLL_WATCH_TAG) {
        on_watch(enrolment, input, actions);
        return ENROLMENT_PENDING;
    }
    if (input->tag != ENROLL_TAG) {
        return ENROLMENT_NOT_MINE;
    }
    if (input->kind == INPUT_TIMER) {
        enrolment_register(enrolment, input->now, actions);
        return ENROLMENT_PENDING;
    }
    return on_answer(enrolment, input, actions);
}
