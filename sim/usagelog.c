/* Writing usage.csv. */
#include "sim/usagelog.h"

#include "base/outfile.h"
#include "sim/world_types.h"

struct UsageLog {
    Event event;
    World *world;
    nsec_t interval;
    nsec_t since; /* engine's time: end of the interval before */
    PodUsage last[N_COMPONENTS];
    OutFile *out;
};

static void
write_number(FILE *file, const char *format, double number)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(text, sizeof text, format, number);
    fprintf(file, ",%s", text);
}

static void
write_row(UsageLog *log, Component component, const PodUsage *usage, double seconds)
{
    char time[G_ASCII_DTOSTR_BUF_SIZE];
    nsec_t now = world_now(log->world);
    g_ascii_formatd(time, sizeof time, "%.9g", nsec_to_seconds(now));
    FILE *file = out_file_stream(log->out);
    fprintf(file, "%s,%s,%u", time, component_name(component), usage->n_pods);
    write_number(file, "%.6g", (usage->cpu - log->last[component].cpu) / seconds);
    write_number(file, "%.0f", usage->memory);
    fputc('\n', file);
}

static void
write_rows(UsageLog *log)
{
    nsec_t now = engine_now(log->world->engine);
    if (now == log->since) {
        return;
    }
    PodUsage usage[N_COMPONENTS];
    world_pod_usage(log->world, usage);
    for (int c = 0; c < N_COMPONENTS; c++) {
        if (c != COMPONENT_APP && usage[c].pod_seconds > 0) {
            write_row(log, (Component)c, &usage[c], nsec_to_seconds(now - log->since));
        }
        log->last[c] = usage[c];
    }
    log->since = now;
}

static void
on_interval(Engine *engine, Event *event)
{
    UsageLog *log = (UsageLog *)((char *)event - offsetof(UsageLog, event));
    write_rows(log);
    engine_schedule(engine, event, engine_now(engine) + log->interval);
}

UsageLog *
usage_log_open(const char *path, World *world, nsec_t interval, GError **error)
{
    OutFile *out = out_file_open(path, error);
    if (out == NULL) {
        return NULL;
    }
    UsageLog *log = g_new0(UsageLog, 1);
    log->world = world;
    log->interval = interval;
    log->out = out;
    fputs("time [s],component,pods,cpu [cores],memory [bytes]\n", out_file_stream(out));
    event_init(&log->event, on_interval, UINT8_MAX);
    engine_schedule(world->engine, &log->event, engine_now(world->engine) + interval);
    return log;
}

void
usage_log_end(UsageLog *log)
{
    engine_cancel(log->world->engine, &log->event);
    write_rows(log);
}

void
usage_log_discard(UsageLog *log)
{
    out_file_discard(log->out);
    g_free(log);
}

bool
usage_log_close(UsageLog *log, GError **error)
{
    bool closed = out_file_close(log->out, error);
    g_free(log);
    return closed;
}
