/* Machines: the control plane's components as pure state machines.
 *
 * `machine_step(machine, input, actions)` reads one input, changes the machine and appends what
 * should happen next.  A machine never reads a clock (the input carries `now`), never draws from
 * a global generator, sleeps, or opens a socket; nothing in models/ can tell whether it runs in
 * virtual or in wall time.  Steps return nothing: a refused request is a message.
 *
 * A world performs the actions, in order, right after the step: it delivers messages after their
 * latency and CPU time, keeps timers, hands operations to the data plane and to the container
 * runtime, and feeds completions back as inputs.
 *
 * Calls.  ACTION_CALL sends a request to whoever listens at an address.  It is answered exactly
 * once, by INPUT_REPLY or INPUT_FAILURE with the caller's `tag`, unless the caller cancels it or
 * ends.  The callee gets INPUT_REQUEST with a `call` handle and answers it at most once with
 * ACTION_REPLY, any time later; INPUT_CANCELLED tells it that nobody waits any more (cancelled,
 * deadline passed, caller dead).  A fresh call first makes its own connection (TCP and TLS, each
 * side's CPU time included), limited by `dial_timeout` (a refused one is tried again until then,
 * unless CALL_FAIL_FAST); other calls reuse the newest connection
 * that the caller has to that callee and dial only when there is none.  A plain call makes no TLS.
 *
 * Streams.  ACTION_OPEN opens a stream in the same way; the server gets INPUT_OPENED and pushes
 * messages with ACTION_PUSH (INPUT_EVENT at the client, in order).  When either side closes or
 * ends, the other gets INPUT_CLOSED.
 *
 * Strings in actions are borrowed: they must live until the step's actions are performed;
 * `actions_printf` makes strings that do.  Messages in actions are taken. */
#pragma once

#include "base/random.h"
#include "models/calibration.h"
#include "models/dataplane.h"
#include "models/fault.h"
#include "models/manifest/objects.h"
#include "models/message.h"
#include "models/trace.h"

/* ---- inputs ---- */

typedef enum InputKind {
    INPUT_START,
    INPUT_REQUEST,   /* call, message, from */
    INPUT_CANCELLED, /* call */
    INPUT_REPLY,     /* tag, message */
    INPUT_FAILURE,   /* tag, failure */
    INPUT_OPENED,    /* call: the stream's handle; message, from */
    INPUT_EVENT,     /* tag, message */
    INPUT_CLOSED,    /* tag at the client, call at the server (the other is 0); failure */
    INPUT_TIMER,     /* tag */
    INPUT_WORK,      /* tag: the CPU time asked for was used */
    INPUT_DATAPLANE, /* tag; error text or NULL */
    INPUT_RUNTIME,   /* tag; error text or NULL */
    INPUT_EXITED,    /* a container ended: pod_uid, container, exit_code (kubelets only) */
    INPUT_FOUND,     /* RUNTIME_LIST: a container that runs: pod_uid, container, paused; or a
                        sandbox: pod_uid, ip (kubelets only) */
    INPUT_INJECTED,  /* tag; error text or NULL: what was injected struck, or why not */
    INPUT_STOP,      /* SIGTERM */
} InputKind;

typedef enum Failure {
    FAILURE_REFUSED,      /* nobody listens there */
    FAILURE_DIAL_TIMEOUT, /* no connection within dial_timeout */
    FAILURE_DEADLINE,     /* no answer within timeout */
    FAILURE_PEER_GONE,    /* the other side ended: connection reset */
} Failure;
const char *failure_text(Failure failure);

typedef struct Input {
    InputKind kind;
    nsec_t now;
    uint64_t tag;
    uint64_t call;
    const Message *message; /* borrowed for the step */
    const char *from;       /* process name of the caller, "namespace/pod/container" */
    Failure failure;
    const char *error;
    uint64_t pod_uid;
    guint container;
    int exit_code;
    bool paused;    /* FOUND: it runs the pause image */
    const char *ip; /* FOUND: the sandbox's address; NULL: a container */
} Input;

/* Why a call did not succeed: the failure, or the text of an ERROR reply; NULL for any other reply.
 */
