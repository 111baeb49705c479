/* The kubelet.  A Pod's worker is a KubePod; `sync_pod` alone decides what it does next. */
#include "models/k8s/kubelet.h"

#include "models/k8s/api.h"
#include "models/k8s/informer.h"
#include "models/k8s/probe.h"
#include "models/k8s/status.h"
#include "models/ratelimit.h"

#include <stdio.h>
#include <string.h>

/* crash back-off is forgotten after ten good minutes */
#define BACKOFF_RESET (600 * NSEC_PER_SEC)
#define MOUNT_RETRY_FIRST (500 * NSEC_PER_MSEC) /* pkg/volume/util exponential back-off */
#define MOUNT_RETRY_MAX (122 * NSEC_PER_SEC)
#define SYNC_RETRY (10 * NSEC_PER_SEC)   /* backOffPeriod, and up to a half more: pod_workers.go */
#define DELETE_RETRY (10 * NSEC_PER_SEC) /* the status manager's next batch */
#define MIN_GRACE NSEC_PER_SEC           /* pod_workers.go calculateEffectiveGracePeriod */
#define ORPHAN_GRACE (30 * NSEC_PER_SEC) /* a container's label says its Pod's; most say this */
#define CALL_LOST (45 * NSEC_PER_SEC)    /* HTTP/2 health check of client-go: 30 s and 15 s */
#define N_ADDRESSES (254u * 27u)         /* of a node's Pods */

/* Tags: Pod uid << 16 | container << 8 | kind. */
enum {
    TAG_WATCH = 1,
    TAG_PLEG,
    TAG_LIST,
    TAG_NODE,
    TAG_LEASE,
    TAG_SYNC,
    TAG_VOLUME,
    TAG_VOLUME_RETRY,
    TAG_MOUNTED,
    TAG_SANDBOX,
    TAG_SANDBOX_RETRY,
    TAG_CONTAINER,
    TAG_STOP_CONTAINER,
    TAG_STOP_SANDBOX,
    TAG_BACKOFF,
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
    bool waiting;  /* crash back-off */
    bool replaced; /* it is stopped because its image has changed: started again in any case */
    bool paused;   /* what it was started with */
    bool ran;      /* before its node went down: its next start is a restart */
    int exit_code;
    int known_exit_code;
    const char *exit_reason; /* literal; NULL: it has not ended */
    const char *known_exit_reason;
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
    nsec_t grace; /* TERMINATING: what its containers have been given */
    bool pleg_changed;
    bool sandbox_pending; /* the runtime is making it */
    char *why;            /* why it does not go on; NULL: it does */
} KubePod;

/* What ran of a Pod before this process began: bits of containers. */
typedef struct Found {
    uint64_t running;
    uint64_t paused;
    char *ip; /* of its sandbox; NULL: none was found */
} Found;

