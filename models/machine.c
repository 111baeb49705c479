/* Appending actions, and what a process can know about itself. */
#include "models/machine.h"

#include <stdio.h>
#include <string.h>

const char *
failure_text(Failure failure)
{
    switch (failure) {
    case FAILURE_REFUSED:
        return "connection refused";
    case FAILURE_DIAL_TIMEOUT:
        return "dial timeout";
    case FAILURE_DEADLINE:
        return "deadline exceeded";
    case FAILURE_PEER_GONE:
        return "connection reset by peer";
    }
    return "?";
}

const char *
input_problem(const Input *input)
{
    return input->kind == INPUT_FAILURE ? failure_text(input->failure)
                                        : message_error_text(input->message);
}

const char *
wire_kind_name(WireKind kind)
{
    switch (kind) {
    case WIRE_KERNEL:
        return "kernel";
    case WIRE_MEMIF:
        return "memif";
    case WIRE_VFIO:
        return "vfio";
    case WIRE_VXLAN:
        return "vxlan";
    case WIRE_WIREGUARD:
        return "wireguard";
    }
    return "?";
}

char *
dataplane_pod_of_port(const char *pod_port)
{
    const char *slash = strrchr(pod_port, '/');
    return slash != NULL ? g_strndup(pod_port, (gsize)(slash - pod_port)) : g_strdup(pod_port);
}

void
dataplane_hop_clear(DataPlaneHop *hop)
{
    g_free(hop->owner);
    g_free(hop->port_in);
    g_free(hop->port_out);
}

const char *
trace_mark_name(TraceMark mark)
{
    static const char *const names[N_TRACE_MARKS] = {
#define X(name, text) text,
        TRACE_MARKS(X)
#undef X
    };
    return names[mark];
}

void
actions_init(Actions *actions)
{
    actions->items = g_array_new(false, true, sizeof(Action));
    actions->strings = g_string_chunk_new(512);
    actions->has_strings = false;
}

void
actions_reset(Actions *actions)
{
    for (guint i = 0; i < actions->items->len; i++) {
        message_unref(g_array_index(actions->items, Action, i).message);
    }
    g_array_set_size(actions->items, 0);
    if (actions->has_strings) {
        g_string_chunk_clear(actions->strings);
        actions->has_strings = false;
    }
}

void
actions_clear(Actions *actions)
{
    actions_reset(actions);
    g_array_free(actions->items, true);
    g_string_chunk_free(actions->strings);
}

const char *
actions_printf(Actions *actions, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return actions_string(actions, text);
}

const char *
actions_string(Actions *actions, const char *text)
{
    actions->has_strings = true;
    return g_string_chunk_insert(actions->strings, text);
}

static Action *
append(Actions *actions, ActionKind kind)
{
    guint n = actions->items->len;
    g_array_set_size(actions->items, n + 1);
    Action *action = &g_array_index(actions->items, Action, n);
    action->kind = kind;
    return action;
}

Action *
actions_call(Actions *actions, const char *address, uint64_t tag, void *take_message)
{
    Action *action = append(actions, ACTION_CALL);
    action->address = address;
    action->tag = tag;
    action->message = take_message;
    return action;
}

void
actions_cancel(Actions *actions, uint64_t tag)
{
    append(actions, ACTION_CANCEL)->tag = tag;
}

Action *
actions_reply(Actions *actions, uint64_t call, void *take_message)
{
    Action *action = append(actions, ACTION_REPLY);
    action->call = call;
    action->message = take_message;
    return action;
}

Action *
actions_open(Actions *actions, const char *address, uint64_t tag, void *take_message)
{
    Action *action = actions_call(actions, address, tag, take_message);
    action->kind = ACTION_OPEN;
    return action;
}

Action *
actions_push(Actions *actions, uint64_t call, void *take_message)
{
    Action *action = append(actions, ACTION_PUSH);
    action->call = call;
    action->message = take_message;
    return action;
}

void
actions_close(Actions *actions, uint64_t call)
{
    append(actions, ACTION_CLOSE)->call = call;
}

void
actions_timer(Actions *actions, uint64_t tag, nsec_t delay)
{
    Action *action = append(actions, ACTION_TIMER);
    action->tag = tag;
    action->delay = delay;
}

