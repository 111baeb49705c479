/* What the files of the virtual world share. */
#pragma once

#include "models/cluster.h"
#include "sim/cpu.h"
#include "sim/engine.h"
#include "sim/net.h"
#include "sim/vswitch.h"
#include "sim/world.h"

typedef struct World World;
typedef struct Process Process;

/* A node: cores, a queue for the CNI, a kubelet. */
typedef struct WorldNode {
    const char *name;
    guint index;
    CpuNode *cpu;
    nsec_t cni_free_at; /* the CNI plugin works on one Pod at a time */
    Process *kubelet;
    uint32_t n_boots; /* starts of its kubelet after the first */
} WorldNode;

typedef struct Stress Stress;
typedef struct DataPlaneWait DataPlaneWait;

/* A running machine.  Freed when it has ended and nothing refers to it any more. */
struct Process {
    uint64_t id; /* never used again */
    World *world;
    Machine *machine;
    const ProcessInfo *info;
    WorldNode *node;
    CpuGroup *cpu;
    RandomStream net_random;
    RandomStream cpu_random;
    Event start_event;
    GHashTable *timers;     /* tag -> Timer */
    GHashTable *calls;      /* tag -> Call: made by this process */
    GQueue made;            /* Call *: made by this process, in order */
    GQueue served;          /* Call *: being served by this process */
    GHashTable *peers;      /* Process *: to which a connection stands */
    GHashTable *dialled_by; /* Process *: whose `peers` have this one */
    GPtrArray *addresses;   /* char *: where it listens */
    GPtrArray *works;       /* Work *: CPU time it asked for */
    GPtrArray *waits;       /* DataPlaneWait *: operations under way */
    bool oom;               /* the kernel kills it for its memory */
    int64_t held;           /* bytes for what its machine holds, without the calibration's bound */
    int64_t stress_memory;
    int64_t memory;
    double background; /* s of CPU time beside messages (Demand) */
    nsec_t started;
    bool dead;
    bool vanished; /* with its node: no peer is told */
    int exit_code;
    bool exiting;
    struct Usage *usage;
    Event kill_event;  /* end of the grace period */
    uint64_t stop_tag; /* the kubelet's, while it is being stopped */
    bool stopping;
    CpuJob start_job;
};

typedef struct Usage {
    uint32_t n_starts;
    uint32_t n_oom;
    char *process;
    char *pod_key;
    Component component;
    Component of_pod; /* of the whole Pod; N_COMPONENTS outside Pods */
    double cpu;
    double throttled;
    uint64_t periods;
    nsec_t started;
    nsec_t ran;       /* time in which it ran, before the current start */
    Process *current; /* NULL when it does not run */
    int64_t memory;
    const PodSpec *pod;
    guint container;
} Usage;

/* How many Pods of a component run, and have run for how long. */
typedef struct PodMeter {
    double retired_cpu; /* s; of Pods that are gone */
    double pod_seconds; /* until `since` */
    nsec_t since;
    guint n_pods;
} PodMeter;

typedef struct Timer {
    Event event;
    Process *process;
    uint64_t tag;
} Timer;

typedef struct Work {
    CpuJob job;
    Process *process;
    uint64_t tag;
    guint index;
} Work;

