/* The contract of the data plane (models/dataplane.h), run against each implementation of it.
 *
 * A further implementation is one more entry of `planes` below: how it is opened, how to wait until
 * every accepted operation has completed, and how its completions come in (`completed`).  Two nodes
 * "a" and "b", and the Pods and forwarders named below are all that the cases use.
 *
 *     ns/client   ns/firewall   ns/server   ns/other     Pods (firewall passes frames on)
 *     nsm/fwd-a   nsm/fwd-b                              the forwarders of the nodes a and b */
#include "models/dataplane.h"

#include "models/chain.h"
#include "sim/dataplane.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT "ns/client"
#define FIREWALL "ns/firewall"
#define SERVER "ns/server"
#define OTHER "ns/other"
#define FWD_A "nsm/fwd-a"
#define FWD_B "nsm/fwd-b"

typedef struct Completion {
    uint64_t token;
    char *error; /* NULL: done */
} Completion;

typedef struct Bench Bench;

/* An implementation under test. */
typedef struct PlaneKind {
    const char *name;
    const char *(*missing)(void); /* why it cannot be used here, NULL when it can; may be NULL */
    void (*open)(Bench *bench);   /* sets bench->plane */
    void (*settle)(Bench *bench); /* until every accepted operation has completed */
    void (*remove_owner)(Bench *bench, const char *owner); /* a Pod or forwarder ended */
    void (*close)(Bench *bench);
} PlaneKind;

struct Bench {
    const PlaneKind *kind;
    DataPlane *plane;
    GArray *completions; /* Completion, in order */
    uint64_t last_token;
    void *data; /* the implementation's */
};

/* To be called once for each accepted operation. */
static void
completed(void *data, uint64_t token, const char *error)
{
    Bench *bench = data;
    Completion completion = {token, g_strdup(error)};
    g_array_append_val(bench->completions, completion);
}

/* ---- the virtual world's ---- */

typedef struct Virtual {
    Engine *engine;
    Calibration calibration;
} Virtual;

static void
virtual_open(Bench *bench)
{
    Virtual *data = g_new0(Virtual, 1);
    data->engine = engine_new();
    data->calibration.parameters[PARAMETER_VPP_INTERFACE] = dist_constant(0.06);
    data->calibration.parameters[PARAMETER_VPP_XCONNECT] = dist_constant(0.005);
    data->calibration.parameters[PARAMETER_VPP_TUNNEL] = dist_constant(0.015);
    bench->data = data;
    bench->plane = sim_dataplane_new(data->engine, &data->calibration, 1, 0, completed, bench);
}

static void
virtual_settle(Bench *bench)
{
    Virtual *data = bench->data;
    engine_run_until(data->engine, engine_now(data->engine) + NSEC_PER_SEC);
}

static void
virtual_remove_owner(Bench *bench, const char *owner)
{
    sim_dataplane_remove_owner(bench->plane, owner);
}

static void
virtual_close(Bench *bench)
{
    Virtual *data = bench->data;
    bench->plane->class->free(bench->plane);
    engine_free(data->engine);
    g_free(data);
}

static const PlaneKind planes[] = {
    {"sim", NULL, virtual_open, virtual_settle, virtual_remove_owner, virtual_close},
};
enum { N_PLANES = G_N_ELEMENTS(planes) };

/* ---- the bench ---- */

static void
completion_clear(void *completion)
{
    g_free(((Completion *)completion)->error);
}

/* False: the implementation is not to be had here, the case says nothing. */
static bool
bench_open(Bench *bench, int i)
{
    *bench = (Bench){.kind = &planes[i]};
    if (bench->kind->missing != NULL && bench->kind->missing() != NULL) {
        return false;
    }
    bench->completions = g_array_new(false, true, sizeof(Completion));
    g_array_set_clear_func(bench->completions, completion_clear);
    bench->kind->open(bench);
    return true;
}

static void
bench_close(Bench *bench)
{
    bench->kind->close(bench);
    g_array_unref(bench->completions);
}

#define OPEN(bench)                                                                                \
    Bench bench;                                                                                   \
    if (!bench_open(&bench, _i)) {                                                                 \
        return;                                                                                    \
    }

/* Hands the operation over; it must be accepted.  Returns its token. */
static uint64_t
perform(Bench *bench, DataPlaneOp op)
{
    op.token = ++bench->last_token;
    GError *error = NULL;
    ck_assert(bench->plane->class->perform(bench->plane, &op, &error));
    ck_assert_ptr_null(error);
    return op.token;
}

