/* Generated ConfigMaps and Secrets.
 *
 * Rules: kustomize api/kv/kv.go (sources), api/internal/generators, api/resmap/reswrangler.go
 * (AbsorbAll: behavior), api/hasher/hasher.go (the hash). */
#include "models/manifest/generator.h"

#include "models/manifest/source.h"

#include <string.h>

/* One generated object while it grows. */
typedef struct Generator {
    const Layer *layer;
    const TreeNode *entry;   /* in the kustomization */
    const TreeNode *options; /* the entry's, or NULL */
    const TreeNode *global;  /* generatorOptions, or NULL */
    bool is_secret;
    TreeNode *object;
} Generator;

static const char KEY_CHARACTERS[] =
    "-._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* ------ data ------ */

static TreeNode *
child_mapping(TreeNode *parent, const char *key, const TreeNode *at)
{
    TreeNode *child = tree_get(parent, key);
    if (child == NULL) {
        child = tree_new_mapping();
        tree_set_mark(child, at);
        tree_set(parent, key, child);
    }
    return child;
}

static bool
check_data_key(const Generator *generator, const char *key, const TreeNode *at, GError **error)
{
    enum { LONGEST = 253 }; /* apimachinery util/validation, IsConfigMapKey */
    size_t length = strlen(key);
    if (length == 0 || length > LONGEST || strspn(key, KEY_CHARACTERS) != length ||
        strcmp(key, ".") == 0 || g_str_has_prefix(key, "..")) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "found the key \"%.60s\"; expected letters, digits, '-', '_' and '.'",
                          key);
    }
    if (tree_get(tree_get(generator->object, "data"), key) != NULL ||
        tree_get(tree_get(generator->object, "binaryData"), key) != NULL) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "found the key \"%s\" again; expected it once", key);
    }
    return true;
}

/* Adds a value: Secrets hold base64, ConfigMaps text, or base64 for what is no text.  `at` gives
 * the mark. */
static bool
add_data(Generator *generator, const char *key, const char *value, gsize length, const TreeNode *at,
         GError **error)
{
    if (!check_data_key(generator, key, at, error)) {
        return false;
    }
    bool is_text = g_utf8_validate_len(value, length, NULL);
    const char *field = is_text || generator->is_secret ? "data" : "binaryData";
    TreeNode *data = child_mapping(generator->object, field, generator->entry);
    g_autofree char *content = NULL;
    if (is_text && !generator->is_secret) {
        content = g_strndup(value, length);
    } else {
        content = g_base64_encode((const guchar *)value, length);
    }
    TreeNode *node = tree_new_string(content);
    tree_set_mark(node, at);
    tree_set(data, key, node);
    return true;
}

/* ------ sources ------ */

static bool
read_content(const Generator *generator, const TreeNode *name, char **out, gsize *length,
             GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *path = layer_file(generator->layer, name, error);
    if (path == NULL) {
        return false;
    }
    if (!g_file_get_contents(path, out, length, &cause)) {
        return tree_error(error, name, VWIRE_ERROR_SYSTEM, "read %s: %s", path, cause->message);
    }
    return true;
}

/* Text from a file stands there, at its beginning, so that its readers can point into it. */
static void
mark_as_file(const Generator *generator, const char *key, const TreeNode *path)
{
    TreeNode *value = tree_get(tree_get(generator->object, "data"), key);
    g_autofree char *file = layer_file(generator->layer, path, NULL);
    if (value == NULL || file == NULL || generator->is_secret) {
        return;
    }
    g_clear_pointer(&value->mark.file, g_ref_string_release);
    value->mark = (TreeMark){.file = g_ref_string_new(file), .line = 1, .column = 1};
}

/* "key=path", or "path", whose last name is the key then. */
static bool
add_file(Generator *generator, const TreeNode *item, GError **error)
{
    const char *text = NULL;
    if (!tree_read_string(item, &text, error)) {
        return false;
    }
    const char *equals = strchr(text, '=');
    if (equals == text || (equals != NULL && strchr(equals + 1, '=') != NULL)) {
        return tree_error(error, item, VWIRE_ERROR_PARSE,
                          "found the file \"%s\"; expected PATH or KEY=PATH", text);
    }
    g_autofree char *key =
        equals != NULL ? g_strndup(text, (gsize)(equals - text)) : g_path_get_basename(text);
    g_autoptr(TreeNode) path = tree_new_string(equals != NULL ? equals + 1 : text);
    tree_set_mark(path, item);
    g_autofree char *content = NULL;
    gsize length = 0;
    if (!read_content(generator, path, &content, &length, error) ||
        !add_data(generator, key, content, length, item, error)) {
        return false;
    }
    mark_as_file(generator, key, path);
    return true;
}

