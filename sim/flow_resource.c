/* What flows share: found by key, alive while a route leads over it. */
#include "sim/flow_types.h"

void
flow_resources_init(FlowResources *resources, Maxmin *system, DataPlane *dataplane)
{
    resources->system = system;
    resources->dataplane = dataplane;
    resources->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    resources->by_number = g_ptr_array_new();
    resources->dirty = g_ptr_array_new();
}

void
flow_resources_clear(FlowResources *resources)
{
    g_assert(g_hash_table_size(resources->by_key) == 0);
    g_hash_table_unref(resources->by_key);
    g_ptr_array_unref(resources->by_number);
    g_ptr_array_unref(resources->dirty);
}

void
flow_resources_mark(FlowResources *resources, FlowResource *resource)
{
    if (!resource->is_dirty) {
        resource->is_dirty = true;
        g_ptr_array_add(resources->dirty, resource);
    }
}

static void
tell(const FlowResources *resources, const FlowResource *resource)
{
    switch (resource->load) {
    case FLOW_LOAD_NONE:
        break;
    case FLOW_LOAD_NIC:
        resource->nic->load = resource->usage;
        break;
    case FLOW_LOAD_VPP:
        vswitch_set_load(resources->dataplane, resource->name, resource->usage,
                         resource->usage > 0 &&
                             resource->usage >= NET_SATURATED * resource->capacity);
        break;
    case FLOW_LOAD_CONTAINER:
        cpu_group_set_load(resource->group, resource->usage);
        break;
    }
}

static void
set_usage(const FlowResources *resources, FlowResource *resource, double usage)
{
    if (usage != resource->usage) {
        resource->usage = usage;
        if (!resource->is_dead) {
            tell(resources, resource);
        }
    }
}

void
flow_resources_tell(FlowResources *resources)
{
    for (guint i = 0; i < resources->dirty->len; i++) {
        FlowResource *resource = g_ptr_array_index(resources->dirty, i);
        resource->is_dirty = false;
        set_usage(resources, resource, maxmin_usage(resources->system, resource->number));
    }
    g_ptr_array_set_size(resources->dirty, 0);
}

void
flow_resources_forget(FlowResources *resources, uint64_t process)
{
    for (guint i = 0; i < resources->by_number->len; i++) {
        FlowResource *resource = g_ptr_array_index(resources->by_number, i);
        if (resource != NULL && resource->process == process) {
            resource->is_dead = true;
        }
    }
}

static FlowResource *
make(FlowResources *resources, const FlowResource *wanted)
{
    FlowResource *resource = g_memdup2(wanted, sizeof *wanted);
    resource->number = maxmin_add_resource(resources->system, wanted->capacity);
    if (resource->number >= resources->by_number->len) {
        g_ptr_array_set_size(resources->by_number, (gint)resource->number + 1);
    }
    g_ptr_array_index(resources->by_number, resource->number) = resource;
    g_hash_table_insert(resources->by_key, (char *)resource->key, resource);
    return resource;
}

FlowResource *
flow_resources_obtain(FlowResources *resources, const FlowResource *wanted)
{
    FlowResource *resource = g_hash_table_lookup(resources->by_key, wanted->key);
    if (resource == NULL) {
        resource = make(resources, wanted);
    } else if (resource->capacity != wanted->capacity) {
        resource->capacity = wanted->capacity;
        maxmin_set_capacity(resources->system, resource->number, wanted->capacity);
        flow_resources_mark(resources, resource);
    }
    resource->n_users++;
    return resource;
}

void
flow_resources_release(FlowResources *resources, FlowResource *resource)
{
    if (--resource->n_users > 0) {
        return;
    }
    set_usage(resources, resource, 0);
    if (resource->is_dirty) {
        g_ptr_array_remove(resources->dirty, resource);
    }
    maxmin_remove_resource(resources->system, resource->number);
    g_ptr_array_index(resources->by_number, resource->number) = NULL;
    g_hash_table_remove(resources->by_key, resource->key);
    g_free(resource);
}
