/* Registration as every endpoint and forwarder does it: SVID, register at the manager, refresh at
 * two thirds of what the registry granted, try again 200 ms after a failure (FACTS 2.4).  An
 * endpoint with NSM_REGISTER_SERVICE registers its network services first.
 *
 * Each registration is watched through the manager; a watch that breaks (manager or registry have
 * ended) leads to a new registration at once (sdk pkg/registry/common/heal/nse_client.go).
 *
 * Embedded; the owner forwards inputs whose tag is ENROLL_TAG, ENROLL_WATCH_TAG or SVID_TAG. */
#pragma once

#include "models/nsm/connection.h"
#include "models/spire/spire.h"

#define ENROLL_TAG UINT64_C(0xfffffffffffffff2)
#define ENROLL_WATCH_TAG UINT64_C(0xfffffffffffffff4)

typedef struct Enrolment {
    const ProcessInfo *info;
    Svid svid;
    char *manager;     /* address of the node's manager */
    NseRecord *record; /* what to register */
    guint n_services;  /* of info->own_services: registered so far */
    int version;
    bool registered;
    bool calling; /* a registration is under way */
    bool failing; /* the last attempt failed */
} Enrolment;

/* Takes the record (its url is set). */
void enrolment_init(Enrolment *enrolment, const ProcessInfo *info, NseRecord *take_record);
void enrolment_clear(Enrolment *enrolment);

/* Begins with the SVID. */
void enrolment_begin(Enrolment *enrolment, Actions *actions);

typedef enum EnrolmentEvent {
    ENROLMENT_NOT_MINE,
    ENROLMENT_PENDING,
    ENROLMENT_IDENTITY, /* the SVID has just come: serve now, then enrolment_register */
    ENROLMENT_DONE,     /* registered for the first time */
} EnrolmentEvent;
EnrolmentEvent enrolment_step(Enrolment *enrolment, const Input *input, Actions *actions);
void enrolment_register(Enrolment *enrolment, nsec_t now, Actions *actions);
