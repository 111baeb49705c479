/* Nodes of YAML documents: making, looking up, changing, and the typed readers with their errors.
 *
 * Reading text into nodes is tree_parse.c, writing them out tree_write.c.  Mappings look keys up
 * by walking while they are small and keep a hash index beyond INDEX_FROM keys, so that a document
 * with very many keys costs no quadratic time anywhere. */
#include "base/tree.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_FROM = 32 };

static void
mark_copy(TreeMark *to, const TreeMark *from)
{
    GRefString *file = from->file != NULL ? g_ref_string_acquire(from->file) : NULL;
    if (to->file != NULL) {
        g_ref_string_release(to->file);
    }
    *to = (TreeMark){.file = file, .line = from->line, .column = from->column};
}

void
tree_set_mark(TreeNode *node, const TreeNode *from)
{
    mark_copy(&node->mark, &from->mark);
    mark_copy(&node->key_mark, &from->key_mark);
}

/* ------ making ------ */

TreeNode *
tree_new_scalar(TreeScalar scalar, const char *text)
{
    TreeNode *node = g_new0(TreeNode, 1);
    node->kind = TREE_SCALAR;
    node->scalar = scalar;
    node->text = g_strdup(text);
    return node;
}

TreeNode *
tree_new_string(const char *text)
{
    return tree_new_scalar(TREE_STRING, text);
}

TreeNode *
tree_new_mapping(void)
{
    TreeNode *node = g_new0(TreeNode, 1);
    node->kind = TREE_MAPPING;
    node->items = g_ptr_array_new_with_free_func((GDestroyNotify)tree_free);
    node->keys = g_ptr_array_new_with_free_func(g_free);
    return node;
}

TreeNode *
tree_new_sequence(void)
{
    TreeNode *node = g_new0(TreeNode, 1);
    node->kind = TREE_SEQUENCE;
    node->items = g_ptr_array_new_with_free_func((GDestroyNotify)tree_free);
    return node;
}

TreeNode *
tree_copy(const TreeNode *node)
{
    if (node == NULL) {
        return NULL;
    }
    TreeNode *copy = NULL;
    if (node->kind == TREE_SCALAR) {
        copy = tree_new_scalar(node->scalar, node->text);
    } else {
        copy = node->kind == TREE_MAPPING ? tree_new_mapping() : tree_new_sequence();
    }
    mark_copy(&copy->mark, &node->mark);
    mark_copy(&copy->key_mark, &node->key_mark);
    for (guint i = 0; i < tree_size(node); i++) {
        if (node->kind == TREE_MAPPING) {
            tree_set(copy, tree_key(node, i), tree_copy(tree_item(node, i)));
        } else {
            tree_append(copy, tree_copy(tree_item(node, i)));
        }
    }
    return copy;
}

void
tree_free(TreeNode *node)
{
    if (node == NULL) {
        return;
    }
    g_clear_pointer(&node->items, g_ptr_array_unref);
    g_clear_pointer(&node->index, g_hash_table_unref);
    g_clear_pointer(&node->keys, g_ptr_array_unref);
    g_clear_pointer(&node->mark.file, g_ref_string_release);
    g_clear_pointer(&node->key_mark.file, g_ref_string_release);
    g_free(node->text);
    g_free(node);
}

/* ------ mappings ------ */

static void
index_rebuild(TreeNode *mapping)
{
    g_clear_pointer(&mapping->index, g_hash_table_unref);
    if (mapping->keys->len < INDEX_FROM) {
        return;
    }
    mapping->index = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < mapping->keys->len; i++) {
        g_hash_table_insert(mapping->index, mapping->keys->pdata[i], GUINT_TO_POINTER(i + 1));
    }
}

static bool
find_key(const TreeNode *node, const char *key, guint *position)
{
    if (node == NULL || node->kind != TREE_MAPPING) {
        return false;
    }
    if (node->index != NULL) {
        guint found = GPOINTER_TO_UINT(g_hash_table_lookup(node->index, key));
        *position = found - 1;
        return found > 0;
    }
    for (guint i = 0; i < node->keys->len; i++) {
        if (strcmp(node->keys->pdata[i], key) == 0) {
            *position = i;
            return true;
        }
    }
    return false;
}