static uint64_t
interface(Bench *bench, const char *forwarder, const char *node, const char *port, const char *pod,
          const char *pod_port, WireKind wire)
{
    return perform(bench, (DataPlaneOp){.kind = DATAPLANE_CREATE_INTERFACE,
                                        .wire = wire,
                                        .owner = forwarder,
                                        .node = node,
                                        .port = port,
                                        .pod = pod,
                                        .pod_port = pod_port});
}

static uint64_t
direct(Bench *bench, const char *pod, const char *pod_port, const char *peer)
{
    return perform(bench, (DataPlaneOp){.kind = DATAPLANE_CREATE_DIRECT,
                                        .wire = WIRE_MEMIF,
                                        .owner = FWD_A,
                                        .node = "a",
                                        .pod = pod,
                                        .pod_port = pod_port,
                                        .peer = peer});
}

static uint64_t
tunnel(Bench *bench, const char *node, const char *port, uint32_t vni, WireKind wire)
{
    bool a = g_str_equal(node, "a");
    return perform(bench, (DataPlaneOp){.kind = DATAPLANE_CREATE_TUNNEL,
                                        .wire = wire,
                                        .owner = a ? FWD_A : FWD_B,
                                        .node = node,
                                        .port = port,
                                        .peer_node = a ? "b" : "a",
                                        .vni = vni});
}

static uint64_t
join(Bench *bench, const char *owner, const char *port, const char *peer)
{
    return perform(bench, (DataPlaneOp){.kind = DATAPLANE_CROSS_CONNECT,
                                        .owner = owner,
                                        .node = "a",
                                        .port = port,
                                        .peer = peer});
}

static uint64_t
discard(Bench *bench, const char *owner, const char *port)
{
    return perform(
        bench, (DataPlaneOp){.kind = DATAPLANE_REMOVE, .owner = owner, .node = "a", .port = port});
}

static void
settle(Bench *bench)
{
    bench->kind->settle(bench);
}

/* The error of the one completion of `token`; NULL when it was done. */
static const char *
error_of(const Bench *bench, uint64_t token)
{
    const Completion *found = NULL;
    for (guint i = 0; i < bench->completions->len; i++) {
        const Completion *one = &g_array_index(bench->completions, Completion, i);
        if (one->token == token) {
            ck_assert_msg(found == NULL, "operation %d completed twice", (int)token);
            found = one;
        }
    }
    ck_assert_msg(found != NULL, "operation %d never completed", (int)token);
    return found != NULL ? found->error : "never completed";
}

/* Every operation has completed once, without an error. */
static void
check_all_done(const Bench *bench)
{
    ck_assert_uint_eq(bench->completions->len, bench->last_token);
    for (uint64_t token = 1; token <= bench->last_token; token++) {
        const char *error = error_of(bench, token);
        ck_assert_msg(error == NULL, "operation %d: %s", (int)token, error);
    }
}

static void
check_path(const Bench *bench, const char *from, const char *expected)
{
    g_autoptr(GArray) hops = bench->plane->class->walk(bench->plane, from);
    g_autofree char *found = walk_format(hops);
    ck_assert_str_eq(found, expected);
}

/* ---- topologies ---- */

