/* The kubelet.  A Pod's worker is a KubePod; `sync_pod` alone decides what it does next. */
#include "models/k8s/kubelet.h"

#include "models/k8s/api.h"
#include "models/k8s/probe.h"
#include "models/ratelimit.h"

#include <string.h>

/* crash back-off is forgotten after ten good minutes */
#define BACKOFF_RESET (600 * NSEC_PER_SEC)
#define MOUNT_RETRY_FIRST (500 * NSEC_PER_MSEC) /* pkg/volume/util exponential back-off */
#define MOUNT_RETRY_MAX (122 * NSEC_PER_SEC)

/* Tags: Pod uid << 16 | container << 8 | kind. */
enum {
    TAG_WATCH = 1,
    TAG_PLEG,
    TAG_SYNC,
    TAG_VOLUME,
    TAG_VOLUME_RETRY,
    TAG_MOUNTED,
    TAG_SANDBOX,
    TAG_CONTAINER,
    TAG_STOP_CONTAINER,
    TAG_STOP_SANDBOX,
    TAG_BACKOFF,
    TAG_STATUS_GET,
    TAG_STATUS_PATCH,
    TAG_DELETE,
    TAG_PROBE_TICK, /* + which probe */
    TAG_PROBE_TICK_END = TAG_PROBE_TICK + 2,
    TAG_PROBE, /* + which probe */
    TAG_PROBE_END = TAG_PROBE + 2,
};

enum { STARTUP, READINESS, LIVENESS, N_PROBES };

#define POD_STATES(X)                                                                              \
    X(NEW)                                                                                         \
    X(MOUNTING)                                                                                    \
    X(SANDBOX)                                                                                     \
    X(RUNNING)                                                                                     \
    X(TERMINATING)                                                                                 \
    X(GONE)

typedef enum PodState {
#define X(name) STATE_##name,
    POD_STATES(X)
#undef X
} PodState;

typedef struct Container {
    const ContainerSpec *spec;
    ContainerPhase actual; /* as the runtime knows it */
    ContainerPhase known;  /* as of the last relist */
    bool starting;
    bool stopping;
    bool waiting; /* crash back-off */
    int exit_code;
    int known_exit_code;
    int restarts;
    int crashes; /* for the back-off */
    nsec_t started_at;
    nsec_t exited_at;
    Probe probes[N_PROBES];
} Container;

typedef struct KubePod {
    ApiObject *object;
    char *key; /* "namespace/name" */
    char *ip;
    PodState state;
    guint n_init;
    guint n_containers;
    Container *containers; /* init containers first */
    guint n_volumes_pending;
    nsec_t mount_started;
    nsec_t mount_retry;
    bool pleg_changed;
    bool status_queued;
    bool deleting_sent;
    PodStatus sent;  /* what the API server was last told */
    const char *why; /* literal or in `why_text` */
    char *why_text;
} KubePod;

typedef struct Kubelet {
    Machine base;
    char *address;
    guint node_index;
    guint next_ip;
    nsec_t pleg_phase;
    bool pleg_scheduled;
    bool started;
    RandomStream sync_random;
    RateLimit client;
    GHashTable *pods;   /* uid -> KubePod */
    GHashTable *caches; /* "ns/name" of ConfigMaps and Secrets already watched */
    GQueue statuses;    /* uid * of Pods whose status waits to be sent */
    bool status_busy;
} Kubelet;

static void sync_pod(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions);

char *
kubelet_address(const char *node)
{
    return g_strdup_printf("kubelet:%s", node);
}

char *
kubelet_container_address(uint64_t pod_uid, guint container)
{
    return g_strdup_printf("container:%" G_GUINT64_FORMAT "/%u", pod_uid, container);
}

static uint64_t
tag_of(const KubePod *pod, guint container, int kind)
{
    return (pod->object->uid << 16) | ((uint64_t)container << 8) | (uint64_t)kind;
}

static KubePod *
pod_of(Kubelet *kubelet, uint64_t tag)
{
    uint64_t uid = tag >> 16;
    return g_hash_table_lookup(kubelet->pods, &uid);
}

static void
pod_free(void *data)
{
    KubePod *pod = data;
    api_object_unref(pod->object);
    pod_status_clear(&pod->sent);
    g_free(pod->key);
    g_free(pod->ip);
    g_free(pod->containers);
    g_free(pod->why_text);
    g_free(pod);
}

static void
enter(KubePod *pod, PodState state)
{
    pod->state = state;
}

/* ---- status ---- */

static bool
has_finished(const KubePod *pod, guint i)
{
    const Container *c = &pod->containers[i];
    return c->known == CONTAINER_TERMINATED && c->known_exit_code == 0;
}

