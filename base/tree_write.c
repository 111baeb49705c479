/* Writing trees: YAML for people and kubectl (libyaml's emitter), JSON as Go's encoding/json does
 * it, on which Kustomize's name hashes depend. */
#include "base/tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* ------ JSON ------ */

/* encoding/json with HTML escaping on (its default): encode.go, appendString. */
static void
json_string(GString *out, const char *text)
{
    static const char ESCAPED[] = "\"\\\n\r\t\b\f";
    static const char LETTERS[] = "\"\\nrtbf";
    g_string_append_c(out, '"');
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        const char *escape = c < 0x80 ? strchr(ESCAPED, (int)c) : NULL;
        if (escape != NULL) {
            g_string_append_c(out, '\\');
            g_string_append_c(out, LETTERS[escape - ESCAPED]);
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029) {
            g_string_append_printf(out, "\\u%04x", c);
        } else {
            g_string_append_unichar(out, c);
        }
    }
    g_string_append_c(out, '"');
}

/* encoding/json's floatEncoder: the shortest digits that read back, an exponent only for very
 * small and very large numbers, written without a leading zero. */
static void
json_float(GString *out, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    int precision = 0;
    do {
        precision++;
        char format[] = "%.00e";
        format[2] = (char)('0' + (precision - 1) / 10);
        format[3] = (char)('0' + (precision - 1) % 10);
        g_ascii_formatd(digits, sizeof digits, format, value);
    } while (precision < 17 && g_ascii_strtod(digits, NULL) != value);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (value != 0 && (fabs(value) < 1e-6 || fabs(value) >= 1e21)) {
        char *e = strchr(digits, 'e');
        g_string_append_len(out, digits, e - digits);
        g_string_append_printf(out, exponent < 0 ? "e-%d" : "e+%d", abs(exponent));
        return;
    }
    g_string_append_printf(out, "%.*f", MAX(precision - 1 - exponent, 0), value);
}

static void
json_number(GString *out, const TreeNode *node)
{
    bool negative = false;
    uint64_t magnitude = 0;
    double number = 0;
    if (node->scalar == TREE_INT) {
        tree_integer(node->text, &negative, &magnitude);
        g_string_append_printf(out, "%s%" PRIu64, negative && magnitude > 0 ? "-" : "", magnitude);
    } else {
        g_assert(tree_read_double(node, &number, NULL));
        json_float(out, number);
    }
}

static void
json_scalar(GString *out, const TreeNode *node)
{
    bool value = false;
    switch (node->scalar) {
    case TREE_STRING:
        json_string(out, node->text);
        break;
    case TREE_NULL:
        g_string_append(out, "null");
        break;
    case TREE_BOOL:
        g_assert(tree_read_bool(node, &value, NULL));
        g_string_append(out, value ? "true" : "false");
        break;
    case TREE_INT:
    case TREE_FLOAT:
        json_number(out, node);
        break;
    }
}

