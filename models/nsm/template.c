/* Templates are read in one pass: text up to "{{", then one action up to "}}". */
#include "models/nsm/template.h"

#include <string.h>

#define BLANKS " \t\r\n"
#define EXPECTED "expected {{.key}} or {{index . \"key\"}}"

/* What Go prints for a map's missing key (text/template exec.go printValue). */
#define NO_VALUE "<no value>"

/* The text between {{ and }}, without trim markers and blanks around it. */
typedef struct Action {
    const char *start;
    const char *end;
    bool trim_left;
    bool trim_right;
    const char *next; /* behind "}}" */
} Action;

static bool
is_blank(char c)
{
    return c != '\0' && strchr(BLANKS, c) != NULL;
}

/* Go's letters; all of UTF-8 beyond ASCII is taken for letters. */
static bool
is_key_char(char c)
{
    return g_ascii_isalnum(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool
refuse(const char *text, const Action *action, GError **error)
{
    return error_set(error, VWIRE_ERROR_UNSUPPORTED, "template \"%s\": found \"%.*s\"; " EXPECTED,
                     text, (int)(action->end - action->start), action->start);
}

/* Behind a string constant; NULL when it is not closed. */
static const char *
skip_string(const char *p)
{
    char quote = *p;
    for (p++; *p && *p != quote; p++) {
        if (*p == '\\' && quote == '"' && p[1]) {
            p++;
        }
    }
    return *p ? p + 1 : NULL;
}

/* "}}" outside of strings; NULL when there is none. */
static const char *
find_end(const char *p)
{
    while (p && *p && strncmp(p, "}}", 2) != 0) {
        p = *p == '"' || *p == '`' ? skip_string(p) : p + 1;
    }
    return p && *p ? p : NULL;
}

/* `open` stands at "{{".  Trim markers need a blank on the action's side (text/template doc). */
static bool
read_action(const char *text, const char *open, Action *out, GError **error)
{
    Action action = {.start = open + 2};
    const char *end = find_end(action.start);
    if (!end) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "template \"%s\": found \"%s\" without its end; " EXPECTED, text, open);
    }
    action.end = end;
    action.next = end + 2;
    if (action.start[0] == '-' && is_blank(action.start[1])) {
        action.trim_left = true;
        action.start += 2;
    }
    if (action.end - action.start >= 2 && action.end[-1] == '-' && is_blank(action.end[-2])) {
        action.trim_right = true;
        action.end -= 2;
    }
    while (action.start < action.end && is_blank(*action.start)) {
        action.start++;
    }
    while (action.end > action.start && is_blank(action.end[-1])) {
        action.end--;
    }
    *out = action;
    return true;
}

/* The text inside of double quotes; NULL when an escape is other than \" and \\. */
static char *
unescape(const char *p, const char *end)
{
    g_autofree char *text = g_malloc0((gsize)(end - p) + 1);
    for (char *out = text; p < end; p++) {
        bool escaped = *p == '\\';
        p += escaped;
        if (escaped && *p != '"' && *p != '\\') {
            return NULL;
        }
        *out++ = *p;
    }
    return g_steal_pointer(&text);
}

/* A whole string constant from start to end, decoded; NULL when it is none. */
static char *
decode_string(const char *start, const char *end)
{
    if (start >= end || (*start != '"' && *start != '`') || skip_string(start) != end) {
        return NULL;
    }
    return *start == '"' ? unescape(start + 1, end - 1)
                         : g_strndup(start + 1, (gsize)(end - start - 2));
}

/* The key of `index . "key"`; NULL for anything else. */
static char *
read_index(const char *p, const char *end)
{
    if (end - p < 5 || strncmp(p, "index", 5) != 0 || !is_blank(p[5])) {
        return NULL;
    }
    p += 5;
    while (is_blank(*p)) {
        p++;
    }
    if (*p != '.' || !(is_blank(p[1]) || p[1] == '"' || p[1] == '`')) {
        return NULL;
    }
    p++;
    while (is_blank(*p)) {
        p++;
    }
    return decode_string(p, end);
}

/* The key of `.key`; NULL for anything else. */
static char *
read_field(const char *p, const char *end)
{
    if (end - p < 2 || *p != '.' || g_ascii_isdigit(p[1])) {
        return NULL;
    }
    for (const char *q = p + 1; q < end; q++) {
        if (!is_key_char(*q)) {
            return NULL;
        }
    }
    return g_strndup(p + 1, (gsize)(end - p - 1));
}

static bool
append_value(GString *out, const char *text, const Action *action, const Labels *values,
             GError **error)
{
    g_autofree char *field = read_field(action->start, action->end);
    if (field) {
        const char *value = labels_get(values, field);
        g_string_append(out, value ? value : NO_VALUE);
        return true;
    }
    g_autofree char *key = read_index(action->start, action->end);
    if (key) {
        const char *value = labels_get(values, key);
        g_string_append(out, value ? value : "");
        return true;
    }
    g_autofree char *constant = decode_string(action->start, action->end);
    if (constant) {
        g_string_append(out, constant);
        return true;
    }
    return refuse(text, action, error);
}

static void
trim_end(GString *s, gsize floor)
{
    while (s->len > floor && is_blank(s->str[s->len - 1])) {
        g_string_truncate(s, s->len - 1);
    }
}

bool
template_expand(const char *text, const Labels *values, char **out, GError **error)
{
    g_autoptr(GString) s = g_string_new(NULL);
    const char *p = text;
    const char *open;
    while ((open = strstr(p, "{{")) != NULL) {
        Action action = {.next = open};
        if (!read_action(text, open, &action, error)) {
            return false;
        }
        gsize floor = s->len; /* markers trim text only, never a value before it */
        g_string_append_len(s, p, open - p);
        if (action.trim_left) {
            trim_end(s, floor);
        }
        if (!append_value(s, text, &action, values, error)) {
            return false;
        }
        p = action.next;
        p += action.trim_right ? strspn(p, BLANKS) : 0;
    }
    g_string_append(s, p);
    *out = g_strdup(s->str);
    return true;
}

static bool
pair_matches(const Label *pair, const Labels *of, const Labels *values)
{
    const char *have = labels_get(of, pair->key);
    have = have ? have : "";
    if (strcmp(have, pair->value) == 0) {
        return true;
    }
    g_autofree char *expanded = NULL;
    return template_expand(pair->value, values, &expanded, NULL) && strcmp(have, expanded) == 0;
}

bool
template_subset(const Labels *subset, const Labels *of, const Labels *values)
{
    if (of->n < subset->n) {
        return false;
    }
    for (guint i = 0; i < subset->n; i++) {
        if (!pair_matches(&subset->items[i], of, values)) {
            return false;
        }
    }
    return true;
}