static bool
is_initialized(const KubePod *pod)
{
    for (guint i = 0; i < pod->n_init; i++) {
        if (!has_finished(pod, i)) {
            return false;
        }
    }
    return true;
}

static bool
is_started(const Container *c)
{
    const Probe *probe = &c->probes[STARTUP];
    return c->known == CONTAINER_RUNNING &&
           (!probe_exists(probe) || probe->verdict == PROBE_PASSED);
}

static bool
is_ready(const Container *c)
{
    const Probe *probe = &c->probes[READINESS];
    return is_started(c) && (!probe_exists(probe) || probe->verdict == PROBE_PASSED);
}

static bool
all_finished(const KubePod *pod)
{
    if (pod->object->pod->restart_always) {
        return false;
    }
    for (guint i = pod->n_init; i < pod->n_containers; i++) {
        bool over = pod->containers[i].known == CONTAINER_TERMINATED;
        if (!over ||
            (pod->containers[i].known_exit_code != 0 && pod->object->pod->restart_on_failure)) {
            return false;
        }
    }
    return true;
}

static const char *
waiting_reason(const KubePod *pod, const Container *c)
{
    if (c->waiting) {
        return "CrashLoopBackOff";
    }
    return is_initialized(pod) || c < pod->containers + pod->n_init ? "ContainerCreating"
                                                                    : "PodInitializing";
}

static void
fill_container(const KubePod *pod, const Container *c, ContainerStatus *out)
{
    out->phase = c->waiting ? CONTAINER_WAITING : c->known;
    out->started = is_started(c);
    out->ready = is_ready(c);
    out->exit_code = c->known_exit_code;
    out->restarts = c->restarts;
    out->started_at = c->started_at;
    out->waiting_reason = out->phase == CONTAINER_WAITING ? waiting_reason(pod, c) : NULL;
}

static void
make_status(const KubePod *pod, PodStatus *out)
{
    memset(out, 0, sizeof *out);
    out->scheduled = true;
    out->sandbox = pod->state == STATE_RUNNING;
    out->initialized = is_initialized(pod);
    out->n_containers = pod->n_containers;
    out->containers = g_new0(ContainerStatus, pod->n_containers);
    out->ready = out->initialized && pod->state == STATE_RUNNING;
    for (guint i = 0; i < pod->n_containers; i++) {
        fill_container(pod, &pod->containers[i], &out->containers[i]);
        if (i >= pod->n_init) {
            out->ready = out->ready && out->containers[i].ready;
        }
    }
    out->finished = all_finished(pod);
    for (guint i = pod->n_init; out->finished && i < pod->n_containers; i++) {
        out->failed = out->failed || pod->containers[i].known_exit_code != 0;
    }
    out->message = g_strdup(pod->why);
}

static bool
same_status(const PodStatus *a, const PodStatus *b)
{
    if (a->n_containers != b->n_containers || a->sandbox != b->sandbox ||
        a->initialized != b->initialized || a->ready != b->ready || a->finished != b->finished ||
        g_strcmp0(a->message, b->message) != 0) {
        return false;
    }
    for (guint i = 0; i < a->n_containers; i++) {
        const ContainerStatus *x = &a->containers[i], *y = &b->containers[i];
        if (x->phase != y->phase || x->started != y->started || x->ready != y->ready ||
            x->restarts != y->restarts || x->waiting_reason != y->waiting_reason) {
            return false;
        }
    }
    return true;
}

static void
api_call(Kubelet *kubelet, uint64_t tag, Message *take_message, nsec_t now, Actions *actions)
{
    Action *call = actions_call(actions, API_ADDRESS, tag, take_message);
    call->flags = CALL_PLAIN;
    call->delay = rate_limit_reserve(&kubelet->client, now);
}

/* The status manager sends one Pod at a time: GET, then PATCH (pkg/kubelet/status). */
static void
send_next_status(Kubelet *kubelet, nsec_t now, Actions *actions)
{
    while (!kubelet->status_busy && !g_queue_is_empty(&kubelet->statuses)) {
        uint64_t *uid = g_queue_pop_head(&kubelet->statuses);
        KubePod *pod = g_hash_table_lookup(kubelet->pods, uid);
        if (pod != NULL) {
            pod->status_queued = false;
            kubelet->status_busy = true;
            api_call(
                kubelet, tag_of(pod, 0, TAG_STATUS_GET),
                &api_query(MESSAGE_API_GET, OBJECT_POD, pod->object->ns, pod->object->name)->base,
                now, actions);
        }
        g_free(uid);
    }
}