const char *input_problem(const Input *input);

/* ---- actions ---- */

typedef enum ActionKind {
    ACTION_CALL,
    ACTION_CANCEL,         /* tag: a call or stream of mine */
    ACTION_REPLY,          /* call, message */
    ACTION_OPEN,           /* as CALL */
    ACTION_PUSH,           /* call, message */
    ACTION_CLOSE,          /* call: a stream that I serve */
    ACTION_TIMER,          /* tag, delay: sets or moves */
    ACTION_STOP_TIMER,     /* tag */
    ACTION_WORK,           /* tag, work, weight: uses CPU time in my container */
    ACTION_LISTEN,         /* address */
    ACTION_UNLISTEN,       /* address */
    ACTION_PUBLISH,        /* address (a service's), text: where it leads */
    ACTION_WITHDRAW,       /* address, text */
    ACTION_DATAPLANE,      /* tag, dataplane */
    ACTION_STOP_DATAPLANE, /* tag: that operation of mine is not answered any more */
    ACTION_RUNTIME,        /* tag, runtime: kubelets only */
    ACTION_INJECT,         /* tag, fault: the chaos machine only */
    ACTION_HOLD,           /* hold, delta: what my memory holds */
    ACTION_TRACE,          /* mark, address: subject, text: detail, value */
    ACTION_EXIT,           /* exit_code */
} ActionKind;

typedef enum RuntimeOpKind {
    RUNTIME_RUN_SANDBOX,
    RUNTIME_STOP_SANDBOX,
    RUNTIME_START_CONTAINER, /* create and start; then the process runs */
    RUNTIME_STOP_CONTAINER,  /* SIGTERM, then SIGKILL after grace */
    RUNTIME_LIST, /* INPUT_FOUND for each container that runs on this node, then the answer */
} RuntimeOpKind;

/* What the runtime must know of a Pod; `spec` and strings live as long as the run. */
typedef struct RuntimeOp {
    RuntimeOpKind kind;
    uint64_t pod_uid;
    const char *ns;
    const char *pod;
    const char *node;
    const char *pod_ip;
    const PodSpec *spec;
    guint container; /* index over init containers, then containers */
    nsec_t grace;
    bool paused; /* START_CONTAINER: run the pause image instead (PodChaos pod-failure) */
} RuntimeOp;

typedef enum HoldKind { HOLD_CONNECTION, HOLD_ENDPOINT } HoldKind;

typedef enum CallFlags {
    CALL_DEFAULT = 0,
    CALL_FRESH = 1,     /* dial for this call even if a connection stands */
    CALL_PLAIN = 2,     /* no TLS handshake is modelled */
    CALL_FAIL_FAST = 4, /* a refusal is told at once; otherwise, with a dial_timeout, gRPC goes on
                           dialling until that (grpc.WithBlock) */
} CallFlags;

typedef struct Action {
    ActionKind kind;
    CallFlags flags;
    uint64_t tag;
    uint64_t call;
    const char *address;
    const char *text;
    Message *message; /* taken */
    nsec_t delay;     /* CALL, OPEN, REPLY, PUSH: leave after; TIMER: fire after */
    nsec_t timeout;   /* CALL: for the answer, from leaving; 0: none */
    nsec_t dial_timeout;
    MessageType work;
    int weight;
    int64_t value;
    HoldKind hold;
    int exit_code;
    TraceMark mark;
    union {
        DataPlaneOp dataplane;
        RuntimeOp runtime;
        FaultOp fault;
    };
} Action;

typedef struct Actions {
    GArray *items; /* Action */
    GStringChunk *strings;
    bool has_strings;
} Actions;

void actions_init(Actions *actions);
void actions_reset(Actions *actions); /* drops messages that were not taken */
void actions_clear(Actions *actions);

const char *actions_printf(Actions *actions, const char *format, ...) G_GNUC_PRINTF(2, 3);
const char *actions_string(Actions *actions, const char *text); /* a copy that lives long enough */

