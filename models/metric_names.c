/* The table of metrics. */
#include "models/metric_names.h"

#include <glib.h>

const MetricName metric_names[] = {
    {"sfc_init_seconds", {"chain"}, "s", "from submission of the client until the chain works"},
    {"pod_ready_seconds", {"pod"}, "s", "from submission of a Pod until it is Ready"},
    {"nsm_request_seconds", {"chain"}, "s", "the client's first successful Request"},
    {"nsm_request_failures", {"chain"}, "", "Requests of the client that failed before it"},
    {"sfc_path_up", {"chain"}, "", "1 when the chain's path works at the end of the run"},
    {"sfc_path_proved",
     {"chain"},
     "",
     "1 when every V-wire of the chain carried what entered it, in the declared order"},
    {"sfc_path_up_ratio", {"chain"}, "", "share of the time since the path was first up"},
    {"sfc_downtime_seconds", {"chain"}, "s", "time without a working path since it was first up"},
    {"sfc_downtime_seen_seconds", {"chain", "probe"}, "s", "the same as echoes see it"},
    {"sfc_recovery_seconds", {"chain", "fault"}, "s", "from a fault until the path works again"},
    {"sfc_detection_seconds", {"chain", "fault"}, "s", "from a fault until the client notices"},
    {"sfc_outage_seconds", {"chain", "fault"}, "s", "time without a path after a fault"},
    {"sfc_echo_recovery_seconds",
     {"chain", "fault", "probe"},
     "s",
     "from a fault until echoes are answered again"},
    {"sfc_echoes_lost", {"chain", "fault", "probe"}, "", "echoes lost after a fault"},
    {"sfc_echoes_sent_total", {"chain", "probe", "flow"}, "", "echoes sent"},
    {"sfc_echoes_lost_total", {"chain", "probe", "flow"}, "", "echoes without an answer"},
    {"sfc_loss_ratio", {"chain", "probe", "flow"}, "", "share of the echoes without an answer"},
    {"sfc_rtt_seconds", {"chain", "probe", "flow"}, "s", "round-trip time of the answered echoes"},
    {"sfc_hop_delay_seconds",
     {"chain", "flow", "hop"},
     "s",
     "time of an iteration at one place, both ways, mean"},
    {"sfc_delay_part_seconds",
     {"chain", "flow", "part"},
     "s",
     "time of an iteration for one purpose (queueing, throttled, ...), mean"},
    {"sfc_packets_sent_total", {"chain", "flow"}, "", "packets that a flow sent"},
    {"sfc_packets_arrived_total", {"chain", "flow"}, "", "packets that arrived"},
    {"sfc_packets_dropped_total", {"chain", "flow", "reason"}, "", "packets that were dropped"},
    {"sfc_request_seconds", {"chain", "flow"}, "s", "from a request until it is answered"},
    {"sfc_request_rate", {"chain", "flow"}, "1/s", "answered requests in a second"},
    {"sfc_requests_total", {"chain", "flow"}, "", "requests begun"},
    {"sfc_request_failures_total", {"chain", "flow", "reason"}, "", "requests without an answer"},
    {"sfc_request_failure_ratio", {"chain", "flow"}, "", "their share"},
    {"sfc_dropped_iterations_total",
     {"chain", "flow"},
     "",
     "iterations not begun because maxVUs were under way"},
    {"sfc_firewall_packets_total",
     {"firewall", "rule"},
     "",
     "packets that a firewall's rule decided on"},
    {"sfc_container_cpu_cores",
     {"chain", "container", "flow"},
     "cores",
     "cores that a container used while an iperf flow lasted"},
    {"sfc_video_stage_seconds",
     {"chain", "flow", "stage"},
     "s",
     "how long a film took forward, to be compressed, and back"},
    {"sfc_video_start_seconds", {"chain", "flow"}, "s", "until a viewer sees the first frame"},
    {"sfc_video_stalls", {"chain", "flow"}, "", "times that a viewer's player ran empty"},
    {"sfc_video_stall_seconds", {"chain", "flow"}, "s", "how long it was empty"},
    {"sfc_video_rate_bits_per_second",
     {"chain", "flow"},
     "bit/s",
     "mean rate of the renditions that a viewer got"},
    {"sfc_video_bytes_total", {"chain", "flow"}, "bytes", "what viewers downloaded"},
    {"sfc_throughput_bits_per_second",
     {"chain", "flow"},
     "bit/s",
     "payload that arrived, over the time of the flow"},
    {"sfc_recovery_phase_seconds",
     {"chain", "fault", "phase"},
     "s",
     "how long each phase of a recovery took"},
    {"sfc_heal_attempts", {"chain", "fault"}, "", "Requests that healing made after a fault"},
    {"sfc_unrecovered_total",
     {"chain", "fault"},
     "",
     "strikes after which the chain was not well before the next strike, or the end"},
    {"sfc_heals_total", {"chain"}, "", "times that a client began to heal"},
    {"sfc_false_alarms_total", {"chain"}, "", "healings that began while the path worked"},
    {"faults_injected_total", {"fault"}, "", "times that a fault struck"},
    {"component_cpu_cores",
     {"component", "phase"},
     "cores",
     "cores that one Pod uses, mean over a phase"},
    {"component_memory_bytes",
     {"component", "phase"},
     "bytes",
     "memory of one Pod at the end of a phase"},
    {"component_cpu_seconds_total", {"component"}, "s", "CPU time used"},
    {"component_cpu_throttled_seconds_total", {"component"}, "s", "time stopped by a CPU limit"},
    {"component_restarts_total", {"component"}, "", "containers started again"},
    {"component_oom_kills_total", {"component"}, "", "containers ended by their memory limit"},
    {"nsm_registry_wait_seconds_total", {NULL}, "s", "time that callers waited for the registry"},
    {"nsm_registry_waits_total", {NULL}, "", "calls that waited for the registry"},
    {"node_not_ready_total", {"node"}, "", "times that a node became NotReady"},
    {"pods_evicted_total", {NULL}, "", "Pods evicted from nodes"},
    {NULL, {NULL}, NULL, NULL},
};

const MetricName *
metric_name_find(const char *name)
{
    for (const MetricName *metric = metric_names; metric->name != NULL; metric++) {
        if (g_str_equal(metric->name, name)) {
            return metric;
        }
    }
    return NULL;
}

bool
metric_name_has_label(const MetricName *metric, const char *label)
{
    return g_strv_contains(metric->labels, label);
}
