/* The rules of the scenario's firewalls: from the container by its volume to the ConfigMap. */
#include "models/component.h"
#include "models/manifest/source.h"
#include "models/nsm/version.h"
#include "models/scenario_parts.h"

#include <string.h>

/* A firewall's container whose rules are looked for. */
typedef struct Finder {
    Scenario *scenario;
    const Object *object;
    const PodSpec *pod;
    const ContainerSpec *container;
} Finder;

/* ------ warnings ------ */

/* Two firewalls may share a file: what was said once is enough. */
static void
add_warning(Scenario *scenario, const char *line)
{
    if (!g_ptr_array_find_with_equal_func(scenario->warnings, line, g_str_equal, NULL)) {
        g_ptr_array_add(scenario->warnings, g_strdup(line));
    }
}

static void G_GNUC_PRINTF(2, 3) warn_unfiltered(const Finder *finder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GError) line = NULL; /* the mark is written as in an error */
    tree_error_mark(&line, &finder->container->mark, VWIRE_ERROR_UNSUPPORTED,
                    "the firewall %s/%s filters nothing: %s", finder->object->ns,
                    finder->object->name, why);
    add_warning(finder->scenario, line->message);
}

/* ------ where the file is ------ */

/* What is behind the mount's path in the file's: "" when it is the file itself, NULL when the file
 * is not below it. */
static const char *
path_below(const VolumeMount *mount, const char *path)
{
    size_t length = strlen(mount->path);
    while (length > 0 && mount->path[length - 1] == '/') {
        length--;
    }
    bool below = strncmp(path, mount->path, length) == 0;
    return below && (path[length] == '/' || path[length] == '\0') ? path + length : NULL;
}

/* The mount that shows the file: the one with the longest path. */
static const VolumeMount *
find_mount(const ContainerSpec *container, const char *path)
{
    const VolumeMount *best = NULL;
    for (guint i = 0; i < container->n_mounts; i++) {
        const VolumeMount *mount = &container->mounts[i];
        if (path_below(mount, path) != NULL &&
            (best == NULL || strlen(mount->path) > strlen(best->path))) {
            best = mount;
        }
    }
    return best;
}

static const VolumeSpec *
find_volume(const PodSpec *pod, const char *name)
{
    for (guint i = 0; i < pod->n_volumes; i++) {
        if (g_strcmp0(pod->volumes[i].name, name) == 0) {
            return &pod->volumes[i];
        }
    }
    return NULL;
}

/* The name of the file within the volume; free with g_free. */
static char *
file_in_volume(const VolumeMount *mount, const char *path)
{
    g_autofree char *joined =
        g_strconcat(mount->sub_path != NULL ? mount->sub_path : "", path_below(mount, path), NULL);
    return g_strdup(joined + strspn(joined, "/"));
}

/* The key that the volume shows as this file; NULL: none. */
static const char *
key_of_file(const VolumeSpec *volume, const char *file)
{
    for (guint i = 0; i < volume->n_items; i++) {
        if (g_str_equal(volume->items[i].path, file)) {
            return volume->items[i].key;
        }
    }
    return volume->n_items == 0 ? file : NULL;
}

static const Object *
find_config_map(const Scenario *scenario, const char *ns, const char *name)
{
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            const Object *object = g_ptr_array_index(objects, i);
            if (object->kind == OBJECT_CONFIG_MAP && g_str_equal(object->ns, ns) &&
                g_str_equal(object->name, name)) {
                return object;
            }
        }
    }
    return NULL;
}

/* ------ what is in it ------ */

static Acl *
parse_value(const TreeNode *value, GError **error)
{
    const char *text = NULL;
    if (!tree_read_string(value, &text, error)) {
        return NULL;
    }
    g_autoptr(GPtrArray) roots = source_parse_inline(value, false, error);
    return roots != NULL ? acl_from_roots(roots, error) : NULL;
}

/* An error also says whose text it is about. */
static bool
read_value(const Object *map, const char *key, const TreeNode *value, Acl **out, GError **error)
{
    g_autoptr(GError) cause = NULL;
    *out = parse_value(value, &cause);
    return *out != NULL || error_set(error, (VwireError)cause->code, "%s (%s of ConfigMap %s/%s)",
                                     cause->message, key, map->ns, map->name);
}

/* cmd-nse-firewall-vpp main.go retrieveACLRules: a file that cannot be read is logged, and the
 * firewall runs without rules.  A missing ConfigMap that is not optional keeps the Pod from
 * starting, which the kubelet's model shows. */
