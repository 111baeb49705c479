/* Reading YAML text into trees, with libyaml's events.
 *
 * Everything a hostile or broken file can do ends in an error with a mark: text that is not UTF-8,
 * truncation, duplicate keys, aliases of themselves, alias bombs, deep nesting, unknown tags.
 * Aliases become copies (which keep the marks of the original), merge keys (`<<`) are resolved as
 * YAML 1.1 says: a mapping's own keys win, then the earlier of several merged mappings. */
#include "base/tree.h"

#include <string.h>
#include <yaml.h>

typedef struct Reader {
    yaml_parser_t yaml;
    GRefString *file;
    GHashTable *anchors; /* name to node, within one document; borrowed */
    GPtrArray *open;     /* collections under construction, outermost first; borrowed */
    GPtrArray *retired;  /* values of merge keys: out of the tree, but perhaps anchored; owned */
    guint n_nodes;
    int first_line;   /* where the text begins within its file: added to every mark */
    int first_column; /* likewise; block text is indented by the same amount on every line */
} Reader;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(yaml_event_t, yaml_event_delete)

static bool read_node(Reader *reader, const yaml_event_t *event, TreeNode **out, GError **error);

/* ------ marks and errors ------ */

static int
line_of(const Reader *reader, const yaml_mark_t *at)
{
    return (int)MIN(at->line, G_MAXINT / 2) + reader->first_line;
}

static int
column_of(const Reader *reader, const yaml_mark_t *at)
{
    return (int)MIN(at->column, G_MAXINT / 2) + reader->first_column;
}

static void
mark_set(const Reader *reader, TreeMark *mark, const yaml_mark_t *at)
{
    g_clear_pointer(&mark->file, g_ref_string_release);
    mark->file = g_ref_string_acquire(reader->file);
    mark->line = line_of(reader, at);
    mark->column = column_of(reader, at);
}

static bool
fail_at(const Reader *reader, const yaml_mark_t *at, GError **error, const char *message)
{
    return error_set(error, VWIRE_ERROR_PARSE, "%s:%d:%d: %s", reader->file, line_of(reader, at),
                     column_of(reader, at), message);
}

/* Line and column of a byte, for what is wrong below the level of YAML. */
static yaml_mark_t
mark_of_offset(const char *text, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static bool
fail_yaml(const Reader *reader, const char *text, size_t length, GError **error)
{
    const yaml_parser_t *yaml = &reader->yaml;
    g_autofree char *message = NULL;
    if (yaml->error == YAML_MEMORY_ERROR) {
        return error_set(error, VWIRE_ERROR_SYSTEM, "%s: out of memory", reader->file);
    }
    if (yaml->error == YAML_READER_ERROR) {
        yaml_mark_t at = mark_of_offset(text, MIN(yaml->problem_offset, length));
        message = g_strdup_printf("found %s; expected printable UTF-8 text", yaml->problem);
        return fail_at(reader, &at, error, message);
    }
    if (yaml->context != NULL) {
        message = g_strdup_printf("%s %s (from line %d)", yaml->problem, yaml->context,
                                  line_of(reader, &yaml->context_mark));
    } else {
        message = g_strdup(yaml->problem);
    }
    return fail_at(reader, &yaml->problem_mark, error, message);
}

static bool
next_event(Reader *reader, yaml_event_t *event, GError **error)
{
    if (yaml_parser_parse(&reader->yaml, event)) {
        return true;
    }
    const char *text = (const char *)reader->yaml.input.string.start;
    size_t length = (size_t)(reader->yaml.input.string.end - reader->yaml.input.string.start);
    return fail_yaml(reader, text, length, error);
}

/* ------ scalars and tags ------ */

static bool
count_nodes(Reader *reader, const yaml_event_t *event, guint n, GError **error)
{
    if (n > TREE_MAX_NODES - reader->n_nodes) {
        g_autofree char *message = g_strdup_printf(
            "more than %d nodes after expanding aliases; expected fewer", TREE_MAX_NODES);
        return fail_at(reader, &event->start_mark, error, message);
    }
    reader->n_nodes += n;
    return true;
}

static bool
check_depth(Reader *reader, const yaml_event_t *event, guint levels, GError **error)
{
    if (reader->open->len + levels > TREE_MAX_DEPTH) {
        g_autofree char *message =
            g_strdup_printf("nested deeper than %d levels; expected fewer", TREE_MAX_DEPTH);
        return fail_at(reader, &event->start_mark, error, message);
    }
    return true;
}

static bool
fail_tag(const Reader *reader, const yaml_event_t *event, const char *tag, GError **error)
{
    g_autofree char *message = g_strdup_printf(
        "found the tag \"%s\"; expected none or one of YAML's core tags that fits", tag);
    return fail_at(reader, &event->start_mark, error, message);
}

static const char *
scalar_tag(TreeScalar scalar)
{
    static const char *const TAGS[] = {YAML_STR_TAG, YAML_NULL_TAG, YAML_BOOL_TAG, YAML_INT_TAG,
                                       YAML_FLOAT_TAG};
    return TAGS[scalar];
}

/* The type of a scalar from its tag, its quotes and its text. */
static bool
resolve_scalar(const Reader *reader, const yaml_event_t *event, TreeScalar *out, GError **error)
{
    const char *tag = (const char *)event->data.scalar.tag;
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag == NULL) {
        *out = plain ? tree_resolve_plain(text) : TREE_STRING;
        return true;
    }
    if (strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, "!") == 0 ||
        strcmp(tag, YAML_TIMESTAMP_TAG) == 0) {
        *out = TREE_STRING;
        return true;
    }
    TreeScalar scalar = tree_resolve_plain(text);
    if (strcmp(tag, YAML_FLOAT_TAG) == 0 && scalar == TREE_INT) {
        scalar = TREE_FLOAT;
    }
    if (scalar == TREE_STRING || strcmp(tag, scalar_tag(scalar)) != 0) {
        return fail_tag(reader, event, tag, error);
    }
    *out = scalar;
    return true;
}

