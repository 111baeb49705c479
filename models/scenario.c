/* Loading a scenario: the document, changed by `--set`, is decoded part by part; then the
 * calibration and the manifests that it names are read. */
#include "models/scenario.h"

#include "models/document.h"
#include "models/manifest/source.h"
#include "models/scenario_parts.h"
#include "models/scenario_set.h"

#include <string.h>

typedef struct Loader {
    Scenario *scenario; /* being filled */
    const ScenarioOptions *options;
    GPtrArray *sets;
} Loader;

/* ------ files that the scenario names ------ */

/* `path` below `directory` if it is there; otherwise the place is noted in `tried`. */
static char *
try_directory(const char *directory, const char *path, GString *tried)
{
    g_autofree char *candidate =
        g_str_equal(directory, ".") ? g_strdup(path) : g_build_filename(directory, path, NULL);
    if (g_file_test(candidate, G_FILE_TEST_EXISTS)) {
        return g_steal_pointer(&candidate);
    }
    g_string_append_printf(tried, "%s%s", tried->len > 0 ? ", " : "",
                           g_str_equal(directory, ".") ? "the working directory" : directory);
    return NULL;
}

/* See ScenarioOptions.  NULL with an error at `at` that says where it looked. */
static char *
resolve_path(const Loader *loader, const char *path, const TreeNode *at, GError **error)
{
    if (g_path_is_absolute(path)) {
        if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
            tree_error(error, at, VWIRE_ERROR_SYSTEM, "%s does not exist", path);
            return NULL;
        }
        return g_strdup(path);
    }
    g_autoptr(GString) tried = g_string_new(NULL);
    char *found = try_directory(".", path, tried);
    g_autofree char *own = g_path_get_dirname(loader->scenario->file);
    if (found == NULL && !g_str_equal(own, ".")) {
        found = try_directory(own, path, tried);
    }
    const char *const *roots = loader->options->roots;
    for (guint i = 0; found == NULL && roots != NULL && roots[i] != NULL; i++) {
        found = try_directory(roots[i], path, tried);
    }
    if (found == NULL) {
        tree_error(error, at, VWIRE_ERROR_SYSTEM, "%s does not exist; looked in %s", path,
                   tried->str);
    }
    return found;
}

static bool
read_calibration(Loader *loader, const TreeNode *spec, GError **error)
{
    const char *path = document_require_string(spec, "calibration", "spec", error);
    if (path == NULL) {
        return false;
    }
    g_autofree char *found = resolve_path(loader, path, tree_get(spec, "calibration"), error);
    if (found == NULL) {
        return false;
    }
    loader->scenario->calibration = calibration_load(found, error);
    return loader->scenario->calibration != NULL &&
           scenario_sets_apply_calibration(loader->sets, loader->scenario->calibration, error);
}

/* ------ manifests ------ */

