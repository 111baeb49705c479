/* Applications. */
#include "models/app.h"

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    (void)machine;
    if (input->kind == INPUT_REQUEST && machine->info->paused) { /* it has no probe command */
        actions_reply(actions, input->call, message_error("pause"));
    } else if (input->kind == INPUT_REQUEST) {
        actions_reply(actions, input->call, message_ok());
    } else if (input->kind == INPUT_STOP) {
        actions_exit(actions, 0);
    }
}

static void
app_free(Machine *machine)
{
    g_free(machine);
}

static const MachineClass app_class = {COMPONENT_APP, step, app_free};

Machine *
app_new(const ProcessInfo *info)
{
    Machine *machine = g_new0(Machine, 1);
    machine->class = &app_class;
    machine->info = info;
    return machine;
}
