/* What happened when (models/timeline.h), from marks by hand. */
#include "models/timeline.h"
#include "tests/suite.h"

#define REPLACED_FROM (100 * NSEC_PER_SEC)

static Timeline *timeline;

static void
setup(void)
{
    timeline = timeline_new(REPLACED_FROM);
}

static void
teardown(void)
{
    timeline_free(timeline);
}

static void
mark(int64_t seconds, TraceMark what, const char *subject, const char *detail)
{
    TraceSink *sink = timeline_sink(timeline);
    sink->event(sink, &(TraceEvent){.at = seconds * NSEC_PER_SEC,
                                    .component = "test",
                                    .process = "test",
                                    .mark = what,
                                    .subject = subject,
                                    .detail = detail});
}

/* A Pod's life up to a Request that was answered. */
static void
live(int64_t at, const char *pod)
{
    g_autofree char *container = g_strdup_printf("%s/c", pod);
    g_autofree char *connection = g_strdup_printf("%s-0", pod);
    mark(at, TRACE_POD_CREATED, pod, NULL);
    mark(at + 1, TRACE_POD_SCHEDULED, pod, "one");
    mark(at + 2, TRACE_POD_VOLUMES, pod, NULL);
    mark(at + 3, TRACE_POD_SANDBOX, pod, NULL);
    mark(at + 4, TRACE_CONTAINER_STARTED, container, NULL);
    mark(at + 5, TRACE_IDENTITY_RECEIVED, pod, NULL);
    mark(at + 6, TRACE_REGISTER_STARTED, pod, NULL);
    mark(at + 7, TRACE_REGISTERED, pod, "nse");
    mark(at + 8, TRACE_REQUEST_STARTED, connection, "svc");
    mark(at + 9, TRACE_REQUEST_DONE, connection, NULL);
    mark(at + 10, TRACE_POD_INITIALIZED, pod, NULL);
    mark(at + 11, TRACE_POD_READY, pod, "one");
}

START_TEST(the_first_time_of_each_mark_is_kept)
{
    live(10, "ns/a");
    live(50, "ns/a");
    const PodTimes *pod = timeline_pod(timeline, "ns/a");
    ck_assert_ptr_nonnull(pod);
    const nsec_t times[] = {pod->created, pod->scheduled, pod->volumes,     pod->sandbox,
                            pod->started, pod->identity,  pod->registering, pod->registered,
                            NSEC_NEVER,   NSEC_NEVER,     pod->initialized, pod->ready};
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        if (times[i] != NSEC_NEVER) {
            ck_assert_int_eq(times[i], (10 + (int64_t)i) * NSEC_PER_SEC);
        }
    }
    ck_assert_int_ne(pod->ready, NSEC_NEVER);
    ck_assert_str_eq(pod->node, "one");
    ck_assert_int_eq(timeline_request(timeline, "ns/a-0")->done, 19 * NSEC_PER_SEC);
    ck_assert_uint_eq(timeline_pods(timeline)->len, 1);
}
END_TEST

START_TEST(a_pod_that_is_deleted_is_kept_when_it_replaces_nobody)
{
    live(10, "ns/a");
    mark(110, TRACE_POD_DELETED, "ns/a", NULL);
    const PodTimes *pod = timeline_pod(timeline, "ns/a");
    ck_assert_ptr_nonnull(pod);
    ck_assert(pod->deleted);
    ck_assert(!pod->replacement);
    ck_assert_ptr_nonnull(timeline_request(timeline, "ns/a-0"));
}
END_TEST

START_TEST(a_pod_that_is_created_from_the_first_strike_on_is_a_replacement)
{
    live(99, "ns/a");
    live(100, "ns/b");
    ck_assert(!timeline_pod(timeline, "ns/a")->replacement);
    ck_assert(timeline_pod(timeline, "ns/b")->replacement);
    ck_assert(!timeline_pod(timeline, "ns/b")->deleted);
}
END_TEST