typedef struct Kubelet {
    Machine base;
    char *address;
    guint node_index;
    guint next_ip;
    nsec_t pleg_phase;
    bool pleg_scheduled;
    bool started;
    RandomStream sync_random;
    RandomStream retry_random;
    RateLimit client;
    Informer watched;
    StatusManager statuses;
    GHashTable *pods;   /* uid -> KubePod */
    GHashTable *caches; /* "kind/ns/name" of ConfigMaps and Secrets already watched */
    GHashTable *found;  /* uid -> Found: containers that ran before this process began */
    bool renewing;      /* a renewal of the lease is under way */
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
    g_free(pod->key);
    g_free(pod->ip);
    g_free(pod->containers);
    g_free(pod->why);
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

/* restartPolicy Never: an init container that fails fails its Pod (computePodActions). */
static bool
init_failed(const KubePod *pod)
{
    const PodSpec *spec = pod->object->pod;
    for (guint i = 0; i < pod->n_init && !spec->restart_always && !spec->restart_on_failure; i++) {
        const Container *c = &pod->containers[i];
        if (c->known == CONTAINER_TERMINATED && c->known_exit_code != 0) {
            return true;
        }
    }
    return false;
}

static bool
all_finished(const KubePod *pod)
{
    if (pod->object->pod->restart_always) {
        return false;
    }
    if (init_failed(pod)) {
        return true;
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
    out->exit_reason = c->known_exit_reason;
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
    out->failed = init_failed(pod);
    for (guint i = pod->n_init; out->finished && i < pod->n_containers; i++) {
        out->failed = out->failed || pod->containers[i].known_exit_code != 0;
    }
    out->message = g_strdup(pod->why);
}

static void
api_call(Kubelet *kubelet, uint64_t tag, Message *take_message, nsec_t now, Actions *actions)
{
    Action *call = actions_call(actions, API_ADDRESS, tag, take_message);
    call->flags = CALL_PLAIN;
    call->timeout = CALL_LOST;
    call->delay = rate_limit_reserve(&kubelet->client, now);
}

static void
update_status(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    PodStatus status;
    make_status(pod, &status);
    status_manager_set(&kubelet->statuses, pod->object, pod->ip, &status, now, actions);
}

static void
explain(Kubelet *kubelet, KubePod *pod, char *take_why, nsec_t now, Actions *actions)
{
    g_free(pod->why);
    pod->why = take_why;
    update_status(kubelet, pod, now, actions);
}

/* ---- volumes and sandbox ---- */

static bool
needs_api(const VolumeSpec *volume)
{
    return volume->kind == VOLUME_CONFIG_MAP || volume->kind == VOLUME_SECRET;
}

static char *
cache_key(const ApiObject *pod, const VolumeSpec *volume)
{
    return g_strdup_printf("%d/%s/%s", (int)volume->kind, pod->ns, volume->source);
}

/* Whether an earlier volume of the Pod shows the same source: it is asked for once. */
static bool
is_repeated(const PodSpec *spec, guint index)
{
    const VolumeSpec *volume = &spec->volumes[index];
    for (guint i = 0; i < index; i++) {
        const VolumeSpec *other = &spec->volumes[i];
        if (other->kind == volume->kind && other->optional == volume->optional &&
            g_strcmp0(other->source, volume->source) == 0) {
            return true;
        }
    }
    return false;
}

/* True when the volume must be asked for; ConfigMaps and Secrets are watched once per node
 * (the kubelet's watch-based object caches). */
static bool
ask_for(Kubelet *kubelet, KubePod *pod, guint index, nsec_t now, Actions *actions)
{
    const VolumeSpec *volume = &pod->object->pod->volumes[index];
    if (!needs_api(volume) || volume->source == NULL || is_repeated(pod->object->pod, index)) {
        return false;
    }
    g_autofree char *key = cache_key(pod->object, volume);
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
ask_for_token(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    const ApiObject *object = pod->object;
    api_call(kubelet, tag_of(pod, TOKEN_VOLUME, TAG_VOLUME),
             &api_query(MESSAGE_API_GET, OBJECT_SERVICE_ACCOUNT, object->ns,
                        object->pod->service_account)
                  ->base,
             now, actions);
}

static void
ask_for_root_ca(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    api_call(
        kubelet, tag_of(pod, ROOT_CA_VOLUME, TAG_VOLUME),
        &api_query(MESSAGE_API_GET, OBJECT_CONFIG_MAP, pod->object->ns, "kube-root-ca.crt")->base,
        now, actions);
}

static void
mount_volumes(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    enter(pod, STATE_MOUNTING);
    pod->mount_started = now;
    const ApiObject *object = pod->object;
    ask_for_token(kubelet, pod, now, actions);
    pod->n_volumes_pending = 1;
    g_autofree char *root_ca = g_strdup_printf("%s/kube-root-ca.crt", object->ns);
    if (!g_hash_table_contains(kubelet->caches, root_ca)) {
        g_hash_table_add(kubelet->caches, g_steal_pointer(&root_ca));
        ask_for_root_ca(kubelet, pod, now, actions);
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
    const PodSpec *spec = pod->object->pod;
    bool own = index < spec->n_volumes;
    if (own || pod->why == NULL) { /* the Pod's own volumes say more than its token */
        const char *name = own ? spec->volumes[index].name : "kube-api-access";
        explain(kubelet, pod,
                g_strdup_printf("MountVolume.SetUp failed for volume \"%s\": %s", name, why), now,
                actions);
    }
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
    bool lost = index >= spec->n_volumes && input->kind == INPUT_FAILURE;
    if (lost) {
        retry_volume(kubelet, pod, index, input_problem(input), input->now, actions);
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
            g_hash_table_add(kubelet->caches, cache_key(pod->object, volume));
        }
    }
    if (--pod->n_volumes_pending == 0) {
        g_clear_pointer(&pod->why, g_free);
        wait_for_mount(kubelet, pod, input->now, actions);
    }
}

/* It may have come with another Pod meanwhile. */
static void
ask_again(Kubelet *kubelet, KubePod *pod, guint index, nsec_t now, Actions *actions)
{
    if (pod->state != STATE_MOUNTING) {
        return;
    }
    if (index == TOKEN_VOLUME) {
        ask_for_token(kubelet, pod, now, actions);
    } else if (index == ROOT_CA_VOLUME) {
        ask_for_root_ca(kubelet, pod, now, actions);
    } else if (!ask_for(kubelet, pod, index, now, actions) && --pod->n_volumes_pending == 0) {
        g_clear_pointer(&pod->why, g_free);
        wait_for_mount(kubelet, pod, now, actions);
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

static char *
address_number(const Kubelet *kubelet, guint n)
{
    return g_strdup_printf("10.%u.%u.%u", 32 + kubelet->node_index / 256 + n / 254 * 8,
                           kubelet->node_index % 256, n % 254 + 1);
}

static bool
is_taken(const Kubelet *kubelet, const char *ip)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, kubelet->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const KubePod *pod = value;
        if (g_strcmp0(pod->ip, ip) == 0 || g_strcmp0(pod->object->pod_ip, ip) == 0) {
            return true;
        }
    }
    return false;
}

/* CNI host-local: the next address after the last one given that no Pod has. */
static char *
next_address(Kubelet *kubelet)
{
    char *ip = NULL;
    do {
        g_free(ip);
        kubelet->next_ip = kubelet->next_ip % (N_ADDRESSES - 1) + 1;
        ip = address_number(kubelet, kubelet->next_ip);
    } while (is_taken(kubelet, ip));
    return ip;
}

/* host-local keeps the last address given on the node's disk: a kubelet that begins goes on after
 * those that it sees. */
static void
note_address(Kubelet *kubelet, const char *ip)
{
    guint high = 0, node = 0, low = 0;
    bool pods = ip != NULL && sscanf(ip, "10.%u.%u.%u", &high, &node, &low) == 3;
    guint first = 32 + kubelet->node_index / 256;
    if (pods && node == kubelet->node_index % 256 && high >= first && (high - first) % 8 == 0 &&
        low > 0) {
        kubelet->next_ip = MAX(kubelet->next_ip, (high - first) / 8 * 254 + low - 1);
    }
}

static void
run_sandbox(Kubelet *kubelet, KubePod *pod, Actions *actions)
{
    enter(pod, STATE_SANDBOX);
    if (pod->ip == NULL) {
        pod->ip = pod->object->pod->host_network ? g_strdup(kubelet->base.info->node_ip)
                                                 : next_address(kubelet);
    }
    pod->sandbox_pending = true;
    runtime_op(kubelet, pod, 0, TAG_SANDBOX, RUNTIME_RUN_SANDBOX, actions);
}

static void finish_termination(Kubelet *kubelet, KubePod *pod, Actions *actions);

/* A sandbox that could not be made is made again when the Pod is synced again. */
static void
on_sandbox(Kubelet *kubelet, KubePod *pod, const Input *input, Actions *actions)
{
    pod->sandbox_pending = false;
    if (pod->state == STATE_TERMINATING) {
        finish_termination(kubelet, pod, actions);
    } else if (input->error != NULL) {
        explain(kubelet, pod, g_strdup_printf("Failed to create pod sandbox: %s", input->error),
                input->now, actions);
        double jitter = 1 + 0.5 * random_uniform(&kubelet->retry_random);
        actions_timer(actions, tag_of(pod, 0, TAG_SANDBOX_RETRY),
                      (nsec_t)(jitter * (double)SYNC_RETRY));
    } else {
        enter(pod, STATE_RUNNING);
        g_clear_pointer(&pod->why, g_free);
        actions_trace(actions, TRACE_POD_SANDBOX, pod->key, pod->ip);
        sync_pod(kubelet, pod, input->now, actions);
    }
}

/* ---- containers ---- */

static void
start_container(Kubelet *kubelet, KubePod *pod, guint i, Actions *actions)
{
    Container *c = &pod->containers[i];
    c->starting = true;
    c->waiting = c->replaced = c->ran = false;
    c->paused = pod->object->paused && i >= pod->n_init;
    runtime_op(kubelet, pod, i, TAG_CONTAINER, RUNTIME_START_CONTAINER, actions)->paused =
        c->paused;
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

/* computePodActions: a container of another image is replaced whatever the restart policy says. */
static bool
must_restart(const KubePod *pod, guint i)
{
    const Container *c = &pod->containers[i];
    const PodSpec *spec = pod->object->pod;
    bool failed = c->known_exit_code != 0;
    bool always = i >= pod->n_init && spec->restart_always;
    return c->replaced || always || (failed && (spec->restart_always || spec->restart_on_failure));
}

static void
wait_out(Kubelet *kubelet, KubePod *pod, guint i, nsec_t left, nsec_t now, Actions *actions)
{
    Container *c = &pod->containers[i];
    c->waiting = true;
    actions_trace(actions, TRACE_CONTAINER_BACKOFF,
                  actions_printf(actions, "%s/%s", pod->key, c->spec->name), NULL);
    actions_timer(actions, tag_of(pod, i, TAG_BACKOFF), left);
    update_status(kubelet, pod, now, actions);
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
        if (!must_restart(pod, i)) {
            return false;
        }
        nsec_t left = backoff_left(kubelet, c, now);
        if (left > 0) {
            wait_out(kubelet, pod, i, left, now, actions);
            return false;
        }
    }
    c->restarts += c->known == CONTAINER_TERMINATED || c->ran;
    start_container(kubelet, pod, i, actions);
    return true;
}

static void kill_container(Kubelet *kubelet, KubePod *pod, guint i, nsec_t grace, Actions *actions);

/* Containers whose image is not the wanted one any more are stopped, all at once. */
static void
replace_containers(Kubelet *kubelet, KubePod *pod, Actions *actions)
{
    for (guint i = pod->n_init; i < pod->n_containers; i++) {
        Container *c = &pod->containers[i];
        if (c->actual == CONTAINER_RUNNING && c->paused != pod->object->paused && !c->stopping) {
            c->replaced = true;
            kill_container(kubelet, pod, i, pod->object->pod->grace_period, actions);
        }
    }
}

static void
drive_containers(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    replace_containers(kubelet, pod, actions);
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
        c->known_exit_reason = c->exit_reason = "StartError";
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

static const char *
exit_reason(const Input *input)
{
    return g_strcmp0(input->error, "OOMKilled") == 0 ? "OOMKilled"
           : input->exit_code == 0                   ? "Completed"
                                                     : "Error";
}

static void
found_free(void *data)
{
    Found *found = data;
    g_free(found->ip);
    g_free(found);
}

/* What was found running at the start and has ended since. */
static void
forget_found(Kubelet *kubelet, uint64_t uid, guint container)
{
    Found *found = g_hash_table_lookup(kubelet->found, &uid);
    if (found != NULL) {
        found->running &= ~(UINT64_C(1) << container);
    }
}

static void
on_exited(Kubelet *kubelet, const Input *input, Actions *actions)
{
    KubePod *pod = g_hash_table_lookup(kubelet->pods, &input->pod_uid);
    forget_found(kubelet, input->pod_uid, input->container);
    if (pod == NULL || pod->state == STATE_NEW || input->container >= pod->n_containers) {
        return;
    }
    Container *c = &pod->containers[input->container];
    c->actual = CONTAINER_TERMINATED;
    c->stopping = false;
    c->exit_code = input->exit_code;
    c->exit_reason = exit_reason(input);
    c->exited_at = input->now;
    bool planned = c->replaced || (input->container < pod->n_init && input->exit_code == 0);
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
        c->known_exit_reason = c->exit_reason;
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

static KubePod *
add_pod(Kubelet *kubelet, ApiObject *object)
{
    KubePod *pod = g_new0(KubePod, 1);
    pod->object = api_object_ref(object);
    pod->key = api_object_key(object);
    pod->n_init = object->pod->n_init_containers;
    pod->n_containers = pod->n_init + object->pod->n_containers;
    pod->containers = g_new0(Container, pod->n_containers);
    g_hash_table_insert(kubelet->pods, g_memdup2(&object->uid, sizeof object->uid), pod);
    if (!object->pod->host_network) {
        note_address(kubelet, object->pod_ip);
    }
    return pod;
}

/* What an earlier kubelet has told of a container: its restarts count on. */
static void
recall(KubePod *pod, guint i)
{
    const PodStatus *status = &pod->object->status;
    if (i >= status->n_containers) {
        return;
    }
    Container *c = &pod->containers[i];
    c->restarts = status->containers[i].restarts;
    c->started_at = status->containers[i].started_at;
    c->exit_reason = c->known_exit_reason = status->containers[i].exit_reason;
    c->ran = c->started_at > 0;
}

static void
adopt_container(KubePod *pod, guint i, const Found *found, bool initialized, nsec_t now)
{
    bool running = (found->running >> i & 1) != 0;
    Container *c = &pod->containers[i];
    const PodStatus *status = &pod->object->status;
    bool ended = i < status->n_containers && status->containers[i].phase == CONTAINER_TERMINATED;
    if (running) { /* perhaps not with the image that the Pod wants now */
        c->paused = (found->paused >> i & 1) != 0;
        c->actual = c->known = CONTAINER_RUNNING;
        c->started_at = c->ran ? c->started_at : now;
    } else if (c->ran || (i < pod->n_init && initialized)) { /* it ended while nobody looked */
        c->actual = c->known = CONTAINER_TERMINATED;
        c->exit_code = ended ? status->containers[i].exit_code : 137;
        c->exit_code = i < pod->n_init && initialized ? 0 : c->exit_code;
        c->known_exit_code = c->exit_code;
        c->exited_at = now;
    }
    c->ran = false;
}

/* A kubelet that begins takes over what runs: the sandbox and its address stay, probes begin anew
 * (workers live in the process), nothing is left of the back-off. */
static void
adopt(Kubelet *kubelet, KubePod *pod, const Found *found, nsec_t now)
{
    bool initialized = pod->object->status.initialized || (found->running >> pod->n_init) != 0;
    for (guint i = 0; i < pod->n_containers; i++) {
        adopt_container(pod, i, found, initialized, now);
    }
    pod->ip = found->ip != NULL                ? g_strdup(found->ip)
              : pod->object->pod_ip != NULL    ? g_strdup(pod->object->pod_ip)
              : pod->object->pod->host_network ? g_strdup(kubelet->base.info->node_ip)
                                               : next_address(kubelet);
    enter(pod, STATE_RUNNING);
}

/* What runs of a Pod since before this process began, taken from the list. */
static Found /* its `ip` is the caller's */
take_found(Kubelet *kubelet, uint64_t uid)
{
    const Found *known = g_hash_table_lookup(kubelet->found, &uid);
    Found found = known != NULL ? *known : (Found){0};
    found.ip = g_strdup(found.ip);
    g_hash_table_remove(kubelet->found, &uid);
    return found;
}

/* Fills in the containers; true when something of the Pod runs already. */
static bool
begin_worker(Kubelet *kubelet, KubePod *pod, nsec_t now)
{
    for (guint i = 0; i < pod->n_containers; i++) {
        init_container(pod, i, now);
        recall(pod, i);
    }
    Found found = take_found(kubelet, pod->object->uid);
    g_autofree char *ip = found.ip;
    bool is_there = found.running != 0 || ip != NULL; /* its containers may have ended meanwhile */
    if (is_there) {
        adopt(kubelet, pod, &found, now);
    }
    return is_there;
}

static void
first_sync(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    if (pod->state != STATE_NEW) {
        return;
    }
    if (!begin_worker(kubelet, pod, now)) {
        update_status(kubelet, pod, now, actions);
        mount_volumes(kubelet, pod, now, actions);
        return;
    }
    sync_pod(kubelet, pod, now, actions);
    for (guint i = 0; i < pod->n_containers; i++) {
        schedule_probes(pod, i, now, actions);
    }
}

static void
finish_termination(Kubelet *kubelet, KubePod *pod, Actions *actions)
{
    for (guint i = 0; i < pod->n_containers; i++) {
        if (pod->containers[i].actual == CONTAINER_RUNNING || pod->containers[i].starting) {
            return;
        }
    }
    if (!pod->sandbox_pending) {
        runtime_op(kubelet, pod, 0, TAG_STOP_SANDBOX, RUNTIME_STOP_SANDBOX, actions);
    }
}

/* A grace period only gets shorter (pod_workers.go calculateEffectiveGracePeriod). */
static void
shorten_termination(Kubelet *kubelet, KubePod *pod, nsec_t grace, Actions *actions)
{
    if (grace >= pod->grace) {
        return;
    }
    pod->grace = grace;
    for (guint i = 0; i < pod->n_containers; i++) {
        pod->containers[i].stopping = false;
        kill_container(kubelet, pod, i, grace, actions);
    }
}

static void
terminate(Kubelet *kubelet, KubePod *pod, nsec_t wanted_grace, nsec_t now, Actions *actions)
{
    nsec_t grace = MAX(wanted_grace, MIN_GRACE);
    if (pod->state == STATE_NEW) {
        begin_worker(kubelet, pod, now);
    }
    if (pod->state == STATE_TERMINATING) {
        shorten_termination(kubelet, pod, grace, actions);
    }
    if (pod->state == STATE_TERMINATING || pod->state == STATE_GONE) {
        return;
    }
    enter(pod, STATE_TERMINATING);
    pod->grace = grace;
    for (guint i = 0; i < pod->n_containers; i++) {
        kill_container(kubelet, pod, i, grace, actions);
    }
    finish_termination(kubelet, pod, actions);
}

static void
delete_pod(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    enter(pod, STATE_GONE);
    ApiQuery *query = api_query(MESSAGE_API_DELETE, OBJECT_POD, pod->object->ns, pod->object->name);
    query->uid = pod->object->uid;
    api_call(kubelet, tag_of(pod, 0, TAG_DELETE), &query->base, now, actions);
}

/* The answer to it, or the time to ask again. */
static void
on_delete(Kubelet *kubelet, KubePod *pod, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_TIMER) {
        delete_pod(kubelet, pod, input->now, actions);
    } else if (input->kind == INPUT_FAILURE) {
        actions_timer(actions, tag_of(pod, 0, TAG_DELETE), DELETE_RETRY);
    } else {
        status_manager_forget(&kubelet->statuses, pod->object->uid);
        g_hash_table_remove(kubelet->pods, &pod->object->uid);
    }
}

/* A Pod that was to be deleted while no kubelet was here: what runs of it is stopped. */
static void
finish_deletion(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    if (begin_worker(kubelet, pod, now)) {
        terminate(kubelet, pod, pod->object->grace, now, actions);
    } else {
        delete_pod(kubelet, pod, now, actions);
    }
}

static void
on_new_pod(Kubelet *kubelet, ApiObject *object, nsec_t now, Actions *actions)
{
    KubePod *pod = add_pod(kubelet, object);
    if (object->deleting) {
        finish_deletion(kubelet, pod, now, actions);
        return;
    }
    actions_timer(actions, tag_of(pod, 0, TAG_SYNC),
                  process_draw(kubelet->base.info, PARAMETER_KUBELET_SYNC, &kubelet->sync_random));
}

/* The image of the Pod's containers has changed: their back-off begins anew, for its key holds the
 * container's hash (util.go getStableKey). */
static void
on_paused(Kubelet *kubelet, KubePod *pod, nsec_t now, Actions *actions)
{
    for (guint i = pod->n_init; i < pod->n_containers; i++) {
        Container *c = &pod->containers[i];
        c->crashes = 0;
        if (c->waiting) {
            c->waiting = false;
            actions_stop_timer(actions, tag_of(pod, i, TAG_BACKOFF));
        }
    }
    sync_pod(kubelet, pod, now, actions);
}

static void
on_news(Kubelet *kubelet, KubePod *pod, ApiObject *object, nsec_t now, Actions *actions)
{
    bool paused = pod->object->paused;
    if (object->version > pod->object->version) {
        api_object_ref(object);
        api_object_unref(pod->object);
        pod->object = object;
        status_manager_note(&kubelet->statuses, object, now, actions);
    }
    if (object->deleting) {
        terminate(kubelet, pod, object->grace, now, actions);
    } else if (pod->object->paused != paused) {
        on_paused(kubelet, pod, now, actions);
    }
}

static void
handle(Kubelet *kubelet, const ApiEvent *event, bool is_new, nsec_t now, Actions *actions)
{
    ApiObject *object = event->object;
    KubePod *pod = g_hash_table_lookup(kubelet->pods, &object->uid);
    if (event->type == WATCH_DELETED) {
        if (pod != NULL) { /* forced */
            terminate(kubelet, pod, 0, now, actions);
        }
    } else if (pod != NULL) {
        on_news(kubelet, pod, object, now, actions);
    } else if (is_new && !object->status.finished) {
        on_new_pod(kubelet, object, now, actions);
    }
}

/* ---- a kubelet begins ---- */

static void
on_found(Kubelet *kubelet, const Input *input)
{
    Found *found = g_hash_table_lookup(kubelet->found, &input->pod_uid);
    if (found == NULL) {
        found = g_new0(Found, 1);
        g_hash_table_insert(kubelet->found, g_memdup2(&input->pod_uid, sizeof input->pod_uid),
                            found);
    }
    if (input->ip != NULL) {
        found->ip = g_strdup(input->ip);
        return;
    }
    found->running |= UINT64_C(1) << input->container;
    found->paused |= (uint64_t)input->paused << input->container;
}

static int
compare_uid(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* HandlePodCleanups: what runs and belongs to no Pod of this node is stopped.  Its name is not
 * known any more, its sandbox's neither. */
static void
stop_orphans(Kubelet *kubelet, Actions *actions)
{
    g_autoptr(GArray) orphans = g_array_new(false, false, sizeof(uint64_t));
    GHashTableIter iter;
    void *uid;
    g_hash_table_iter_init(&iter, kubelet->found);
    while (g_hash_table_iter_next(&iter, &uid, NULL)) {
        if (!g_hash_table_contains(kubelet->pods, uid)) {
            g_array_append_vals(orphans, uid, 1);
        }
    }
    g_array_sort(orphans, compare_uid);
    for (guint i = 0; i < orphans->len; i++) {
        uint64_t orphan = g_array_index(orphans, uint64_t, i);
        Found found = take_found(kubelet, orphan);
        g_autofree char *ip = found.ip;
        uint64_t running = found.running;
        for (guint k = 0; running >> k != 0; k++) {
            if ((running >> k & 1) != 0) {
                uint64_t tag = orphan << 16 | (uint64_t)k << 8 | TAG_STOP_CONTAINER;
                RuntimeOp *op = actions_runtime(actions, tag, RUNTIME_STOP_CONTAINER);
                *op = (RuntimeOp){.kind = RUNTIME_STOP_CONTAINER,
                                  .pod_uid = orphan,
                                  .ns = "",
                                  .pod = "",
                                  .node = kubelet->base.info->node,
                                  .container = k,
                                  .grace = ORPHAN_GRACE};
            }
        }
    }
}

static void
on_event(Kubelet *kubelet, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    if (event->type != WATCH_SYNCED) {
        bool is_new = informer_get(&kubelet->watched, event->object->uid) == NULL;
        if (informer_note(&kubelet->watched, event)) {
            handle(kubelet, event, is_new, input->now, actions);
        }
        return;
    }
    g_autoptr(GPtrArray) lost = informer_synced(&kubelet->watched);
    for (guint i = 0; i < lost->len; i++) {
        ApiEvent gone = {.type = WATCH_DELETED, .object = lost->pdata[i]};
        handle(kubelet, &gone, false, input->now, actions);
    }
    stop_orphans(kubelet, actions);
}

/* ---- its node (kubelet_node_status.go, nodelease) ---- */

static void
register_node(Kubelet *kubelet, Actions *actions)
{
    ApiObject *node = api_object_new(OBJECT_NODE, "", kubelet->base.info->node);
    Action *call =
        actions_call(actions, API_ADDRESS, TAG_NODE, api_message(MESSAGE_API_CREATE, node));
    call->flags = CALL_PLAIN;
    call->timeout = CALL_LOST;
}

/* The lease has a client of its own; one renewal at a time. */
static void
renew_lease(Kubelet *kubelet, Actions *actions)
{
    const ProcessInfo *info = kubelet->base.info;
    nsec_t period = calibration_nsec(info->calibration, PARAMETER_KUBELET_LEASE);
    actions_timer(actions, TAG_LEASE, period);
    if (!kubelet->renewing) {
        kubelet->renewing = true;
        Action *call = actions_call(actions, API_ADDRESS, TAG_LEASE,
                                    api_query(MESSAGE_API_LEASE, OBJECT_NODE, "", info->node));
        call->flags = CALL_PLAIN;
        call->timeout = period;
    }
}

static void
on_lease(Kubelet *kubelet, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_TIMER) {
        renew_lease(kubelet, actions);
        return;
    }
    kubelet->renewing = false;
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_ERROR) {
        register_node(kubelet, actions); /* there is no such node */
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
    const Calibration *cal = info->calibration;
    RandomStream random;
    process_random(info, "pleg-phase", &random);
    nsec_t period = calibration_nsec(cal, PARAMETER_KUBELET_PLEG_PERIOD);
    kubelet->pleg_phase = input->now + (nsec_t)(random_uniform(&random) * (double)period);
    kubelet->statuses.started = input->now;
    actions_runtime(actions, TAG_LIST, RUNTIME_LIST)->node = info->node;
    kubelet->watched.marks_end = true;
    informer_open(&kubelet->watched, actions);
    actions_listen(actions, kubelet->address);
    register_node(kubelet, actions);
    process_random(info, "lease-phase", &random);
    nsec_t lease = calibration_nsec(cal, PARAMETER_KUBELET_LEASE);
    actions_timer(actions, TAG_LEASE, (nsec_t)(random_uniform(&random) * (double)lease));
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
        ask_again(kubelet, pod, i, input->now, actions);
        break;
    case TAG_MOUNTED:
        if (pod->state == STATE_MOUNTING) {
            actions_trace(actions, TRACE_POD_VOLUMES, pod->key, NULL);
            run_sandbox(kubelet, pod, actions);
        }
        break;
    case TAG_SANDBOX_RETRY:
        if (pod->state == STATE_SANDBOX) {
            run_sandbox(kubelet, pod, actions);
        }
        break;
    case TAG_SANDBOX:
        on_sandbox(kubelet, pod, input, actions);
        break;
    case TAG_CONTAINER:
        on_container_started(kubelet, pod, i, input, actions);
        if (pod->state == STATE_TERMINATING) {
            kill_container(kubelet, pod, i, pod->grace, actions);
            finish_termination(kubelet, pod, actions);
        }
        break;
    case TAG_STOP_SANDBOX:
        delete_pod(kubelet, pod, input->now, actions);
        break;
    case TAG_BACKOFF:
        pod->containers[i].waiting = false;
        sync_pod(kubelet, pod, input->now, actions);
        break;
    case TAG_DELETE:
        on_delete(kubelet, pod, input, actions);
        break;
    default:
        if (kind >= TAG_PROBE_TICK && kind <= TAG_PROBE_TICK_END) {
            on_probe_tick(pod, i, kind - TAG_PROBE_TICK, actions);
        } else if (kind >= TAG_PROBE && kind <= TAG_PROBE_END) {
            on_probe_result(kubelet, pod, i, kind - TAG_PROBE, input, actions);
        }
    }
}

/* Replies, failures, timers and the runtime's answers. */
static void
on_answer(Kubelet *kubelet, const Input *input, Actions *actions)
{
    int kind = (int)(input->tag & 0xff);
    KubePod *pod = pod_of(kubelet, input->tag);
    if (kind >= STATUS_TAG_GET) {
        status_manager_step(&kubelet->statuses, input, actions);
    } else if (input->tag == TAG_PLEG) {
        on_relist(kubelet, input->now, actions);
    } else if (input->tag == TAG_LEASE) {
        on_lease(kubelet, input, actions);
    } else if (input->tag == TAG_WATCH && input->kind == INPUT_TIMER) {
        informer_open(&kubelet->watched, actions);
    } else if (input->tag == TAG_WATCH) {
        informer_closed(&kubelet->watched, actions);
    } else if (pod != NULL) {
        on_tagged(kubelet, pod, input, actions);
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
    case INPUT_FOUND:
        on_found(kubelet, input);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
    case INPUT_CLOSED:
    case INPUT_TIMER:
    case INPUT_RUNTIME:
        on_answer(kubelet, input, actions);
        break;
    case INPUT_CANCELLED:
    case INPUT_OPENED:
    case INPUT_WORK:
    case INPUT_DATAPLANE:
    case INPUT_INJECTED:
    case INPUT_STOP:
        break;
    }
}

static void
kubelet_free(Machine *machine)
{
    Kubelet *kubelet = (Kubelet *)machine;
    status_manager_clear(&kubelet->statuses);
    informer_clear(&kubelet->watched);
    g_hash_table_unref(kubelet->found);
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
    process_random(info, "sync-retry", &kubelet->retry_random);
    status_manager_init(&kubelet->statuses, &kubelet->client, 0);
    informer_init(&kubelet->watched, OBJECT_POD, TAG_WATCH, info->node);
    kubelet->found = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, found_free);
    kubelet->pods = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, pod_free);
    kubelet->caches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return &kubelet->base;
}
