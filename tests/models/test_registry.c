/* registry-k8s alone: what each operation costs of its budget at the API server, and expiry (FACTS
 * 1.8, 1.9, 2.4). */
#include "models/nsm/registry.h"

#include "models/k8s/api.h"
#include "models/nsm/endpoint.h"
#include "tests/models/nsm_step.h"

#define V1_4 "ghcr.io/networkservicemesh/cmd-registry-k8s:v1.4.0"

static void
serving(const char *image, const char *env)
{
    make_machine(registry_new, image, env);
    start();
    reply(SVID_TAG, svid());
}

static void
ask_registration(uint64_t call, const char *name, nsec_t life)
{
    NseRecord *nse = record(name, "svc", "tcp:10.0.0.1:5001", "app:nse");
    nse->expires = subject.now + life;
    request(call, registry_message(MESSAGE_REGISTRY_REGISTER, nse));
}

static void *
created(void)
{
    return api_message(MESSAGE_API_OBJECT,
                       api_object_new(OBJECT_NETWORK_SERVICE_ENDPOINT, "ns", "x"));
}

static void
clear_list(Message *message)
{
    g_ptr_array_unref(((ApiList *)message)->objects);
}

static ApiList *
listed(void)
{
    ApiList *list = message_new(MESSAGE_API_OBJECTS, sizeof *list, clear_list);
    list->objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    list->n_listed = 7;
    return list;
}

/* A new endpoint from Request to answer. */
static void
register_new(uint64_t call, const char *name, nsec_t life)
{
    ask_registration(call, name, life);
    reply(call_of(MESSAGE_API_CREATE)->tag, created());
    answer_of(call, MESSAGE_REGISTRY_NSE);
}

static uint64_t watch_timer; /* of the last watch */

/* The endpoint's registry healing opens its watch: LIST, then WATCH, which are answered. */
static void
watch(uint64_t call, const char *name)
{
    opened(call, registry_message(MESSAGE_REGISTRY_WATCH, nse_record_new(name)));
    ck_assert_str_eq(did(), "api-list at " API_ADDRESS "; api-list at " API_ADDRESS "; timer 1m");
    uint64_t tags[2];
    for (guint i = 0; i < 2; i++) {
        tags[i] = action_at(ACTION_CALL, i)->tag;
    }
    uint64_t timer = only(ACTION_TIMER)->tag;
    for (guint i = 0; i < 2; i++) {
        reply(tags[i], listed());
        ck_assert_str_eq(did(), "");
    }
    watch_timer = timer;
}

static void
find_service(uint64_t call)
{
    request(call, registry_query(MESSAGE_REGISTRY_FIND_NS, "svc", NULL, NULL));
}

/* How long the next Find waits for its token. */
static nsec_t
wait_of_a_find(void)
{
    find_service(999);
    return only(ACTION_CALL)->delay;
}

/* ---- start ---- */

START_TEST(it_listens_when_it_has_its_identity)
{
    make_machine(registry_new, V1_4, "{name: REGISTRY_K8S_LISTEN_ON, value: \"tcp://:5002\"}");
    start();
    ck_assert_str_eq(did(), "spire-fetch at " AGENT);
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "listen tcp:10.0.0.1:5002");
    request(1, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    answer_of(1, MESSAGE_OK);
    give((Input){.kind = INPUT_STOP});
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

/* ---- Find ---- */

START_TEST(a_find_is_one_list)
{
    serving(V1_4, "");
    request(1, registry_query(MESSAGE_REGISTRY_FIND_NSE, NULL, "svc", "tcp:u"));
    ck_assert_str_eq(did(), "api-list at " API_ADDRESS);
    const ApiQuery *list = (const ApiQuery *)only(ACTION_CALL)->message;
    ck_assert_int_eq(list->kind, OBJECT_NETWORK_SERVICE_ENDPOINT);
    ck_assert_str_eq(list->ns, "ns");
    ck_assert_ptr_null(list->name);
    ck_assert_str_eq(list->service, "svc");
    ck_assert_str_eq(list->url, "tcp:u");
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_PLAIN);
    ApiList *answer = listed();
    ApiObject *object = api_object_new(OBJECT_NETWORK_SERVICE_ENDPOINT, "ns", "nse-1");
    object->nse = record("nse-1", "svc", "tcp:u", "");
    g_ptr_array_add(answer->objects, object);
    reply(only(ACTION_CALL)->tag, answer);
    ck_assert_str_eq(did(), "answer 1 registry-found");
    const RegistryFound *back = (const RegistryFound *)answer_of(1, MESSAGE_REGISTRY_FOUND);
    ck_assert_uint_eq(back->records->len, 1);
    ck_assert_str_eq(((NseRecord *)back->records->pdata[0])->name, "nse-1");
    ck_assert_int_eq(back->base.weight, 7); /* what the real LIST carries */
}
END_TEST