static void
update_status(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    PodStatus status;
    make_status(pod, &status);
    bool same = same_status(&status, &pod->sent);
    pod_status_clear(&status);
    if (!same && !pod->status_queued) {
        pod->status_queued = true;
        g_queue_push_tail(&kubelet->statuses,
                          g_memdup2(&pod->object->uid, sizeof pod->object->uid));
        send_next_status(kubelet, now, actions);
    }
}

static void
explain(Kubelet *kubelet, KubePod *pod, char *take_why, nsec_t now, Actions *actions)
{
    g_free(pod->why_text);
    pod->why_text = take_why;
    pod->why = take_why;
    update_status(kubelet, pod, now, actions);
}

static void
on_status_got(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    pod_status_clear(&pod->sent);
    make_status(pod, &pod->sent);
    ApiObject *update = api_object_copy(pod->object);
    pod_status_clear(&update->status);
    pod_status_copy(&pod->sent, &update->status);
    g_free(update->pod_ip);
    update->pod_ip = g_strdup(pod->ip);
    api_call(kubelet, tag_of(pod, 0, TAG_STATUS_PATCH), api_message(MESSAGE_API_STATUS, update),
             now, actions);
}

static void
on_status_sent(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    kubelet->status_busy = false;
    if (pod != NULL) {
        update_status(kubelet, pod, now, actions);
    }
    send_next_status(kubelet, now, actions);
}

/* ---- volumes and sandbox ---- */

static bool
needs_api(const VolumeSpec *volume)
{
    return volume->kind == VOLUME_CONFIG_MAP || volume->kind == VOLUME_SECRET;
}

/* True when the volume must be asked for; ConfigMaps and Secrets are watched once per node
 * (the kubelet's watch-based object caches). */
static bool
ask_for(Kubelet *kubelet, KubePod *pod, guint index, nsec_t now, Actions *actions)
{
    const VolumeSpec *volume = &pod->object->pod->volumes[index];
    if (!needs_api(volume) || volume->source == NULL) {
        return false;
    }
    g_autofree char *key = g_strdup_printf("%s/%s", pod->object->ns, volume->source);
    if (g_hash_table_contains(kubelet->caches, key)) {
        return false;
    }
    ObjectKind kind = volume->kind == VOLUME_SECRET ? OBJECT_SECRET : OBJECT_CONFIG_MAP;
    api_call(kubelet, tag_of(pod, index, TAG_VOLUME),
             &api_query(MESSAGE_API_GET, kind, pod->object->ns, volume->source)->base, now,
             actions);
    return true;
}

#define TOKEN_VOLUME 0xff   /* the projected service account token: a TokenRequest for each Pod */
#define ROOT_CA_VOLUME 0xfe /* and kube-root-ca.crt, once per namespace and node */

static void
mount_volumes(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    enter(pod, STATE_MOUNTING);
    pod->mount_started = now;
    const ApiObject *object = pod->object;
    api_call(kubelet, tag_of(pod, TOKEN_VOLUME, TAG_VOLUME),
             &api_query(MESSAGE_API_GET, OBJECT_SERVICE_ACCOUNT, object->ns,
                        object->pod->service_account)
                  ->base,
             now, actions);
    pod->n_volumes_pending = 1;
    g_autofree char *root_ca = g_strdup_printf("%s/kube-root-ca.crt", object->ns);
    if (!g_hash_table_contains(kubelet->caches, root_ca)) {
        g_hash_table_add(kubelet->caches, g_steal_pointer(&root_ca));
        api_call(
            kubelet, tag_of(pod, ROOT_CA_VOLUME, TAG_VOLUME),
            &api_query(MESSAGE_API_GET, OBJECT_CONFIG_MAP, object->ns, "kube-root-ca.crt")->base,
            now, actions);
        pod->n_volumes_pending++;
    }
    for (guint i = 0; i < object->pod->n_volumes; i++) {
        pod->n_volumes_pending += ask_for(kubelet, pod, i, now, actions);
    }
}

/* All sources are here: the reconciler mounts at its next pass, and the Pod's worker, which polls,
 * sees it at its next poll (volume_manager.go: 100 ms and 300 ms). */
static void
wait_for_mount(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    const Calibration *cal = kubelet->base.info->calibration;
    nsec_t reconcile = calibration_nsec(cal, PARAMETER_KUBELET_RECONCILE);
    nsec_t poll = calibration_nsec(cal, PARAMETER_KUBELET_MOUNT_POLL);
    nsec_t mounted = now + reconcile - now % reconcile;
    nsec_t polls = (mounted - pod->mount_started + poll - 1) / poll;
    actions_timer(actions, tag_of(pod, 0, TAG_MOUNTED), pod->mount_started + polls * poll - now);
}

