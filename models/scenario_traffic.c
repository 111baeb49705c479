/* spec.traffic: the executors' keys, which say when iterations begin.  What an iteration does is
 * scenario_flow.c. */
#include "models/document.h"
#include "models/scenario_parts.h"

#define MAX_RATE 1e6
#define MIN_RATE 1e-9      /* a rate below is none: one iteration takes longer than 30 years */
#define MAX_ITERATIONS 1e9 /* of an entry: more would not fit into memory */
#define MAX_USERS 1000000
#define DEFAULT_MAX_USERS 10000
#define MAX_PARALLEL 10000
#define MIN_MSS 88         /* Linux include/net/tcp.h, TCP_MIN_MSS: what TCP_MAXSEG takes */
#define MAX_MSS (9 * 1024) /* iperf3 src/iperf.h, MAX_MSS: what -M takes */

typedef bool ReadExecutor(const TreeNode *node, Scenario *scenario, Traffic *out, GError **error);

/* ------ values ------ */

/* An integer from 1 to `max`; an absent one leaves `out`. */
static bool
read_count(const TreeNode *node, int64_t max, int *out, GError **error)
{
    int64_t count = 0;
    if (node == NULL) {
        return true;
    }
    if (!tree_read_int(node, 1, max, &count, error)) {
        return false;
    }
    *out = (int)count;
    return true;
}

static bool
read_bool(const TreeNode *node, bool *out, GError **error)
{
    return node == NULL || tree_read_bool(node, out, error);
}

/* A number for each `unit`, as a rate per second. */
static bool
read_rate(const TreeNode *node, const char *what, nsec_t unit, bool may_be_zero, double *out,
          GError **error)
{
    double count = 0;
    if (!tree_read_double(node, &count, error)) {
        return false;
    }
    double rate = count / nsec_to_seconds(unit);
    if (rate > MAX_RATE || (rate < MIN_RATE && (rate != 0 || !may_be_zero))) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: found %s; expected %s and at most %g in a second", what, node->text,
                          may_be_zero ? "0 or more" : "more than 0", MAX_RATE);
    }
    *out = rate;
    return true;
}

static bool
read_start_time(const TreeNode *node, const Scenario *scenario, Traffic *out, GError **error)
{
    const TreeNode *start = tree_get(node, "startTime");
    if (start != NULL && !tree_read_duration(start, &out->start_time, error)) {
        return false;
    }
    if (out->start_time >= scenario->duration) {
        g_autofree char *end = nsec_format(scenario->duration);
        return tree_error(error, start, VWIRE_ERROR_INVALID,
                          "startTime: found %s; expected less than the scenario's duration, %s",
                          start->text, end);
    }
    return true;
}

/* Cut where the clock ends. */
static bool
read_duration(const TreeNode *node, Traffic *out, GError **error)
{
    if (!scenario_read_time(tree_get(node, "duration"), "duration", &out->duration, error)) {
        return false;
    }
    out->duration = MIN(out->duration, NSEC_NEVER - out->start_time);
    return true;
}

/* ------ open executors ------ */

/* Users are the iterations under way: k6's word. */
static bool
read_open(const TreeNode *node, Traffic *out, GError **error)
{
    out->max_vus = DEFAULT_MAX_USERS;
    return read_count(tree_get(node, "maxVUs"), MAX_USERS, &out->max_vus, error) &&
           read_bool(tree_get(node, "noConnectionReuse"), &out->new_connections, error);
}

static bool
check_iterations(const TreeNode *at, const char *what, const Scenario *scenario,
                 const Traffic *traffic, GError **error)
{
    double n = traffic_iterations(traffic, scenario->duration - traffic->start_time);
    return n <= MAX_ITERATIONS ||
           tree_error(error, at, VWIRE_ERROR_INVALID,
                      "%s: makes %g iterations; expected at most %g in one entry", what, n,
                      MAX_ITERATIONS);
}

static bool
read_constant_rate(const TreeNode *node, Scenario *scenario, Traffic *out, GError **error)
{
    nsec_t unit = NSEC_PER_SEC;
    const TreeNode *rate = document_require(node, "rate", "the traffic", error);
    return rate != NULL &&
           scenario_read_time(tree_get(node, "timeUnit"), "timeUnit", &unit, error) &&
           read_rate(rate, "rate", unit, false, &out->rate, error) &&
           read_duration(node, out, error) && read_open(node, out, error) &&
           check_iterations(rate, "rate", scenario, out, error);
}

