/* The scenario reader's parts, one file each; private to models/scenario*.c.  Each reads one
 * subtree of the document into the scenario, which owns what was read even when a later part
 * fails.  A node that is absent (NULL or null) leaves the defaults. */
#pragma once

#include "models/chain.h"
#include "models/scenario.h"

/* scenario_cluster.c: spec.cluster, required. */
bool scenario_cluster_read(const TreeNode *cluster, Scenario *out, GError **error);
void scenario_cluster_clear(Scenario *scenario);

/* scenario_outcome.c: how often to run, what to judge, what to write. */
bool scenario_replications_read(const TreeNode *node, ScenarioReplications *out, GError **error);
bool scenario_thresholds_read(const TreeNode *node, Scenario *out, GError **error);
bool scenario_references_read(const TreeNode *node, Scenario *out, GError **error);
bool scenario_outputs_read(const TreeNode *node, Scenario *out, GError **error);
/* Labels of thresholds that speak of chains, faults and probes: they must be there. */
bool scenario_thresholds_check(const TreeNode *node, const Chains *chains, const Scenario *scenario,
                               GError **error);
void scenario_outcome_clear(Scenario *scenario);

/* scenario_acl.c: the rules of firewalls; the manifests are there. */
bool scenario_acls_read(Scenario *scenario, GError **error);
void scenario_acls_clear(Scenario *scenario);

/* scenario_fault.c: what breaks; the manifests are there. */
bool scenario_faults_read(const TreeNode *node, const Chains *chains, Scenario *out,
                          GError **error);
void scenario_faults_clear(Scenario *scenario);

/* scenario_traffic.c: what is sent, when; scenario_flow.c: from where to where, in entries whose
 * executor is known; scenario_video.c: the keys of the executor video. */
bool scenario_traffic_read(const TreeNode *node, const Chains *chains, Scenario *out,
                           GError **error);
void scenario_traffic_clear(Scenario *scenario);
bool scenario_flow_read(const TreeNode *flow, const Chains *chains, Scenario *scenario,
                        Traffic *out, GError **error);
bool scenario_video_read(const TreeNode *entry, Traffic *out, GError **error);

/* scenario_calm.c: time that is skipped; the fingerprint. */
bool scenario_fast_forward_read(const TreeNode *node, Scenario *out, GError **error);
bool scenario_fingerprint_read(const TreeNode *node, Scenario *out, GError **error);

/* scenario_read.c: what the parts share. */

/* A node's mark with its own reference to the file's name; cleared by the second function. */
TreeMark scenario_mark_of(const TreeNode *node);
void scenario_mark_clear(TreeMark *mark);

/* Nothing, empty text, an empty list or mapping. */
bool scenario_is_empty(const TreeNode *node);

/* The text of any scalar that is not null: quantities, rates. */
bool scenario_read_text(const TreeNode *node, const char *what, const char **out, GError **error);

/* The next three leave `out` when the node is NULL. */

/* A quantity above 0 in the grammar of `parse` (base/quantity.h). */
typedef bool ScenarioQuantity(const char *text, int64_t *out, GError **error);
bool scenario_read_amount(const TreeNode *node, const char *what, ScenarioQuantity *parse,
                          int64_t *out, GError **error);

/* Bytes, from `min` to `max`: a number or a quantity such as 4Mi. */
#define SCENARIO_MAX_SIZE (INT64_C(1) << 40) /* of what one iteration sends */
bool scenario_read_size(const TreeNode *node, const char *what, int64_t min, int64_t max,
                        int64_t *out, GError **error);

/* A duration above 0. */
bool scenario_read_time(const TreeNode *node, const char *what, nsec_t *out, GError **error);

/* A mapping of strings, added to `out`. */
bool scenario_read_labels(const TreeNode *node, const char *what, Labels *out, GError **error);

/* Adds "file:line:column: message" to the warnings. */
void scenario_warn(Scenario *scenario, const TreeNode *at, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