static void
manifest_clear(void *data)
{
    ScenarioManifest *manifest = data;
    g_free(manifest->path);
    g_free(manifest->resolved);
    g_clear_pointer(&manifest->objects, g_ptr_array_unref);
    scenario_mark_clear(&manifest->mark);
    *manifest = (ScenarioManifest){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScenarioManifest, manifest_clear)

static bool
read_start_time(const Loader *loader, const TreeNode *node, nsec_t *out, GError **error)
{
    if (node == NULL) {
        return true;
    }
    if (!tree_read_duration(node, out, error)) {
        return false;
    }
    if (*out >= loader->scenario->duration) {
        scenario_warn(loader->scenario, node, "startTime %s is not before the end of the scenario",
                      node->text);
    }
    return true;
}

static bool
read_objects(const Loader *loader, ScenarioManifest *manifest, GError **error)
{
    GPtrArray *warnings = loader->scenario->warnings;
    g_autoptr(GPtrArray) trees =
        kustomize_render(manifest->resolved, loader->options->maps, warnings, error);
    if (trees == NULL || !scenario_sets_apply_objects(loader->sets, trees, error)) {
        return false;
    }
    manifest->objects = objects_decode(trees, warnings, error);
    return manifest->objects != NULL;
}

static bool
read_manifest(const Loader *loader, const TreeNode *node, ScenarioManifest *out, GError **error)
{
    static const char *const KEYS[] = {"path", "startTime", NULL};
    if (!tree_expect(node, TREE_MAPPING, "manifest", error) ||
        !tree_check_keys(node, KEYS, "the manifest", error)) {
        return false;
    }
    const char *path = document_require_string(node, "path", "the manifest", error);
    if (path == NULL ||
        !read_start_time(loader, tree_get(node, "startTime"), &out->start_time, error)) {
        return false;
    }
    out->path = g_strdup(path);
    out->mark = scenario_mark_of(node);
    const TreeNode *at = tree_get(node, "path");
    out->resolved = source_is_remote(path) ? source_resolve(path, loader->options->maps, at, error)
                                           : resolve_path(loader, path, at, error);
    return out->resolved != NULL && read_objects(loader, out, error);
}

/* What must be unique: group, kind, namespace and name; free with g_free. */
static char *
object_key(const Object *object)
{
    const char *slash = strchr(object->api_version, '/'); /* the core group has none */
    gsize group_length = slash != NULL ? (gsize)(slash - object->api_version) : 0;
    g_autofree char *group = g_strndup(object->api_version, group_length);
    return g_strdup_printf("%s/%s/%s/%s", group, object->kind_text, object->ns, object->name);
}

/* Refuses an object that another entry has too.  `seen`: object_key -> Object. */
static bool
check_duplicates(const ScenarioManifest *manifest, GHashTable *seen, GError **error)
{
    for (guint i = 0; i < manifest->objects->len; i++) {
        const Object *object = manifest->objects->pdata[i];
        g_autofree char *key = object_key(object);
        const Object *other = g_hash_table_lookup(seen, key);
        if (other != NULL) {
            return tree_error_mark(error, &object->mark, VWIRE_ERROR_INVALID,
                                   "%s \"%s\" is already defined at %s:%d:%d", object->kind_text,
                                   object->name, other->mark.file != NULL ? other->mark.file : "?",
                                   other->mark.line, other->mark.column);
        }
        g_hash_table_insert(seen, g_steal_pointer(&key), (void *)object);
    }
    return true;
}

static bool
read_manifests(Loader *loader, const TreeNode *node, GError **error)
{
    Scenario *scenario = loader->scenario;
    if (!tree_is_null(node) && !tree_expect(node, TREE_SEQUENCE, "manifests", error)) {
        return false;
    }
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    scenario->manifests = g_new0(ScenarioManifest, MAX(tree_size(node), 1));
    for (guint i = 0; i < tree_size(node); i++) {
        ScenarioManifest *manifest = &scenario->manifests[scenario->n_manifests++];
        if (!read_manifest(loader, tree_item(node, i), manifest, error) ||
            !check_duplicates(manifest, seen, error)) {
            return false;
        }
    }
    return scenario_sets_check_used(loader->sets, error);
}

/* ------ the document ------ */

/* The name becomes a part of file names. */
static bool
is_scenario_name(const char *name)
{
    static const char REST[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return g_ascii_isalnum(*name) && name[strspn(name, REST)] == '\0';
}

static bool
read_metadata(const TreeNode *root, Scenario *out, GError **error)
{
    static const char *const KEYS[] = {"name", "labels", NULL};
    const TreeNode *metadata = document_require(root, "metadata", "the scenario", error);
    if (metadata == NULL || !tree_expect(metadata, TREE_MAPPING, "metadata", error) ||
        !tree_check_keys(metadata, KEYS, "metadata", error)) {
        return false;
    }
    const char *name = document_require_string(metadata, "name", "metadata", error);
    if (name == NULL) {
        return false;
    }
    if (!is_scenario_name(name)) {
        return tree_error(error, tree_get(metadata, "name"), VWIRE_ERROR_INVALID,
                          "found the name \"%s\"; expected letters, digits, '-', '_' and '.', with "
                          "a letter or digit first",
                          name);
    }
    out->name = g_strdup(name);
    return scenario_read_labels(tree_get(metadata, "labels"), "metadata.labels", &out->labels,
                                error);
}

/* Keys of the format that later versions will read. */
static bool
check_unsupported(const TreeNode *spec, GError **error)
{
    static const char *const KEYS[] = {"warmupPeriod", "sweep", "emulation", NULL};
    for (guint i = 0; KEYS[i] != NULL; i++) {
        const TreeNode *node = tree_get(spec, KEYS[i]);
        if (!scenario_is_empty(node)) {
            return tree_error_mark(error, &node->key_mark, VWIRE_ERROR_UNSUPPORTED,
                                   "spec.%s is not supported by this version", KEYS[i]);
        }
    }
    return true;
}

static bool
read_duration(const TreeNode *spec, Scenario *out, GError **error)
{
    const TreeNode *node = document_require(spec, "duration", "spec", error);
    return node != NULL && scenario_read_time(node, "duration", &out->duration, error);
}

/* Clients whose end of the V-wire is a device that nothing here models. */
static void
warn_hardware(Scenario *scenario, const Chains *chains)
{
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        g_autoptr(GError) line = NULL; /* the mark is written as in an error */
        if (chain->mechanism != NS_MECHANISM_VFIO) {
            continue;
        }
        tree_error_mark(&line, &chain->client->mark, VWIRE_ERROR_UNSUPPORTED,
                        "the client %s asks for %s by vfio: its end is taken to be as fast as "
                        "hardware; SR-IOV devices, their virtual functions, the queues of network "
                        "interfaces and the SR-IOV forwarder are not modelled",
                        chain->client_name, chain->service);
        g_ptr_array_add(scenario->warnings, g_strdup(line->message));
    }
}

/* What speaks of Pods and chains, once they are known. */
static bool
read_events(const TreeNode *spec, Scenario *scenario, GError **error)
{
    g_autoptr(Chains) chains = chains_find(scenario);
    warn_hardware(scenario, chains);
    return scenario_faults_read(tree_get(spec, "faults"), chains, scenario, error) &&
           scenario_traffic_read(tree_get(spec, "traffic"), chains, scenario, error) &&
           scenario_thresholds_check(tree_get(spec, "thresholds"), chains, scenario, error);
}

static bool
read_spec(Loader *loader, const TreeNode *spec, GError **error)
{
    static const char *const KEYS[] = {"duration",     "warmupPeriod", "calibration", "cluster",
                                       "manifests",    "traffic",      "faults",      "sweep",
                                       "replications", "thresholds",   "references",  "outputs",
                                       "emulation",    "fastForward",  "fingerprint", NULL};
    Scenario *scenario = loader->scenario;
    if (!tree_expect(spec, TREE_MAPPING, "spec", error) ||
        !tree_check_keys(spec, KEYS, "spec", error) || !check_unsupported(spec, error) ||
        !read_duration(spec, scenario, error)) {
        return false;
    }
    const TreeNode *cluster = document_require(spec, "cluster", "spec", error);
    return cluster != NULL && scenario_cluster_read(cluster, scenario, error) &&
           scenario_replications_read(tree_get(spec, "replications"), &scenario->replications,
                                      error) &&
           scenario_thresholds_read(tree_get(spec, "thresholds"), scenario, error) &&
           scenario_references_read(tree_get(spec, "references"), scenario, error) &&
           scenario_outputs_read(tree_get(spec, "outputs"), scenario, error) &&
           read_calibration(loader, spec, error) &&
           scenario_fast_forward_read(tree_get(spec, "fastForward"), scenario, error) &&
           scenario_fingerprint_read(tree_get(spec, "fingerprint"), scenario, error) &&
           read_manifests(loader, tree_get(spec, "manifests"), error) &&
           scenario_acls_read(scenario, error) && read_events(spec, scenario, error);
}

static bool
read_document(Loader *loader, TreeNode *root, GError **error)
{
    static const char *const KEYS[] = {"apiVersion", "kind", "metadata", "spec", NULL};
    const char *const *texts = loader->options->sets;
    loader->sets = scenario_sets_parse(texts, error);
    if (loader->sets == NULL || !scenario_sets_apply(loader->sets, root, error) ||
        !tree_check_keys(root, KEYS, "the scenario", error) ||
        !read_metadata(root, loader->scenario, error)) {
        return false;
    }
    const TreeNode *spec = document_require(root, "spec", "the scenario", error);
    return spec != NULL && read_spec(loader, spec, error);
}

Scenario *
scenario_load(const char *file, const ScenarioOptions *options, GError **error)
{
    static const ScenarioOptions NO_OPTIONS = {0};
    g_autofree char *text = NULL;
    gsize length = 0;
    g_autoptr(GError) cause = NULL;
    if (!g_file_get_contents(file, &text, &length, &cause)) {
        error_set(error, VWIRE_ERROR_SYSTEM, "%s", cause->message);
        return NULL;
    }
    g_autoptr(TreeNode) root = document_parse(text, length, file, "Scenario", error);
    if (root == NULL) {
        return NULL;
    }
    g_autoptr(Scenario) scenario = g_new0(Scenario, 1);
    scenario->file = g_strdup(file);
    scenario->warnings = g_ptr_array_new_with_free_func(g_free);
    Loader loader = {scenario, options != NULL ? options : &NO_OPTIONS, NULL};
    bool done = read_document(&loader, root, error);
    g_clear_pointer(&loader.sets, g_ptr_array_unref);
    return done ? g_steal_pointer(&scenario) : NULL;
}

void
scenario_free(Scenario *scenario)
{
    if (scenario == NULL) {
        return;
    }
    scenario_acls_clear(scenario);
    for (guint i = 0; i < scenario->n_manifests; i++) {
        manifest_clear(&scenario->manifests[i]);
    }
    g_free(scenario->manifests);
    scenario_cluster_clear(scenario);
    scenario_outcome_clear(scenario);
    scenario_faults_clear(scenario);
    scenario_traffic_clear(scenario);
    g_clear_pointer(&scenario->calibration, calibration_free);
    labels_clear(&scenario->labels);
    g_ptr_array_unref(scenario->warnings);
    g_free(scenario->file);
    g_free(scenario->name);
    g_free(scenario);
}

const Fault *
scenario_fault(const Scenario *scenario, const char *name)
{
    for (guint i = 0; i < scenario->n_faults; i++) {
        if (g_str_equal(scenario->faults[i].name, name)) {
            return &scenario->faults[i];
        }
    }
    return NULL;
}
