/* A hand-written reader of one line; errors count columns from 1, in bytes. */
#include "models/metric.h"

#include <string.h>

typedef struct Reader {
    const char *text;
    const char *at;
} Reader;

static void
clear_label(void *data)
{
    MetricLabel *label = data;
    g_free(label->name);
    g_free(label->value);
}

static MetricKey *
new_key_take(char *name)
{
    MetricKey *key = g_new0(MetricKey, 1);
    key->name = name;
    key->labels = g_array_new(FALSE, FALSE, sizeof(MetricLabel));
    g_array_set_clear_func(key->labels, clear_label);
    return key;
}

MetricKey *
metric_key_new(const char *name)
{
    return new_key_take(g_strdup(name));
}

void
metric_key_free(MetricKey *key)
{
    if (key == NULL) {
        return;
    }
    g_free(key->name);
    g_array_unref(key->labels);
    g_free(key);
}

static MetricLabel *
label_at(const MetricKey *key, guint index)
{
    return &g_array_index(key->labels, MetricLabel, index);
}

/* Where the label is, or where it would go: the index of the first name that is not less. */
static guint
find_label(const MetricKey *key, const char *name, bool *found)
{
    guint i = 0;
    int order = 1;
    while (i < key->labels->len && (order = strcmp(label_at(key, i)->name, name)) < 0) {
        i++;
    }
    *found = i < key->labels->len && order == 0;
    return i;
}

void
metric_key_set_label(MetricKey *key, const char *name, const char *value)
{
    bool found;
    guint i = find_label(key, name, &found);
    if (found) {
        g_free(label_at(key, i)->value);
        label_at(key, i)->value = g_strdup(value);
        return;
    }
    MetricLabel label = {g_strdup(name), g_strdup(value)};
    g_array_insert_val(key->labels, i, label);
}

const char *
metric_key_label(const MetricKey *key, const char *name)
{
    bool found;
    guint i = find_label(key, name, &found);
    return found ? label_at(key, i)->value : NULL;
}

static bool
refuse(const Reader *reader, const char *expected, GError **error)
{
    long column = reader->at - reader->text + 1;
    if (*reader->at == '\0') {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "metric \"%s\", column %ld: it ends; expected %s", reader->text, column,
                         expected);
    }
    const char *end = g_utf8_next_char(reader->at);
    return error_set(error, VWIRE_ERROR_PARSE,
                     "metric \"%s\", column %ld: found \"%.*s\"; expected %s", reader->text, column,
                     (int)(end - reader->at), reader->at, expected);
}

static void
skip_blanks(Reader *reader)
{
    while (g_ascii_isspace(*reader->at)) {
        reader->at++;
    }
}

/* A name of a metric (which may have colons) or of a label. */
static char *
read_name(Reader *reader, bool of_metric, GError **error)
{
    skip_blanks(reader);
    const char *start = reader->at;
    while (g_ascii_isalnum(*reader->at) || *reader->at == '_' ||
           (of_metric && *reader->at == ':')) {
        reader->at++;
    }
    if (reader->at == start || g_ascii_isdigit(*start)) {
        reader->at = start;
        refuse(reader, of_metric ? "a metric name" : "a label name", error);
        return NULL;
    }
    return g_strndup(start, (gsize)(reader->at - start));
}

/* Appends what one backslash and its letter stand for. */
static bool
read_escape(Reader *reader, GString *value, GError **error)
{
    reader->at++;
    switch (*reader->at) {
    case '\\':
    case '"':
        g_string_append_c(value, *reader->at);
        break;
    case 'n':
        g_string_append_c(value, '\n');
        break;
    default:
        return refuse(reader, "\\, \" or n after a backslash", error);
    }
    reader->at++;
    return true;
}

static char *
read_value(Reader *reader, GError **error)
{
    skip_blanks(reader);
    if (*reader->at != '"') {
        refuse(reader, "a label value in double quotes", error);
        return NULL;
    }
    reader->at++;
    g_autoptr(GString) value = g_string_new(NULL);
    while (*reader->at != '"') {
        if (*reader->at == '\0') {
            refuse(reader, "\" after the label value", error);
            return NULL;
        }
        if (*reader->at != '\\') {
            g_string_append_c(value, *reader->at++);
        } else if (!read_escape(reader, value, error)) {
            return NULL;
        }
    }
    reader->at++;
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static bool
read_label(Reader *reader, MetricKey *key, GError **error)
{
    skip_blanks(reader);
    const char *start = reader->at;
    g_autofree char *name = read_name(reader, false, error);
    if (name == NULL) {
        return false;
    }
    if (metric_key_label(key, name) != NULL) {
        reader->at = start;
        return refuse(reader, "each label once", error);
    }
    skip_blanks(reader);
    if (*reader->at != '=') {
        return refuse(reader, "= after the label name", error);
    }
    reader->at++;
    g_autofree char *value = read_value(reader, error);
    if (value == NULL) {
        return false;
    }
    metric_key_set_label(key, name, value);
    return true;
}

/* From behind { to behind }. */
static bool
read_labels(Reader *reader, MetricKey *key, GError **error)
{
    skip_blanks(reader);
    while (*reader->at != '}') {
        if (!read_label(reader, key, error)) {
            return false;
        }
        skip_blanks(reader);
        if (*reader->at != ',' && *reader->at != '}') {
            return refuse(reader, ", or } after the label", error);
        }
        if (*reader->at == ',') {
            reader->at++;
            skip_blanks(reader);
        }
    }
    reader->at++;
    return true;
}

MetricKey *
metric_key_parse(const char *text, GError **error)
{
    if (!g_utf8_validate(text, -1, NULL)) {
        error_set(error, VWIRE_ERROR_PARSE, "a metric is not UTF-8 text");
        return NULL;
    }
    Reader reader = {text, text};
    char *name = read_name(&reader, true, error);
    if (name == NULL) {
        return NULL;
    }
    g_autoptr(MetricKey) key = new_key_take(name);
    skip_blanks(&reader);
    bool has_labels = *reader.at == '{';
    if (has_labels) {
        reader.at++;
        if (!read_labels(&reader, key, error)) {
            return NULL;
        }
        skip_blanks(&reader);
    }
    if (*reader.at != '\0') {
        refuse(&reader, has_labels ? "the end after }" : "{ or the end after the name", error);
        return NULL;
    }
    return g_steal_pointer(&key);
}

static void
append_value(GString *text, const char *value)
{
    g_string_append_c(text, '"');
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            g_string_append(text, "\\n");
            continue;
        }
        if (*c == '"' || *c == '\\') {
            g_string_append_c(text, '\\');
        }
        g_string_append_c(text, *c);
    }
    g_string_append_c(text, '"');
}

char *
metric_key_format(const MetricKey *key)
{
    GString *text = g_string_new(key->name);
    for (guint i = 0; i < key->labels->len; i++) {
        g_string_append_printf(text, "%s%s=", i == 0 ? "{" : ",", label_at(key, i)->name);
        append_value(text, label_at(key, i)->value);
    }
    if (key->labels->len > 0) {
        g_string_append_c(text, '}');
    }
    return g_string_free(text, FALSE);
}

bool
metric_key_matches(const MetricKey *key, const MetricKey *selector)
{
    if (strcmp(key->name, selector->name) != 0) {
        return false;
    }
    for (guint i = 0; i < selector->labels->len; i++) {
        const MetricLabel *wanted = label_at(selector, i);
        const char *value = metric_key_label(key, wanted->name);
        if (strcmp(value == NULL ? "" : value, wanted->value) != 0) {
            return false;
        }
    }
    return true;
}
