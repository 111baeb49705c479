/* Writing marks as JSON lines. */
#include "sim/events.h"

#include "base/outfile.h"

struct Events {
    TraceSink sink;
    OutFile *out;
    GString *line;
};

static void
append_text(GString *line, const char *text)
{
    g_string_append_c(line, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            g_string_append_c(line, '\\');
            g_string_append_c(line, (char)*c);
        } else if (*c < 0x20) {
            g_string_append_printf(line, "\\u%04x", *c);
        } else {
            g_string_append_c(line, (char)*c);
        }
    }
    g_string_append_c(line, '"');
}

static void
append_member(GString *line, const char *name, const char *text)
{
    g_string_append_printf(line, ",\"%s\":", name);
    append_text(line, text);
}

static void
on_event(TraceSink *sink, const TraceEvent *event)
{
    Events *events = (Events *)sink;
    GString *line = events->line;
    g_string_printf(line, "{\"t\":%" G_GINT64_FORMAT ".%09d", event->at / NSEC_PER_SEC,
                    (int)(event->at % NSEC_PER_SEC));
    append_member(line, "component", event->component);
    append_member(line, "process", event->process);
    append_member(line, "event", trace_mark_name(event->mark));
    append_member(line, "subject", event->subject != NULL ? event->subject : "");
    if (event->detail != NULL) {
        append_member(line, "detail", event->detail);
    }
    if (event->value != 0) {
        g_string_append_printf(line, ",\"value\":%" G_GINT64_FORMAT, event->value);
    }
    g_string_append(line, "}\n");
    fwrite(line->str, 1, line->len, out_file_stream(events->out));
}

static void
events_free(Events *events)
{
    g_string_free(events->line, true);
    g_free(events);
}

Events *
events_open(const char *path, const char *scenario, uint64_t seed, uint32_t replication,
            GError **error)
{
    OutFile *out = out_file_open(path, error);
    if (out == NULL) {
        return NULL;
    }
    Events *events = g_new0(Events, 1);
    events->sink.event = on_event;
    events->out = out;
    events->line = g_string_new(NULL);
    g_string_assign(events->line, "{\"schema\":\"vwire/events/v1\"");
    append_member(events->line, "scenario", scenario);
    fprintf(out_file_stream(out), "%s,\"seed\":%" G_GUINT64_FORMAT ",\"replication\":%u}\n",
            events->line->str, seed, replication);
    return events;
}

TraceSink *
events_sink(Events *events)
{
    return &events->sink;
}

void
events_discard(Events *events)
{
    out_file_discard(events->out);
    events_free(events);
}

bool
events_close(Events *events, GError **error)
{
    bool closed = out_file_close(events->out, error);
    events_free(events);
    return closed;
}