TreeNode *
tree_get(const TreeNode *node, const char *key)
{
    guint position = 0;
    return find_key(node, key, &position) ? node->items->pdata[position] : NULL;
}

TreeNode *
tree_get_path(const TreeNode *node, ...)
{
    va_list keys;
    va_start(keys, node);
    TreeNode *at = (TreeNode *)node;
    for (const char *key = va_arg(keys, const char *); key != NULL && at != NULL;
         key = va_arg(keys, const char *)) {
        at = tree_get(at, key);
    }
    va_end(keys);
    return at;
}

void
tree_set(TreeNode *mapping, const char *key, TreeNode *take)
{
    g_assert(mapping->kind == TREE_MAPPING && take != NULL);
    guint position = 0;
    if (find_key(mapping, key, &position)) {
        TreeNode *old = mapping->items->pdata[position];
        if (take->key_mark.file == NULL) {
            mark_copy(&take->key_mark, &old->key_mark);
        }
        mapping->items->pdata[position] = take;
        tree_free(old);
        return;
    }
    g_ptr_array_add(mapping->items, take);
    g_ptr_array_add(mapping->keys, g_strdup(key));
    guint n = mapping->keys->len;
    if (mapping->index != NULL) {
        g_hash_table_insert(mapping->index, mapping->keys->pdata[n - 1], GUINT_TO_POINTER(n));
    } else if (n >= INDEX_FROM) {
        index_rebuild(mapping);
    }
}

TreeNode *
tree_steal(TreeNode *mapping, const char *key)
{
    guint position = 0;
    if (!find_key(mapping, key, &position)) {
        return NULL;
    }
    bool is_last = position + 1 == mapping->keys->len;
    if (is_last && mapping->index != NULL) {
        g_hash_table_remove(mapping->index, key);
    } else {
        g_clear_pointer(&mapping->index, g_hash_table_unref);
    }
    TreeNode *value = g_ptr_array_steal_index(mapping->items, position);
    g_ptr_array_remove_index(mapping->keys, position);
    if (!is_last) {
        index_rebuild(mapping);
    }
    return value;
}

bool
tree_remove(TreeNode *mapping, const char *key)
{
    g_autoptr(TreeNode) value = tree_steal(mapping, key);
    return value != NULL;
}

void
tree_remove_all(TreeNode *mapping, GHashTable *keys)
{
    g_assert(mapping->kind == TREE_MAPPING);
    g_autoptr(GPtrArray) old_items = g_steal_pointer(&mapping->items);
    g_autoptr(GPtrArray) old_keys = g_steal_pointer(&mapping->keys);
    g_clear_pointer(&mapping->index, g_hash_table_unref);
    mapping->items = g_ptr_array_new_with_free_func((GDestroyNotify)tree_free);
    mapping->keys = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < old_keys->len; i++) {
        if (!g_hash_table_contains(keys, old_keys->pdata[i])) {
            g_ptr_array_add(mapping->items, g_steal_pointer(&old_items->pdata[i]));
            g_ptr_array_add(mapping->keys, g_steal_pointer(&old_keys->pdata[i]));
        }
    }
    index_rebuild(mapping);
}

/* ------ sequences ------ */

guint
tree_size(const TreeNode *node)
{
    return node != NULL && node->items != NULL ? node->items->len : 0;
}

TreeNode *
tree_item(const TreeNode *node, guint index)
{
    g_assert(index < tree_size(node));
    return node->items->pdata[index];
}

const char *
tree_key(const TreeNode *mapping, guint index)
{
    g_assert(mapping->kind == TREE_MAPPING && index < mapping->keys->len);
    return mapping->keys->pdata[index];
}

void
tree_append(TreeNode *sequence, TreeNode *take)
{
    g_assert(sequence->kind == TREE_SEQUENCE && take != NULL);
    g_ptr_array_add(sequence->items, take);
}

void
tree_insert(TreeNode *sequence, guint index, TreeNode *take)
{
    g_assert(sequence->kind == TREE_SEQUENCE && take != NULL && index <= sequence->items->len);
    g_ptr_array_insert(sequence->items, (gint)index, take);
}

