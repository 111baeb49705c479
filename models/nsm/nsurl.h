/* Client URLs: which NetworkService a client wants, over which mechanism, into which interface.
 *
 *     kernel|memif|vfio://service[@domain][/interface][?label=value&...]
 *
 * The meaning of the parts is that of sdk@v1.4.0:pkg/tools/nsurl/nsurl.go: the last segment of
 * the path names the interface, the query gives the labels (a label given twice has both values
 * joined by a comma; sriovToken is a label too).  Lists (NSM_NETWORK_SERVICES, the annotation
 * networkservicemesh.io) are joined by commas without blanks. */
#pragma once

#include "models/labels.h"

typedef enum NsMechanism {
    NS_MECHANISM_KERNEL,
    NS_MECHANISM_MEMIF,
    NS_MECHANISM_VFIO,
} NsMechanism;

typedef struct NsUrl {
    NsMechanism mechanism;
    char *service;
    char *domain;    /* interdomain: the part behind '@'; NULL: this cluster */
    char *interface; /* NULL: the client chooses a name */
    Labels labels;
    char *sriov_token; /* NULL: none */
} NsUrl;

/* "kernel", "memif", "vfio". */
const char *ns_mechanism_name(NsMechanism mechanism);

/* Reads one URL; false with an error (PARSE) that says what was found and expected. */
bool ns_url_parse(const char *text, NsUrl *out, GError **error);
void ns_url_clear(NsUrl *url);

/* Reads a list of at least one URL: an array of NsUrl that clears them, or NULL with an error. */
GArray *ns_url_parse_list(const char *text, GError **error);
