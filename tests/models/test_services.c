/* Endpoints: which ready Pods stand behind the name of a Service. */
#include "models/k8s/services.h"

#include "tests/models/step.h"

static Bench bench;
static uint64_t last_uid;

static void
setup(void)
{
    bench_init(&bench, COMPONENT_SERVICES, "node-0");
    bench_start(&bench, services_new(&bench.info));
    last_uid = 0;
}

static void
teardown(void)
{
    bench_clear(&bench);
}

/* ---- what happens ---- */

static ApiObject *
service_in(const char *ns, const char *name, const char *spec)
{
    g_autofree char *yaml = g_strdup_printf("apiVersion: v1\nkind: Service\n"
                                            "metadata: {name: %s, namespace: %s}\nspec: {%s}\n",
                                            name, ns, spec);
    ApiObject *object = bench_object(&bench, yaml);
    object->uid = ++last_uid;
    bench_event(&bench, WATCH_ADDED, object);
    return object;
}

static ApiObject *
service(const char *name, const char *spec)
{
    return service_in("default", name, spec);
}

#define REGISTRY "selector: {app: registry}, ports: [{port: 5002, targetPort: 5003}]"

/* A Pod that is not ready. */
static ApiObject *
pod_in(const char *ns, const char *labels, const char *ip)
{
    g_autofree char *yaml =
        g_strdup_printf("apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: %s, labels: "
                        "{%s}}\nspec: {containers: [{name: c, image: i:1, ports: [{name: grpc, "
                        "containerPort: 5003}]}, {name: d, image: i:1, ports: [{containerPort: "
                        "1}, {name: http, containerPort: 8080}]}]}\n",
                        ns, labels);
    ApiObject *object = bench_object(&bench, yaml);
    object->uid = ++last_uid;
    object->pod_ip = g_strdup(ip);
    return object;
}

static ApiObject *
tell(WatchEventType type, ApiObject *pod)
{
    bench_event(&bench, type, pod);
    return pod;
}

static ApiObject *
now_ready(const ApiObject *pod, bool ready)
{
    ApiObject *next = bench_copy(&bench, pod);
    next->status.ready = ready;
    return tell(WATCH_MODIFIED, next);
}

static ApiObject *
ready_pod(const char *labels, const char *ip)
{
    return now_ready(tell(WATCH_ADDED, pod_in("default", labels, ip)), true);
}

/* ---- what was told since the last look ---- */

static char *
told(void)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < bench.done->len; i++) {
        const Action *action = &((const Done *)bench.done->pdata[i])->action;
        if (action->kind == ACTION_PUBLISH || action->kind == ACTION_WITHDRAW) {
            g_string_append_printf(text, "%s%c%s=%s", text->len > 0 ? " " : "",
                                   action->kind == ACTION_PUBLISH ? '+' : '-', action->address,
                                   action->text);
        }
    }
    bench_forget(&bench);
    return g_string_free(text, false);
}

static void
assert_told(const char *expected)
{
    g_autofree char *text = told();
    ck_assert_str_eq(text, expected);
}

START_TEST(it_watches_services_and_pods)
{
    ck_assert_uint_eq(bench_count(&bench, ACTION_OPEN, MESSAGE_API_WATCH), 2);
    for (guint i = 0; i < 2; i++) {
        const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, i);
        const ApiQuery *query = (const ApiQuery *)open->action.message;
        ck_assert_str_eq(open->action.address, API_ADDRESS);
        ck_assert_int_eq(open->action.flags, CALL_PLAIN);
        ck_assert_int_eq(query->kind, i == 0 ? OBJECT_SERVICE : OBJECT_POD);
        ck_assert_ptr_null(query->ns);
        ck_assert_ptr_null(query->node);
    }
}
END_TEST