static void
retry_volume(Kubelet *kubelet, KubePod *pod, guint index, const char *why, nsec_t now,
             Actions *actions)
{
    const VolumeSpec *volume = &pod->object->pod->volumes[index];
    explain(kubelet, pod,
            g_strdup_printf("MountVolume.SetUp failed for volume \"%s\": %s", volume->name, why),
            now, actions);
    pod->mount_retry =
        pod->mount_retry == 0 ? MOUNT_RETRY_FIRST : MIN(2 * pod->mount_retry, MOUNT_RETRY_MAX);
    actions_timer(actions, tag_of(pod, index, TAG_VOLUME_RETRY), pod->mount_retry);
}

static void
on_volume(Kubelet *kubelet, KubePod *pod, const Input *input, Actions *actions)
{
    guint index = (input->tag >> 8) & 0xff;
    const PodSpec *spec = pod->object->pod;
    if (pod->state != STATE_MOUNTING) {
        return;
    }
    if (index < spec->n_volumes) {
        const VolumeSpec *volume = &spec->volumes[index];
        bool found = input_problem(input) == NULL;
        if (!found && !volume->optional) {
            const char *why = input_problem(input);
            retry_volume(kubelet, pod, index, why, input->now, actions);
            return;
        }
        if (found) {
            g_hash_table_add(kubelet->caches,
                             g_strdup_printf("%s/%s", pod->object->ns, volume->source));
        }
    }
    if (--pod->n_volumes_pending == 0) {
        pod->why = NULL;
        wait_for_mount(kubelet, pod, input->now, actions);
    }
}

static RuntimeOp *
runtime_op(Kubelet *kubelet, KubePod *pod, guint container, int tag, RuntimeOpKind kind,
           Actions *actions)
{
    RuntimeOp *op = actions_runtime(actions, tag_of(pod, container, tag), kind);
    op->pod_uid = pod->object->uid;
    op->ns = pod->object->ns;
    op->pod = pod->object->name;
    op->node = kubelet->base.info->node;
    op->pod_ip = pod->ip;
    op->spec = pod->object->pod;
    op->container = container;
    return op;
}

static void
run_sandbox(Kubelet *kubelet, KubePod *pod, Actions *actions)
{
    enter(pod, STATE_SANDBOX);
    actions_trace(actions, TRACE_POD_VOLUMES, pod->key, NULL);
    guint ip = ++kubelet->next_ip;
    pod->ip = pod->object->pod->host_network
                  ? g_strdup(kubelet->base.info->node_ip)
                  : g_strdup_printf("10.%u.%u.%u", 32 + kubelet->node_index / 256 + ip / 254 * 8,
                                    kubelet->node_index % 256, ip % 254 + 1);
    runtime_op(kubelet, pod, 0, TAG_SANDBOX, RUNTIME_RUN_SANDBOX, actions);
}

/* ---- containers ---- */

static void
start_container(Kubelet *kubelet, KubePod *pod, guint i, Actions *actions)
{
    Container *c = &pod->containers[i];
    c->starting = true;
    c->waiting = false;
    runtime_op(kubelet, pod, i, TAG_CONTAINER, RUNTIME_START_CONTAINER, actions);
}

/* computeBackOff: the first restart is at once, the n-th waits 10 s * 2^(n-2). */
static nsec_t
backoff_left(Kubelet *kubelet, Container *c, nsec_t now)
{
    const Calibration *cal = kubelet->base.info->calibration;
    if (c->exited_at - c->started_at > BACKOFF_RESET) {
        c->crashes = 1;
    }
    if (c->crashes < 2) {
        return 0;
    }
    nsec_t first = calibration_nsec(cal, PARAMETER_CRASH_BACKOFF);
    nsec_t max = calibration_nsec(cal, PARAMETER_CRASH_BACKOFF_MAX);
    nsec_t delay = MIN(first << MIN(c->crashes - 2, 20), max);
    return MAX(c->exited_at + delay - now, 0);
}

/* Starts or restarts one container, or waits out its back-off; true when something is under way
 * that later containers must wait for. */