static int
compare_keys(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
json_node(GString *out, const TreeNode *node, bool sort_keys)
{
    if (node->kind == TREE_SCALAR) {
        json_scalar(out, node);
        return;
    }
    bool is_mapping = node->kind == TREE_MAPPING;
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    for (guint i = 0; is_mapping && i < tree_size(node); i++) {
        g_ptr_array_add(keys, (char *)tree_key(node, i));
    }
    if (sort_keys) {
        g_ptr_array_sort(keys, compare_keys);
    }
    g_string_append_c(out, is_mapping ? '{' : '[');
    for (guint i = 0; i < tree_size(node); i++) {
        if (i > 0) {
            g_string_append_c(out, ',');
        }
        if (is_mapping) {
            json_string(out, keys->pdata[i]);
            g_string_append_c(out, ':');
        }
        const TreeNode *item = is_mapping ? tree_get(node, keys->pdata[i]) : tree_item(node, i);
        json_node(out, item, sort_keys);
    }
    g_string_append_c(out, is_mapping ? '}' : ']');
}

char *
tree_to_json(const TreeNode *node, bool sort_keys)
{
    GString *out = g_string_new(NULL);
    json_node(out, node, sort_keys);
    return g_string_free(out, FALSE);
}

/* ------ YAML ------ */

/* Text that some YAML 1.1 reader takes for something else is quoted, even where ours would not. */
static bool
is_ambiguous(const char *text)
{
    return tree_resolve_plain(text) != TREE_STRING || g_ascii_isdigit(*text) ||
           strchr("+-.=<", *text) != NULL;
}

/* Blanks and line breaks that only double quotes keep as they are. */
static bool
has_delicate_space(const char *text)
{
    static const char *const BREAKS[] = {"\r", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9", NULL};
    for (guint i = 0; BREAKS[i] != NULL; i++) {
        if (strstr(text, BREAKS[i]) != NULL) {
            return true;
        }
    }
    if (strchr(text, '\n') == NULL) {
        return strchr(text, '\t') != NULL;
    }
    return g_ascii_isspace(*text) || strstr(text, " \n") != NULL || !g_str_has_suffix(text, "\n");
}

static yaml_scalar_style_t
string_style(const char *text, bool is_key)
{
    if (has_delicate_space(text) || (is_key && strchr(text, '\n') != NULL)) {
        return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    }
    if (strchr(text, '\n') != NULL) {
        return YAML_LITERAL_SCALAR_STYLE;
    }
    return is_ambiguous(text) ? YAML_SINGLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
}

static void
emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
    g_assert(yaml_emitter_emit(emitter, event));
}

static void
emit_scalar(yaml_emitter_t *emitter, const char *text, bool is_string, bool is_key)
{
    yaml_event_t event;
    yaml_scalar_style_t style = is_string ? string_style(text, is_key) : YAML_PLAIN_SCALAR_STYLE;
    g_assert(yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                          (int)strlen(text), true, true, style));
    emit(emitter, &event);
}

static void
emit_node(yaml_emitter_t *emitter, const TreeNode *node)
{
    yaml_event_t event;
    if (node->kind == TREE_SCALAR) {
        const char *text = node->scalar == TREE_NULL ? "null" : node->text;
        emit_scalar(emitter, text, node->scalar == TREE_STRING, false);
        return;
    }
    bool is_mapping = node->kind == TREE_MAPPING;
    if (is_mapping) {
        yaml_mapping_start_event_initialize(&event, NULL, NULL, true, YAML_BLOCK_MAPPING_STYLE);
    } else {
        yaml_sequence_start_event_initialize(&event, NULL, NULL, true, YAML_BLOCK_SEQUENCE_STYLE);
    }
    emit(emitter, &event);
    for (guint i = 0; i < tree_size(node); i++) {
        if (is_mapping) {
            emit_scalar(emitter, tree_key(node, i), true, true);
        }
        emit_node(emitter, tree_item(node, i));
    }
    if (is_mapping) {
        yaml_mapping_end_event_initialize(&event);
    } else {
        yaml_sequence_end_event_initialize(&event);
    }
    emit(emitter, &event);
}

static int
append_output(void *data, unsigned char *buffer, size_t size)
{
    g_string_append_len(data, (const char *)buffer, (gssize)size);
    return 1;
}

char *
tree_to_yaml(const TreeNode *node)
{
    GString *out = g_string_new(NULL);
    yaml_emitter_t emitter;
    yaml_event_t event;
    g_assert(yaml_emitter_initialize(&emitter));
    yaml_emitter_set_output(&emitter, append_output, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&emitter, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, true);
    emit(&emitter, &event);
    emit_node(&emitter, node);
    yaml_document_end_event_initialize(&event, true);
    emit(&emitter, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&emitter, &event);
    yaml_emitter_delete(&emitter);
    return g_string_free(out, FALSE);
}
