/* A registered endpoint, as it travels between endpoint, manager and registry and as the custom
 * resource keeps it (api pkg/api/registry/registry.proto NetworkServiceEndpoint).
 *
 * Immutable once shared; references are not atomic. */
#pragma once

#include "base/nsec.h"
#include "models/labels.h"

typedef struct NseRecord NseRecord;
struct NseRecord {
    int n_refs;
    char *name;
    char **services;   /* network service names, NULL-terminated */
    Labels labels;     /* the same for every service, as NSM_LABELS gives them */
    char *url;         /* where a Request for it goes: an address of this run */
    nsec_t expires;    /* NSEC_NEVER: does not */
    nsec_t registered; /* initial registration time */
};

NseRecord *nse_record_new(const char *name);
NseRecord *nse_record_copy(const NseRecord *record);
NseRecord *nse_record_ref(NseRecord *record);
void nse_record_unref(NseRecord *record);
bool nse_record_serves(const NseRecord *record, const char *service); /* exact name */

/* The record of exactly this name that has not expired, or NULL (a Find matches names by substring,
 * and a record may outlive its expiration_time when nobody is left to delete it; FACTS 1.4).
 * `records`: NseRecord *. */
NseRecord *nse_records_find(const GPtrArray *records, const char *name, nsec_t now);