/* "key=value"; quotes around the whole value are dropped. */
static bool
add_literal(Generator *generator, const TreeNode *item, GError **error)
{
    const char *text = NULL;
    if (!tree_read_string(item, &text, error)) {
        return false;
    }
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return tree_error(error, item, VWIRE_ERROR_PARSE,
                          "found the literal \"%.60s\"; expected KEY=VALUE", text);
    }
    g_autofree char *key = g_strndup(text, (gsize)(equals - text));
    const char *value = equals + 1;
    size_t length = strlen(value);
    bool quoted = length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value;
    return add_data(generator, key, value + (quoted ? 1 : 0), length - (quoted ? 2 : 0), item,
                    error);
}

static bool
add_env_line(Generator *generator, const char *line, const TreeNode *item, GError **error)
{
    while (g_ascii_isspace(*line)) {
        line++;
    }
    if (*line == '\0' || *line == '#') {
        return true;
    }
    const char *equals = strchr(line, '=');
    if (equals == NULL) {
        return tree_error(error, item, VWIRE_ERROR_UNSUPPORTED,
                          "found \"%.60s\" in an env file; expected KEY=VALUE, as values are not "
                          "taken from the environment",
                          line);
    }
    g_autofree char *key = g_strndup(line, (gsize)(equals - line));
    return add_data(generator, key, equals + 1, strlen(equals + 1), item, error);
}

static bool
add_env_file(Generator *generator, const TreeNode *item, GError **error)
{
    g_autofree char *content = NULL;
    gsize length = 0;
    if (!read_content(generator, item, &content, &length, error)) {
        return false;
    }
    if (!g_utf8_validate_len(content, length, NULL)) {
        return tree_error(error, item, VWIRE_ERROR_PARSE,
                          "found bytes in an env file that are no UTF-8 text; expected text");
    }
    const char *start = g_str_has_prefix(content, "\xEF\xBB\xBF") ? content + 3 : content;
    g_auto(GStrv) lines = g_strsplit(start, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        if (g_str_has_suffix(lines[i], "\r")) {
            lines[i][strlen(lines[i]) - 1] = '\0';
        }
        if (!add_env_line(generator, lines[i], item, error)) {
            return false;
        }
    }
    return true;
}

static bool
add_each(Generator *generator, const char *key,
         bool (*add)(Generator *generator, const TreeNode *item, GError **error), GError **error)
{
    const TreeNode *list = tree_get(generator->entry, key);
    if (tree_is_null(list)) {
        return true;
    }
    if (!tree_expect(list, TREE_SEQUENCE, key, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        if (!add(generator, tree_item(list, i), error)) {
            return false;
        }
    }
    return true;
}

static bool
add_sources(Generator *generator, GError **error)
{
    const TreeNode *env = tree_get(generator->entry, "env");
    if (!tree_is_null(env) && !add_env_file(generator, env, error)) {
        return false;
    }
    return add_each(generator, "literals", add_literal, error) &&
           add_each(generator, "files", add_file, error) &&
           add_each(generator, "envs", add_env_file, error);
}

/* ------ options ------ */

static bool
check_options(const TreeNode *options, GError **error)
{
    static const char *const KEYS[] = {"labels", "annotations", "disableNameSuffixHash",
                                       "immutable", NULL};
    static const char *const PAIRS[] = {"labels", "annotations"};
    if (options == NULL) {
        return true;
    }
    if (!tree_expect(options, TREE_MAPPING, "generator options", error) ||
        !tree_check_keys(options, KEYS, "generator options", error)) {
        return false;
    }
    for (guint i = 0; i < G_N_ELEMENTS(PAIRS); i++) {
        const TreeNode *pairs = tree_get(options, PAIRS[i]);
        if (!tree_is_null(pairs) && !layer_check_strings(pairs, PAIRS[i], error)) {
            return false;
        }
    }
    return true;
}

/* Pairs of the global options, then of the entry's own. */
static void
set_pairs(Generator *generator, TreeNode *metadata, const char *key)
{
    const TreeNode *sources[] = {tree_get(generator->global, key),
                                 tree_get(generator->options, key)};
    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        for (guint j = 0; j < tree_size(sources[i]); j++) {
            tree_set(child_mapping(metadata, key, sources[i]), tree_key(sources[i], j),
                     tree_copy(tree_item(sources[i], j)));
        }
    }
}

