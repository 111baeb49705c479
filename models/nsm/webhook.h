/* admission-webhook-k8s: injects cmd-nsc-init and cmd-nsc into what carries the annotation
 * `networkservicemesh.io: <urls>` (FACTS 1.10).
 *
 * A Pod is changed by its own annotation, a workload by the workload's.  Besides the two
 * containers (and a coredns sidecar) it adds their volumes, their environment and the label that
 * makes SPIRE know the Pod. */
#pragma once

#include "models/machine.h"

#define NSM_ANNOTATION "networkservicemesh.io"

/* `configuration` is webhook_own_configuration's object; it lives as long as the run, since the API
 * server keeps it beyond the webhook's life. */
Machine *webhook_new(const ProcessInfo *info, const Object *configuration);

/* What the webhook with this container spec makes of a Pod spec; NULL when `urls` is NULL.  Also
 * used by static analyses.  Free with pod_spec_free. */
PodSpec *webhook_inject(const ContainerSpec *webhook, const PodSpec *spec, const char *urls);

/* At v1.4.0 the webhook registers its MutatingWebhookConfiguration itself when it starts; this is
 * the object (newer releases ship it as a manifest).  Free with object_free. */
Object *webhook_own_configuration(const char *ns, const char *service);