START_TEST(a_service_is_looked_up_in_every_namespace)
{
    serving(V1_4, "");
    find_service(1);
    const ApiQuery *list = (const ApiQuery *)call_of(MESSAGE_API_LIST)->message;
    ck_assert_int_eq(list->kind, OBJECT_NETWORK_SERVICE);
    ck_assert_ptr_null(list->ns);
    ck_assert_str_eq(list->name, "svc");
    g_autoptr(Object) manifest = network_service_object("svc", "IP");
    ApiList *answer = listed();
    ApiObject *object = api_object_new(OBJECT_NETWORK_SERVICE, "elsewhere", "svc");
    object->manifest = manifest;
    g_ptr_array_add(answer->objects, object);
    reply(only(ACTION_CALL)->tag, answer);
    ck_assert_ptr_eq(((const RegistryFound *)answer_of(1, MESSAGE_REGISTRY_FOUND))->service,
                     manifest->network_service);
    find_service(2);
    reply(only(ACTION_CALL)->tag, listed());
    ck_assert_ptr_null(((const RegistryFound *)answer_of(2, MESSAGE_REGISTRY_FOUND))->service);
}
END_TEST

START_TEST(a_find_fails_with_the_api_server)
{
    serving(V1_4, "");
    find_service(1);
    failure(only(ACTION_CALL)->tag, FAILURE_PEER_GONE);
    assert_error(1, "connection reset");
    find_service(2);
    reply(only(ACTION_CALL)->tag, message_error("forbidden"));
    assert_error(2, "forbidden");
}
END_TEST

START_TEST(a_cancelled_find_is_not_answered)
{
    serving(V1_4, "");
    find_service(1);
    uint64_t tag = only(ACTION_CALL)->tag;
    cancelled(1);
    reply(tag, listed());
    ck_assert_str_eq(did(), "");
}
END_TEST