/* client -- fwd-a -- server on one node */
static void
build_local(Bench *bench)
{
    interface(bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    interface(bench, FWD_A, "a", FWD_A "/1/server", SERVER, SERVER "/kernel", WIRE_KERNEL);
    settle(bench);
    join(bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(bench);
}
#define LOCAL_PATH "client -> (fwd-a) -> server"

/* client -- fwd-a == tunnel == fwd-b -- server */
static void
build_remote(Bench *bench, WireKind wire)
{
    interface(bench, FWD_B, "b", FWD_B "/1/server", SERVER, SERVER "/kernel", WIRE_KERNEL);
    tunnel(bench, "b", FWD_B "/1/client", 6, wire);
    interface(bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    tunnel(bench, "a", FWD_A "/1/server", 6, wire);
    settle(bench);
    join(bench, FWD_B, FWD_B "/1/client", FWD_B "/1/server");
    join(bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(bench);
}
#define REMOTE_PATH "client -> (fwd-a) -> [vxlan a -> b] -> (fwd-b) -> server"

/* client -- fwd-a -- firewall -- fwd-a -- server */
static void
build_chain(Bench *bench)
{
    join(bench, FIREWALL, FIREWALL "/in", FIREWALL "/out"); /* before they are wired */
    interface(bench, FWD_A, "a", FWD_A "/2/server", SERVER, SERVER "/kernel", WIRE_KERNEL);
    interface(bench, FWD_A, "a", FWD_A "/2/client", FIREWALL, FIREWALL "/out", WIRE_MEMIF);
    interface(bench, FWD_A, "a", FWD_A "/1/server", FIREWALL, FIREWALL "/in", WIRE_MEMIF);
    interface(bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    settle(bench);
    join(bench, FWD_A, FWD_A "/2/client", FWD_A "/2/server");
    join(bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(bench);
}
#define CHAIN_PATH "client -> (fwd-a) -> firewall -> (fwd-a) -> server"

/* ---- operations ---- */

START_TEST(an_operation_completes_once_and_not_within_the_call)
{
    OPEN(bench);
    uint64_t token =
        interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    ck_assert_uint_eq(bench.completions->len, 0);
    settle(&bench);
    ck_assert_ptr_null(error_of(&bench, token));
    settle(&bench);
    ck_assert_uint_eq(bench.completions->len, 1);
    bench_close(&bench);
}
END_TEST

START_TEST(operations_of_every_kind_complete)
{
    OPEN(bench);
    build_remote(&bench, WIRE_VXLAN);
    direct(&bench, FIREWALL, FIREWALL "/out", OTHER "/in");
    discard(&bench, FWD_A, FWD_A "/1/client");
    settle(&bench);
    check_all_done(&bench);
    bench_close(&bench);
}
END_TEST

START_TEST(many_operations_at_a_time_each_complete_once)
{
    OPEN(bench);
    for (int i = 0; i < 500; i++) {
        g_autofree char *port = g_strdup_printf(FWD_A "/%d/client", i);
        g_autofree char *pod_port = g_strdup_printf(CLIENT "/nsm-%d", i);
        interface(&bench, FWD_A, "a", port, CLIENT, pod_port, WIRE_KERNEL);
    }
    settle(&bench);
    check_all_done(&bench);
    bench_close(&bench);
}
END_TEST

START_TEST(an_operation_without_a_pods_port_is_refused_and_never_heard_of_again)
{
    OPEN(bench);
    const DataPlaneOpKind kinds[] = {DATAPLANE_CREATE_INTERFACE, DATAPLANE_CREATE_DIRECT};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GError) error = NULL;
        DataPlaneOp op = {
            .kind = kinds[i], .token = 77, .owner = FWD_A, .node = "a", .port = FWD_A "/1/client"};
        ck_assert(!bench.plane->class->perform(bench.plane, &op, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_str_ne(error->message, "");
    }
    settle(&bench);
    ck_assert_uint_eq(bench.completions->len, 0);
    bench_close(&bench);
}
END_TEST

START_TEST(the_strings_of_an_operation_are_only_borrowed_for_the_call)
{
    OPEN(bench);
    char pod[] = CLIENT, pod_port[] = CLIENT "/nsm-1", port[] = FWD_A "/1/client";
    interface(&bench, FWD_A, "a", port, pod, pod_port, WIRE_KERNEL);
    memset(pod, 'x', strlen(pod));
    memset(port, 'x', strlen(port));
    memset(pod_port, 'x', strlen(pod_port));
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a)");
    bench_close(&bench);
}
END_TEST

START_TEST(nothing_is_there_before_its_operation_has_completed)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    check_path(&bench, CLIENT "/nsm-1", "");
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a)");
    bench_close(&bench);
}
END_TEST

START_TEST(a_plane_can_be_closed_with_operations_under_way)
{
    OPEN(bench);
    build_local(&bench);
    guint n = bench.completions->len;
    discard(&bench, FWD_A, FWD_A "/1/client");
    interface(&bench, FWD_A, "a", FWD_A "/9/client", OTHER, OTHER "/nsm-1", WIRE_KERNEL);
    bench.kind->close(&bench);
    ck_assert_uint_eq(bench.completions->len, n);
    g_array_unref(bench.completions);
}
END_TEST

START_TEST(doing_an_operation_again_changes_nothing)
{
    OPEN(bench);
    build_local(&bench);
    build_local(&bench);
    check_all_done(&bench);
    check_path(&bench, CLIENT "/nsm-1", LOCAL_PATH);
    check_path(&bench, SERVER "/kernel", "server -> (fwd-a) -> client");
    bench_close(&bench);
}
END_TEST

/* ---- walks ---- */

START_TEST(a_walk_from_a_port_that_is_not_there_is_empty)
{
    OPEN(bench);
    check_path(&bench, CLIENT "/nsm-1", "");
    build_local(&bench);
    check_path(&bench, CLIENT "/nsm-2", "");
    bench_close(&bench);
}
END_TEST

START_TEST(a_walk_follows_a_local_link_both_ways)
{
    OPEN(bench);
    build_local(&bench);
    check_all_done(&bench);
    check_path(&bench, CLIENT "/nsm-1", LOCAL_PATH);
    check_path(&bench, SERVER "/kernel", "server -> (fwd-a) -> client");
    bench_close(&bench);
}
END_TEST

START_TEST(a_walk_names_the_ports_and_wires_that_it_takes)
{
    OPEN(bench);
    build_chain(&bench);
    g_autoptr(GArray) hops = bench.plane->class->walk(bench.plane, CLIENT "/nsm-1");
    static const DataPlaneHop expected[] = {
        {HOP_POD, (char *)CLIENT, NULL, (char *)CLIENT "/nsm-1", WIRE_KERNEL},
        {HOP_FORWARDER, (char *)FWD_A, (char *)FWD_A "/1/client", (char *)FWD_A "/1/server",
         WIRE_KERNEL},
        {HOP_POD, (char *)FIREWALL, (char *)FIREWALL "/in", (char *)FIREWALL "/out", WIRE_MEMIF},
        {HOP_FORWARDER, (char *)FWD_A, (char *)FWD_A "/2/client", (char *)FWD_A "/2/server",
         WIRE_MEMIF},
        {HOP_POD, (char *)SERVER, (char *)SERVER "/kernel", NULL, WIRE_KERNEL},
    };
    ck_assert_uint_eq(hops->len, G_N_ELEMENTS(expected));
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        ck_assert_int_eq(hop->kind, expected[i].kind);
        ck_assert_str_eq(hop->owner, expected[i].owner);
        ck_assert_pstr_eq(hop->port_in, expected[i].port_in);
        ck_assert_pstr_eq(hop->port_out, expected[i].port_out);
        ck_assert_int_eq(hop->wire, expected[i].wire);
    }
    bench_close(&bench);
}
END_TEST

START_TEST(a_walk_follows_tunnels_to_the_other_node_both_ways)
{
    OPEN(bench);
    build_remote(&bench, WIRE_VXLAN);
    check_all_done(&bench);
    check_path(&bench, CLIENT "/nsm-1", REMOTE_PATH);
    check_path(&bench, SERVER "/kernel",
               "server -> (fwd-b) -> [vxlan b -> a] -> (fwd-a) -> client");
    bench_close(&bench);
}
END_TEST

START_TEST(a_tunnel_keeps_its_kind)
{
    OPEN(bench);
    build_remote(&bench, WIRE_WIREGUARD);
    check_path(&bench, CLIENT "/nsm-1",
               "client -> (fwd-a) -> [wireguard a -> b] -> (fwd-b) -> server");
    bench_close(&bench);
}
END_TEST

START_TEST(a_function_joins_ports_of_its_pod_before_they_are_wired)
{
    OPEN(bench);
    build_chain(&bench);
    check_all_done(&bench);
    check_path(&bench, CLIENT "/nsm-1", CHAIN_PATH);
    check_path(&bench, SERVER "/kernel", "server -> (fwd-a) -> firewall -> (fwd-a) -> client");
    bench_close(&bench);
}
END_TEST

START_TEST(a_function_joins_ports_of_its_pod_after_they_are_wired_too)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/2/client", FIREWALL, FIREWALL "/out", WIRE_MEMIF);
    interface(&bench, FWD_A, "a", FWD_A "/1/server", FIREWALL, FIREWALL "/in", WIRE_MEMIF);
    settle(&bench);
    check_path(&bench, FIREWALL "/in", "firewall -> (fwd-a)");
    build_chain(&bench);
    check_path(&bench, CLIENT "/nsm-1", CHAIN_PATH);
    bench_close(&bench);
}
END_TEST

START_TEST(a_direct_memif_leads_from_pod_to_pod_and_past_the_forwarder)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    interface(&bench, FWD_A, "a", FWD_A "/1/server", FIREWALL, FIREWALL "/in", WIRE_MEMIF);
    settle(&bench);
    join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    join(&bench, FIREWALL, FIREWALL "/in", FIREWALL "/out");
    direct(&bench, FIREWALL, FIREWALL "/out", SERVER "/memif");
    settle(&bench);
    check_all_done(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> firewall -> server");
    check_path(&bench, SERVER "/memif", "server -> firewall -> (fwd-a) -> client");
    g_autoptr(GArray) hops = bench.plane->class->walk(bench.plane, SERVER "/memif");
    ck_assert_int_eq(g_array_index(hops, DataPlaneHop, 1).wire, WIRE_MEMIF);
    bench_close(&bench);
}
END_TEST

START_TEST(a_walk_stops_where_nothing_is_joined_on)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a)");
    tunnel(&bench, "a", FWD_A "/1/server", 8, WIRE_VXLAN);
    settle(&bench);
    join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> [vxlan a -> b]");
    bench_close(&bench);
}
END_TEST