struct World {
    const Scenario *scenario;
    const Calibration *calibration;
    uint64_t seed;
    uint32_t replication;
    Engine *engine;
    Net *net;
    Cluster *cluster;
    DataPlane *dataplane;
    GPtrArray *sinks;
    WorldNode *nodes;
    guint n_nodes;
    GHashTable *node_by_name;
    GPtrArray *processes;      /* Process *, alive */
    GHashTable *listeners;     /* address -> Process */
    GHashTable *vpps;          /* "namespace/pod" -> Process in which its VPP runs */
    GHashTable *services;      /* service name -> GPtrArray of char * addresses */
    GHashTable *service_turn;  /* service name -> counter, for round robin over back ends */
    GHashTable *calls;         /* id -> Call */
    GHashTable *dataplane_ops; /* token -> DataPlaneWait */
    GHashTable *runtime_ops;   /* set of RuntimeTask, owned */
    GHashTable *pod_ips;       /* IP -> WorldNode, while the Pod's sandbox is there */
    GHashTable *sandboxes;     /* "namespace/pod" -> Sandbox, owned */
    GPtrArray *stresses;       /* Stress *, owned */
    GHashTable *answers;       /* sets of faults.c, owned */
    GHashTable *restarts;
    GHashTable *exits;      /* set of Exit, owned: ends that the kubelets hear of next */
    GHashTable *containers; /* "uid/index" -> Process */
    GHashTable *usages;     /* process name -> Usage */
    GPtrArray *usage_order;
    ComponentUsage retired[N_COMPONENTS]; /* of Pods that are gone */
    PodMeter pod_meters[N_COMPONENTS];
    GHashTable *running_pods; /* "namespace/pod" -> number of its containers that run */
    uint64_t last_id;
    uint64_t n_sandboxes; /* that came or went so far */
    uint64_t n_lives;     /* processes that began or ended so far */
    uint64_t n_messages;
    nsec_t skipped;
    bool started;
    bool closing;
    Actions *spare_actions;
    GArray *observers; /* WorldObserver, in the order in which they came */
};

/* Told when a process has begun, and when one has just ended (`dead`) and is still there. */
typedef struct WorldObserver {
    void (*process_changed)(void *data, const Process *process);
    void *data;
} WorldObserver;

/* world.c */
void world_observe(World *world, const WorldObserver *observer);
void world_unobserve(World *world, const void *data);
void world_step(Process *process, const Input *input);
Process *world_start_process(World *world, Machine *machine, WorldNode *node);
void world_end_process(Process *process, int exit_code);
/* Its node has stopped: no peer is told. */
void world_vanish_process(Process *process);
/* More memory (or less): beyond the container's limit the kernel kills it. */
void world_use_memory(Process *process, int64_t delta);
/* The CPU of the container in which an owner's VPP runs: VppCpuOf. */
bool world_vpp_cpu(void *world, const char *owner, VppCpu *out);
nsec_t world_latency(Process *from, const Process *to);
void world_send(Process *from, NetPacket *packet, const WorldNode *to, int factor, nsec_t delay);
/* True when what is sent to the address gets no answer at all, not even a refusal. */
bool world_address_is_silent(const World *world, const char *address);
/* CPU time of a message or of work at this process; 0 when the calibration gives none. */
nsec_t world_demand(Process *process, MessageType type, int weight);
void world_listen(Process *process, const char *address);
/* The process of that Pod whose container declares that port; NULL: none. */
Process *world_find_server(const World *world, const char *pod_key, int port);
/* Tells the sinks. */
void world_mark(World *world, const TraceEvent *event);

/* rpc.c */
void rpc_call(Process *caller, Action *action, bool stream);
void rpc_cancel(Process *caller, uint64_t tag);
void rpc_reply(Process *callee, const Action *action, Message *take_message);
void rpc_push(Process *server, const Action *action, Message *take_message);
void rpc_close(Process *server, uint64_t id);
void rpc_process_ended(Process *process);
void rpc_process_vanished(Process *process);
void rpc_node_returned(World *world, const WorldNode *node);
void rpc_clear(World *world);

/* runtime.c */
void runtime_perform(Process *kubelet, const Action *action);
void runtime_process_ended(Process *process, bool silently);
/* Everything that was to happen on this node is forgotten, sandboxes too. */
void runtime_node_off(World *world, const WorldNode *node);
/* A Pod of that object which is there, by its "namespace/name" (borrowed), and its node; NULL:
 * none. The oldest of several. */
const char *runtime_find_pod(const World *world, const Object *object, const WorldNode **node);
/* The node of a Pod that is there; NULL: it is not. */
const char *runtime_node_of_pod(const World *world, const char *pod_key);
void runtime_init(World *world);
void runtime_clear(World *world);

/* faults.c */
void faults_perform(Process *process, const Action *action);
void stress_process_ended(Process *process);
void faults_init(World *world);
void faults_clear(World *world);

/* usage.c */
void usage_init(World *world);
void usage_clear(World *world);
void usage_begin(Process *process);
void usage_end(Process *process);
/* The Pod is gone: what its containers used is kept by component only. */
void usage_retire_pod(World *world, const char *pod_key);