static bool
drive_container(Kubelet *kubelet, KubePod *pod, guint i, nsec_t now, Actions *actions)
{
    Container *c = &pod->containers[i];
    if (c->starting || c->stopping) {
        return true;
    }
    bool unseen = c->known != c->actual; /* the next relist decides */
    if (c->known == CONTAINER_RUNNING || c->waiting || unseen) {
        return false;
    }
    if (c->known == CONTAINER_TERMINATED) {
        bool init = i < pod->n_init;
        bool again = init ? c->known_exit_code != 0
                          : pod->object->pod->restart_always ||
                                (pod->object->pod->restart_on_failure && c->known_exit_code != 0);
        if (!again) {
            return false;
        }
        nsec_t left = backoff_left(kubelet, c, now);
        if (left > 0) {
            c->waiting = true;
            actions_trace(actions, TRACE_CONTAINER_BACKOFF,
                          actions_printf(actions, "%s/%s", pod->key, c->spec->name), NULL);
            actions_timer(actions, tag_of(pod, i, TAG_BACKOFF), left);
            update_status(kubelet, pod, now, actions);
            return false;
        }
        c->restarts++;
    }
    start_container(kubelet, pod, i, actions);
    return true;
}

static void
drive_containers(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    for (guint i = 0; i < pod->n_init; i++) {
        if (!has_finished(pod, i)) {
            drive_container(kubelet, pod, i, now, actions);
            return;
        }
    }
    for (guint i = pod->n_init; i < pod->n_containers; i++) {
        if (drive_container(kubelet, pod, i, now, actions)) {
            return;
        }
    }
}

/* computePodActions: the first unfinished init container alone, then all others in order. */
static void
sync_pod(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    if (pod->state != STATE_RUNNING) {
        return;
    }
    update_status(kubelet, pod, now, actions);
    drive_containers(kubelet, pod, now, actions);
}

static void
schedule_relist(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    pod->pleg_changed = true;
    if (kubelet->pleg_scheduled) {
        return;
    }
    nsec_t period =
        calibration_nsec(kubelet->base.info->calibration, PARAMETER_KUBELET_PLEG_PERIOD);
    nsec_t into = (now - kubelet->pleg_phase) % period;
    kubelet->pleg_scheduled = true;
    actions_timer(actions, TAG_PLEG, period - (into < 0 ? into + period : into));
}

static void
on_container_started(Kubelet *kubelet, KubePod *pod, guint i, const Input *input, Actions *actions)
{
    Container *c = &pod->containers[i];
    c->starting = false;
    if (input->error != NULL) {
        c->actual = c->known = CONTAINER_TERMINATED;
        c->known_exit_code = c->exit_code = 128;
        c->crashes++;
        c->started_at = c->exited_at = input->now;
        schedule_relist(kubelet, pod, input->now, actions);
        explain(kubelet, pod, g_strdup(input->error), input->now, actions);
    } else {
        c->actual = CONTAINER_RUNNING;
        c->known = CONTAINER_WAITING;
        c->started_at = input->now;
        for (int p = 0; p < N_PROBES; p++) {
            probe_reset(&c->probes[p]);
        }
        actions_trace(actions, TRACE_CONTAINER_STARTED,
                      actions_printf(actions, "%s/%s", pod->key, c->spec->name), NULL);
        schedule_relist(kubelet, pod, input->now, actions);
    }
    bool goes_on = pod->state == STATE_RUNNING && i >= pod->n_init;
    for (guint next = pod->n_init; goes_on && next < pod->n_containers; next++) {
        if (drive_container(kubelet, pod, next, input->now, actions)) {
            return;
        }
    }
}

static void finish_termination(Kubelet *kubelet, KubePod *pod, Actions *actions);

static void
on_exited(Kubelet *kubelet, const Input *input, Actions *actions)
{
    KubePod *pod = g_hash_table_lookup(kubelet->pods, &input->pod_uid);
    if (pod == NULL || input->container >= pod->n_containers) {
        return;
    }
    Container *c = &pod->containers[input->container];
    c->actual = CONTAINER_TERMINATED;
    c->stopping = false;
    c->exit_code = input->exit_code;
    c->exited_at = input->now;
    bool planned = input->container < pod->n_init && input->exit_code == 0;
    c->crashes += !planned;
    actions_trace(actions, TRACE_CONTAINER_EXITED,
                  actions_printf(actions, "%s/%s", pod->key, c->spec->name),
                  actions_printf(actions, "%d", input->exit_code));
    if (pod->state == STATE_TERMINATING) {
        finish_termination(kubelet, pod, actions);
    } else {
        schedule_relist(kubelet, pod, input->now, actions);
    }
}

/* ---- probes ---- */

static void
schedule_probe(KubePod *pod, guint i, int which, nsec_t now, Actions *actions)
{
    Container *c = &pod->containers[i];
    Probe *probe = &c->probes[which];
    if (!probe_exists(probe) || probe->ticking) {
        return;
    }
    probe->ticking = true;
    nsec_t tick = probe_next_tick(probe, now, c->started_at);
    actions_timer(actions, tag_of(pod, i, TAG_PROBE_TICK + which), tick - now);
}