/* Otherwise it could end after its successor and shorten the lease. */
START_TEST(a_cancelled_registration_cancels_its_call_and_renews_nothing)
{
    serving(V1_4, "");
    ask_registration(1, "nse-1", SECONDS(60));
    uint64_t tag = only(ACTION_CALL)->tag;
    cancelled(1);
    ck_assert_uint_eq(only(ACTION_CANCEL)->tag, tag);
    reply(tag, created());
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(custom_resources_are_in_the_namespace_that_is_configured)
{
    serving(V1_4, "{name: REGISTRY_K8S_NAMESPACE, value: nsm-system}");
    ask_registration(1, "nse-1", SECONDS(60));
    ck_assert_str_eq(api_message_object(call_of(MESSAGE_API_CREATE)->message)->ns, "nsm-system");
}
END_TEST

/* ---- tokens ---- */

START_TEST(a_new_endpoint_is_three_calls)
{
    serving(V1_4, "");
    ask_registration(1, "nse-1", SECONDS(60));
    ck_assert_str_eq(did(), "api-create at " API_ADDRESS);
    const ApiObject *object = api_message_object(only(ACTION_CALL)->message);
    ck_assert_str_eq(object->name, "nse-1");
    ck_assert_str_eq(object->nse->url, "tcp:10.0.0.1:5001");
    reply(only(ACTION_CALL)->tag, created());
    ck_assert_str_eq(did(), "timer 1m; answer 1 registry-nse");
    ck_assert_int_eq(subject.endpoints, 1);
    watch(2, "nse-1");
}
END_TEST

START_TEST(a_refresh_is_five_calls)
{
    serving(V1_4, "");
    register_new(1, "nse-1", SECONDS(60));
    watch(10, "nse-1");
    subject.now += SECONDS(40);
    ask_registration(2, "nse-1", SECONDS(60));
    reply(call_of(MESSAGE_API_CREATE)->tag, message_error("already exists"));
    ck_assert_str_eq(did(), "api-list at " API_ADDRESS);
    reply(only(ACTION_CALL)->tag, listed());
    ck_assert_str_eq(did(), "api-update at " API_ADDRESS);
    ck_assert_int_eq(api_message_object(only(ACTION_CALL)->message)->nse->expires,
                     subject.now + SECONDS(60));
    reply(only(ACTION_CALL)->tag, created());
    ck_assert_str_eq(did(), "timer 1m; answer 2 registry-nse");
    ck_assert_int_eq(subject.endpoints, 1);
    watch(11, "nse-1");
}
END_TEST

START_TEST(an_update_that_fails_fails_the_registration)
{
    serving(V1_4, "");
    ask_registration(1, "nse-1", SECONDS(60));
    reply(only(ACTION_CALL)->tag, message_error("already exists"));
    reply(only(ACTION_CALL)->tag, listed());
    reply(only(ACTION_CALL)->tag, message_error("conflict"));
    assert_error(1, "cannot update nse-1");
    ck_assert_int_eq(subject.endpoints, 0);
}
END_TEST

START_TEST(a_service_is_one_call_or_three)
{
    serving(V1_4, "");
    g_autoptr(Object) own = network_service_object("a", "IP");
    request(1, registry_service(own));
    ck_assert_str_eq(did(), "api-create at " API_ADDRESS);
    ck_assert_ptr_eq(api_message_object(only(ACTION_CALL)->message)->manifest, own);
    reply(only(ACTION_CALL)->tag, created());
    ck_assert_str_eq(did(), "answer 1 ok");
    request(2, registry_service(own));
    reply(call_of(MESSAGE_API_CREATE)->tag, message_error("already exists"));
    reply(call_of(MESSAGE_API_LIST)->tag, listed());
    reply(call_of(MESSAGE_API_UPDATE)->tag, created());
    ck_assert_str_eq(did(), "answer 2 ok");
}
END_TEST

START_TEST(ten_calls_go_at_once_and_the_others_wait_a_fifth_of_a_second_each)
{
    serving(V1_4, "");
    for (guint i = 1; i <= 10; i++) {
        ck_assert_int_eq(wait_of_a_find(), 0);
        ck_assert_uint_eq(n_actions(ACTION_TRACE), 0);
    }
    ck_assert_int_eq(wait_of_a_find(), MSECONDS(200));
    ck_assert(traced(TRACE_REGISTRY_WAIT, "find"));
    ck_assert_int_eq(only(ACTION_TRACE)->value, MSECONDS(200));
    ck_assert_int_eq(wait_of_a_find(), MSECONDS(400));
    subject.now += SECONDS(1);
    ck_assert_int_eq(wait_of_a_find(), 0);
}
END_TEST

START_TEST(all_operations_share_one_bucket)
{
    serving(V1_4, "");
    register_new(1, "nse-1", SECONDS(60));
    watch(10, "nse-1"); /* 3 */
    register_new(2, "nse-2", SECONDS(60));
    watch(11, "nse-2"); /* 6 */
    for (guint i = 0; i < 4; i++) {
        ck_assert_int_eq(wait_of_a_find(), 0);
    }
    ask_registration(3, "nse-3", SECONDS(60));
    ck_assert_int_eq(only(ACTION_CALL)->delay, MSECONDS(200));
    ck_assert(traced(TRACE_REGISTRY_WAIT, "write"));
}
END_TEST

/* 2 endpoints and 2 local links (FACTS 1.9). */
START_TEST(a_three_pod_chain_waits_eight_tenths_of_a_second)
{
    serving(V1_4, "");
    register_new(1, "nse-1", SECONDS(60));
    watch(10, "nse-1");
    register_new(2, "nse-2", SECONDS(60));
    watch(11, "nse-2");
    nsec_t wait = 0;
    for (guint i = 0; i < 8; i++) {
        wait = wait_of_a_find();
    }
    ck_assert_int_eq(wait, MSECONDS(800));
}
END_TEST

/* The burst at this version, then the wait of the next call. */
static void
assert_budget(const char *image, const char *env, guint burst, nsec_t wait)
{
    serving(image, env);
    for (guint i = 0; i < burst; i++) {
        ck_assert_int_eq(wait_of_a_find(), 0);
    }
    ck_assert_int_eq(wait_of_a_find(), wait);
}

START_TEST(the_budget_depends_on_the_version)
{
    static const char *const qps = "{name: NSM_KUBELET_QPS, value: \"50\"}";
    nsec_t at_205 = nsec_from_seconds(1.0 / 205);
    assert_budget("cmd-registry-k8s:v1.7.0", "", 10, MSECONDS(200));
    assert_budget("cmd-registry-k8s:v1.8.0", "", 410, at_205);
    assert_budget("cmd-registry-k8s:v1.14.0", "", 410, at_205);
    assert_budget("cmd-registry-k8s", "", 410, at_205);
    assert_budget("cmd-registry-k8s:v1.14.0", qps, 100, MSECONDS(20));
    assert_budget("cmd-registry-k8s:v1.4.0", qps, 10, MSECONDS(200));
}
END_TEST

START_TEST(a_registry_in_memory_has_no_budget)
{
    serving("cmd-registry-memory:v1.4.0", "");
    for (guint i = 0; i < 1000; i++) {
        ck_assert_int_eq(wait_of_a_find(), 0);
    }
}
END_TEST

/* ---- expiry ---- */

START_TEST(an_endpoint_expires_after_a_minute)
{
    serving(V1_4, "");
    ask_registration(1, "nse-1", SECONDS(600));
    reply(only(ACTION_CALL)->tag, created());
    const NseRecord *granted = registry_message_record(answer_of(1, MESSAGE_REGISTRY_NSE));
    ck_assert_int_eq(granted->expires, subject.now + SECONDS(60));
    ck_assert_int_eq(granted->registered, subject.now);
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(60));
    uint64_t timer = only(ACTION_TIMER)->tag;
    subject.now += SECONDS(60);
    fire(timer);
    ck_assert_str_eq(did(), "api-delete at " API_ADDRESS);
    ck_assert_str_eq(((const ApiQuery *)only(ACTION_CALL)->message)->name, "nse-1");
    ck_assert_int_eq(subject.endpoints, 0);
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(an_endpoint_may_ask_for_less)
{
    serving(V1_4, "");
    register_new(1, "nse-1", SECONDS(20));
    ck_assert_int_eq(registry_message_record(only(ACTION_REPLY)->message)->expires,
                     subject.now + SECONDS(20));
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(20));
}
END_TEST

