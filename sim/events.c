/* Writing marks as JSON lines. */
#include "sim/events.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>

struct Events {
    TraceSink sink;
    char *path;
    char *temporary;
    FILE *file;
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
    fwrite(line->str, 1, line->len, events->file); /* errors stick: ferror in events_close */
}

static void
events_free(Events *events)
{
    if (events->file != NULL) {
        fclose(events->file);
    }
    g_string_free(events->line, true);
    g_free(events->path);
    g_free(events->temporary);
    g_free(events);
}

Events *
events_open(const char *path, const char *scenario, uint64_t seed, uint32_t replication,
            GError **error)
{
    Events *events = g_new0(Events, 1);
    events->sink.event = on_event;
    events->path = g_strdup(path);
    events->temporary = g_strdup_printf("%s.tmp", path);
    events->line = g_string_new(NULL);
    events->file = fopen(events->temporary, "we");
    if (events->file == NULL) {
        error_set_errno(error, errno, "write %s", events->temporary);
        events_free(events);
        return NULL;
    }
    g_string_assign(events->line, "{\"schema\":\"vwire/events/v1\"");
    append_member(events->line, "scenario", scenario);
    fprintf(events->file, "%s,\"seed\":%" G_GUINT64_FORMAT ",\"replication\":%u}\n",
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
    g_unlink(events->temporary);
    events_free(events);
}

bool
events_close(Events *events, GError **error)
{
    bool failed = ferror(events->file) != 0;
    failed |= fclose(g_steal_pointer(&events->file)) != 0;
    if (failed) {
        error_set_errno(error, errno, "write %s", events->temporary);
        events_discard(events);
        return false;
    }
    if (g_rename(events->temporary, events->path) != 0) {
        error_set_errno(error, errno, "rename %s to %s", events->temporary, events->path);
        events_discard(events);
        return false;
    }
    events_free(events);
    return true;
}
