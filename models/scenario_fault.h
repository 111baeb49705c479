/* The parts of the reader of spec.faults; private to models/scenario_fault*.c.
 *
 * scenario_fault.c reads entries: names, times, presets; scenario_fault_part.c what an entry of an
 * explicit kind does to whom; scenario_fault_check.c compares both with the manifests and the
 * nodes. */
#pragma once

#include "models/chain.h"
#include "models/scenario_parts.h"

/* kind, action and what belongs to them, as parts of `out`, which has none yet.  The nodes of the
 * scenario are known; what only warns goes to its warnings. */
bool fault_parts_read(const TreeNode *node, Scenario *scenario, Fault *out, GError **error);

/* Whole seconds as Chaos Mesh has them, or a duration. */
bool fault_grace_read(const TreeNode *node, nsec_t *out, GError **error);

/* The chain that the fault is about: the one it names or the first.  NULL without an error when
 * the manifests have none; with an error when it names one that is not there. */
const Chain *fault_chain(const TreeNode *node, const Chains *chains, const Fault *fault,
                         GError **error);

/* Refuses what can hit nothing; leaves out parts of a preset that the manifests do not need. */
bool fault_targets_check(const TreeNode *node, const Chains *chains, Scenario *scenario,
                         Fault *fault, GError **error);

/* Refuses times at which nothing can be hit, or that contradict each other. */
bool fault_times_check(const TreeNode *node, const Chains *chains, Scenario *scenario,
                       const Fault *fault, GError **error);

/* Refuses the last of the faults if it would act on what another one acts on at that time. */
bool fault_overlap_check(const TreeNode *node, const Scenario *scenario, const Fault *fault,
                         GError **error);

/* "; did you mean "x"?" or ""; free with g_free. */
char *fault_hint(const char *word, const char *const *known);
