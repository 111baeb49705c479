/* Nodes as the control plane knows them: name, labels, taints, what Pods may reserve. */
#pragma once

#include "models/manifest/objects.h"

typedef struct Node {
    const char *name;
    const char *ip;
    int64_t cpu;    /* allocatable, milli-cores */
    int64_t memory; /* allocatable, bytes */
    int64_t pods;
    const Labels *labels;
    const Toleration *taints; /* key, value, effect */
    guint n_taints;
} Node;

typedef struct Nodes {
    const Node *items;
    guint n;
} Nodes;