void
tree_remove_item(TreeNode *sequence, guint index)
{
    g_assert(sequence->kind == TREE_SEQUENCE && index < sequence->items->len);
    g_ptr_array_remove_index(sequence->items, index);
}

/* ------ scalars and comparison ------ */

const char *
tree_text(const TreeNode *node)
{
    return node != NULL ? node->text : NULL;
}

bool
tree_is_null(const TreeNode *node)
{
    return node == NULL || (node->kind == TREE_SCALAR && node->scalar == TREE_NULL);
}

bool
tree_equal(const TreeNode *a, const TreeNode *b)
{
    if (a == NULL || b == NULL || a->kind != b->kind) {
        return a == b;
    }
    if (a->kind == TREE_SCALAR) {
        return a->scalar == b->scalar && (a->scalar == TREE_NULL || strcmp(a->text, b->text) == 0);
    }
    if (tree_size(a) != tree_size(b)) {
        return false;
    }
    for (guint i = 0; i < tree_size(a); i++) {
        const TreeNode *other =
            a->kind == TREE_MAPPING ? tree_get(b, tree_key(a, i)) : tree_item(b, i);
        if (!tree_equal(tree_item(a, i), other)) {
            return false;
        }
    }
    return true;
}

guint
tree_count(const TreeNode *node, guint limit)
{
    guint count = node != NULL ? 1 : 0;
    for (guint i = 0; i < tree_size(node) && count < limit; i++) {
        count += tree_count(tree_item(node, i), limit - count);
    }
    return count;
}

guint
tree_depth(const TreeNode *node)
{
    guint deepest = 0;
    for (guint i = 0; i < tree_size(node); i++) {
        guint depth = tree_depth(tree_item(node, i)); /* MAX would walk it twice */
        deepest = MAX(deepest, depth);
    }
    return deepest + (node == NULL || node->kind == TREE_SCALAR ? 0 : 1);
}

static bool
is_one_of(const char *text, const char *const *words)
{
    return g_strv_contains(words, text);
}

/* A number's text without the underscores that YAML 1.1 allows. */
static char *
without_underscores(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "_", -1);
    return g_strjoinv(NULL, parts);
}

/* An integer as Go's strconv.ParseInt and, without a sign, ParseUint take it with base 0. */
static bool
parse_integer(const char *text, bool *negative, uint64_t *magnitude)
{
    int base = 10;
    *negative = *text == '-';
    const char *digits = text + (*text == '+' || *text == '-' ? 1 : 0);
    if (digits[0] == '0' && digits[1] != '\0') {
        char prefix = g_ascii_tolower(digits[1]);
        base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
        digits += prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1;
    }
    if (!g_ascii_isxdigit(*digits)) {
        return false; /* strtoull would accept blanks and a sign */
    }
    char *end = NULL;
    errno = 0;
    *magnitude = strtoull(digits, &end, base);
    bool fits = !*negative || *magnitude <= (uint64_t)INT64_MAX + 1;
    return errno == 0 && end != digits && *end == '\0' && fits;
}

void
tree_integer(const char *text, bool *negative, uint64_t *magnitude)
{
    g_autofree char *plain = without_underscores(text);
    bool parsed = parse_integer(plain, negative, magnitude);
    g_assert(parsed);
}

/* yaml.v2's yamlStyleFloat: ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$,
 * and within a double's range. */
static bool
is_float(const char *text)
{
    const char *at = text + (*text == '+' || *text == '-' ? 1 : 0);
    size_t whole = strspn(at, "0123456789");
    at += whole;
    if (*at == '.') {
        size_t fraction = strspn(at + 1, "0123456789");
        at += 1 + fraction;
        whole += fraction;
    }
    if (whole == 0) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        size_t exponent = strspn(at, "0123456789");
        at += exponent;
        if (exponent == 0) {
            return false;
        }
    }
    return *at == '\0' && fabs(g_ascii_strtod(text, NULL)) <= G_MAXDOUBLE;
}