/* A switch is on when either place says so. */
static bool
read_switch(const Generator *generator, const char *key, bool *out, GError **error)
{
    const TreeNode *nodes[] = {tree_get(generator->global, key), tree_get(generator->options, key)};
    *out = false;
    for (guint i = 0; i < G_N_ELEMENTS(nodes); i++) {
        bool value = false;
        if (nodes[i] != NULL && !tree_read_bool(nodes[i], &value, error)) {
            return false;
        }
        *out = *out || value;
    }
    return true;
}

/* ------ objects ------ */

static void
set_string(TreeNode *mapping, const char *key, const char *value, const TreeNode *at)
{
    TreeNode *node = tree_new_string(value);
    tree_set_mark(node, at);
    tree_set(mapping, key, node);
}

/* Fills apiVersion, kind, metadata and what else stands outside the data. */
static bool
start_object(Generator *generator, GError **error)
{
    const TreeNode *entry = generator->entry;
    const char *name = NULL;
    const char *ns = NULL;
    const char *type = NULL;
    bool immutable = false;
    if (!source_optional_string(entry, "name", &name, error) ||
        !source_optional_string(entry, "namespace", &ns, error) ||
        !source_optional_string(entry, "type", &type, error) ||
        !read_switch(generator, "immutable", &immutable, error)) {
        return false;
    }
    if (name == NULL || *name == '\0') {
        return tree_error(error, entry, VWIRE_ERROR_PARSE,
                          "found a generator without name; expected one");
    }
    TreeNode *object = generator->object;
    tree_set_mark(object, entry);
    set_string(object, "apiVersion", "v1", entry);
    set_string(object, "kind", generator->is_secret ? "Secret" : "ConfigMap", entry);
    TreeNode *metadata = child_mapping(object, "metadata", entry);
    set_string(metadata, "name", name, entry);
    if (ns != NULL && *ns != '\0') {
        set_string(metadata, "namespace", ns, entry);
    }
    set_pairs(generator, metadata, "labels");
    set_pairs(generator, metadata, "annotations");
    if (generator->is_secret) {
        set_string(object, "type", type != NULL && *type != '\0' ? type : "Opaque", entry);
    }
    if (immutable) {
        TreeNode *node = tree_new_scalar(TREE_BOOL, "true");
        tree_set_mark(node, entry);
        tree_set(object, "immutable", node);
    }
    return true;
}

/* Adds the pairs of `from` that `to` has no key for. */
static void
inherit(TreeNode *to, const TreeNode *from, const char *key)
{
    const TreeNode *pairs = tree_get(from, key);
    for (guint i = 0; i < tree_size(pairs); i++) {
        TreeNode *own = child_mapping(to, key, pairs);
        if (own->kind == TREE_MAPPING && pairs->kind == TREE_MAPPING &&
            tree_get(own, tree_key(pairs, i)) == NULL) {
            tree_set(own, tree_key(pairs, i), tree_copy(tree_item(pairs, i)));
        }
    }
}

/* Puts the generated object in the place of one that is there already. */
static void
absorb(Resource *old, TreeNode *take, bool merge)
{
    ResourceId id = resource_id(old);
    TreeNode *metadata = tree_get(take, "metadata");
    const TreeNode *old_metadata = tree_get(old->tree, "metadata");
    set_string(metadata, "name", id.name, tree_get(old_metadata, "name"));
    tree_remove(metadata, "namespace");
    if (*id.ns != '\0') {
        set_string(metadata, "namespace", id.ns, tree_get(old_metadata, "namespace"));
    }
    inherit(metadata, old_metadata, "labels");
    inherit(metadata, old_metadata, "annotations");
    if (merge) {
        inherit(take, old->tree, "data");
        inherit(take, old->tree, "binaryData");
    }
    tree_free(old->tree);
    old->tree = take;
}