START_TEST(a_replacement_that_is_deleted_is_forgotten_with_its_requests)
{
    live(10, "ns/a");
    live(110, "ns/b");
    live(120, "ns/b-c");
    mark(130, TRACE_REQUEST_STARTED, "ns/b-1", "svc"); /* under way when it goes */
    mark(140, TRACE_POD_DELETED, "ns/b", NULL);
    ck_assert_ptr_null(timeline_pod(timeline, "ns/b"));
    ck_assert_ptr_null(timeline_request(timeline, "ns/b-0"));
    ck_assert_ptr_null(timeline_request(timeline, "ns/b-1"));
    ck_assert_ptr_nonnull(timeline_pod(timeline, "ns/a"));
    ck_assert_ptr_nonnull(timeline_request(timeline, "ns/a-0"));
    ck_assert_ptr_nonnull(timeline_pod(timeline, "ns/b-c"));
    ck_assert_uint_eq(timeline_pods(timeline)->len, 2);
    mark(150, TRACE_REGISTRY_WAIT, "svc", "find"); /* nobody's any more */
}
END_TEST

/* Another Pod's requests have names that begin with this one's. */
START_TEST(the_requests_of_a_pod_with_a_longer_name_stay)
{
    live(110, "ns/b");
    live(120, "ns/b-c");
    mark(140, TRACE_POD_DELETED, "ns/b", NULL);
    ck_assert_ptr_nonnull(timeline_request(timeline, "ns/b-c-0"));
    ck_assert_int_eq(timeline_request(timeline, "ns/b-c-0")->done, 129 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_pod_that_is_made_again_by_the_same_name_is_no_longer_deleted)
{
    live(10, "ns/db-0");
    mark(50, TRACE_POD_DELETED, "ns/db-0", NULL);
    mark(51, TRACE_POD_CREATED, "ns/db-0", NULL);
    ck_assert(!timeline_pod(timeline, "ns/db-0")->deleted);
}
END_TEST

START_TEST(the_death_of_an_unknown_pod_is_no_matter)
{
    mark(10, TRACE_POD_DELETED, "ns/nobody", NULL);
    ck_assert_ptr_null(timeline_pod(timeline, "ns/nobody"));
    ck_assert_uint_eq(timeline_pods(timeline)->len, 0);
}
END_TEST

START_TEST(a_thousand_replacements_leave_nothing_behind)
{
    live(10, "ns/nse-00000");
    live(10, "ns/client");
    g_autofree char *before = g_strdup("ns/nse-00000");
    for (int i = 0; i < 1000; i++) {
        g_autofree char *next = g_strdup_printf("ns/nse-%05d", i + 1);
        int64_t at = 100 + i * 20;
        mark(at, TRACE_POD_CREATED, next, NULL);
        g_autofree char *container = g_strdup_printf("%s/c", before);
        mark(at, TRACE_CONTAINER_EXITED, container, "137");
        mark(at, TRACE_POD_DELETED, before, NULL);
        live(at + 1, next);
        g_free(before);
        before = g_steal_pointer(&next);
        ck_assert_uint_le(timeline_pods(timeline)->len, 3);
    }
    ck_assert_uint_eq(timeline_pods(timeline)->len, 3); /* both of the beginning, and the last */
    ck_assert_ptr_null(timeline_request(timeline, "ns/nse-00500-0"));
    ck_assert_ptr_nonnull(timeline_request(timeline, "ns/nse-01000-0"));
}
END_TEST

/* The kubelet tells of the last container when the API server has forgotten the Pod. */
START_TEST(what_is_said_of_a_forgotten_pod_does_not_bring_it_back)
{
    live(110, "ns/b");
    mark(130, TRACE_POD_DELETED, "ns/b", NULL);
    mark(131, TRACE_CONTAINER_EXITED, "ns/b/c", "137");
    mark(132, TRACE_IDENTITY_REFUSED, "ns/b", "no entry");
    mark(133, TRACE_POD_BLOCKED, "ns/b", "volumes");
    ck_assert_ptr_null(timeline_pod(timeline, "ns/b"));
    ck_assert_uint_eq(timeline_pods(timeline)->len, 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_first_time_of_each_mark_is_kept,
        a_pod_that_is_deleted_is_kept_when_it_replaces_nobody,
        a_pod_that_is_created_from_the_first_strike_on_is_a_replacement,
        a_replacement_that_is_deleted_is_forgotten_with_its_requests,
        the_requests_of_a_pod_with_a_longer_name_stay,
        a_pod_that_is_made_again_by_the_same_name_is_no_longer_deleted,
        the_death_of_an_unknown_pod_is_no_matter,
        a_thousand_replacements_leave_nothing_behind,
        what_is_said_of_a_forgotten_pod_does_not_bring_it_back,
    };
    return suite_run("timeline", tests, G_N_ELEMENTS(tests), setup, teardown);
}
