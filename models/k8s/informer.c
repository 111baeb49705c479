/* Watches that open again, and what they have shown. */
#include "models/k8s/informer.h"

#define REOPEN NSEC_PER_SEC /* client-go reflector.go: about 0.8 s at first */

void
informer_init(Informer *informer, ObjectKind kind, uint64_t tag, const char *node)
{
    *informer = (Informer){.kind = kind, .tag = tag, .node = node};
    informer->known = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                            (GDestroyNotify)api_object_unref);
}

void
informer_clear(Informer *informer)
{
    g_clear_pointer(&informer->known, g_hash_table_unref);
    g_clear_pointer(&informer->missing, g_hash_table_unref);
}

static void *
copy_uid(uint64_t uid)
{
    return g_memdup2(&uid, sizeof uid);
}

static void
expect_all(Informer *informer)
{
    g_clear_pointer(&informer->missing, g_hash_table_unref);
    informer->missing = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    GHashTableIter iter;
    void *key;
    g_hash_table_iter_init(&iter, informer->known);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        g_hash_table_add(informer->missing, copy_uid(*(uint64_t *)key));
    }
}

void
informer_open(Informer *informer, Actions *actions)
{
    ApiQuery *query = api_query(MESSAGE_API_WATCH, informer->kind, NULL, NULL);
    query->node = g_strdup(informer->node);
    query->marks_end = informer->marks_end;
    actions_open(actions, API_ADDRESS, informer->tag, query)->flags = CALL_PLAIN;
    expect_all(informer);
}

void
informer_closed(Informer *informer, Actions *actions)
{
    informer->marks_end = true;
    actions_timer(actions, informer->tag, REOPEN);
}

bool
informer_note(Informer *informer, const ApiEvent *event)
{
    ApiObject *object = event->object;
    informer->last_uid = MAX(informer->last_uid, object->uid);
    if (informer->missing != NULL) {
        g_hash_table_remove(informer->missing, &object->uid);
    }
    const ApiObject *known = g_hash_table_lookup(informer->known, &object->uid);
    if (event->type == WATCH_DELETED) {
        g_hash_table_remove(informer->known, &object->uid);
        return true;
    }
    if (known != NULL && object->version < known->version) {
        return false;
    }
    g_hash_table_insert(informer->known, copy_uid(object->uid), api_object_ref(object));
    return true;
}

static int
compare_uid(const void *a, const void *b)
{
    const ApiObject *left = *(ApiObject *const *)a, *right = *(ApiObject *const *)b;
    return left->uid < right->uid ? -1 : left->uid > right->uid;
}

GPtrArray *
informer_synced(Informer *informer)
{
    GPtrArray *lost = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    GHashTableIter iter;
    void *key;
    if (informer->missing == NULL) {
        return lost;
    }
    g_hash_table_iter_init(&iter, informer->missing);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        ApiObject *object = g_hash_table_lookup(informer->known, key);
        if (object != NULL) {
            g_ptr_array_add(lost, api_object_ref(object));
            g_hash_table_remove(informer->known, key);
        }
    }
    g_clear_pointer(&informer->missing, g_hash_table_unref);
    g_ptr_array_sort(lost, compare_uid);
    return lost;
}

ApiObject *
informer_get(const Informer *informer, uint64_t uid)
{
    return g_hash_table_lookup(informer->known, &uid);
}

bool
informer_is_gone(const Informer *informer, uint64_t uid)
{
    return uid <= informer->last_uid && !g_hash_table_contains(informer->known, &uid);
}

GPtrArray *
informer_list(const Informer *informer)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, informer->known);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(list, value);
    }
    g_ptr_array_sort(list, compare_uid);
    return list;
}