START_TEST(a_long_chain_is_walked_to_its_end)
{
    enum { N = 64 };
    OPEN(bench);
    for (int i = 0; i < N; i++) {
        g_autofree char *pod = g_strdup_printf("ns/pass-%d", i);
        g_autofree char *next = g_strdup_printf("ns/pass-%d", i + 1);
        g_autofree char *in = g_strdup_printf("%s/in", pod);
        g_autofree char *out = g_strdup_printf("%s/out", pod);
        g_autofree char *next_in = g_strdup_printf("%s/in", next);
        join(&bench, pod, in, out);
        direct(&bench, pod, out, next_in);
    }
    settle(&bench);
    check_all_done(&bench);
    g_autoptr(GArray) hops = bench.plane->class->walk(bench.plane, "ns/pass-0/out");
    ck_assert_uint_eq(hops->len, N + 1);
    ck_assert_str_eq(g_array_index(hops, DataPlaneHop, N).owner, "ns/pass-64");
    bench_close(&bench);
}
END_TEST

/* firewall and other lead into each other for ever; the client leads into firewall. */
static void
build_loop(Bench *bench)
{
    join(bench, FIREWALL, FIREWALL "/in", FIREWALL "/out");
    join(bench, OTHER, OTHER "/in", OTHER "/out");
    direct(bench, FIREWALL, FIREWALL "/out", OTHER "/in");
    direct(bench, OTHER, OTHER "/out", FIREWALL "/in");
    settle(bench);
}