static bool
read_stage(const TreeNode *node, nsec_t unit, TrafficStage *out, GError **error)
{
    static const char *const KEYS[] = {"duration", "target", NULL};
    if (!tree_expect(node, TREE_MAPPING, "stage", error) ||
        !tree_check_keys(node, KEYS, "the stage", error)) {
        return false;
    }
    const TreeNode *duration = document_require(node, "duration", "the stage", error);
    const TreeNode *target =
        duration != NULL ? document_require(node, "target", "the stage", error) : NULL;
    return target != NULL && scenario_read_time(duration, "duration", &out->duration, error) &&
           read_rate(target, "target", unit, true, &out->target, error);
}

static bool
read_stages(const TreeNode *node, nsec_t unit, Traffic *out, GError **error)
{
    bool any = out->rate > 0;
    if (!tree_expect(node, TREE_SEQUENCE, "stages", error)) {
        return false;
    }
    if (tree_size(node) == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "stages: expected at least one");
    }
    out->stages = g_new0(TrafficStage, tree_size(node));
    for (guint i = 0; i < tree_size(node); i++) {
        TrafficStage *stage = &out->stages[out->n_stages++];
        if (!read_stage(tree_item(node, i), unit, stage, error)) {
            return false;
        }
        if (stage->duration > NSEC_NEVER - out->start_time - out->duration) {
            return tree_error(error, tree_item(node, i), VWIRE_ERROR_INVALID,
                              "stages: last too long; expected at most 292 years together");
        }
        out->duration += stage->duration;
        any = any || stage->target > 0;
    }
    return any || tree_error(error, node, VWIRE_ERROR_INVALID,
                             "stages: found no target but 0; expected one above 0");
}

static bool
read_ramping_rate(const TreeNode *node, Scenario *scenario, Traffic *out, GError **error)
{
    nsec_t unit = NSEC_PER_SEC;
    const TreeNode *start = tree_get(node, "startRate");
    const TreeNode *stages = document_require(node, "stages", "the traffic", error);
    if (stages == NULL ||
        !scenario_read_time(tree_get(node, "timeUnit"), "timeUnit", &unit, error) ||
        (start != NULL && !read_rate(start, "startRate", unit, true, &out->rate, error)) ||
        !read_stages(stages, unit, out, error) || !read_open(node, out, error) ||
        !check_iterations(stages, "stages", scenario, out, error)) {
        return false;
    }
    if (out->duration > scenario->duration - out->start_time) {
        g_autofree char *end = nsec_format(out->start_time + out->duration);
        g_autofree char *limit = nsec_format(scenario->duration);
        scenario_warn(scenario, stages, "stages: last until %s; the scenario ends at %s", end,
                      limit);
    }
    return true;
}

/* ------ the others ------ */

static bool
read_users(const TreeNode *node, Scenario *scenario, Traffic *out, GError **error)
{
    const TreeNode *think = tree_get(node, "thinkTime");
    out->vus = 1; /* k6's default */
    return read_count(tree_get(node, "vus"), MAX_USERS, &out->vus, error) &&
           (think == NULL || tree_read_duration(think, &out->think_time, error)) &&
           read_duration(node, out, error) &&
           read_bool(tree_get(node, "noConnectionReuse"), &out->new_connections, error);
}

static bool
read_iperf(const TreeNode *node, Scenario *scenario, Traffic *out, GError **error)
{
    const TreeNode *mss = tree_get(node, "mss");
    out->parallel = 1;
    if (!read_count(tree_get(node, "parallel"), MAX_PARALLEL, &out->parallel, error) ||
        !read_bool(tree_get(node, "reverse"), &out->reverse, error) ||
        (mss != NULL && !tree_read_int(mss, 0, MAX_MSS, &out->mss, error)) ||
        !read_duration(node, out, error)) {
        return false;
    }
    return out->mss == 0 || out->mss >= MIN_MSS ||
           tree_error(error, mss, VWIRE_ERROR_INVALID,
                      "mss: found %s; expected 0 (what the MTU gives) or from %d to %d", mss->text,
                      MIN_MSS, MAX_MSS);
}

static bool
read_video(const TreeNode *node, Scenario *scenario, Traffic *out, GError **error)
{
    return scenario_video_read(node, out, error);
}

/* ------ entries ------ */

#define COMMON_KEYS "executor", "startTime", "flow"
#define OPEN_KEYS "timeUnit", "maxVUs", "noConnectionReuse"

