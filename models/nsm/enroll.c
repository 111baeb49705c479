/* Registration and its refresh. */
#include "models/nsm/enroll.h"

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

void
enrolment_register(Enrolment *enrolment, nsec_t now, Actions *actions)
{
    if (!enrolment->registered && !enrolment->failing && enrolment->n_services == 0) {
        actions_trace(actions, TRACE_REGISTER_STARTED, enrolment->info->pod_key, NULL);
    }
    const GPtrArray *services = enrolment->info->own_services;
    if (services != NULL && enrolment->n_services < services->len) {
        actions_call(actions, enrolment->manager, ENROLL_TAG,
                     registry_service(g_ptr_array_index(services, enrolment->n_services)))
            ->timeout = TRY_TIMEOUT;
        return;
    }
    NseRecord *record = nse_record_copy(enrolment->record);
    record->expires = now + EXPIRY;
    actions_call(actions, enrolment->manager, ENROLL_TAG,
                 registry_message(MESSAGE_REGISTRY_REGISTER, record))
        ->timeout = TRY_TIMEOUT;
}

static EnrolmentEvent
on_answer(Enrolment *enrolment, const Input *input, Actions *actions)
{
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
    if (input->tag != ENROLL_TAG) {
        return ENROLMENT_NOT_MINE;
    }
    if (input->kind == INPUT_TIMER) {
        enrolment_register(enrolment, input->now, actions);
        return ENROLMENT_PENDING;
    }
    return on_answer(enrolment, input, actions);
}