static void
schedule_probes(KubePod *pod, guint i, nsec_t now, Actions *actions)
{
    Container *c = &pod->containers[i];
    if (c->known != CONTAINER_RUNNING) {
        return;
    }
    if (!is_started(c)) {
        schedule_probe(pod, i, STARTUP, now, actions);
        return;
    }
    schedule_probe(pod, i, READINESS, now, actions);
    schedule_probe(pod, i, LIVENESS, now, actions);
}

static void
run_probe(KubePod *pod, guint i, int which, Actions *actions)
{
    Probe *probe = &pod->containers[i].probes[which];
    g_autofree char *address = kubelet_container_address(pod->object->uid, i);
    probe->ticking = true;
    Action *call =
        actions_call(actions, actions_string(actions, address), tag_of(pod, i, TAG_PROBE + which),
                     message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    call->timeout = probe->spec->timeout;
    call->flags = CALL_PLAIN;
}

static void
on_probe_tick(KubePod *pod, guint i, int which, Actions *actions)
{
    Container *c = &pod->containers[i];
    c->probes[which].ticking = false;
    bool allowed = which == STARTUP || is_started(c);
    if (pod->state == STATE_RUNNING && c->known == CONTAINER_RUNNING && allowed) {
        run_probe(pod, i, which, actions);
    }
}

static void
kill_container(Kubelet *kubelet, KubePod *pod, guint i, nsec_t grace, Actions *actions)
{
    Container *c = &pod->containers[i];
    if (c->actual == CONTAINER_RUNNING && !c->stopping) {
        c->stopping = true;
        runtime_op(kubelet, pod, i, TAG_STOP_CONTAINER, RUNTIME_STOP_CONTAINER, actions)->grace =
            grace;
    }
}

static void
on_probe_result(Kubelet *kubelet, KubePod *pod, guint i, int which, const Input *input,
                Actions *actions)
{
    Container *c = &pod->containers[i];
    Probe *probe = &c->probes[which];
    probe->ticking = false;
    if (pod->state != STATE_RUNNING || c->known != CONTAINER_RUNNING) {
        return;
    }
    bool ok = input->kind == INPUT_REPLY && input->message->type == MESSAGE_OK;
    bool changed = probe_result(probe, ok);
    if (changed && probe->verdict == PROBE_FAILED && which != READINESS) {
        kill_container(kubelet, pod, i, pod->object->pod->grace_period, actions);
        return;
    }
    if (changed) {
        update_status(kubelet, pod, input->now, actions);
    }
    if (changed && which == STARTUP && probe_exists(&c->probes[READINESS]) &&
        input->now - c->started_at >= c->probes[READINESS].spec->initial_delay) {
        run_probe(pod, i, READINESS, actions); /* manual trigger (worker.go) */
    }
    schedule_probes(pod, i, input->now, actions);
}

/* ---- PLEG ---- */

static int
compare_pods(const void *a, const void *b)
{
    const KubePod *left = *(KubePod *const *)a, *right = *(KubePod *const *)b;
    return left->object->uid < right->object->uid ? -1 : left->object->uid > right->object->uid;
}

static void
relist_pod(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    pod->pleg_changed = false;
    if (pod->state != STATE_RUNNING) {
        return;
    }
    for (guint i = 0; i < pod->n_containers; i++) {
        Container *c = &pod->containers[i];
        c->known = c->actual;
        c->known_exit_code = c->exit_code;
    }
    sync_pod(kubelet, pod, now, actions);
    for (guint i = 0; i < pod->n_containers; i++) {
        schedule_probes(pod, i, now, actions);
    }
}

static void
on_relist(Kubelet *kubelet, nsec_t now, Actions *actions)
{
    kubelet->pleg_scheduled = false;
    g_autoptr(GPtrArray) changed = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, kubelet->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((KubePod *)value)->pleg_changed) {
            g_ptr_array_add(changed, value);
        }
    }
    g_ptr_array_sort(changed, compare_pods);
    for (guint i = 0; i < changed->len; i++) {
        relist_pod(kubelet, g_ptr_array_index(changed, i), now, actions);
    }
}

/* ---- Pods come and go ---- */

static void
init_container(KubePod *pod, guint i, nsec_t now)
{
    const PodSpec *spec = pod->object->pod;
    Container *c = &pod->containers[i];
    c->spec = i < pod->n_init ? &spec->init_containers[i] : &spec->containers[i - pod->n_init];
    probe_init(&c->probes[STARTUP], &c->spec->startup, now);
    probe_init(&c->probes[READINESS], &c->spec->readiness, now);
    probe_init(&c->probes[LIVENESS], &c->spec->liveness, now);
}