START_TEST(a_walk_ends_though_the_wires_make_a_loop)
{
    OPEN(bench);
    build_loop(&bench);
    g_autoptr(GArray) hops = bench.plane->class->walk(bench.plane, FIREWALL "/out");
    ck_assert_uint_ge(hops->len, 2);
    ck_assert_uint_le(hops->len, 10000);
    bench_close(&bench);
}
END_TEST

START_TEST(a_walk_stops_at_a_loop_and_enters_no_port_twice)
{
    OPEN(bench);
    build_loop(&bench);
    g_autoptr(GArray) hops = bench.plane->class->walk(bench.plane, FIREWALL "/out");
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 1; i < hops->len; i++) {
        ck_assert(g_hash_table_add(seen, g_array_index(hops, DataPlaneHop, i).port_in));
    }
    bench_close(&bench);
}
END_TEST

/* ---- removal ---- */

static const struct {
    const char *owner, *port, *left; /* what is walked from the client afterwards */
} removals[] = {
    {FWD_A, FWD_A "/1/client", "client"},
    {FWD_A, FWD_A "/1/server", "client -> (fwd-a)"},
    {FWD_B, FWD_B "/1/client", "client -> (fwd-a) -> [vxlan a -> b]"},
    {FWD_B, FWD_B "/1/server", "client -> (fwd-a) -> [vxlan a -> b] -> (fwd-b)"},
    {FWD_A, SERVER "/kernel", "client -> (fwd-a) -> [vxlan a -> b] -> (fwd-b)"},
    {FWD_A, CLIENT "/nsm-1", ""},
};
enum { N_REMOVALS = G_N_ELEMENTS(removals) };

/* What the forwarder b does behind port 1/server is only seen when its own port is there. */
START_TEST(removing_a_port_breaks_the_path_there_and_nowhere_else)
{
    for (int k = 0; k < N_REMOVALS; k++) {
        OPEN(bench);
        build_remote(&bench, WIRE_VXLAN);
        discard(&bench, removals[k].owner, removals[k].port);
        check_path(&bench, CLIENT "/nsm-1", REMOTE_PATH); /* not yet */
        settle(&bench);
        check_all_done(&bench);
        check_path(&bench, CLIENT "/nsm-1", removals[k].left);
        bench_close(&bench);
    }
}
END_TEST

START_TEST(what_was_removed_can_be_made_again)
{
    for (int k = 0; k < N_REMOVALS; k++) {
        OPEN(bench);
        build_remote(&bench, WIRE_VXLAN);
        discard(&bench, removals[k].owner, removals[k].port);
        settle(&bench);
        build_remote(&bench, WIRE_VXLAN);
        check_all_done(&bench);
        check_path(&bench, CLIENT "/nsm-1", REMOTE_PATH);
        bench_close(&bench);
    }
}
END_TEST

