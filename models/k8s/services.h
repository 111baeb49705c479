/* Endpoints controller and kube-proxy as one: which ready Pods stand behind a Service's name.
 *
 * Publishes "svc:<name>.<namespace>:<port>" -> "tcp:<Pod IP>:<target port>" for every ready Pod
 * that a Service selects, and withdraws it when the Pod is not ready any more. */
#pragma once

#include "models/machine.h"

Machine *services_new(const ProcessInfo *info);