static bool
read_scalar(Reader *reader, const yaml_event_t *event, TreeNode **out, GError **error)
{
    TreeScalar scalar = TREE_STRING;
    const char *text = (const char *)event->data.scalar.value;
    if (!resolve_scalar(reader, event, &scalar, error)) {
        return false;
    }
    if (strlen(text) != event->data.scalar.length) {
        return fail_at(reader, &event->start_mark, error,
                       "found a NUL character in a string; expected text");
    }
    *out = tree_new_scalar(scalar, text);
    return true;
}

/* ------ collections ------ */

static bool
check_tag(const Reader *reader, const yaml_event_t *event, const yaml_char_t *tag,
          const char *expected, GError **error)
{
    if (tag == NULL || strcmp((const char *)tag, expected) == 0 ||
        strcmp((const char *)tag, "!") == 0) {
        return true;
    }
    return fail_tag(reader, event, (const char *)tag, error);
}

static bool
read_sequence(Reader *reader, TreeNode *sequence, GError **error)
{
    while (true) {
        g_auto(yaml_event_t) event = {0};
        TreeNode *item = NULL;
        if (!next_event(reader, &event, error)) {
            return false;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            return true;
        }
        if (!read_node(reader, &event, &item, error)) {
            return false;
        }
        tree_append(sequence, item);
    }
}

static void
merge_one(TreeNode *mapping, const TreeNode *from)
{
    for (guint i = 0; i < tree_size(from); i++) {
        if (tree_get(mapping, tree_key(from, i)) == NULL) {
            tree_set(mapping, tree_key(from, i), tree_copy(tree_item(from, i)));
        }
    }
}

static bool
is_merge_source(const TreeNode *value)
{
    if (value->kind != TREE_SEQUENCE) {
        return value->kind == TREE_MAPPING;
    }
    for (guint i = 0; i < tree_size(value); i++) {
        if (tree_item(value, i)->kind != TREE_MAPPING) {
            return false;
        }
    }
    return true;
}

/* Adds what the values of `<<` keys bring; called when the mapping's own keys are complete. */
static void
merge_keys(TreeNode *mapping, const GPtrArray *merges)
{
    for (guint i = 0; i < merges->len; i++) {
        const TreeNode *value = merges->pdata[i];
        if (value->kind == TREE_MAPPING) {
            merge_one(mapping, value);
        }
        for (guint j = 0; value->kind == TREE_SEQUENCE && j < tree_size(value); j++) {
            merge_one(mapping, tree_item(value, j));
        }
    }
}

static const char *
anchor_of(const yaml_event_t *event)
{
    const yaml_char_t *anchor = event->type == YAML_SCALAR_EVENT ? event->data.scalar.anchor
                                : event->type == YAML_MAPPING_START_EVENT
                                    ? event->data.mapping_start.anchor
                                    : event->data.sequence_start.anchor;
    return (const char *)anchor;
}

/* A mapping's key as text; `*is_merge` for a plain `<<`. */
static bool
read_key(Reader *reader, const yaml_event_t *event, char **out, bool *is_merge, GError **error)
{
    if (event->type != YAML_SCALAR_EVENT && event->type != YAML_ALIAS_EVENT) {
        return fail_at(reader, &event->start_mark, error,
                       "found a collection as a key; expected a scalar");
    }
    TreeNode *parsed = NULL;
    if (!read_node(reader, event, &parsed, error)) {
        return false;
    }
    bool anchored = event->type == YAML_SCALAR_EVENT && anchor_of(event) != NULL;
    if (anchored) {
        g_ptr_array_add(reader->retired, parsed);
    }
    g_autoptr(TreeNode) owned G_GNUC_UNUSED = anchored ? NULL : parsed;
    if (parsed->kind != TREE_SCALAR) {
        return fail_at(reader, &event->start_mark, error,
                       "found a collection as a key; expected a scalar");
    }
    *is_merge = event->type == YAML_SCALAR_EVENT && strcmp(parsed->text, "<<") == 0 &&
                event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *out = g_strdup(parsed->text);
    return true;
}