START_TEST(removing_what_is_not_there_completes_and_changes_nothing)
{
    OPEN(bench);
    build_local(&bench);
    discard(&bench, FWD_A, FWD_A "/7/client");
    settle(&bench);
    check_all_done(&bench);
    check_path(&bench, CLIENT "/nsm-1", LOCAL_PATH);
    bench_close(&bench);
}
END_TEST

START_TEST(everything_of_a_forwarder_goes_with_it)
{
    OPEN(bench);
    build_remote(&bench, WIRE_VXLAN);
    bench.kind->remove_owner(&bench, FWD_B);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> [vxlan a -> b]");
    check_path(&bench, SERVER "/kernel", "server");
    bench.kind->remove_owner(&bench, FWD_A);
    check_path(&bench, CLIENT "/nsm-1", "client");
    bench.kind->remove_owner(&bench, FWD_A); /* it has nothing any more */
    bench_close(&bench);
}
END_TEST

START_TEST(everything_of_a_pod_goes_with_it)
{
    OPEN(bench);
    build_chain(&bench);
    bench.kind->remove_owner(&bench, FIREWALL);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a)");
    check_path(&bench, FIREWALL "/in", "");
    bench_close(&bench);
}
END_TEST

/* ---- joins that are wrong ---- */

START_TEST(joining_a_port_that_is_not_there_completes_with_an_error)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    settle(&bench);
    uint64_t token = join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    uint64_t other = join(&bench, FWD_A, FWD_A "/1/server", FWD_A "/1/client");
    settle(&bench);
    ck_assert_ptr_nonnull(error_of(&bench, token));
    ck_assert_ptr_nonnull(error_of(&bench, other));
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a)");
    bench_close(&bench);
}
END_TEST

START_TEST(joining_ports_of_two_owners_completes_with_an_error_and_joins_nothing)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    interface(&bench, FWD_B, "b", FWD_B "/1/server", SERVER, SERVER "/kernel", WIRE_KERNEL);
    settle(&bench);
    uint64_t token = join(&bench, FWD_A, FWD_A "/1/client", FWD_B "/1/server");
    settle(&bench);
    ck_assert_ptr_nonnull(error_of(&bench, token));
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a)");
    check_path(&bench, SERVER "/kernel", "server -> (fwd-b)");
    bench_close(&bench);
}
END_TEST

START_TEST(a_wire_to_the_wrong_pod_is_seen_on_the_walk)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    interface(&bench, FWD_A, "a", FWD_A "/1/server", OTHER, OTHER "/kernel", WIRE_KERNEL);
    interface(&bench, FWD_A, "a", FWD_A "/2/server", SERVER, SERVER "/kernel", WIRE_KERNEL);
    settle(&bench);
    join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> other");
    check_path(&bench, SERVER "/kernel", "server -> (fwd-a)");
    bench_close(&bench);
}
END_TEST

START_TEST(tunnels_of_different_vnis_never_meet)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    tunnel(&bench, "a", FWD_A "/1/server", 6, WIRE_VXLAN);
    tunnel(&bench, "b", FWD_B "/1/client", 7, WIRE_VXLAN);
    settle(&bench);
    join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> [vxlan a -> b]");
    bench_close(&bench);
}
END_TEST

START_TEST(equal_vnis_of_other_pairs_of_nodes_never_meet)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    tunnel(&bench, "a", FWD_A "/1/server", 6, WIRE_VXLAN);
    perform(&bench, (DataPlaneOp){.kind = DATAPLANE_CREATE_TUNNEL,
                                  .wire = WIRE_VXLAN,
                                  .owner = FWD_B,
                                  .node = "b",
                                  .port = FWD_B "/1/client",
                                  .peer_node = "c",
                                  .vni = 6});
    settle(&bench);
    join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> [vxlan a -> b]");
    bench_close(&bench);
}
END_TEST

