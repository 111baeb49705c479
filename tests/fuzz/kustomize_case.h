/* One input of the Kustomize fuzzer as files: used by the fuzzer and by the test that replays its
 * corpus.
 *
 * The text up to the first line "#> NAME" is kustomization.yaml, what follows is the file NAME.
 * Three files are always there: objects.yaml, base/kustomization.yaml, base/objects.yaml. */
#pragma once

#include "models/manifest/kustomize.h"

#include <glib/gstdio.h>
#include <string.h>

static const char CASE_OBJECTS[] =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, labels: {app: d}}\n"
    "spec:\n  replicas: 1\n  selector: {matchLabels: {app: d}}\n  template:\n"
    "    metadata: {labels: {app: d}}\n    spec:\n      serviceAccountName: sa\n"
    "      containers:\n      - name: c\n        image: i:1\n        env: [{name: E, value: v}]\n"
    "        envFrom: [{configMapRef: {name: cm}}]\n        ports: [{containerPort: 80}]\n"
    "      volumes: [{name: v, secret: {secretName: s}}]\n---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec: {ports: [{port: 80}]}\n---\n"
    "apiVersion: v1\nkind: List\nitems:\n"
    "- {apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {k: v}}\n"
    "- {apiVersion: example.org/v1, kind: Thing, metadata: {name: t}, spec: {a: [1, {b: 2}]}}\n";

static const char CASE_BASE[] = "namePrefix: b-\nresources: [objects.yaml]\n";

static const char CASE_BASE_OBJECTS[] =
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: crb}\n"
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cr}\n"
    "subjects: [{kind: ServiceAccount, name: sa, namespace: x}, {kind: User, name: default}]\n---\n"
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: cr}\n---\n"
    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\n";

static inline void
case_write(const char *directory, const char *name, const char *text, size_t length)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    if (g_mkdir_with_parents(parent, 0700) == 0) {
        (void)g_file_set_contents_full(path, text, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0600,
                                       NULL);
    }
}

/* Names that stay below the directory. */
static inline bool
case_is_name(const char *name)
{
    enum { LONGEST = 60 };
    size_t length = strlen(name);
    return length > 0 && length < LONGEST && *name != '/' && strstr(name, "..") == NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789./-") == length;
}

/* Writes the files of an input into an existing directory. */
static inline void
case_unpack(const char *directory, const char *data, size_t size)
{
    static const char MARKER[] = "\n#> ";
    g_autofree char *name = g_strdup("kustomization.yaml");
    const char *end = data + size;
    case_write(directory, "objects.yaml", CASE_OBJECTS, strlen(CASE_OBJECTS));
    case_write(directory, "base/kustomization.yaml", CASE_BASE, strlen(CASE_BASE));
    case_write(directory, "base/objects.yaml", CASE_BASE_OBJECTS, strlen(CASE_BASE_OBJECTS));
    while (true) {
        const char *next = memmem(data, (size_t)(end - data), MARKER, strlen(MARKER));
        const char *stop = next != NULL ? next + 1 : end;
        if (case_is_name(name)) {
            case_write(directory, name, data, (size_t)(stop - data));
        }
        if (next == NULL) {
            return;
        }
        next += strlen(MARKER);
        const char *newline = memchr(next, '\n', (size_t)(end - next));
        data = newline != NULL ? newline + 1 : end;
        g_free(name);
        name = g_strndup(next, (gsize)((newline != NULL ? newline : end) - next));
    }
}

/* Removes a directory with all below it; links are not followed. */
static inline void
case_remove(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    for (const char *name = dir != NULL ? g_dir_read_name(dir) : NULL; name != NULL;
         name = g_dir_read_name(dir)) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        case_remove(below);
    }
    g_clear_pointer(&dir, g_dir_close);
    (void)g_remove(path);
}

/* Renders an input in a directory of its own: objects, or an error. */
static inline GPtrArray *
case_render(const char *data, size_t size, GError **error)
{
    g_autofree char *directory = g_dir_make_tmp("vwire-case-XXXXXX", NULL);
    g_assert(directory != NULL);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    case_unpack(directory, data, size);
    GPtrArray *trees = kustomize_render(directory, NULL, warnings, error);
    case_remove(directory);
    return trees;
}