static bool
check_new_key(const Reader *reader, const yaml_event_t *event, const TreeNode *mapping,
              const char *key, GError **error)
{
    const TreeNode *first = tree_get(mapping, key);
    if (first == NULL) {
        return true;
    }
    g_autofree char *message =
        g_strdup_printf("found the key \"%s\" again (first on line %d); expected it once", key,
                        first->key_mark.line);
    return fail_at(reader, &event->start_mark, error, message);
}

/* One key and its value; a merge key's value goes to `merges`. */
static bool
read_pair(Reader *reader, const yaml_event_t *key_event, TreeNode *mapping, GPtrArray *merges,
          GError **error)
{
    g_auto(yaml_event_t) event = {0};
    g_autofree char *key = NULL;
    bool is_merge = false;
    TreeNode *value = NULL;
    if (!read_key(reader, key_event, &key, &is_merge, error) ||
        (!is_merge && !check_new_key(reader, key_event, mapping, key, error)) ||
        !next_event(reader, &event, error) || !read_node(reader, &event, &value, error)) {
        return false;
    }
    if (!is_merge) {
        mark_set(reader, &value->key_mark, &key_event->start_mark);
        tree_set(mapping, key, value);
        return true;
    }
    g_ptr_array_add(reader->retired, value);
    if (!is_merge_source(value)) {
        return fail_at(reader, &event.start_mark, error,
                       "found another value of \"<<\"; expected a mapping or a sequence of "
                       "mappings");
    }
    g_ptr_array_add(merges, value);
    return true;
}

static bool
read_mapping(Reader *reader, TreeNode *mapping, GError **error)
{
    g_autoptr(GPtrArray) merges = g_ptr_array_new();
    while (true) {
        g_auto(yaml_event_t) event = {0};
        if (!next_event(reader, &event, error)) {
            return false;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            merge_keys(mapping, merges);
            return true;
        }
        if (!read_pair(reader, &event, mapping, merges, error)) {
            return false;
        }
    }
}

static bool
read_collection(Reader *reader, const yaml_event_t *event, TreeNode *node, GError **error)
{
    bool is_mapping = node->kind == TREE_MAPPING;
    const yaml_char_t *tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (!check_depth(reader, event, 1, error) ||
        !check_tag(reader, event, tag, is_mapping ? YAML_MAP_TAG : YAML_SEQ_TAG, error)) {
        return false;
    }
    g_ptr_array_add(reader->open, node);
    bool done = is_mapping ? read_mapping(reader, node, error) : read_sequence(reader, node, error);
    g_ptr_array_set_size(reader->open, (gint)reader->open->len - 1);
    return done;
}

/* ------ anchors and aliases ------ */

static bool
read_alias(Reader *reader, const yaml_event_t *event, TreeNode **out, GError **error)
{
    const char *name = (const char *)event->data.alias.anchor;
    const TreeNode *target = g_hash_table_lookup(reader->anchors, name);
    g_autofree char *message = NULL;
    if (target == NULL) {
        message = g_strdup_printf("found the alias \"*%s\"; expected its anchor before it", name);
        return fail_at(reader, &event->start_mark, error, message);
    }
    if (g_ptr_array_find(reader->open, target, NULL)) {
        message = g_strdup_printf("found the alias \"*%s\" inside its own anchor", name);
        return fail_at(reader, &event->start_mark, error, message);
    }
    /* One node was counted for the event itself. */
    guint n = tree_count(target, TREE_MAX_NODES + 1) - 1;
    if (!count_nodes(reader, event, n, error) ||
        !check_depth(reader, event, tree_depth(target), error)) {
        return false;
    }
    *out = tree_copy(target);
    return true;
}

static bool
read_node(Reader *reader, const yaml_event_t *event, TreeNode **out, GError **error)
{
    if (!count_nodes(reader, event, 1, error)) {
        return false;
    }
    if (event->type == YAML_ALIAS_EVENT) {
        return read_alias(reader, event, out, error);
    }
    g_autoptr(TreeNode) node = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        if (!read_scalar(reader, event, &node, error)) {
            return false;
        }
    } else {
        node = event->type == YAML_MAPPING_START_EVENT ? tree_new_mapping() : tree_new_sequence();
    }
    mark_set(reader, &node->mark, &event->start_mark);
    if (anchor_of(event) != NULL) {
        g_hash_table_replace(reader->anchors, g_strdup(anchor_of(event)), node);
    }
    if (node->kind != TREE_SCALAR && !read_collection(reader, event, node, error)) {
        return false;
    }
    *out = g_steal_pointer(&node);
    return true;
}