void
actions_stop_timer(Actions *actions, uint64_t tag)
{
    append(actions, ACTION_STOP_TIMER)->tag = tag;
}

void
actions_work(Actions *actions, uint64_t tag, MessageType work, int weight)
{
    Action *action = append(actions, ACTION_WORK);
    action->tag = tag;
    action->work = work;
    action->weight = weight;
}

void
actions_listen(Actions *actions, const char *address)
{
    append(actions, ACTION_LISTEN)->address = address;
}

static void
append_name(Actions *actions, ActionKind kind, const char *service, const char *address)
{
    Action *action = append(actions, kind);
    action->address = service;
    action->text = address;
}

void
actions_publish(Actions *actions, const char *service, const char *address)
{
    append_name(actions, ACTION_PUBLISH, service, address);
}

void
actions_withdraw(Actions *actions, const char *service, const char *address)
{
    append_name(actions, ACTION_WITHDRAW, service, address);
}

DataPlaneOp *
actions_dataplane(Actions *actions, uint64_t tag, DataPlaneOpKind kind)
{
    Action *action = append(actions, ACTION_DATAPLANE);
    action->tag = tag;
    action->dataplane.kind = kind;
    return &action->dataplane;
}

RuntimeOp *
actions_runtime(Actions *actions, uint64_t tag, RuntimeOpKind kind)
{
    Action *action = append(actions, ACTION_RUNTIME);
    action->tag = tag;
    action->runtime.kind = kind;
    return &action->runtime;
}

void
actions_stop_dataplane(Actions *actions, uint64_t tag)
{
    append(actions, ACTION_STOP_DATAPLANE)->tag = tag;
}

FaultOp *
actions_inject(Actions *actions, uint64_t tag, FaultOpKind kind)
{
    Action *action = append(actions, ACTION_INJECT);
    action->tag = tag;
    action->fault.kind = kind;
    return &action->fault;
}

void
actions_hold(Actions *actions, HoldKind hold, int delta)
{
    Action *action = append(actions, ACTION_HOLD);
    action->hold = hold;
    action->value = delta;
}

void
actions_trace_value(Actions *actions, TraceMark mark, const char *subject, const char *detail,
                    int64_t value)
{
    Action *action = append(actions, ACTION_TRACE);
    action->mark = mark;
    action->address = subject;
    action->text = detail;
    action->value = value;
}

void
actions_trace(Actions *actions, TraceMark mark, const char *subject, const char *detail)
{
    actions_trace_value(actions, mark, subject, detail, 0);
}

void
actions_exit(Actions *actions, int exit_code)
{
    append(actions, ACTION_EXIT)->exit_code = exit_code;
}

void
process_random(const ProcessInfo *info, const char *purpose, RandomStream *out)
{
    if (info->incarnation == 0) {
        random_stream_init(out, info->seed, info->replication, info->name, purpose);
        return;
    }
    g_autofree char *again = g_strdup_printf("%s#%u", info->name, info->incarnation);
    random_stream_init(out, info->seed, info->replication, again, purpose);
}

nsec_t
process_draw(const ProcessInfo *info, CalibrationParameter parameter, RandomStream *random)
{
    return dist_draw_nsec(&info->calibration->parameters[parameter], random);
}

static const char *
field_value(const ProcessInfo *info, const char *path)
{
    if (g_str_equal(path, "metadata.name")) {
        return info->pod;
    }
    if (g_str_equal(path, "metadata.namespace")) {
        return info->ns;
    }
    if (g_str_equal(path, "spec.nodeName")) {
        return info->node;
    }
    if (g_str_equal(path, "status.podIP") || g_str_equal(path, "status.podIPs")) {
        return info->pod_ip;
    }
    if (g_str_equal(path, "status.hostIP")) {
        return info->node_ip;
    }
    if (g_str_equal(path, "spec.serviceAccountName")) {
        return info->pod_spec->service_account;
    }
    return "";
}