START_TEST(a_ready_pod_stands_behind_the_name_of_its_service)
{
    service("registry", REGISTRY);
    const ApiObject *pod = tell(WATCH_ADDED, pod_in("default", "app: registry", "10.32.0.2"));
    assert_told("");
    now_ready(pod, true);
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(without_a_target_port_it_is_the_services_own)
{
    service("registry", "selector: {app: registry}, ports: [{port: 5002}]");
    ready_pod("app: registry", "10.32.0.2");
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5002");
}
END_TEST

START_TEST(a_pod_that_is_ready_when_first_seen_is_published)
{
    service("registry", REGISTRY);
    ApiObject *pod = pod_in("default", "app: registry", "10.32.0.2");
    pod->status.ready = true;
    tell(WATCH_ADDED, pod);
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(a_pod_is_published_once)
{
    service("registry", REGISTRY);
    const ApiObject *pod = ready_pod("app: registry", "10.32.0.2");
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003");
    now_ready(pod, true);
    now_ready(pod, true);
    assert_told("");
}
END_TEST

START_TEST(a_pod_without_an_address_is_not_published)
{
    service("registry", REGISTRY);
    ApiObject *pod = pod_in("default", "app: registry", NULL);
    pod->status.ready = true;
    tell(WATCH_ADDED, pod);
    assert_told("");
}
END_TEST

START_TEST(all_ports_of_a_service_are_published)
{
    service("nsmgr", "selector: {app: nsmgr}, ports: [{name: a, port: 5001}, "
                     "{name: b, port: 80, targetPort: 8080}]");
    ready_pod("app: nsmgr", "10.32.0.2");
    assert_told("+svc:nsmgr.default:5001=tcp:10.32.0.2:5001 "
                "+svc:nsmgr.default:80=tcp:10.32.0.2:8080");
}
END_TEST

START_TEST(all_services_of_a_pod_are_published)
{
    service("registry", REGISTRY);
    service("other", "selector: {app: other}, ports: [{port: 1}]");
    service("second", "selector: {app: registry}, ports: [{port: 2}]");
    ready_pod("app: registry, tier: x", "10.32.0.2");
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003 "
                "+svc:second.default:2=tcp:10.32.0.2:2");
}
END_TEST

START_TEST(a_selector_needs_all_its_labels)
{
    service("registry", "selector: {app: registry, tier: x}, ports: [{port: 5002}]");
    ready_pod("app: registry", "10.32.0.2");
    assert_told("");
}
END_TEST

START_TEST(a_service_without_a_selector_has_no_pods)
{
    service("registry", "ports: [{port: 5002}]");
    ready_pod("app: registry", "10.32.0.2");
    assert_told("");
}
END_TEST

START_TEST(a_service_selects_in_its_own_namespace)
{
    service_in("nsm-system", "registry", REGISTRY);
    service("unrelated", "selector: {app: unrelated}, ports: [{port: 1}]");
    ready_pod("app: registry", "10.32.0.2");
    assert_told("");
    now_ready(tell(WATCH_ADDED, pod_in("nsm-system", "app: registry", "10.32.0.3")), true);
    assert_told("+svc:registry.nsm-system:5002=tcp:10.32.0.3:5003");
}
END_TEST

START_TEST(a_pod_that_is_not_ready_any_more_is_withdrawn_and_comes_back)
{
    service("registry", REGISTRY);
    const ApiObject *pod = ready_pod("app: registry", "10.32.0.2");
    bench_forget(&bench);
    pod = now_ready(pod, false);
    assert_told("-svc:registry.default:5002=tcp:10.32.0.2:5003");
    now_ready(pod, false);
    assert_told("");
    now_ready(pod, true);
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(a_pod_is_withdrawn_as_soon_as_its_deletion_begins)
{
    service("registry", REGISTRY);
    const ApiObject *pod = ready_pod("app: registry", "10.32.0.2");
    bench_forget(&bench);
    ApiObject *leaving = bench_copy(&bench, pod);
    leaving->deleting = true;
    tell(WATCH_MODIFIED, leaving);
    assert_told("-svc:registry.default:5002=tcp:10.32.0.2:5003");
    tell(WATCH_DELETED, leaving);
    assert_told("");
}
END_TEST

START_TEST(a_pod_that_disappears_is_withdrawn)
{
    service("registry", REGISTRY);
    ApiObject *pod = ready_pod("app: registry", "10.32.0.2");
    bench_forget(&bench);
    tell(WATCH_DELETED, pod);
    assert_told("-svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(each_pod_is_withdrawn_by_its_own_address)
{
    service("registry", REGISTRY);
    const ApiObject *first = ready_pod("app: registry", "10.32.0.2");
    ready_pod("app: registry", "10.32.0.3");
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003 "
                "+svc:registry.default:5002=tcp:10.32.0.3:5003");
    now_ready(first, false);
    assert_told("-svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(a_later_service_finds_the_ready_pods_in_the_order_they_became_so)
{
    service("unrelated", "selector: {app: unrelated}, ports: [{port: 1}]");
    ready_pod("app: registry", "10.32.0.3");
    const ApiObject *gone = ready_pod("app: registry", "10.32.0.4");
    ready_pod("app: registry", "10.32.0.2");
    now_ready(gone, false);
    bench_forget(&bench);
    service("registry", REGISTRY);
    assert_told("+svc:registry.default:5002=tcp:10.32.0.3:5003 "
                "+svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(the_first_service_of_a_namespace_finds_pods_that_are_ready_before_it)
{
    ready_pod("app: registry", "10.32.0.2");
    service("registry", REGISTRY);
    assert_told("+svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(a_named_target_port_is_looked_up_in_the_pod)
{
    service("admin", "selector: {app: registry}, ports: [{port: 80, targetPort: http}]");
    service("registry", "selector: {app: registry}, ports: [{port: 5002, targetPort: grpc}]");
    ready_pod("app: registry", "10.32.0.2");
    assert_told("+svc:admin.default:80=tcp:10.32.0.2:8080 "
                "+svc:registry.default:5002=tcp:10.32.0.2:5003");
}
END_TEST

START_TEST(a_deleted_service_withdraws_its_pods)
{
    ApiObject *registry = service("registry", REGISTRY);
    ready_pod("app: registry", "10.32.0.2");
    bench_forget(&bench);
    bench_event(&bench, WATCH_DELETED, registry);
    assert_told("-svc:registry.default:5002=tcp:10.32.0.2:5003");
    ready_pod("app: registry", "10.32.0.3");
    assert_told("");
}
END_TEST

START_TEST(a_ready_pod_that_moves_is_published_anew)
{
    service("registry", REGISTRY);
    ApiObject *moved = bench_copy(&bench, ready_pod("app: registry", "10.32.0.2"));
    bench_forget(&bench);
    g_free(moved->pod_ip);
    moved->pod_ip = g_strdup("10.32.0.9");
    tell(WATCH_MODIFIED, moved);
    assert_told("-svc:registry.default:5002=tcp:10.32.0.2:5003 "
                "+svc:registry.default:5002=tcp:10.32.0.9:5003");
}
END_TEST

START_TEST(late_news_of_a_pod_change_nothing)
{
    service("registry", REGISTRY);
    ApiObject *before = tell(WATCH_ADDED, pod_in("default", "app: registry", "10.32.0.2"));
    now_ready(before, true);
    bench_forget(&bench);
    tell(WATCH_MODIFIED, before);
    assert_told("");
}
END_TEST

START_TEST(a_watch_that_is_opened_again_changes_only_what_has_changed)
{
    ApiObject *registry = service("registry", REGISTRY);
    ApiObject *stays = ready_pod("app: registry", "10.32.0.2");
    ready_pod("app: registry", "10.32.0.3");
    bench_forget(&bench);
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .tag = 2});
    bench_run_for(&bench, NSEC_PER_SEC);
    const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, 0);
    ck_assert_int_eq(((const ApiQuery *)open->action.message)->kind, OBJECT_POD);
    ck_assert(((const ApiQuery *)open->action.message)->marks_end);
    tell(WATCH_ADDED, stays);
    tell(WATCH_ADDED, registry);
    assert_told("");
    bench_give(&bench, (Input){.kind = INPUT_EVENT, .tag = 2}, api_event_new(WATCH_SYNCED, NULL));
    assert_told("-svc:registry.default:5002=tcp:10.32.0.3:5003");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("services");
    TCase *tcase = tcase_create("endpoints");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_watches_services_and_pods);
    tcase_add_test(tcase, a_ready_pod_stands_behind_the_name_of_its_service);
    tcase_add_test(tcase, without_a_target_port_it_is_the_services_own);
    tcase_add_test(tcase, a_pod_that_is_ready_when_first_seen_is_published);
    tcase_add_test(tcase, a_pod_is_published_once);
    tcase_add_test(tcase, a_pod_without_an_address_is_not_published);
    tcase_add_test(tcase, all_ports_of_a_service_are_published);
    tcase_add_test(tcase, all_services_of_a_pod_are_published);
    tcase_add_test(tcase, a_selector_needs_all_its_labels);
    tcase_add_test(tcase, a_service_without_a_selector_has_no_pods);
    tcase_add_test(tcase, a_service_selects_in_its_own_namespace);
    tcase_add_test(tcase, a_pod_that_is_not_ready_any_more_is_withdrawn_and_comes_back);
    tcase_add_test(tcase, a_pod_is_withdrawn_as_soon_as_its_deletion_begins);
    tcase_add_test(tcase, a_pod_that_disappears_is_withdrawn);
    tcase_add_test(tcase, each_pod_is_withdrawn_by_its_own_address);
    tcase_add_test(tcase, a_later_service_finds_the_ready_pods_in_the_order_they_became_so);
    tcase_add_test(tcase, the_first_service_of_a_namespace_finds_pods_that_are_ready_before_it);
    tcase_add_test(tcase, a_named_target_port_is_looked_up_in_the_pod);
    tcase_add_test(tcase, a_deleted_service_withdraws_its_pods);
    tcase_add_test(tcase, late_news_of_a_pod_change_nothing);
    tcase_add_test(tcase, a_ready_pod_that_moves_is_published_anew);
    tcase_add_test(tcase, a_watch_that_is_opened_again_changes_only_what_has_changed);
    suite_add_tcase(suite, tcase);
    return bench_run_suite(suite);
}