/* ------ documents ------ */

static bool
read_documents(Reader *reader, GPtrArray *roots, GError **error)
{
    while (true) {
        g_auto(yaml_event_t) event = {0};
        TreeNode *root = NULL;
        if (!next_event(reader, &event, error)) {
            return false;
        }
        if (event.type == YAML_STREAM_END_EVENT) {
            return true;
        }
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT) {
            continue;
        }
        if (event.type == YAML_DOCUMENT_END_EVENT) {
            g_hash_table_remove_all(reader->anchors);
            g_ptr_array_set_size(reader->retired, 0);
            continue;
        }
        if (!read_node(reader, &event, &root, error)) {
            return false;
        }
        if (tree_is_null(root)) {
            g_ptr_array_add(reader->retired, root); /* an empty document; it may be anchored */
        } else {
            g_ptr_array_add(roots, root);
        }
    }
}

static void
reader_clear(Reader *reader)
{
    yaml_parser_delete(&reader->yaml);
    g_clear_pointer(&reader->file, g_ref_string_release);
    g_clear_pointer(&reader->anchors, g_hash_table_unref);
    g_clear_pointer(&reader->open, g_ptr_array_unref);
    g_clear_pointer(&reader->retired, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

static bool
check_encoding(const Reader *reader, const char *text, size_t length, GError **error)
{
    const char *valid_end = NULL;
    if (g_utf8_validate_len(text, length, &valid_end)) {
        return true;
    }
    yaml_mark_t at = mark_of_offset(text, (size_t)(valid_end - text));
    g_autofree char *message =
        g_strdup_printf("found the byte 0x%02X; expected UTF-8 text", (unsigned char)*valid_end);
    return fail_at(reader, &at, error, message);
}

/* libyaml compares every %TAG directive with all others: a file of nothing else would take hours.
 */
static bool
check_directives(const Reader *reader, const char *text, size_t length, GError **error)
{
    enum { MOST = 100 };
    static const char DIRECTIVE[] = "%TAG";
    guint n = 0;
    const char *end = text + length;
    for (const char *at = text; at != NULL && at < end;) {
        if ((size_t)(end - at) > strlen(DIRECTIVE) &&
            memcmp(at, DIRECTIVE, strlen(DIRECTIVE)) == 0) {
            n++;
        }
        if (n > MOST) {
            yaml_mark_t mark = mark_of_offset(text, (size_t)(at - text));
            return fail_at(reader, &mark, error, "found too many %TAG directives; expected fewer");
        }
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : NULL;
    }
    return true;
}

GPtrArray *
tree_parse_inline(const char *text, size_t length, const TreeMark *at, GError **error)
{
    static const char BOM[] = "\xEF\xBB\xBF";
    g_auto(Reader) reader = {
        .file = g_ref_string_new(at->file != NULL ? at->file : "(text)"),
        .anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .open = g_ptr_array_new(),
        .retired = g_ptr_array_new_with_free_func((GDestroyNotify)tree_free),
        .first_line = at->line,
        .first_column = at->column,
    };
    g_assert(yaml_parser_initialize(&reader.yaml));
    if (length >= strlen(BOM) && memcmp(text, BOM, strlen(BOM)) == 0) {
        text += strlen(BOM);
        length -= strlen(BOM);
    }
    if (!check_encoding(&reader, text, length, error) ||
        !check_directives(&reader, text, length, error)) {
        return NULL;
    }
    yaml_parser_set_encoding(&reader.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)text, length);
    g_autoptr(GPtrArray) roots = g_ptr_array_new_with_free_func((GDestroyNotify)tree_free);
    if (!read_documents(&reader, roots, error)) {
        return NULL;
    }
    return g_steal_pointer(&roots);
}

GPtrArray *
tree_parse_text(const char *text, size_t length, const char *file, GError **error)
{
    GRefString *name = g_ref_string_new(file);
    TreeMark start = {.file = name, .line = 1, .column = 1};
    GPtrArray *roots = tree_parse_inline(text, length, &start, error);
    g_ref_string_release(name);
    return roots;
}

GPtrArray *
tree_parse_file(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length = 0;
    g_autoptr(GError) cause = NULL;
    if (!g_file_get_contents(path, &text, &length, &cause)) {
        error_set(error, VWIRE_ERROR_SYSTEM, "read %s: %s", path, cause->message);
        return NULL;
    }
    return tree_parse_text(text, length, path, error);
}