static bool
add_object(Generator *generator, GPtrArray *resources, GError **error)
{
    const char *behavior = NULL;
    bool no_hash = false;
    if (!source_optional_string(generator->entry, "behavior", &behavior, error) ||
        !read_switch(generator, "disableNameSuffixHash", &no_hash, error)) {
        return false;
    }
    bool create = behavior == NULL || *behavior == '\0' || strcmp(behavior, "create") == 0;
    bool merge = g_strcmp0(behavior, "merge") == 0;
    if (!create && !merge && strcmp(behavior, "replace") != 0) {
        return tree_error(error, tree_get(generator->entry, "behavior"), VWIRE_ERROR_PARSE,
                          "found the behavior \"%s\"; expected create, merge or replace", behavior);
    }
    g_autoptr(Resource) fresh = resource_new(g_steal_pointer(&generator->object));
    fresh->needs_hash = !no_hash;
    ResourceId id = resource_id(fresh);
    Resource *old = NULL;
    if (!resources_find(resources, &id, generator->entry, &old, error)) {
        return false;
    }
    if (create == (old != NULL)) {
        return tree_error(error, generator->entry, VWIRE_ERROR_INVALID,
                          create ? "found %s \"%s\" already; expected behavior: merge or replace"
                                 : "found no %s \"%s\" to change; expected it, or behavior: create",
                          id.kind, id.name);
    }
    if (create) {
        g_ptr_array_add(resources, g_steal_pointer(&fresh));
        return true;
    }
    old->needs_hash = old->needs_hash && fresh->needs_hash;
    absorb(old, g_steal_pointer(&fresh->tree), merge);
    return true;
}

static bool
run_entry(Generator *generator, GPtrArray *resources, GError **error)
{
    static const char *const KEYS[] = {"name", "namespace", "behavior", "files", "literals",
                                       "env",  "envs",      "options",  "type",  NULL};
    const TreeNode *entry = generator->entry;
    if (!tree_expect(entry, TREE_MAPPING, "generator", error) ||
        !tree_check_keys(entry, KEYS, "a generator", error)) {
        return false;
    }
    const TreeNode *options = tree_get(entry, "options");
    generator->options = tree_is_null(options) ? NULL : options;
    return check_options(generator->options, error) && start_object(generator, error) &&
           add_sources(generator, error) && add_object(generator, resources, error);
}

static bool
run_list(const Layer *layer, const char *field, GPtrArray *resources, GError **error)
{
    const TreeNode *list = NULL;
    const TreeNode *global = NULL;
    if (!layer_field(layer, field, TREE_SEQUENCE, &list, error) ||
        !layer_field(layer, "generatorOptions", TREE_MAPPING, &global, error) ||
        !check_options(global, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        Generator generator = {
            .layer = layer,
            .entry = tree_item(list, i),
            .global = global,
            .is_secret = strcmp(field, "secretGenerator") == 0,
            .object = tree_new_mapping(),
        };
        bool done = run_entry(&generator, resources, error);
        tree_free(generator.object);
        if (!done) {
            return false;
        }
    }
    return true;
}

bool
generator_run(const Layer *layer, GPtrArray *resources, GError **error)
{
    return run_list(layer, "configMapGenerator", resources, error) &&
           run_list(layer, "secretGenerator", resources, error);
}

/* ------ hash ------ */

static void
hash_member(TreeNode *encoded, const TreeNode *object, const char *key, bool always)
{
    const TreeNode *node = tree_get(object, key);
    if (node != NULL || always) {
        tree_set(encoded, key, node != NULL ? tree_copy(node) : tree_new_string(""));
    }
}

/* SHA-256 over the JSON of kind, name, data (and binaryData, stringData, type); kustomize 5 looks
 * the name up under a key that does not exist, so that it is always empty.  Five of the digits
 * become letters, lest a hash spell a word. */
char *
generator_hash(const TreeNode *object)
{
    enum { LENGTH = 10 };
    static const char DIGITS[] = "013ae";
    static const char LETTERS[] = "ghkmt";
    const char *kind = tree_text(tree_get(object, "kind"));
    g_autoptr(TreeNode) encoded = tree_new_mapping();
    tree_set(encoded, "kind", tree_new_string(kind != NULL ? kind : ""));
    tree_set(encoded, "name", tree_new_string(""));
    hash_member(encoded, object, "data", true);
    if (g_strcmp0(kind, "Secret") == 0) {
        hash_member(encoded, object, "type", true);
        hash_member(encoded, object, "stringData", false);
    } else {
        hash_member(encoded, object, "binaryData", false);
    }
    g_autofree char *json = tree_to_json(encoded, true);
    char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, json, -1);
    hash[LENGTH] = '\0';
    for (char *at = hash; *at != '\0'; at++) {
        const char *digit = strchr(DIGITS, *at);
        *at = digit != NULL ? LETTERS[digit - DIGITS] : *at;
    }
    return hash;
}