static void
add_pod(Kubelet *kubelet, ApiObject *object, Actions *actions)
{
    KubePod *pod = g_new0(KubePod, 1);
    pod->object = api_object_ref(object);
    pod->key = api_object_key(object);
    pod->n_init = object->pod->n_init_containers;
    pod->n_containers = pod->n_init + object->pod->n_containers;
    pod->containers = g_new0(Container, pod->n_containers);
    g_hash_table_insert(kubelet->pods, g_memdup2(&object->uid, sizeof object->uid), pod);
    actions_timer(actions, tag_of(pod, 0, TAG_SYNC),
                  process_draw(kubelet->base.info, PARAMETER_KUBELET_SYNC, &kubelet->sync_random));
}

static void
first_sync(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    if (pod->state != STATE_NEW) {
        return;
    }
    for (guint i = 0; i < pod->n_containers; i++) {
        init_container(pod, i, now);
    }
    update_status(kubelet, pod, now, actions);
    mount_volumes(kubelet, pod, now, actions);
}

static void
finish_termination(Kubelet *kubelet, KubePod *pod, Actions *actions)
{
    for (guint i = 0; i < pod->n_containers; i++) {
        if (pod->containers[i].actual == CONTAINER_RUNNING || pod->containers[i].starting) {
            return;
        }
    }
    runtime_op(kubelet, pod, 0, TAG_STOP_SANDBOX, RUNTIME_STOP_SANDBOX, actions);
}

static void
terminate(Kubelet *kubelet, KubePod *pod, nsec_t grace, Actions *actions)
{
    if (pod->state == STATE_TERMINATING || pod->state == STATE_GONE) {
        return;
    }
    enter(pod, STATE_TERMINATING);
    for (guint i = 0; i < pod->n_containers; i++) {
        kill_container(kubelet, pod, i, grace, actions);
    }
    finish_termination(kubelet, pod, actions);
}

static void
on_sandbox_stopped(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    enter(pod, STATE_GONE);
    ApiQuery *query = api_query(MESSAGE_API_DELETE, OBJECT_POD, pod->object->ns, pod->object->name);
    query->uid = pod->object->uid;
    api_call(kubelet, tag_of(pod, 0, TAG_DELETE), &query->base, now, actions);
}

static void
on_event(Kubelet *kubelet, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    ApiObject *object = event->object;
    KubePod *pod = g_hash_table_lookup(kubelet->pods, &object->uid);
    if (event->type == WATCH_DELETED) {
        if (pod != NULL && pod->state != STATE_GONE) {
            terminate(kubelet, pod, 0, actions);
        }
        return;
    }
    if (pod == NULL) {
        if (!object->deleting && !object->status.finished) {
            add_pod(kubelet, object, actions);
        }
        return;
    }
    if (object->version > pod->object->version) {
        api_object_ref(object);
        api_object_unref(pod->object);
        pod->object = object;
    }
    if (object->deleting) {
        terminate(kubelet, pod, object->grace, actions);
    }
}

static void
answer_attestor(Kubelet *kubelet, const Input *input, Actions *actions)
{
    const KubeletPods *question = (const KubeletPods *)input->message;
    KubePod *pod = g_hash_table_lookup(kubelet->pods, &question->pod_uid);
    bool known = pod != NULL && question->container < pod->n_containers &&
                 pod->containers[question->container].known == CONTAINER_RUNNING;
    actions_reply(actions, input->call,
                  known ? message_ok() : message_error("container id not in any pod status"));
}

/* ---- inputs ---- */

static void
on_start(Kubelet *kubelet, const Input *input, Actions *actions)
{
    const ProcessInfo *info = kubelet->base.info;
    RandomStream random;
    process_random(info, "pleg-phase", &random);
    nsec_t period = calibration_nsec(info->calibration, PARAMETER_KUBELET_PLEG_PERIOD);
    kubelet->pleg_phase = input->now + (nsec_t)(random_uniform(&random) * (double)period);
    ApiQuery *query = api_query(MESSAGE_API_WATCH, OBJECT_POD, NULL, NULL);
    query->node = g_strdup(info->node);
    actions_open(actions, API_ADDRESS, TAG_WATCH, query)->flags = CALL_PLAIN;
    actions_listen(actions, kubelet->address);
}