/* Kubernetes expands $(VAR) from variables defined before; one level is what manifests use. */
static char *
expand(const ProcessInfo *info, const char *text, int depth)
{
    GString *out = g_string_new(NULL);
    while (*text != '\0') {
        const char *end = strncmp(text, "$(", 2) == 0 ? strchr(text, ')') : NULL;
        if (end == NULL) {
            g_string_append_c(out, *text++);
            continue;
        }
        g_autofree char *name = g_strndup(text + 2, (gsize)(end - text - 2));
        const EnvVar *var = container_env(info->container, name);
        if (var == NULL || depth > 8) {
            g_string_append_len(out, text, end - text + 1);
        } else if (var->field_path != NULL) {
            g_string_append(out, field_value(info, var->field_path));
        } else if (var->value != NULL) {
            g_autofree char *value = expand(info, var->value, depth + 1);
            g_string_append(out, value);
        }
        text = end + 1;
    }
    return g_string_free(out, false);
}

char *
process_env(const ProcessInfo *info, const char *name, const char *fallback)
{
    const EnvVar *var = info->container != NULL ? container_env(info->container, name) : NULL;
    if (var == NULL || (var->value == NULL && var->field_path == NULL)) {
        return g_strdup(fallback);
    }
    if (var->field_path != NULL) {
        return g_strdup(field_value(info, var->field_path));
    }
    return expand(info, var->value, 0);
}

nsec_t
process_duration(const ProcessInfo *info, const char *name, nsec_t fallback)
{
    g_autofree char *text = process_env(info, name, NULL);
    nsec_t value = 0;
    return text != NULL && nsec_parse(text, &value, NULL) ? value : fallback;
}

static bool
is_host_path(const ProcessInfo *info, const char *path)
{
    const VolumeMount *best = NULL;
    for (guint i = 0; i < info->container->n_mounts; i++) {
        const VolumeMount *mount = &info->container->mounts[i];
        bool below = g_str_has_prefix(path, mount->path);
        if (below && (best == NULL || strlen(mount->path) > strlen(best->path))) {
            best = mount;
        }
    }
    for (guint i = 0; best != NULL && i < info->pod_spec->n_volumes; i++) {
        const VolumeSpec *volume = &info->pod_spec->volumes[i];
        if (g_str_equal(volume->name, best->volume)) {
            return volume->kind == VOLUME_HOST_PATH;
        }
    }
    return false;
}

static char *
service_address(const ProcessInfo *info, const char *host, const char *port)
{
    g_auto(GStrv) parts = g_strsplit(host, ".", 3);
    const char *ns = parts[0] != NULL && parts[1] != NULL ? parts[1] : info->ns;
    return g_strdup_printf("svc:%s.%s:%s", parts[0] != NULL ? parts[0] : host, ns, port);
}

char *
process_address(const ProcessInfo *info, const char *url)
{
    if (g_str_has_prefix(url, "unix:")) {
        const char *path = url + strlen("unix:");
        while (path[0] == '/' && path[1] == '/') {
            path++;
        }
        return is_host_path(info, path) ? g_strdup_printf("unix:%s:%s", info->node, path)
                                        : g_strdup_printf("unix:%s:%s", info->pod_key, path);
    }
    const char *rest = g_str_has_prefix(url, "tcp://") ? url + strlen("tcp://") : url;
    const char *colon = strrchr(rest, ':');
    if (colon == NULL) {
        return service_address(info, rest, "0");
    }
    g_autofree char *host = g_strndup(rest, (gsize)(colon - rest));
    g_strdelimit(host, "[]", ' ');
    g_strstrip(host);
    if (*host == '\0' || g_str_equal(host, "0.0.0.0") || g_str_equal(host, "localhost")) {
        return g_strdup_printf("tcp:%s:%s", info->pod_ip, colon + 1);
    }
    if (g_ascii_isdigit(*host)) {
        return g_strdup_printf("tcp:%s:%s", host, colon + 1);
    }
    return service_address(info, host, colon + 1);
}

int
image_version(const char *image)
{
    const char *tag = strrchr(image, ':');
    int major = 0, minor = 0, patch = 0;
    if (tag == NULL || sscanf(tag, ":v%d.%d.%d", &major, &minor, &patch) < 2) {
        return 0;
    }
    return NSM_VERSION(major, minor, patch);
}

int
process_version(const ProcessInfo *info)
{
    return info->container != NULL ? image_version(info->container->image) : 0;
}