TreeScalar
tree_resolve_plain(const char *text)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const BOOLS[] = {
        "y",   "Y",  "n",  "N",  "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes",
        "YES", "no", "No", "NO", "on",   "On",   "ON",   "off",   "Off",   "OFF",   NULL};
    if (is_one_of(text, NULLS)) {
        return TREE_NULL;
    }
    if (is_one_of(text, BOOLS)) {
        return TREE_BOOL;
    }
    if (!g_ascii_isdigit(*text) && strchr("+-.", *text) == NULL) {
        return TREE_STRING;
    }
    bool negative = false;
    uint64_t magnitude = 0;
    g_autofree char *plain = without_underscores(text);
    if (*plain == '.') {
        return is_float(plain) && strchr(text, '_') == NULL ? TREE_FLOAT : TREE_STRING;
    }
    if (parse_integer(plain, &negative, &magnitude)) {
        return TREE_INT;
    }
    return is_float(plain) ? TREE_FLOAT : TREE_STRING;
}

/* ------ errors ------ */

static bool
mark_verror(GError **error, const TreeMark *mark, VwireError code, const char *format, va_list args)
{
    g_autofree char *message = g_strdup_vprintf(format, args);
    if (mark == NULL || mark->file == NULL) {
        return error_set(error, code, "%s", message);
    }
    return error_set(error, code, "%s:%d:%d: %s", mark->file, mark->line, mark->column, message);
}

bool
tree_error(GError **error, const TreeNode *at, VwireError code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mark_verror(error, at != NULL ? &at->mark : NULL, code, format, args);
    va_end(args);
    return false;
}

bool
tree_error_mark(GError **error, const TreeMark *mark, VwireError code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mark_verror(error, mark, code, format, args);
    va_end(args);
    return false;
}

/* What a node is, for "found ...". */
static char *
describe(const TreeNode *node)
{
    enum { SHOWN = 40 };
    static const char *const NAMES[] = {"the string", "null", "the boolean", "the integer",
                                        "the number"};
    if (node->kind != TREE_SCALAR) {
        return g_strdup(node->kind == TREE_MAPPING ? "a mapping" : "a sequence");
    }
    if (node->scalar == TREE_NULL) {
        return g_strdup("nothing");
    }
    g_autofree char *shown =
        g_utf8_substring(node->text, 0, MIN(g_utf8_strlen(node->text, -1), SHOWN));
    const char *more = strlen(shown) < strlen(node->text) ? "..." : "";
    return g_strdup_printf("%s \"%s%s\"", NAMES[node->scalar], shown, more);
}

static bool
mismatch(const TreeNode *node, const char *expected, GError **error)
{
    g_autofree char *found = describe(node);
    return tree_error(error, node, VWIRE_ERROR_PARSE, "found %s; expected %s", found, expected);
}

/* ------ typed readers ------ */

bool
tree_read_string(const TreeNode *node, const char **out, GError **error)
{
    if (node->kind != TREE_SCALAR || node->scalar == TREE_NULL) {
        return mismatch(node, "a string", error);
    }
    if (node->scalar != TREE_STRING) {
        return mismatch(node, "a string (put it in quotes)", error);
    }
    *out = node->text;
    return true;
}

bool
tree_read_bool(const TreeNode *node, bool *out, GError **error)
{
    static const char *const TRUES[] = {"y",   "Y",   "true", "True", "TRUE", "yes",
                                        "Yes", "YES", "on",   "On",   "ON",   NULL};
    if (node->kind != TREE_SCALAR || node->scalar != TREE_BOOL) {
        return mismatch(node, "true or false", error);
    }
    *out = is_one_of(node->text, TRUES);
    return true;
}

