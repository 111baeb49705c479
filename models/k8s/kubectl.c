/* kubectl apply. */
#include "models/k8s/kubectl.h"

#include "models/k8s/api.h"

enum { TAG_BEGIN = 1, TAG_NEXT, TAG_CREATE };

typedef struct Kubectl {
    Machine base;
    const GPtrArray *objects;
    nsec_t start_time;
    const char *label;
    guint next;
    RandomStream random;
} Kubectl;

static void
create(Kubectl *kubectl, Actions *actions)
{
    const Object *manifest = g_ptr_array_index(kubectl->objects, kubectl->next);
    ApiObject *object = api_object_new(manifest->kind, manifest->ns, manifest->name);
    object->manifest = manifest;
    object->pod = object_pod_spec(manifest);
    if (object->pod != NULL && manifest->kind != OBJECT_POD) {
        object->replicas = manifest->workload->replicas;
    }
    actions_call(actions, API_ADDRESS, TAG_CREATE, api_message(MESSAGE_API_CREATE, object))->flags =
        CALL_PLAIN;
}

static void
go_on(Kubectl *kubectl, Actions *actions)
{
    if (kubectl->next < kubectl->objects->len) {
        actions_timer(actions, TAG_NEXT,
                      process_draw(kubectl->base.info, PARAMETER_KUBECTL_OBJECT, &kubectl->random));
    } else {
        actions_trace(actions, TRACE_APPLIED, kubectl->label, NULL);
        actions_exit(actions, 0);
    }
}

static void
on_created(Kubectl *kubectl, const Input *input, Actions *actions)
{
    const Object *manifest = g_ptr_array_index(kubectl->objects, kubectl->next);
    const char *why = input_problem(input);
    if (why != NULL) {
        actions_trace(actions, TRACE_NOTE,
                      actions_printf(actions, "%s/%s", manifest->ns, manifest->name),
                      actions_printf(actions, "kubectl: Error from server: %s", why));
    }
    kubectl->next++;
    go_on(kubectl, actions);
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Kubectl *kubectl = (Kubectl *)machine;
    if (input->kind == INPUT_START) {
        actions_timer(actions, TAG_BEGIN, kubectl->start_time);
    } else if (input->kind == INPUT_TIMER && input->tag == TAG_BEGIN) {
        actions_trace(actions, TRACE_SUBMITTED, kubectl->label, NULL);
        actions_timer(actions, TAG_NEXT,
                      process_draw(kubectl->base.info, PARAMETER_KUBECTL_START, &kubectl->random));
    } else if (input->kind == INPUT_TIMER) {
        if (kubectl->next < kubectl->objects->len) {
            create(kubectl, actions);
        } else {
            go_on(kubectl, actions);
        }
    } else if (input->kind == INPUT_REPLY || input->kind == INPUT_FAILURE) {
        on_created(kubectl, input, actions);
    }
}

static void
kubectl_free(Machine *machine)
{
    g_free(machine);
}

static const MachineClass kubectl_class = {COMPONENT_KUBECTL, step, kubectl_free};

Machine *
kubectl_new(const ProcessInfo *info, const GPtrArray *objects, nsec_t start_time, const char *label)
{
    Kubectl *kubectl = g_new0(Kubectl, 1);
    kubectl->base.class = &kubectl_class;
    kubectl->base.info = info;
    kubectl->objects = objects;
    kubectl->start_time = start_time;
    kubectl->label = label;
    process_random(info, "objects", &kubectl->random);
    return &kubectl->base;
}
