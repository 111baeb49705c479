/* What the parts of the report share. */
#include "cli/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void
print_reference(const Scenario *scenario, const char *metric)
{
    for (guint i = 0; i < scenario->n_references; i++) {
        const ScenarioReference *reference = &scenario->references[i];
        if (g_str_equal(reference->metric, metric)) {
            printf("  measured: mean %g", reference->mean);
            if (!isnan(reference->min)) {
                printf(", %g to %g", reference->min, reference->max);
            }
            printf(" (%s)\n", reference->source);
        }
    }
}
