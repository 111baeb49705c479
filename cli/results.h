/* Result files: summary.json and runs.csv, written whole or not at all. */
#pragma once

#include "sim/replicate.h"

/* The summary as text (schema vwire/summary/v1); free with g_free. */
char *results_summary(const Scenario *scenario, const Study *study, uint64_t seed);

/* Writes DIR/summary.json and, if the scenario wants it, DIR/runs.csv. */
bool results_write(const char *dir, const Scenario *scenario, const Study *study, uint64_t seed,
                   GError **error);