static bool
read_file(const Finder *finder, const VolumeMount *mount, const char *path, Acl **out,
          GError **error)
{
    const VolumeSpec *volume = find_volume(finder->pod, mount->volume);
    if (volume == NULL || volume->kind != VOLUME_CONFIG_MAP) {
        warn_unfiltered(finder, "%s comes from volume %s, of which only ConfigMaps are read here",
                        path, mount->volume);
        return true;
    }
    const Object *map = find_config_map(finder->scenario, finder->object->ns, volume->source);
    g_autofree char *file = file_in_volume(mount, path);
    const char *key = key_of_file(volume, file);
    const TreeNode *value = map != NULL && key != NULL ? tree_get(map->data, key) : NULL;
    if (value != NULL) {
        return read_value(map, key, value, out, error);
    }
    if (map != NULL) {
        warn_unfiltered(finder, "%s would be \"%s\" of ConfigMap %s/%s, which has no such file",
                        path, file, map->ns, map->name);
    }
    return true;
}

/* NSM_ACL_CONFIG_PATH or its default; NULL when it is no plain value. */
static const char *
config_path(const ContainerSpec *container)
{
    const EnvVar *variable = container_env(container, "NSM_ACL_CONFIG_PATH");
    return variable != NULL ? variable->value
                            : nsm_acl_config_path(image_version(container->image));
}

/* Rules at the path of another version's default are easily overlooked. */
static void
warn_of_other_default(const Finder *finder, const char *path)
{
    static const int VERSIONS[] = {NSM_VERSION(1, 4, 0), 0};
    for (guint i = 0; i < G_N_ELEMENTS(VERSIONS); i++) {
        const char *other = nsm_acl_config_path(VERSIONS[i]);
        if (find_mount(finder->container, other) != NULL) {
            warn_unfiltered(finder, "it has a mount for %s, but %s reads %s", other,
                            finder->container->image, path);
        }
    }
}

static bool
read_container(const Finder *finder, Acl **out, GError **error)
{
    const char *path = config_path(finder->container);
    if (path == NULL) {
        warn_unfiltered(finder, "NSM_ACL_CONFIG_PATH is no plain value");
        return true;
    }
    const VolumeMount *mount = find_mount(finder->container, path);
    if (mount == NULL) {
        warn_of_other_default(finder, path);
        return true;
    }
    return read_file(finder, mount, path, out, error);
}

/* ------ all of them ------ */

static void
take_acl(Scenario *scenario, const Object *object, Acl *take)
{
    g_autoptr(Acl) acl = take;
    if (acl_n_rules(acl) == 0) {
        return;
    }
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    acl_warn(acl, lines);
    for (guint i = 0; i < lines->len; i++) {
        add_warning(scenario, g_ptr_array_index(lines, i));
    }
    scenario->acls = g_renew(ScenarioAcl, scenario->acls, scenario->n_acls + 1);
    scenario->acls[scenario->n_acls++] = (ScenarioAcl){object, g_steal_pointer(&acl)};
}

/* The first firewall of a Pod counts. */
static bool
read_object(Scenario *scenario, const Object *object, GError **error)
{
    const PodSpec *pod = object_pod_spec(object);
    for (guint i = 0; pod != NULL && i < pod->n_containers; i++) {
        const ContainerSpec *container = &pod->containers[i];
        Finder finder = {scenario, object, pod, container};
        Acl *acl = NULL;
        if (component_of_image(container->image) != COMPONENT_FIREWALL) {
            continue;
        }
        if (!read_container(&finder, &acl, error)) {
            return false;
        }
        if (acl != NULL) {
            take_acl(scenario, object, acl);
            return true;
        }
    }
    return true;
}

bool
scenario_acls_read(Scenario *scenario, GError **error)
{
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            if (!read_object(scenario, g_ptr_array_index(objects, i), error)) {
                return false;
            }
        }
    }
    return true;
}

void
scenario_acls_clear(Scenario *scenario)
{
    for (guint i = 0; i < scenario->n_acls; i++) {
        acl_free(scenario->acls[i].acl);
    }
    g_clear_pointer(&scenario->acls, g_free);
    scenario->n_acls = 0;
}

const Acl *
scenario_acl(const Scenario *scenario, const Object *object)
{
    for (guint i = 0; i < scenario->n_acls; i++) {
        if (scenario->acls[i].object == object) {
            return scenario->acls[i].acl;
        }
    }
    return NULL;
}

const Acl *
scenario_acl_of_pod(const Scenario *scenario, const char *pod_key)
{
    for (guint i = 0; i < scenario->n_acls; i++) {
        if (object_owns_pod(scenario->acls[i].object, pod_key)) {
            return scenario->acls[i].acl;
        }
    }
    return NULL;
}
