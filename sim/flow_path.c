/* Paths: flows with the same ends share one, with the route that is found for the first of them.
 * What moved on a route is counted at its ports.  Routes that may be others are found anew, and
 * their flows moved over. */
#include "sim/flow_types.h"

/* What left a port came out at the opposite one. */
static void
count_at_ports(FlowPath *path)
{
    DataPlane *dataplane = path->flows->dataplane;
    const FlowRoute *route = &path->route;
    for (guint i = 0; i < route->senders->len; i++) {
        packets_count(dataplane, route->senders->pdata[i], true, path->n_packets, path->n_bytes);
        packets_count(dataplane, route->receivers->pdata[i], false, path->n_packets, path->n_bytes);
    }
    path->n_packets = path->n_bytes = 0;
}

void
flow_paths_count(Flows *flows)
{
    for (guint i = 0; i < flows->uncounted->len; i++) {
        count_at_ports(g_ptr_array_index(flows->uncounted, i));
    }
    g_ptr_array_set_size(flows->uncounted, 0);
}

void
flow_path_free(FlowPath *path)
{
    g_ptr_array_remove(path->flows->uncounted, path);
    count_at_ports(path);
    flow_route_clear(&path->route, &path->flows->resources);
    g_ptr_array_unref(path->members);
    g_free(path->key);
    g_free(path);
}

static const char *
keep(const Flows *flows, const char *text)
{
    return text != NULL ? ports_place((Plane *)flows->dataplane, text) : NULL;
}

static FlowPath *
path_new(Flows *flows, const FluidSpec *spec, char *take_key)
{
    FlowPath *path = g_new0(FlowPath, 1);
    path->flows = flows;
    path->key = take_key;
    path->ends = (FlowEnds){.pod_port = keep(flows, spec->pod_port),
                            .from_node = keep(flows, spec->from_node),
                            .latency = spec->latency,
                            .to_node = keep(flows, spec->to_node),
                            .client_pod = keep(flows, spec->client_pod),
                            .server_pod = keep(flows, spec->server_pod),
                            .server_port = spec->server_port,
                            .backward = spec->backward,
                            .mss = spec->mss};
    path->place = path->ends.client_pod != NULL ? path->ends.client_pod
                  : path->ends.pod_port != NULL ? path->ends.pod_port
                                                : path->ends.from_node;
    path->members = g_ptr_array_new();
    flow_route_find(flows->world, &flows->resources, &path->ends, &path->route);
    g_hash_table_insert(flows->by_key, path->key, path);
    g_ptr_array_add(flows->paths, path);
    return path;
}

static const char *
or_none(const char *text)
{
    return text != NULL ? text : "-";
}

FlowPath *
flow_paths_obtain(Flows *flows, const FluidSpec *spec)
{
    g_assert(spec->pod_port != NULL || spec->from_node != NULL);
    g_autofree char *key =
        g_strdup_printf("%s|%s|%s|%s|%s|%d|%d|%" G_GINT64_FORMAT "|%" G_GINT64_FORMAT,
                        or_none(spec->pod_port), or_none(spec->from_node), or_none(spec->to_node),
                        or_none(spec->client_pod), or_none(spec->server_pod), spec->server_port,
                        (int)spec->backward, spec->mss, spec->latency);
    FlowPath *path = g_hash_table_lookup(flows->by_key, key);
    return path != NULL ? path : path_new(flows, spec, g_steal_pointer(&key));
}

static void
replace_route(FlowPath *path, const FlowRoute *next)
{
    for (guint i = 0; i < path->members->len; i++) {
        FluidFlow *flow = g_ptr_array_index(path->members, i);
        if (flow->state == FLOW_SENDING) {
            flow_detach(flow);
            flow_count(flow, true);
        }
    }
    g_ptr_array_remove(path->flows->uncounted, path);
    count_at_ports(path);
    flow_route_clear(&path->route, &path->flows->resources);
    path->route = *next;
    for (guint i = 0; i < path->members->len; i++) {
        flow_adapt(g_ptr_array_index(path->members, i));
    }
}

static void
look_for_route(FlowPath *path)
{
    Flows *flows = path->flows;
    FlowRoute next;
    flow_route_find(flows->world, &flows->resources, &path->ends, &next);
    if (flow_route_equal(&path->route, &next)) {
        flow_route_clear(&next, &flows->resources);
    } else {
        replace_route(path, &next);
    }
}

/* Routes that nobody needs now are found anew when somebody does. */
void
flow_paths_look_again(Flows *flows)
{
    guint n = 0;
    flows->is_stale = false;
    flows->is_unsolved = true; /* a capacity may be another */
    for (guint i = 0; i < flows->paths->len; i++) {
        FlowPath *path = g_ptr_array_index(flows->paths, i);
        if (path->members->len == 0) {
            g_hash_table_remove(flows->by_key, path->key);
            flow_path_free(path);
        } else {
            look_for_route(path);
            g_ptr_array_index(flows->paths, n++) = path;
        }
    }
    g_ptr_array_set_size(flows->paths, (gint)n);
}
