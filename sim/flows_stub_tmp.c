#include "sim/flows.h"
Flows *
flows_new(World *w)
{
    return (Flows *)g_malloc0(8);
}
void
flows_free(Flows *f)
{
    g_free(f);
}
FluidFlow *
flows_begin(Flows *f, const FluidSpec *s)
{
    return NULL;
}
void
flows_end(FluidFlow *f)
{
}
double
fluid_flow_bytes(FluidFlow *f)
{
    return 0;
}
double
fluid_flow_rate(const FluidFlow *f)
{
    return 0;
}
FluidBottleneck
fluid_flow_bottleneck(FluidFlow *f)
{
    return (FluidBottleneck){0};
}
void
fluid_bottleneck_clear(FluidBottleneck *b)
{
}
uint64_t
flows_n_solved(const Flows *f)
{
    return 0;
}
uint64_t
flows_n_changed(const Flows *f)
{
    return 0;
}
