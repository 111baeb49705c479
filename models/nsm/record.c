/* Registered endpoints. */
#include "models/nsm/record.h"

NseRecord *
nse_record_new(const char *name)
{
    NseRecord *record = g_new0(NseRecord, 1);
    record->n_refs = 1;
    record->name = g_strdup(name);
    record->services = g_new0(char *, 1);
    record->expires = NSEC_NEVER;
    return record;
}

NseRecord *
nse_record_copy(const NseRecord *record)
{
    NseRecord *copy = g_new0(NseRecord, 1);
    copy->n_refs = 1;
    copy->name = g_strdup(record->name);
    copy->services = g_strdupv(record->services);
    labels_copy(&record->labels, &copy->labels);
    copy->url = g_strdup(record->url);
    copy->expires = record->expires;
    copy->registered = record->registered;
    return copy;
}

NseRecord *
nse_record_ref(NseRecord *record)
{
    record->n_refs++;
    return record;
}

void
nse_record_unref(NseRecord *record)
{
    if (record == NULL || --record->n_refs > 0) {
        return;
    }
    g_free(record->name);
    g_strfreev(record->services);
    labels_clear(&record->labels);
    g_free(record->url);
    g_free(record);
}

bool
nse_record_serves(const NseRecord *record, const char *service)
{
    return g_strv_contains((const char *const *)record->services, service);
}

NseRecord *
nse_records_find(const GPtrArray *records, const char *name, nsec_t now)
{
    for (guint i = 0; i < records->len; i++) {
        NseRecord *record = g_ptr_array_index(records, i);
        if (g_str_equal(record->name, name) && record->expires > now) {
            return record;
        }
    }
    return NULL;
}