/* The returned action may be refined (flags, timeouts, delay) until the next append. */
Action *actions_call(Actions *actions, const char *address, uint64_t tag, void *take_message);
void actions_cancel(Actions *actions, uint64_t tag);
Action *actions_reply(Actions *actions, uint64_t call, void *take_message);
Action *actions_open(Actions *actions, const char *address, uint64_t tag, void *take_message);
Action *actions_push(Actions *actions, uint64_t call, void *take_message);
void actions_close(Actions *actions, uint64_t call);
void actions_timer(Actions *actions, uint64_t tag, nsec_t delay);
void actions_stop_timer(Actions *actions, uint64_t tag);
void actions_work(Actions *actions, uint64_t tag, MessageType work, int weight);
void actions_listen(Actions *actions, const char *address);
void actions_publish(Actions *actions, const char *service, const char *address);
void actions_withdraw(Actions *actions, const char *service, const char *address);
DataPlaneOp *actions_dataplane(Actions *actions, uint64_t tag, DataPlaneOpKind kind);
void actions_stop_dataplane(Actions *actions, uint64_t tag);
RuntimeOp *actions_runtime(Actions *actions, uint64_t tag, RuntimeOpKind kind);
FaultOp *actions_inject(Actions *actions, uint64_t tag, FaultOpKind kind);
void actions_hold(Actions *actions, HoldKind hold, int delta);
void actions_trace(Actions *actions, TraceMark mark, const char *subject, const char *detail);
void actions_trace_value(Actions *actions, TraceMark mark, const char *subject, const char *detail,
                         int64_t value);
void actions_exit(Actions *actions, int exit_code);

/* ---- machines ---- */

/* Who a process is.  Lives as long as its machine. */
typedef struct ProcessInfo {
    Component component;
    const char *name; /* "namespace/pod/container", or the component's name; unique */
    const char *node;
    const char *ns;
    const char *pod;     /* NULL for components outside Pods */
    const char *pod_key; /* "namespace/pod" */
    const char *pod_ip;
    const char *node_ip;
    uint64_t pod_uid;
    const PodSpec *pod_spec;
    const ContainerSpec *container;
    guint container_index;
    bool paused;                   /* runs the pause image instead of its own */
    uint32_t incarnation;          /* 0 at first, then counted up at each restart in place */
    const GPtrArray *own_services; /* endpoints: Object * that NSM_REGISTER_SERVICE makes it
                                      register; they live as long as the run; NULL: none */
    const Calibration *calibration;
    uint64_t seed;
    uint32_t replication;
} ProcessInfo;

typedef struct Machine Machine;
typedef struct MachineClass {
    Component component;
    void (*step)(Machine *machine, const Input *input, Actions *actions);
    void (*free)(Machine *machine);
} MachineClass;

struct Machine {
    const MachineClass *class;
    const ProcessInfo *info;
};

static inline void
machine_step(Machine *machine, const Input *input, Actions *actions)
{
    machine->class->step(machine, input, actions);
}

/* A stream of this process: same seed, replication and entity give the same draws in any
 * scenario (common random numbers). */
void process_random(const ProcessInfo *info, const char *purpose, RandomStream *out);
nsec_t process_draw(const ProcessInfo *info, CalibrationParameter parameter, RandomStream *random);

/* An environment variable of the container: field references resolved, $(VAR) expanded from the
 * container's own variables; `fallback` when it is absent.  Free with g_free. */
char *process_env(const ProcessInfo *info, const char *name, const char *fallback);

/* A Go duration from the environment; `fallback` when it is absent or unreadable (the real commands
 * refuse to start; `vwire validate` reports it). */
nsec_t process_duration(const ProcessInfo *info, const char *name, nsec_t fallback);

/* Where a URL of this process leads or listens: a unix socket under a hostPath mount is shared by
 * the node, any other is the Pod's own; ":5001" is the Pod's IP; "name:port" is a service of the
 * Pod's namespace ("name.ns:port" of another).  Free with g_free. */
char *process_address(const ProcessInfo *info, const char *url);

/* "v1.4.0" from the image's tag as 10400; 0 when there is none ("latest" is 0 too). */
int image_version(const char *image);
int process_version(const ProcessInfo *info); /* of its container's image */
#define NSM_VERSION(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))