/* The value of a TREE_INT's text; false when it does not fit. */
static bool
integer_value(const char *text, int64_t *out)
{
    bool negative = false;
    uint64_t magnitude = 0;
    tree_integer(text, &negative, &magnitude);
    if (!negative && magnitude > INT64_MAX) {
        return false;
    }
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool
tree_read_int(const TreeNode *node, int64_t min, int64_t max, int64_t *out, GError **error)
{
    int64_t value = 0;
    bool is_int = node->kind == TREE_SCALAR && node->scalar == TREE_INT;
    if (is_int && integer_value(node->text, &value) && value >= min && value <= max) {
        *out = value;
        return true;
    }
    if (min == INT64_MIN && max == INT64_MAX) {
        return mismatch(node, "an integer", error);
    }
    g_autofree char *expected = NULL;
    if (max == INT64_MAX) {
        expected = g_strdup_printf("an integer of at least %" G_GINT64_FORMAT, min);
    } else {
        expected =
            g_strdup_printf("an integer from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, min, max);
    }
    return mismatch(node, expected, error);
}

bool
tree_read_double(const TreeNode *node, double *out, GError **error)
{
    int64_t integer = 0;
    if (node->kind != TREE_SCALAR || (node->scalar != TREE_INT && node->scalar != TREE_FLOAT)) {
        return mismatch(node, "a number", error);
    }
    if (node->scalar == TREE_INT && integer_value(node->text, &integer)) {
        *out = (double)integer;
        return true;
    }
    g_autofree char *plain = without_underscores(node->text);
    *out = g_ascii_strtod(plain, NULL);
    return true;
}

bool
tree_read_duration(const TreeNode *node, nsec_t *out, GError **error)
{
    if (node->kind != TREE_SCALAR || node->scalar == TREE_NULL || node->scalar == TREE_BOOL) {
        return mismatch(node, "a duration such as 250ms or 1h30m", error);
    }
    g_autoptr(GError) cause = NULL;
    nsec_t value = 0;
    if (!nsec_parse(node->text, &value, &cause)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "%s", cause->message);
    }
    if (value < 0) {
        return mismatch(node, "a duration that is not negative", error);
    }
    *out = value;
    return true;
}

bool
tree_expect(const TreeNode *node, TreeKind kind, const char *what, GError **error)
{
    static const char *const NAMES[] = {"a scalar", "a sequence", "a mapping"};
    if (node->kind == kind) {
        return true;
    }
    g_autofree char *found = describe(node);
    return tree_error(error, node, VWIRE_ERROR_PARSE, "%s: found %s; expected %s", what, found,
                      NAMES[kind]);
}

/* ------ unknown keys ------ */

/* Levenshtein's distance, one row at a time. */
static guint
edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    g_autofree guint *row = g_new(guint, n + 1);
    for (size_t j = 0; j <= n; j++) {
        row[j] = (guint)j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        guint diagonal = row[0];
        row[0] = (guint)i;
        for (size_t j = 1; j <= n; j++) {
            guint replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

const char *
tree_nearest(const char *word, const char *const *allowed)
{
    enum { LONGEST = 100 };
    const char *best = NULL;
    if (strlen(word) > LONGEST) {
        return NULL;
    }
    guint best_distance = MAX((guint)(strlen(word) + 1) / 3, 1) + 1;
    for (; *allowed != NULL; allowed++) {
        guint distance =
            g_ascii_strcasecmp(word, *allowed) == 0 ? 0 : edit_distance(word, *allowed);
        if (distance < best_distance) {
            best = *allowed;
            best_distance = distance;
        }
    }
    return best;
}

#define MAX_LISTED 24 /* more names than this help nobody */

bool
tree_check_keys(const TreeNode *mapping, const char *const *allowed, const char *what,
                GError **error)
{
    for (guint i = 0; i < mapping->keys->len; i++) {
        const char *key = tree_key(mapping, i);
        if (g_strv_contains(allowed, key)) {
            continue;
        }
        const TreeMark *mark = &tree_item(mapping, i)->key_mark;
        const char *near = tree_nearest(key, allowed);
        if (near != NULL) {
            return tree_error_mark(error, mark, VWIRE_ERROR_PARSE,
                                   "unknown field \"%s\" in %s; did you mean \"%s\"?", key, what,
                                   near);
        }
        if (g_strv_length((char **)allowed) > MAX_LISTED) {
            return tree_error_mark(error, mark, VWIRE_ERROR_PARSE, "unknown field \"%s\" in %s",
                                   key, what);
        }
        g_autofree char *list = g_strjoinv(", ", (char **)allowed);
        return tree_error_mark(error, mark, VWIRE_ERROR_PARSE,
                               "unknown field \"%s\" in %s; expected one of %s", key, what, list);
    }
    return true;
}