static const char *const executor_keys[][10] = {
    [TRAFFIC_CONSTANT_ARRIVAL_RATE] = {COMMON_KEYS, OPEN_KEYS, "duration", "rate"},
    [TRAFFIC_RAMPING_ARRIVAL_RATE] = {COMMON_KEYS, OPEN_KEYS, "startRate", "stages"},
    [TRAFFIC_CONSTANT_VUS] = {COMMON_KEYS, "duration", "vus", "thinkTime", "noConnectionReuse"},
    [TRAFFIC_IPERF] = {COMMON_KEYS, "duration", "parallel", "reverse", "mss"},
    [TRAFFIC_VIDEO] = {COMMON_KEYS, "file", "compress", "fragment", "renditions", "viewers"},
};

static ReadExecutor *const executor_readers[] = {
    [TRAFFIC_CONSTANT_ARRIVAL_RATE] = read_constant_rate,
    [TRAFFIC_RAMPING_ARRIVAL_RATE] = read_ramping_rate,
    [TRAFFIC_CONSTANT_VUS] = read_users,
    [TRAFFIC_IPERF] = read_iperf,
    [TRAFFIC_VIDEO] = read_video,
};

static bool
read_executor(const TreeNode *node, Traffic *out, GError **error)
{
    const char *text = NULL;
    if (node == NULL || !tree_read_string(node, &text, error)) {
        return false;
    }
    for (int i = 0; i < N_TRAFFIC_EXECUTORS; i++) {
        if (g_str_equal(text, traffic_executor_name((TrafficExecutor)i))) {
            out->executor = (TrafficExecutor)i;
            return true;
        }
    }
    return tree_error(error, node, VWIRE_ERROR_INVALID,
                      "found the executor \"%s\"; expected constant-arrival-rate, "
                      "ramping-arrival-rate, constant-vus, iperf or video",
                      text);
}

/* Keys of the executor that only TCP has. */
static bool
check_echo_keys(const TreeNode *node, const Traffic *traffic, GError **error)
{
    static const char *const REFUSED[] = {"maxVUs", "noConnectionReuse"};
    for (guint i = 0; traffic->protocol == TRAFFIC_ICMP && i < G_N_ELEMENTS(REFUSED); i++) {
        const TreeNode *value = tree_get(node, REFUSED[i]);
        if (value != NULL) {
            return tree_error_mark(error, &value->key_mark, VWIRE_ERROR_INVALID,
                                   "%s: ICMP has none", REFUSED[i]);
        }
    }
    return true;
}

/* Calm time is skipped, and what would have been sent in it with it: only of echoes that come
 * evenly is known how they would have fared (sim/chainwatch.h). */
static bool
check_calm(const TreeNode *node, const Scenario *scenario, const Traffic *traffic, GError **error)
{
    return scenario->fast_forward == 0 || traffic_is_probe(traffic) ||
           tree_error(
               error, node, VWIRE_ERROR_UNSUPPORTED,
               "traffic %s: not together with spec.fastForward, which skips the time that it "
               "would take; only echoes at a constant rate along chains can be counted there",
               traffic->name);
}

static bool
read_entry(const TreeNode *node, const char *name, const Chains *chains, Scenario *scenario,
           Traffic *out, GError **error)
{
    out->name = g_strdup(name);
    out->mark = scenario_mark_of(node);
    if (!tree_expect(node, TREE_MAPPING, name, error) ||
        !read_executor(document_require(node, "executor", "the traffic", error), out, error) ||
        !tree_check_keys(node, executor_keys[out->executor], traffic_executor_name(out->executor),
                         error)) {
        return false;
    }
    const TreeNode *flow = document_require(node, "flow", "the traffic", error);
    return flow != NULL && scenario_flow_read(flow, chains, scenario, out, error) &&
           check_echo_keys(node, out, error) && read_start_time(node, scenario, out, error) &&
           executor_readers[out->executor](node, scenario, out, error) &&
           check_calm(tree_get(node, "executor"), scenario, out, error);
}

bool
scenario_traffic_read(const TreeNode *node, const Chains *chains, Scenario *out, GError **error)
{
    if (scenario_is_empty(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "traffic", error)) {
        return false;
    }
    out->traffic = g_new0(Traffic, tree_size(node));
    for (guint i = 0; i < tree_size(node); i++) {
        if (!read_entry(tree_item(node, i), tree_key(node, i), chains, out,
                        &out->traffic[out->n_traffic++], error)) {
            return false;
        }
    }
    return true;
}

void
scenario_traffic_clear(Scenario *scenario)
{
    for (guint i = 0; i < scenario->n_traffic; i++) {
        traffic_clear(&scenario->traffic[i]);
    }
    g_clear_pointer(&scenario->traffic, g_free);
    scenario->n_traffic = 0;
}