static void
on_tagged(Kubelet *kubelet, KubePod *pod, const Input *input, Actions *actions)
{
    int kind = (int)(input->tag & 0xff);
    guint i = (input->tag >> 8) & 0xff;
    switch (kind) {
    case TAG_SYNC:
        first_sync(kubelet, pod, input->now, actions);
        break;
    case TAG_VOLUME:
        on_volume(kubelet, pod, input, actions);
        break;
    case TAG_VOLUME_RETRY:
        if (pod->state == STATE_MOUNTING && !ask_for(kubelet, pod, i, input->now, actions) &&
            --pod->n_volumes_pending == 0) {
            pod->why = NULL;
            wait_for_mount(kubelet, pod, input->now, actions);
        }
        break;
    case TAG_MOUNTED:
        if (pod->state == STATE_MOUNTING) {
            run_sandbox(kubelet, pod, actions);
        }
        break;
    case TAG_SANDBOX:
        if (pod->state == STATE_SANDBOX) {
            enter(pod, STATE_RUNNING);
            actions_trace(actions, TRACE_POD_SANDBOX, pod->key, pod->ip);
            sync_pod(kubelet, pod, input->now, actions);
        }
        break;
    case TAG_CONTAINER:
        on_container_started(kubelet, pod, i, input, actions);
        if (pod->state == STATE_TERMINATING) {
            kill_container(kubelet, pod, i, pod->object->grace, actions);
            finish_termination(kubelet, pod, actions);
        }
        break;
    case TAG_STOP_SANDBOX:
        on_sandbox_stopped(kubelet, pod, input->now, actions);
        break;
    case TAG_BACKOFF:
        pod->containers[i].waiting = false;
        sync_pod(kubelet, pod, input->now, actions);
        break;
    case TAG_STATUS_GET:
        on_status_got(kubelet, pod, input->now, actions);
        break;
    case TAG_STATUS_PATCH:
        on_status_sent(kubelet, pod, input->now, actions);
        break;
    case TAG_DELETE:
        g_hash_table_remove(kubelet->pods, &pod->object->uid);
        break;
    default:
        if (kind >= TAG_PROBE_TICK && kind <= TAG_PROBE_TICK_END) {
            on_probe_tick(pod, i, kind - TAG_PROBE_TICK, actions);
        } else if (kind >= TAG_PROBE && kind <= TAG_PROBE_END) {
            on_probe_result(kubelet, pod, i, kind - TAG_PROBE, input, actions);
        }
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Kubelet *kubelet = (Kubelet *)machine;
    switch (input->kind) {
    case INPUT_START:
        on_start(kubelet, input, actions);
        break;
    case INPUT_REQUEST:
        answer_attestor(kubelet, input, actions);
        break;
    case INPUT_EVENT:
        on_event(kubelet, input, actions);
        break;
    case INPUT_EXITED:
        on_exited(kubelet, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
    case INPUT_TIMER:
    case INPUT_RUNTIME: {
        KubePod *pod = pod_of(kubelet, input->tag);
        if (input->tag == TAG_PLEG) {
            on_relist(kubelet, input->now, actions);
        } else if (pod != NULL) {
            on_tagged(kubelet, pod, input, actions);
        } else if ((input->tag & 0xff) == TAG_STATUS_GET ||
                   (input->tag & 0xff) == TAG_STATUS_PATCH) {
            on_status_sent(kubelet, NULL, input->now, actions);
        }
        break;
    }
    case INPUT_CANCELLED:
    case INPUT_OPENED:
    case INPUT_CLOSED:
    case INPUT_WORK:
    case INPUT_DATAPLANE:
    case INPUT_FOUND:
    case INPUT_INJECTED:
    case INPUT_STOP:
        break;
    }
}

static void
kubelet_free(Machine *machine)
{
    Kubelet *kubelet = (Kubelet *)machine;
    g_queue_clear_full(&kubelet->statuses, g_free);
    g_hash_table_unref(kubelet->pods);
    g_hash_table_unref(kubelet->caches);
    g_free(kubelet->address);
    g_free(kubelet);
}

static const MachineClass kubelet_class = {COMPONENT_KUBELET, step, kubelet_free};

Machine *
kubelet_new(const ProcessInfo *info, guint node_index)
{
    Kubelet *kubelet = g_new0(Kubelet, 1);
    kubelet->base.class = &kubelet_class;
    kubelet->base.info = info;
    kubelet->node_index = node_index;
    kubelet->address = kubelet_address(info->node);
    process_random(info, "sync", &kubelet->sync_random);
    rate_limit_init(&kubelet->client, calibration_number(info->calibration, PARAMETER_KUBELET_QPS),
                    calibration_number(info->calibration, PARAMETER_KUBELET_BURST));
    g_queue_init(&kubelet->statuses);
    kubelet->pods = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, pod_free);
    kubelet->caches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return &kubelet->base;
}
