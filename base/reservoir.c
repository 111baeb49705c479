/* Algorithm R. */
#include "base/reservoir.h"

void
reservoir_init(Reservoir *reservoir, const RandomStream *random)
{
    *reservoir = (Reservoir){.random = *random};
}

void
reservoir_clear(Reservoir *reservoir)
{
    g_clear_pointer(&reservoir->values, g_free);
    reservoir->n = reservoir->n_kept = reservoir->n_allocated = 0;
}

static void
keep(Reservoir *reservoir, double value)
{
    if (reservoir->n_kept == reservoir->n_allocated) {
        reservoir->n_allocated = MAX(2 * reservoir->n_allocated, 64);
        reservoir->values = g_renew(double, reservoir->values, reservoir->n_allocated);
    }
    reservoir->values[reservoir->n_kept++] = value;
}

void
reservoir_add(Reservoir *reservoir, double value)
{
    bool first = reservoir->n++ == 0;
    reservoir->sum += value;
    reservoir->min = first ? value : MIN(reservoir->min, value);
    reservoir->max = first ? value : MAX(reservoir->max, value);
    if (reservoir->n_kept < RESERVOIR_LIMIT) {
        keep(reservoir, value);
        return;
    }
    uint64_t place = random_below(&reservoir->random, reservoir->n);
    if (place < RESERVOIR_LIMIT) {
        reservoir->values[place] = value;
    }
}

double
reservoir_mean(const Reservoir *reservoir)
{
    return reservoir->n > 0 ? reservoir->sum / (double)reservoir->n : 0;
}

void
reservoir_sample(const Reservoir *reservoir, Sample *out)
{
    for (size_t i = 0; i < reservoir->n_kept; i++) {
        sample_add(out, reservoir->values[i]);
    }
    if (reservoir->n > reservoir->n_kept) {
        sample_add(out, reservoir->min);
        sample_add(out, reservoir->max);
    }
}