START_TEST(the_expire_period_is_read_under_both_names)
{
    serving(V1_4, "{name: REGISTRY_K8S_EXPIRE_PERIOD, value: 30s}");
    register_new(1, "nse-1", SECONDS(60));
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(30));
    serving("cmd-registry-k8s:v1.14.0", "{name: NSM_EXPIRE_PERIOD, value: 20s}");
    register_new(1, "nse-1", SECONDS(60));
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(20));
}
END_TEST

START_TEST(a_refresh_moves_the_expiry)
{
    serving(V1_4, "");
    register_new(1, "nse-1", SECONDS(60));
    uint64_t timer = only(ACTION_TIMER)->tag;
    subject.now += SECONDS(40);
    register_new(2, "nse-1", SECONDS(60));
    ck_assert_uint_eq(only(ACTION_TIMER)->tag, timer);
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(60));
    ck_assert_int_eq(subject.endpoints, 1);
}
END_TEST

START_TEST(a_watch_is_reopened_every_minute)
{
    serving(V1_4, "");
    watch(10, "nse-1");
    for (int i = 0; i < 3; i++) {
        subject.now += SECONDS(60);
        fire(watch_timer);
        ck_assert_str_eq(did(), "api-list at " API_ADDRESS "; timer 1m");
    }
    left(10);
    ck_assert_uint_eq(only(ACTION_STOP_TIMER)->tag, watch_timer);
    fire(watch_timer);
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(it_says_when_it_serves)
{
    serving(V1_4, "");
    ck_assert_int_eq(action_at(ACTION_TRACE, n_actions(ACTION_TRACE) - 1)->mark, TRACE_SERVING);
    ck_assert_str_eq(action_at(ACTION_TRACE, n_actions(ACTION_TRACE) - 1)->address, "ns/pod");
}
END_TEST

/* What a registry before this one has written is left to those who find it. */
START_TEST(a_fresh_registry_has_no_leases)
{
    serving(V1_4, "");
    ask_registration(1, "nse-1", SECONDS(60));
    reply(call_of(MESSAGE_API_CREATE)->tag, message_error("already exists"));
    reply(call_of(MESSAGE_API_LIST)->tag, listed());
    reply(call_of(MESSAGE_API_UPDATE)->tag, created());
    ck_assert_str_eq(did(), "timer 1m; answer 1 registry-nse"); /* and renews this one's */
    ck_assert_int_eq(subject.endpoints, 1);
}
END_TEST

START_TEST(unregistering_deletes_at_once)
{
    serving(V1_4, "");
    register_new(1, "nse-1", SECONDS(60));
    request(2, registry_message(MESSAGE_REGISTRY_UNREGISTER, nse_record_new("nse-1")));
    ck_assert_str_eq(did(), "api-delete at " API_ADDRESS);
    ck_assert_uint_eq(n_actions(ACTION_STOP_TIMER), 1);
    ck_assert_int_eq(subject.endpoints, 0);
    reply(only(ACTION_CALL)->tag, message_ok());
    answer_of(2, MESSAGE_OK);
    request(3, registry_message(MESSAGE_REGISTRY_UNREGISTER, nse_record_new("nse-9")));
    ck_assert_str_eq(did(), "api-delete at " API_ADDRESS);
    ck_assert_int_eq(subject.endpoints, 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        it_listens_when_it_has_its_identity,
        a_find_is_one_list,
        a_service_is_looked_up_in_every_namespace,
        a_find_fails_with_the_api_server,
        a_cancelled_find_is_not_answered,
        a_cancelled_registration_cancels_its_call_and_renews_nothing,
        custom_resources_are_in_the_namespace_that_is_configured,
        a_new_endpoint_is_three_calls,
        a_refresh_is_five_calls,
        an_update_that_fails_fails_the_registration,
        a_service_is_one_call_or_three,
        ten_calls_go_at_once_and_the_others_wait_a_fifth_of_a_second_each,
        all_operations_share_one_bucket,
        a_three_pod_chain_waits_eight_tenths_of_a_second,
        the_budget_depends_on_the_version,
        a_registry_in_memory_has_no_budget,
        an_endpoint_expires_after_a_minute,
        an_endpoint_may_ask_for_less,
        the_expire_period_is_read_under_both_names,
        a_refresh_moves_the_expiry,
        a_watch_is_reopened_every_minute,
        unregistering_deletes_at_once,
        it_says_when_it_serves,
        a_fresh_registry_has_no_leases,
    };
    return run_tests("registry", tests, G_N_ELEMENTS(tests), NULL, 0);
}