START_TEST(a_wire_that_is_made_anew_replaces_the_old_one)
{
    OPEN(bench);
    build_local(&bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/server", OTHER, OTHER "/kernel", WIRE_KERNEL);
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> other");
    check_path(&bench, SERVER "/kernel", "server");
    bench_close(&bench);
}
END_TEST

START_TEST(a_tunnel_port_that_is_made_anew_leaves_its_old_tunnel)
{
    OPEN(bench);
    build_remote(&bench, WIRE_VXLAN);
    tunnel(&bench, "b", FWD_B "/1/client", 60, WIRE_VXLAN);
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> [vxlan a -> b]");
    tunnel(&bench, "a", FWD_A "/1/server", 60, WIRE_VXLAN);
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", REMOTE_PATH);
    bench_close(&bench);
}
END_TEST

/* client's port is joined to server's, then to other's */
static void
build_rejoined(Bench *bench)
{
    build_local(bench);
    interface(bench, FWD_A, "a", FWD_A "/2/server", OTHER, OTHER "/kernel", WIRE_KERNEL);
    settle(bench);
    join(bench, FWD_A, FWD_A "/1/client", FWD_A "/2/server");
    settle(bench);
}

START_TEST(a_port_that_is_joined_anew_leaves_its_old_cross_connect)
{
    OPEN(bench);
    build_rejoined(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> other");
    check_path(&bench, OTHER "/kernel", "other -> (fwd-a) -> client");
    check_path(&bench, SERVER "/kernel", "server -> (fwd-a)");
    bench_close(&bench);
}
END_TEST

/* Without the above, the old peer holds on to a port that is gone: a use after free. */
START_TEST(a_port_that_was_joined_twice_can_be_removed)
{
    OPEN(bench);
    build_rejoined(&bench);
    discard(&bench, FWD_A, FWD_A "/1/client");
    settle(&bench);
    check_path(&bench, SERVER "/kernel", "server -> (fwd-a)");
    check_path(&bench, OTHER "/kernel", "other -> (fwd-a)");
    bench_close(&bench);
}
END_TEST

/* Two ends of one tunnel on one node: the later one must not become the peer of the earlier. */
START_TEST(two_tunnel_ports_of_one_node_and_vni_do_not_lead_into_each_other)
{
    OPEN(bench);
    interface(&bench, FWD_A, "a", FWD_A "/1/client", CLIENT, CLIENT "/nsm-1", WIRE_KERNEL);
    interface(&bench, FWD_A, "a", FWD_A "/2/client", OTHER, OTHER "/nsm-1", WIRE_KERNEL);
    tunnel(&bench, "a", FWD_A "/1/server", 6, WIRE_VXLAN);
    tunnel(&bench, "a", FWD_A "/2/server", 6, WIRE_VXLAN);
    settle(&bench);
    join(&bench, FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    join(&bench, FWD_A, FWD_A "/2/client", FWD_A "/2/server");
    settle(&bench);
    check_path(&bench, CLIENT "/nsm-1", "client -> (fwd-a) -> [vxlan a -> b]");
    check_path(&bench, OTHER "/nsm-1", "other -> (fwd-a) -> [vxlan a -> b]");
    bench_close(&bench);
}
END_TEST

/* ---- whatever is done ---- */

typedef struct Churn {
    Bench *bench;
    RandomStream random;
} Churn;

static void
churn_once(Churn *churn)
{
    guint i = (guint)random_below(&churn->random, 4), k = (guint)random_below(&churn->random, 4);
    g_autofree char *port = g_strdup_printf(FWD_A "/%u/client", i);
    g_autofree char *peer = g_strdup_printf(FWD_A "/%u/server", k);
    g_autofree char *pod = g_strdup_printf("ns/pod-%u", k);
    g_autofree char *pod_port = g_strdup_printf("%s/nsm-1", pod);
    switch (random_below(&churn->random, 5)) {
    case 0:
        interface(churn->bench, FWD_A, "a", port, pod, pod_port, WIRE_KERNEL);
        break;
    case 1:
        tunnel(churn->bench, "a", peer, i, WIRE_VXLAN);
        break;
    case 2:
        discard(churn->bench, FWD_A, port);
        break;
    case 3:
        discard(churn->bench, FWD_A, peer);
        break;
    default:
        join(churn->bench, FWD_A, port, peer);
    }
}

/* A walk is the reverse of the walk from its end, when it ends in a Pod. */
static void
check_symmetry(const Bench *bench, const char *from)
{
    g_autoptr(GArray) hops = bench->plane->class->walk(bench->plane, from);
    const DataPlaneHop *last =
        hops->len > 1 ? &g_array_index(hops, DataPlaneHop, hops->len - 1) : NULL;
    if (last == NULL || last->kind != HOP_POD) {
        return;
    }
    g_autoptr(GArray) back = bench->plane->class->walk(bench->plane, last->port_in);
    ck_assert_uint_eq(back->len, hops->len);
    ck_assert_str_eq(g_array_index(back, DataPlaneHop, back->len - 1).port_in, from);
}

START_TEST(whatever_is_done_every_operation_completes_once_and_walks_are_symmetric)
{
    for (uint32_t round = 0; round < 20; round++) {
        OPEN(bench);
        Churn churn = {.bench = &bench};
        random_stream_init(&churn.random, 3, round, "data plane", "churn");
        for (int i = 0; i < 200; i++) {
            churn_once(&churn);
            if (i % 7 == 0) {
                settle(&bench);
            }
            for (int pod = 0; pod < 4; pod++) {
                g_autofree char *from = g_strdup_printf("ns/pod-%d/nsm-1", pod);
                check_symmetry(&bench, from);
            }
        }
        settle(&bench);
        ck_assert_uint_eq(bench.completions->len, bench.last_token);
        for (uint64_t token = 1; token <= bench.last_token; token++) {
            error_of(&bench, token);
        }
        bench_close(&bench);
    }
}
END_TEST

static void
add(TCase *tcase, const TTest *const *tests, guint n)
{
    for (guint i = 0; i < n; i++) {
        tcase_add_loop_test(tcase, tests[i], 0, N_PLANES);
    }
}
#define ADD(tcase, ...)                                                                            \
    do {                                                                                           \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        add(tcase, tests, G_N_ELEMENTS(tests));                                                    \
    } while (0)

static Suite *
dataplane_suite(void)
{
    Suite *suite = suite_create("data plane");
    TCase *operations = tcase_create("operations");
    ADD(operations, an_operation_completes_once_and_not_within_the_call,
        operations_of_every_kind_complete, many_operations_at_a_time_each_complete_once,
        an_operation_without_a_pods_port_is_refused_and_never_heard_of_again,
        the_strings_of_an_operation_are_only_borrowed_for_the_call,
        nothing_is_there_before_its_operation_has_completed,
        a_plane_can_be_closed_with_operations_under_way, doing_an_operation_again_changes_nothing);
    suite_add_tcase(suite, operations);

    TCase *walks = tcase_create("walks");
    ADD(walks, a_walk_from_a_port_that_is_not_there_is_empty, a_walk_follows_a_local_link_both_ways,
        a_walk_names_the_ports_and_wires_that_it_takes,
        a_walk_follows_tunnels_to_the_other_node_both_ways, a_tunnel_keeps_its_kind,
        a_function_joins_ports_of_its_pod_before_they_are_wired,
        a_function_joins_ports_of_its_pod_after_they_are_wired_too,
        a_direct_memif_leads_from_pod_to_pod_and_past_the_forwarder,
        a_walk_stops_where_nothing_is_joined_on, a_long_chain_is_walked_to_its_end,
        a_walk_ends_though_the_wires_make_a_loop);
    tcase_add_test(walks, a_walk_stops_at_a_loop_and_enters_no_port_twice);
    suite_add_tcase(suite, walks);

    TCase *removal = tcase_create("removal");
    ADD(removal, removing_a_port_breaks_the_path_there_and_nowhere_else,
        what_was_removed_can_be_made_again,
        removing_what_is_not_there_completes_and_changes_nothing,
        everything_of_a_forwarder_goes_with_it, everything_of_a_pod_goes_with_it);
    suite_add_tcase(suite, removal);

    TCase *joins = tcase_create("joins");
    ADD(joins, joining_a_port_that_is_not_there_completes_with_an_error,
        joining_ports_of_two_owners_completes_with_an_error_and_joins_nothing,
        a_wire_to_the_wrong_pod_is_seen_on_the_walk, tunnels_of_different_vnis_never_meet,
        equal_vnis_of_other_pairs_of_nodes_never_meet,
        a_wire_that_is_made_anew_replaces_the_old_one,
        a_tunnel_port_that_is_made_anew_leaves_its_old_tunnel);
    tcase_add_test(joins, a_port_that_is_joined_anew_leaves_its_old_cross_connect);
    tcase_add_test(joins, a_port_that_was_joined_twice_can_be_removed);
    tcase_add_test(joins, whatever_is_done_every_operation_completes_once_and_walks_are_symmetric);
    tcase_add_test(joins, two_tunnel_ports_of_one_node_and_vni_do_not_lead_into_each_other);
    suite_add_tcase(suite, joins);
    return suite;
}

int
main(void)
{
    for (guint i = 0; i < N_PLANES; i++) {
        if (planes[i].missing != NULL && planes[i].missing() != NULL) {
            fprintf(stderr, "skipped: data plane %s: %s\n", planes[i].name, planes[i].missing());
        }
    }
    SRunner *runner = srunner_create(dataplane_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
