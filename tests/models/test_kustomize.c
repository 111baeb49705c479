/* Rendering of kustomizations: what each field does, where errors are placed.
 *
 * That whole renderings equal kubectl's is kustomize_equal's test; the expectations here were taken
 * from kubectl 1.32 (kustomize 5.5) and hold without it. */
#include "tests/fuzz/kustomize_case.h"
#include "tests/models/scratch.h"

#include <stdlib.h>

/* ------ helpers ------ */

static const char DEPLOYMENT[] = "apiVersion: apps/v1\n"
                                 "kind: Deployment\n"
                                 "metadata: {name: camera}\n"
                                 "spec:\n"
                                 "  replicas: 1\n"
                                 "  template:\n"
                                 "    spec:\n"
                                 "      serviceAccountName: agent\n"
                                 "      containers:\n"
                                 "      - name: a\n"
                                 "        image: a:1\n"
                                 "        env: [{name: X, value: '1'}, {name: Y, value: '2'}]\n"
                                 "        ports: [{containerPort: 80}]\n"
                                 "        command: [run, fast]\n"
                                 "      - name: b\n"
                                 "        image: b:1\n"
                                 "      volumes:\n"
                                 "      - name: v\n"
                                 "        configMap: {name: settings}\n";

static GPtrArray *
try_render(const char *path, const GArray *maps, GPtrArray *warnings, GError **error)
{
    g_autofree char *full = scratch_path(path);
    return kustomize_render(full, maps, warnings, error);
}

static GPtrArray *
render(const char *path)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *trees = try_render(path, NULL, NULL, &error);
    ck_assert_msg(trees != NULL, "%s", error != NULL ? error->message : "");
    return trees;
}

/* Renders k/kustomization.yaml with this text. */
static GPtrArray *
render_text(const char *kustomization)
{
    scratch_write("k/kustomization.yaml", kustomization);
    return render("k");
}

/* The same must fail, with `expected` in the message, which starts at the mark "k/FILE:L:C". */
static void
assert_refused(const char *kustomization, VwireError code, const char *expected)
{
    g_autoptr(GError) error = NULL;
    scratch_write("k/kustomization.yaml", kustomization);
    g_autoptr(GPtrArray) trees = try_render("k", NULL, NULL, &error);
    ck_assert_msg(trees == NULL, "accepted: %s", kustomization);
    check_error(&error, code, expected);
}

static const TreeNode *
find(const GPtrArray *trees, const char *kind, const char *name)
{
    for (guint i = 0; i < trees->len; i++) {
        const TreeNode *tree = trees->pdata[i];
        if (strcmp(tree_text(tree_get(tree, "kind")), kind) == 0 &&
            strcmp(tree_text(tree_get_path(tree, "metadata", "name", NULL)), name) == 0) {
            return tree;
        }
    }
    ck_abort_msg("no %s %s", kind, name);
    return NULL;
}

/* The node at a path of keys and indices between slashes. */
static const TreeNode *
at(const TreeNode *tree, const char *path)
{
    g_auto(GStrv) keys = g_strsplit(path, "/", -1);
    for (guint i = 0; keys[i] != NULL && tree != NULL; i++) {
        tree = tree->kind == TREE_SEQUENCE ? tree_item(tree, (guint)atoi(keys[i]))
                                           : tree_get(tree, keys[i]);
    }
    return tree;
}

static void
assert_json_at(const TreeNode *tree, const char *path, const char *json)
{
    const TreeNode *node = at(tree, path);
    ck_assert_msg(node != NULL, "nothing at %s", path);
    g_autofree char *found = tree_to_json(node, true);
    ck_assert_msg(strcmp(found, json) == 0, "%s: found %s, expected %s", path, found, json);
}

/* "Kind/name Kind/name ..." in order. */
static void
assert_order(const GPtrArray *trees, const char *expected)
{
    g_autoptr(GString) found = g_string_new(NULL);
    for (guint i = 0; i < trees->len; i++) {
        g_string_append_printf(found, "%s%s/%s", i > 0 ? " " : "",
                               tree_text(tree_get(trees->pdata[i], "kind")),
                               tree_text(tree_get_path(trees->pdata[i], "metadata", "name", NULL)));
    }
    ck_assert_str_eq(found->str, expected);
}

/* Renders the deployment with one strategic merge patch of its spec (or more, by indentation). */
static GPtrArray *
patch_deployment(const char *patch)
{
    g_autofree char *whole = g_strconcat(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: camera}\n", patch, NULL);
    scratch_write("k/objects.yaml", DEPLOYMENT);
    scratch_write("k/patch.yaml", whole);
    return render_text("resources: [objects.yaml]\npatches: [{path: patch.yaml}]\n");
}

/* ------ strategic merge ------ */

START_TEST(items_merge_by_key_and_those_of_the_patch_come_first)
{
    g_autoptr(GPtrArray) trees =
        patch_deployment("spec:\n  template:\n    spec:\n      containers:\n"
                         "      - {name: new, image: n}\n"
                         "      - name: b\n        command: [x]\n"
                         "      - name: a\n"
                         "        env: [{name: Z, value: z}, {name: Y, value: y}]\n"
                         "        ports: [{containerPort: 80, protocol: TCP}]\n"
                         "        command: [stop]\n");
    const TreeNode *containers = at(trees->pdata[0], "spec/template/spec/containers");
    assert_json_at(containers, "0/name", "\"new\"");
    assert_json_at(containers, "1", "{\"command\":[\"x\"],\"image\":\"b:1\",\"name\":\"b\"}");
    assert_json_at(containers, "2/env",
                   "[{\"name\":\"Z\",\"value\":\"z\"},{\"name\":\"Y\",\"value\":\"y\"},"
                   "{\"name\":\"X\",\"value\":\"1\"}]");
    assert_json_at(containers, "2/ports", "[{\"containerPort\":80,\"protocol\":\"TCP\"}]");
    assert_json_at(containers, "2/command", "[\"stop\"]");
}
END_TEST

START_TEST(null_in_a_patch_deletes_and_is_not_added)
{
    g_autoptr(GPtrArray) trees =
        patch_deployment("spec:\n  replicas: null\n  template:\n    spec:\n      containers: null\n"
                         "      nodeSelector: {a: null, b: c}\n");
    assert_json_at(trees->pdata[0], "spec",
                   "{\"template\":{\"spec\":{\"nodeSelector\":{\"b\":\"c\"},"
                   "\"serviceAccountName\":\"agent\",\"volumes\":[{\"configMap\":{\"name\":"
                   "\"settings\"},\"name\":\"v\"}]}}}");
}
END_TEST

START_TEST(directives_delete_replace_and_retain)
{
    g_autoptr(GPtrArray) trees =
        patch_deployment("spec:\n  $retainKeys: [template]\n  template:\n    spec:\n"
                         "      $setElementOrder/containers: [{name: a}]\n"
                         "      containers:\n      - {name: a, $patch: delete}\n"
                         "      volumes:\n      - {$patch: replace}\n      - {name: w}\n");
    assert_json_at(trees->pdata[0], "spec",
                   "{\"template\":{\"spec\":{\"containers\":[{\"image\":\"b:1\",\"name\":\"b\"}],"
                   "\"serviceAccountName\":\"agent\",\"volumes\":[{\"name\":\"w\"}]}}}");
    g_autoptr(GPtrArray) replaced =
        patch_deployment("spec:\n  template: {spec: {$patch: replace, hostNetwork: true}}\n");
    assert_json_at(replaced->pdata[0], "spec/template/spec", "{\"hostNetwork\":true}");
    g_autoptr(GPtrArray) none = patch_deployment("$patch: delete\n");
    ck_assert_uint_eq(none->len, 0);
}
END_TEST

START_TEST(lists_of_plain_values_merge_where_kubernetes_says_so)
{
    scratch_write("k/pod.yaml", "apiVersion: v1\nkind: Pod\n"
                                "metadata: {name: p, finalizers: [a, b]}\n");
    g_autoptr(GPtrArray) trees =
        render_text("resources: [pod.yaml]\n"
                    "patchesStrategicMerge:\n"
                    "- '{apiVersion: v1, kind: Pod, metadata: {name: p, finalizers: [c, b]}}'\n"
                    "- '{apiVersion: v1, kind: Pod, metadata: {name: p, "
                    "$deleteFromPrimitiveList/finalizers: [a]}}'\n");
    assert_json_at(trees->pdata[0], "metadata/finalizers", "[\"c\",\"b\"]");
}
END_TEST

START_TEST(a_custom_resource_is_patched_as_json)
{
    scratch_write("k/t.yaml", "apiVersion: x.org/v1\nkind: T\nmetadata: {name: t}\n"
                              "spec: {items: [{name: a, v: 1}], m: {a: 1}, s: [1]}\n");
    g_autoptr(GPtrArray) trees =
        render_text("resources: [t.yaml]\npatches:\n- patch: |\n    apiVersion: x.org/v1\n"
                    "    kind: T\n    metadata: {name: t}\n"
                    "    spec: {items: [{name: b}], m: {a: null, b: 2}, s: {now: mapping}}\n");
    assert_json_at(trees->pdata[0], "spec",
                   "{\"items\":[{\"name\":\"b\"}],\"m\":{\"b\":2},\"s\":{\"now\":\"mapping\"}}");
}
END_TEST

START_TEST(a_patch_that_does_not_fit_is_refused_at_its_mark)
{
    static const char PATCH[] = "resources: [objects.yaml]\npatchesStrategicMerge:\n- |\n"
                                "  apiVersion: apps/v1\n  kind: Deployment\n"
                                "  metadata: {name: camera}\n";
    scratch_write("k/objects.yaml", DEPLOYMENT);
    g_autofree char *sequence = g_strconcat(PATCH, "  spec: [1]\n", NULL);
    assert_refused(sequence, VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:7:9: found a sequence in a patch; expected a mapping, as "
                   "at ");
    g_autofree char *keyless =
        g_strconcat(PATCH, "  spec: {template: {spec: {containers: [{image: x}]}}}\n", NULL);
    assert_refused(keyless, VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:7:41: found an item of containers without name; expected "
                   "it, as items are merged by it");
    g_autofree char *directive = g_strconcat(PATCH, "  spec: {$patch: destroy}\n", NULL);
    assert_refused(directive, VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:7:18: found $patch \"destroy\"; expected delete, replace "
                   "or merge");
    g_autofree char *broken = g_strconcat(PATCH, "  spec: {replicas: [}\n", NULL);
    assert_refused(broken, VWIRE_ERROR_PARSE, "k/kustomization.yaml:7:21: did not find expected");
}
END_TEST

START_TEST(patched_objects_keep_the_marks_of_what_they_came_from)
{
    g_autoptr(GPtrArray) trees = patch_deployment("spec:\n  replicas: 5\n");
    const TreeNode *replicas = at(trees->pdata[0], "spec/replicas");
    const TreeNode *image = at(trees->pdata[0], "spec/template/spec/containers/0/image");
    ck_assert(g_str_has_suffix(replicas->mark.file, "k/patch.yaml"));
    ck_assert_int_eq(replicas->mark.line, 5);
    ck_assert_int_eq(replicas->mark.column, 13);
    ck_assert_int_eq(replicas->key_mark.line, 5);
    ck_assert(g_str_has_suffix(image->mark.file, "k/objects.yaml"));
    ck_assert_int_eq(image->mark.line, 11);
}
END_TEST

START_TEST(a_patch_must_find_its_object)
{
    scratch_write("k/objects.yaml", DEPLOYMENT);
    assert_refused("resources: [objects.yaml]\npatches:\n- patch: |\n    apiVersion: apps/v1\n"
                   "    kind: Deployment\n    metadata: {name: other, namespace: far}\n",
                   VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:4:5: found a patch of apps/v1 Deployment \"other\" in "
                   "namespace far; expected an object with this identity");
    assert_refused("resources: [objects.yaml]\npatches: [{path: none.yaml}]\n", VWIRE_ERROR_SYSTEM,
                   "found no file \"");
    assert_refused("resources: [objects.yaml]\npatches: [{path: a, patch: b}]\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:2:11: found a patch with both path and "
                   "patch; expected one of path and patch");
}
END_TEST

/* ------ targets ------ */

START_TEST(targets_select_by_pattern_and_label)
{
    scratch_write(
        "k/pods.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {name: one, labels: {t: a, u: '1'}}}\n---\n"
        "{apiVersion: v1, kind: Pod, metadata: {name: two, labels: {t: b}}}\n---\n"
        "{apiVersion: v1, kind: Pod, metadata: {name: onemore, annotations: {n: m}}}\n");
    static const struct {
        const char *target;
        const char *selected; /* names */
    } CASES[] = {
        {"name: one", "one"},
        {"name: one.*", "onemore one"},
        {"name: one|two", "one two"},
        {"kind: P.d", "onemore one two"},
        {"kind: Pod, version: v2", ""},
        {"group: ''", "onemore one two"},
        {"group: apps", ""},
        {"namespace: default", "onemore one two"},
        {"namespace: other", ""},
        {"labelSelector: t=a", "one"},
        {"labelSelector: 't==b'", "two"},
        {"labelSelector: t!=a", "onemore two"},
        {"labelSelector: 't in (a, b), u'", "one"},
        {"labelSelector: 't notin (a),!u'", "onemore two"},
        {"annotationSelector: n=m", "onemore"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *text = g_strdup_printf("resources: [pods.yaml]\npatches:\n- target: {%s}\n"
                                                "  patch: '[{op: add, path: /hit, value: yes}]'\n",
                                                CASES[i].target);
        g_autoptr(GPtrArray) trees = render_text(text);
        g_autoptr(GString) selected = g_string_new(NULL);
        for (guint j = 0; j < trees->len; j++) {
            if (tree_get(trees->pdata[j], "hit") != NULL) {
                g_string_append_printf(selected, "%s%s", selected->len > 0 ? " " : "",
                                       tree_text(at(trees->pdata[j], "metadata/name")));
            }
        }
        ck_assert_msg(strlen(selected->str) == strlen(CASES[i].selected), "%s: found %s",
                      CASES[i].target, selected->str);
    }
}
END_TEST

START_TEST(a_target_that_selects_nothing_gives_a_warning)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    scratch_write("k/objects.yaml", DEPLOYMENT);
    scratch_write("k/kustomization.yaml", "resources: [objects.yaml]\npatches:\n"
                                          "- target: {kind: Nothing}\n"
                                          "  patch: '[{op: remove, path: /spec}]'\n");
    g_autoptr(GPtrArray) trees = try_render("k", NULL, warnings, NULL);
    ck_assert_ptr_nonnull(trees);
    ck_assert_uint_eq(warnings->len, 1);
    ck_assert_ptr_nonnull(strstr(warnings->pdata[0],
                                 "k/kustomization.yaml:3:11: the patch has no effect: its target "
                                 "selects no object"));
}
END_TEST

START_TEST(a_target_that_cannot_be_read_is_refused)
{
    scratch_write("k/objects.yaml", DEPLOYMENT);
    assert_refused("resources: [objects.yaml]\npatches:\n- target: {name: '('}\n  patch: '[]'\n",
                   VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:3:18: found \"(\"; expected a regular "
                   "expression");
    assert_refused("resources: [objects.yaml]\npatches:\n- target: {labelSelector: 'a b'}\n"
                   "  patch: '[]'\n",
                   VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:3:27: found \"a b\" in a selector; "
                   "expected key=value");
    assert_refused("resources: [objects.yaml]\npatches:\n- target: {names: x}\n  patch: '[]'\n",
                   VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:3:12: unknown field \"names\" in a target; did you mean "
                   "\"name\"?");
    assert_refused("resources: [objects.yaml]\npatches:\n- patch: '[]'\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:3:3: found a JSON patch without target; expected one");
}
END_TEST

/* ------ JSON patches ------ */

/* Applies operations to {a: {b: [1, 2]}, "x/y~": z} below spec; the result of spec, or an error. */
static void
check_operations(const char *operations, const char *json, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("resources: [t.yaml]\npatches:\n- target: {kind: T}\n"
                                            "  path: ops.yaml\n");
    scratch_write("k/t.yaml", "{apiVersion: x.org/v1, kind: T, metadata: {name: t}, "
                              "spec: {a: {b: [1, 2]}, x/y~: z}}");
    scratch_write("k/ops.yaml", operations);
    scratch_write("k/kustomization.yaml", text);
    g_autoptr(GPtrArray) trees = try_render("k", NULL, NULL, &error);
    if (json == NULL) {
        ck_assert_msg(trees == NULL, "accepted: %s", operations);
        ck_assert_msg(strstr(error->message, expected) != NULL, "%s", error->message);
        ck_assert_ptr_nonnull(strstr(error->message, "k/ops.yaml:1:"));
        return;
    }
    ck_assert_msg(trees != NULL, "%s", error != NULL ? error->message : "");
    assert_json_at(trees->pdata[0], "spec", json);
}

START_TEST(every_operation_of_rfc_6902_works)
{
    check_operations("[{op: add, path: /spec/a/b/1, value: 9}, {op: add, path: /spec/a/b/-, "
                     "value: 3}]",
                     "{\"a\":{\"b\":[1,9,2,3]},\"x/y~\":\"z\"}", NULL);
    check_operations("[{op: remove, path: /spec/x~1y~0}, {op: replace, path: /spec/a/b/0, value: "
                     "{c: d}}]",
                     "{\"a\":{\"b\":[{\"c\":\"d\"},2]}}", NULL);
    check_operations("[{op: move, from: /spec/a/b, path: /spec/a/c}, {op: copy, from: /spec/a/c/0, "
                     "path: /spec/d}]",
                     "{\"a\":{\"c\":[1,2]},\"d\":1,\"x/y~\":\"z\"}", NULL);
    check_operations("[{op: test, path: /spec/a/b, value: [1, 2]}, {op: test, path: /spec/no, "
                     "value: null}]",
                     "{\"a\":{\"b\":[1,2]},\"x/y~\":\"z\"}", NULL);
}
END_TEST

START_TEST(operations_that_make_no_sense_are_refused_at_their_mark)
{
    static const struct {
        const char *operations;
        const char *message;
    } CASES[] = {
        {"[{op: remove, path: /spec/none}]",
         ":1:21: found nothing at the path \"/spec/none\"; expected something there"},
        {"[{op: replace, path: /spec/a/b/7, value: 1}]", ":1:22: found no place for the path"},
        {"[{op: add, path: /spec/a/b/01, value: 1}]", ":1:18: found no place for the path"},
        {"[{op: add, path: /spec/no/where, value: 1}]", ":1:18: found no place for the path"},
        {"[{op: add, path: spec, value: 1}]",
         ":1:18: found the path \"spec\"; expected a JSON pointer such as /spec/replicas"},
        {"[{op: test, path: /spec/a/b, value: [2, 1]}]",
         ":1:37: the test of \"/spec/a/b\" found something else; expected this value"},
        {"[{op: move, from: /spec/a, path: /spec/a/b/0}]",
         ":1:34: found a move of \"/spec/a\" into itself"},
        {"[{op: remove, path: ''}]", ":1:21: found the whole object as the path"},
        {"[{op: shift, path: /a}]", ":1:7: found the operation \"shift\"; expected add, remove"},
        {"[{path: /a}]", ":1:2: found an operation without op; expected it"},
        {"[{op: add, path: /a}]", ":1:2: found an operation without value; expected it"},
        {"[{op: copy, path: /a}]", ":1:2: found an operation without from; expected it"},
        {"[{op: add, path: /a, valeu: 1}]",
         ":1:22: unknown field \"valeu\" in a JSON patch operation; did you mean \"value\"?"},
        {"[nonsense]", ":1:2: operation: found the string \"nonsense\"; expected a mapping"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        check_operations(CASES[i].operations, NULL, CASES[i].message);
    }
}
END_TEST

START_TEST(a_patch_that_doubles_its_object_again_and_again_is_refused)
{
    g_autoptr(GString) operations = g_string_new("[");
    for (int i = 0; i < 40; i++) {
        g_string_append_printf(operations, "%s{op: copy, from: /spec, path: /spec/c%d}",
                               i > 0 ? ", " : "", i);
    }
    g_string_append(operations, "]");
    check_operations(operations->str, NULL, "the patch copies more than 1000000 nodes");
}
END_TEST

START_TEST(a_patch_must_leave_an_object)
{
    g_autoptr(GError) error = NULL;
    scratch_write("k/objects.yaml", DEPLOYMENT);
    assert_refused("resources: [objects.yaml]\npatches:\n- target: {kind: Deployment}\n"
                   "  patch: '[{op: remove, path: /metadata/name}]'\n",
                   VWIRE_ERROR_PARSE, "k/objects.yaml:1:1: found an object without name");
    assert_refused("resources: [objects.yaml]\npatches:\n- target: {kind: Deployment}\n"
                   "  patch: '[{op: replace, path: \"\", value: []}]'\n",
                   VWIRE_ERROR_PARSE, "object: found a sequence; expected a mapping");
}
END_TEST

/* ------ generators ------ */

START_TEST(generated_names_carry_kustomizes_hash_and_references_follow)
{
    scratch_write("k/objects.yaml", DEPLOYMENT);
    scratch_write("k/file.txt", "a\nb\n");
    g_autoptr(GPtrArray) trees =
        render_text("resources: [objects.yaml]\nconfigMapGenerator:\n- name: settings\n"
                    "  literals: [k=v1]\nsecretGenerator:\n- {name: sec, literals: [p=w]}\n"
                    "- {name: fixed, files: [x=file.txt, file.txt], type: my/type,\n"
                    "   options: {disableNameSuffixHash: true, immutable: true}}\n");
    assert_order(trees, "ConfigMap/settings-5k8t4666t7 Secret/fixed Secret/sec-m7cg948gg9 "
                        "Deployment/camera");
    assert_json_at(find(trees, "Deployment", "camera"),
                   "spec/template/spec/volumes/0/configMap/name", "\"settings-5k8t4666t7\"");
    assert_json_at(find(trees, "Secret", "fixed"), "data",
                   "{\"file.txt\":\"YQpiCg==\",\"x\":\"YQpiCg==\"}");
    assert_json_at(find(trees, "Secret", "fixed"), "type", "\"my/type\"");
    assert_json_at(find(trees, "Secret", "fixed"), "immutable", "true");
}
END_TEST

START_TEST(generators_read_literals_files_and_env_files)
{
    scratch_write("k/lines.env", "\xEF\xBB\xBF# comment\n\nA=1\r\n  B=two words\nC=\n");
    g_autofree char *binary = scratch_path("k/bin");
    ck_assert(g_file_set_contents(binary, "\xFF\x00", 2, NULL));
    g_autoptr(GPtrArray) trees = render_text(
        "configMapGenerator:\n- name: m\n  literals: [a=b=c, \"q='x'\", 'h=\"', e=]\n"
        "  files: [bin]\n  envs: [lines.env]\n"
        "generatorOptions: {labels: {l: m}, annotations: {n: o}, disableNameSuffixHash: true}\n");
    const TreeNode *map = find(trees, "ConfigMap", "m");
    assert_json_at(
        map, "data",
        "{\"A\":\"1\",\"B\":\"two words\",\"C\":\"\",\"a\":\"b=c\",\"e\":\"\",\"h\":\"\\\"\","
        "\"q\":\"x\"}");
    assert_json_at(map, "binaryData", "{\"bin\":\"/wA=\"}");
    assert_json_at(map, "metadata",
                   "{\"annotations\":{\"n\":\"o\"},\"labels\":{\"l\":\"m\"},"
                   "\"name\":\"m\"}");
}
END_TEST

START_TEST(generators_merge_with_and_replace_what_is_there)
{
    scratch_write("base/kustomization.yaml",
                  "configMapGenerator:\n- {name: m, literals: [a=1, b=2]}\n"
                  "- {name: r, literals: [a=1], options: {labels: {x: w}}}\n");
    g_autoptr(GPtrArray) trees =
        render_text("resources: [../base]\nnamePrefix: p-\nconfigMapGenerator:\n"
                    "- {name: m, behavior: merge, literals: [b=3, c=4]}\n"
                    "- {name: r, behavior: replace, literals: [z=1],\n"
                    "   options: {disableNameSuffixHash: true}}\n");
    const TreeNode *replaced = find(trees, "ConfigMap", "p-r");
    const TreeNode *merged = trees->pdata[0];
    assert_json_at(merged, "data", "{\"a\":\"1\",\"b\":\"3\",\"c\":\"4\"}");
    ck_assert(g_str_has_prefix(tree_text(at(merged, "metadata/name")), "p-m-"));
    assert_json_at(replaced, "data", "{\"z\":\"1\"}");
    assert_json_at(replaced, "metadata/labels", "{\"x\":\"w\"}");
    assert_refused("configMapGenerator: [{name: m, behavior: merge}]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:1:22: found no ConfigMap \"m\" to change; expected it, or "
                   "behavior: create");
    assert_refused("resources: [../base]\nconfigMapGenerator: [{name: m}]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:2:22: found ConfigMap \"m\" already; expected behavior: "
                   "merge or replace");
}
END_TEST

START_TEST(generators_that_cannot_work_are_refused_at_their_mark)
{
    scratch_write("k/bare.env", "HOME\n");
    assert_refused("configMapGenerator: [{literals: [a=b]}]\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:22: found a generator without name; expected one");
    assert_refused("configMapGenerator: [{name: m, literals: [ab]}]\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:43: found the literal \"ab\"; expected KEY=VALUE");
    assert_refused("configMapGenerator: [{name: m, literals: [a=b, a=c]}]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:1:48: found the key \"a\" again; expected it once");
    assert_refused("configMapGenerator: [{name: m, literals: ['a b=c']}]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:1:43: found the key \"a b\"; expected letters");
    assert_refused(
        "configMapGenerator: [{name: m, files: [a=b=c]}]\n", VWIRE_ERROR_PARSE,
        "k/kustomization.yaml:1:40: found the file \"a=b=c\"; expected PATH or KEY=PATH");
    assert_refused("configMapGenerator: [{name: m, files: [none]}]\n", VWIRE_ERROR_SYSTEM,
                   "k/kustomization.yaml:1:40: found no file \"");
    assert_refused("configMapGenerator: [{name: m, envs: [bare.env]}]\n", VWIRE_ERROR_UNSUPPORTED,
                   "k/kustomization.yaml:1:39: found \"HOME\" in an env file; expected KEY=VALUE");
    assert_refused(
        "configMapGenerator: [{name: m, behavior: mrege}]\n", VWIRE_ERROR_PARSE,
        "k/kustomization.yaml:1:42: found the behavior \"mrege\"; expected create, merge "
        "or replace");
    assert_refused("generatorOptions: {labels: {a: 5}}\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:32: found the integer \"5\"; expected a string");
}
END_TEST

/* ------ names and namespaces ------ */

START_TEST(prefixes_and_suffixes_rename_objects_and_their_references)
{
    scratch_write("k/objects.yaml",
                  "{apiVersion: v1, kind: ServiceAccount, metadata: {name: agent}}\n---\n"
                  "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}\n---\n"
                  "{apiVersion: v1, kind: Namespace, metadata: {name: n}}\n---\n"
                  "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, "
                  "metadata: {name: ts.x.org}}\n");
    scratch_write("k/deployment.yaml", DEPLOYMENT);
    g_autoptr(GPtrArray) trees = render_text("resources: [objects.yaml, deployment.yaml]\n"
                                             "namePrefix: p-\nnameSuffix: -s\n");
    const TreeNode *deployment = find(trees, "Deployment", "p-camera-s");
    assert_order(trees, "Namespace/n CustomResourceDefinition/ts.x.org ServiceAccount/p-agent-s "
                        "ConfigMap/p-settings-s Deployment/p-camera-s");
    assert_json_at(deployment, "spec/template/spec/serviceAccountName", "\"p-agent-s\"");
    assert_json_at(deployment, "spec/template/spec/volumes/0/configMap/name", "\"p-settings-s\"");
    assert_json_at(deployment, "spec/template/spec/volumes/0/name", "\"v\"");
}
END_TEST

START_TEST(a_namespace_reaches_objects_subjects_and_webhooks_but_no_cluster_scoped_object)
{
    scratch_write(
        "k/objects.yaml",
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}\n---\n"
        "{apiVersion: v1, kind: Service, metadata: {name: hook}}\n---\n"
        "{apiVersion: x.org/v1, kind: Custom, metadata: {name: c, namespace: old}}\n---\n"
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "
        "b},\n"
        " roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},\n"
        " subjects: [{kind: ServiceAccount, name: a}, {kind: ServiceAccount, name: default},\n"
        "            {kind: ServiceAccount, name: stranger}]}\n---\n"
        "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration,\n"
        " metadata: {name: w}, webhooks: [{name: x, clientConfig: {service: {name: hook}}}]}\n");
    g_autoptr(GPtrArray) trees = render_text("resources: [objects.yaml]\nnamespace: here\n");
    assert_json_at(find(trees, "Custom", "c"), "metadata/namespace", "\"here\"");
    ck_assert_ptr_null(at(find(trees, "ClusterRoleBinding", "b"), "metadata/namespace"));
    assert_json_at(find(trees, "ClusterRoleBinding", "b"), "subjects",
                   "[{\"kind\":\"ServiceAccount\",\"name\":\"a\",\"namespace\":\"here\"},"
                   "{\"kind\":\"ServiceAccount\",\"name\":\"default\",\"namespace\":\"here\"},"
                   "{\"kind\":\"ServiceAccount\",\"name\":\"stranger\"}]");
    assert_json_at(find(trees, "MutatingWebhookConfiguration", "w"),
                   "webhooks/0/clientConfig/service", "{\"name\":\"hook\",\"namespace\":\"here\"}");
}
END_TEST

START_TEST(references_stay_within_their_copy_of_a_base)
{
    scratch_write("base/deployment.yaml", DEPLOYMENT);
    scratch_write("base/kustomization.yaml", "resources: [deployment.yaml]\n"
                                             "configMapGenerator: [{name: settings}]\n");
    scratch_write("left/kustomization.yaml", "resources: [../base]\nnamePrefix: l-\n");
    scratch_write("right/kustomization.yaml", "resources: [../base]\nnamePrefix: r-\n");
    g_autoptr(GPtrArray) trees = render_text("resources: [../left, ../right]\n");
    const TreeNode *left =
        at(find(trees, "Deployment", "l-camera"), "spec/template/spec/volumes/0/configMap/name");
    const TreeNode *right =
        at(find(trees, "Deployment", "r-camera"), "spec/template/spec/volumes/0/configMap/name");
    ck_assert(g_str_has_prefix(left->text, "l-settings-"));
    ck_assert(g_str_has_prefix(right->text, "r-settings-"));
}
END_TEST

/* ------ labels, images, replicas ------ */

START_TEST(labels_reach_metadata_templates_and_selectors_as_asked)
{
    scratch_write("k/deployment.yaml", DEPLOYMENT);
    scratch_write("k/service.yaml", "{apiVersion: v1, kind: Service, metadata: {name: s}}");
    g_autoptr(GPtrArray) trees = render_text(
        "resources: [deployment.yaml, service.yaml]\n"
        "commonLabels: {c: '1'}\ncommonAnnotations: {n: o}\n"
        "labels:\n- pairs: {m: '1'}\n- {pairs: {t: '1'}, includeTemplates: true}\n"
        "- {pairs: {s: '1'}, includeSelectors: true}\n"
        "- {pairs: {f: '1'}, fields: [{path: spec/own, create: true, kind: Service}]}\n");
    const TreeNode *deployment = find(trees, "Deployment", "camera");
    const TreeNode *service = find(trees, "Service", "s");
    assert_json_at(deployment, "metadata/labels",
                   "{\"c\":\"1\",\"f\":\"1\",\"m\":\"1\",\"s\":\"1\",\"t\":\"1\"}");
    assert_json_at(deployment, "spec/selector/matchLabels", "{\"c\":\"1\",\"s\":\"1\"}");
    assert_json_at(deployment, "spec/template/metadata",
                   "{\"annotations\":{\"n\":\"o\"},\"labels\":{\"c\":\"1\",\"s\":\"1\",\"t\":"
                   "\"1\"}}");
    assert_json_at(service, "spec",
                   "{\"own\":{\"f\":\"1\"},\"selector\":{\"c\":\"1\",\"s\":\"1\"}}");
    assert_refused("commonLabels: {a: 5}\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:19: found the integer \"5\"; expected a string");
}
END_TEST

START_TEST(images_and_replicas_are_set_by_name)
{
    scratch_write("k/pods.yaml",
                  "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [\n"
                  "  {name: a, image: 'reg:5000/x'}, {name: b, image: 'x:1'}, {name: c, image: "
                  "'x:1@sha256:0'}]}}\n---\n"
                  "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}}\n");
    g_autoptr(GPtrArray) trees =
        render_text("resources: [pods.yaml]\nreplicas: [{name: s, count: 4}]\n"
                    "images:\n- {name: 'reg:5000/x', newName: z}\n- {name: x, newTag: '2'}\n");
    const TreeNode *containers = at(find(trees, "Pod", "p"), "spec/containers");
    assert_json_at(containers, "0/image", "\"z\"");
    assert_json_at(containers, "1/image", "\"x:2\"");
    assert_json_at(containers, "2/image", "\"x:2\"");
    assert_json_at(find(trees, "StatefulSet", "s"), "spec/replicas", "4");
    assert_refused("resources: [pods.yaml]\nreplicas: [{name: p, count: 1}]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:2:12: found no object \"p\" with replicas; expected one");
    assert_refused(
        "resources: [pods.yaml]\nreplicas: [{name: s, count: -1}]\n", VWIRE_ERROR_PARSE,
        "k/kustomization.yaml:2:29: found the integer \"-1\"; expected an integer from 0");
}
END_TEST

/* ------ kustomization files ------ */

START_TEST(unknown_and_unsupported_fields_are_refused_at_their_key)
{
    assert_refused("kind: Kustomization\nresorces: []\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:2:1: unknown field \"resorces\" in a kustomization; did "
                   "you mean \"resources\"?");
    assert_refused("namespace: x\nreplacements: []\n", VWIRE_ERROR_UNSUPPORTED,
                   "k/kustomization.yaml:2:1: found the field \"replacements\", which is not "
                   "supported");
    assert_refused("resources: x\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:12: resources: found the string \"x\"; expected a "
                   "sequence");
    assert_refused("kind: Deployment\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:1:7: found the kind Deployment; expected Kustomization");
    assert_refused("", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:1: found 0 documents; expected one");
    assert_refused("a: 1\n---\nb: 1\n", VWIRE_ERROR_PARSE, "found 2 documents; expected one");
    assert_refused("resources: [", VWIRE_ERROR_PARSE, "k/kustomization.yaml:2:1: did not find");
    assert_refused(
        "sortOptions: {order: random}\n", VWIRE_ERROR_PARSE,
        "k/kustomization.yaml:1:14: found the order \"random\"; expected legacy or fifo");
}
END_TEST

START_TEST(missing_resources_are_refused_where_they_are_named)
{
    g_autofree char *empty = scratch_path("k/empty");
    ck_assert_int_eq(g_mkdir_with_parents(empty, 0700), 0);
    assert_refused("resources:\n- none.yaml\n", VWIRE_ERROR_SYSTEM,
                   "k/kustomization.yaml:2:3: found no file \"");
    assert_refused("resources: [empty]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:1:13: found a directory without kustomization.yaml; "
                   "expected one");
    assert_refused("resources: ['']\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:13: found an empty path; expected a file or URL");
    assert_refused("resources: [5]\n", VWIRE_ERROR_PARSE,
                   "k/kustomization.yaml:1:13: found the integer \"5\"; expected a string");
    scratch_write("k/kustomization.yml", "{}");
    assert_refused("{}", VWIRE_ERROR_INVALID, "expected one kustomization");
}
END_TEST

START_TEST(objects_without_identity_are_refused)
{
    scratch_write("k/a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}\n");
    assert_refused("resources: [a.yaml]\n", VWIRE_ERROR_PARSE,
                   "k/a.yaml:1:1: found an object without name; expected apiVersion, kind and "
                   "metadata.name");
    scratch_write("k/a.yaml", "---\nkind: Pod\nmetadata: {name: x}\n");
    assert_refused("resources: [a.yaml]\n", VWIRE_ERROR_PARSE,
                   "k/a.yaml:2:1: found an object without apiVersion");
    scratch_write("k/a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: 5}\n");
    assert_refused("resources: [a.yaml]\n", VWIRE_ERROR_PARSE,
                   "k/a.yaml:3:18: found the integer \"5\"; expected a string");
    scratch_write("k/a.yaml", "- just\n- a list\n");
    assert_refused("resources: [a.yaml]\n", VWIRE_ERROR_PARSE,
                   "k/a.yaml:1:1: object: found a sequence; expected a mapping");
    scratch_write("k/a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: [name]\n");
    assert_refused("resources: [a.yaml]\n", VWIRE_ERROR_PARSE,
                   "k/a.yaml:3:11: metadata: found a sequence; expected a mapping");
}
END_TEST

START_TEST(duplicate_objects_are_refused_at_the_second_with_the_place_of_the_first)
{
    scratch_write("k/a.yaml", DEPLOYMENT);
    scratch_write("k/b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: camera}\n---\n"
                              "apiVersion: apps/v1beta1\nkind: Deployment\n"
                              "metadata: {name: camera, namespace: default}\n");
    assert_refused("resources: [a.yaml, b.yaml]\n", VWIRE_ERROR_INVALID,
                   "k/b.yaml:5:1: found Deployment \"camera\" again (first at ");
    assert_refused("resources: [a.yaml, a.yaml]\n", VWIRE_ERROR_INVALID, "k/a.yaml:1:1); expected");
    scratch_write("k/c.yaml",
                  "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}}\n---\n"
                  "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: y}}\n");
    assert_refused("resources: [c.yaml]\nnamespace: z\n", VWIRE_ERROR_INVALID,
                   "k/c.yaml:3:1: found Pod \"p\" again");
}
END_TEST

START_TEST(cycles_of_bases_are_refused)
{
    scratch_write("other/kustomization.yaml", "resources:\n- ../k\n");
    assert_refused("resources: [../other]\n", VWIRE_ERROR_INVALID,
                   "other/kustomization.yaml:2:3: found a cycle: \"");
    assert_refused("bases: [.]\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:1:9: found a cycle: ");
}
END_TEST

START_TEST(bases_that_multiply_without_end_are_refused)
{
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("l%d/kustomization.yaml", i);
        g_autofree char *text =
            g_strdup_printf("resources: [../l%d, a]\nnamePrefix: x%d-\n", i + 1, i);
        g_autofree char *twin = g_strdup_printf("l%d/a/kustomization.yaml", i);
        g_autofree char *twin_text =
            g_strdup_printf("resources: [../../l%d]\nnamePrefix: y%d-\n", i + 1, i);
        scratch_write(name, text);
        scratch_write(twin, twin_text);
    }
    scratch_write("l20/kustomization.yaml", "configMapGenerator: [{name: m}]\n");
    assert_refused("resources: [../l0]\n", VWIRE_ERROR_INVALID,
                   "found more than 2000 kustomizations or 50 levels of them; expected fewer");
}
END_TEST

START_TEST(components_change_the_objects_of_who_includes_them)
{
    scratch_write("k/objects.yaml", DEPLOYMENT);
    scratch_write("part/kustomization.yaml",
                  "kind: Component\nreplicas: [{name: camera, count: 9}]\n"
                  "configMapGenerator: [{name: settings}]\n");
    g_autoptr(GPtrArray) trees =
        render_text("resources: [objects.yaml]\ncomponents: [../part]\nnamePrefix: p-\n");
    assert_json_at(find(trees, "Deployment", "p-camera"), "spec/replicas", "9");
    ck_assert_uint_eq(trees->len, 2);
    assert_refused("resources: [objects.yaml, ../part]\n", VWIRE_ERROR_INVALID,
                   "part/kustomization.yaml:1:7: found the kind Component; expected Kustomization");
}
END_TEST

START_TEST(fifo_keeps_the_order_and_local_objects_are_dropped)
{
    scratch_write("k/objects.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: p}}\n---\n"
                                    "{apiVersion: v1, kind: Namespace, metadata: {name: n}}\n---\n"
                                    "{apiVersion: v1, kind: Pod, metadata: {name: l, annotations: "
                                    "{config.kubernetes.io/local-config: 'true'}}}\n");
    g_autoptr(GPtrArray) fifo =
        render_text("resources: [objects.yaml]\nsortOptions: {order: fifo}\n");
    assert_order(fifo, "Pod/p Namespace/n");
    g_autoptr(GPtrArray) legacy = render_text("resources: [objects.yaml]\n");
    assert_order(legacy, "Namespace/n Pod/p");
}
END_TEST

START_TEST(a_kustomization_reads_yes_and_on_as_strings_as_kustomize_5_does)
{
    scratch_write("k/a.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, "
                              "data: {a: yes, b: true, c: 'on'}}");
    g_autoptr(GPtrArray) rendered = render_text("resources: [a.yaml]\n");
    assert_json_at(rendered->pdata[0], "data", "{\"a\":\"yes\",\"b\":true,\"c\":\"on\"}");
    g_autoptr(GPtrArray) applied = render("k/a.yaml");
    assert_json_at(applied->pdata[0], "data", "{\"a\":true,\"b\":true,\"c\":\"on\"}");
}
END_TEST

/* ------ plain files ------ */

START_TEST(a_kustomization_file_stands_for_its_directory)
{
    scratch_write("k/a.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}}");
    g_autoptr(GPtrArray) trees = render_text("resources: [a.yaml]\nnamePrefix: p-\n");
    assert_order(trees, "Pod/p-a");
    g_autoptr(GPtrArray) same = render("k/kustomization.yaml");
    assert_order(same, "Pod/p-a");
}
END_TEST

START_TEST(a_directory_without_kustomization_gives_its_files_in_name_order)
{
    scratch_write("d/b.yml", "{apiVersion: v1, kind: Pod, metadata: {name: b}}");
    scratch_write("d/a.yaml", "apiVersion: v1\nkind: PodList\nitems:\n"
                              "- {apiVersion: v1, kind: Pod, metadata: {name: z}}\n"
                              "- {apiVersion: v1, kind: Pod, metadata: {name: w}}\n");
    scratch_write("d/c.txt", "no manifest");
    scratch_write("d/sub/d.yaml", "not: read");
    g_autoptr(GPtrArray) trees = render("d");
    assert_order(trees, "Pod/z Pod/w Pod/b");
    g_autoptr(GPtrArray) file = render("d/b.yml");
    assert_order(file, "Pod/b");
    ck_assert(g_str_has_suffix(((TreeNode *)file->pdata[0])->mark.file, "d/b.yml"));
}
END_TEST

START_TEST(paths_that_lead_nowhere_are_refused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *empty = scratch_path("empty");
    ck_assert_int_eq(g_mkdir_with_parents(empty, 0700), 0);
    ck_assert_ptr_null(try_render("none", NULL, NULL, &error));
    check_error(&error, VWIRE_ERROR_SYSTEM, "none: ");
    ck_assert_ptr_null(try_render("empty", NULL, NULL, &error));
    check_error(&error, VWIRE_ERROR_INVALID, "found no kustomization.yaml and no *.yaml");
}
END_TEST

START_TEST(files_outside_the_kustomization_give_a_warning_as_kubectl_refuses_them)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    scratch_write("out.yaml", DEPLOYMENT);
    scratch_write("k/kustomization.yaml", "resources: [../out.yaml]\n");
    g_autoptr(GPtrArray) trees = try_render("k", NULL, warnings, NULL);
    ck_assert_ptr_nonnull(trees);
    ck_assert_uint_eq(warnings->len, 1);
    ck_assert_ptr_nonnull(strstr(warnings->pdata[0], "k/kustomization.yaml:1:13: kubectl refuses"));
}
END_TEST

/* ------ remote bases ------ */

/* Maps from pairs of a prefix and a directory in the scratch directory. */
static GArray *
maps_of(const char *const (*pairs)[2], guint n)
{
    GArray *maps = g_array_new(FALSE, FALSE, sizeof(ManifestMap));
    g_array_set_clear_func(maps, (GDestroyNotify)manifest_map_clear);
    for (guint i = 0; i < n; i++) {
        g_autofree char *directory = scratch_path(pairs[i][1]);
        g_autofree char *text = g_strconcat(pairs[i][0], "=", directory, NULL);
        ManifestMap map;
        ck_assert(manifest_map_parse(text, &map, NULL));
        g_array_append_val(maps, map);
    }
    return maps;
}

START_TEST(a_url_is_read_below_the_directory_of_its_longest_prefix)
{
    static const char *const URLS[] = {
        "https://github.com/o/r/apps/x?ref=v1.0",
        "https://github.com/o/r.git/apps/x?ref=v1.0",
        "https://github.com/o/r//apps/x",
        "https://example.org/raw/x/pod.yaml",
    };
    static const char *const PAIRS[][2] = {
        {"https://github.com/o", "wrong"},
        {"https://github.com/o/r", "repo"},
        {"https://github.com/o/r/app", "wrong"},
        {"https://example.org/raw/", "repo/apps"},
    };
    g_autoptr(GArray) maps = maps_of(PAIRS, G_N_ELEMENTS(PAIRS));
    scratch_write("repo/apps/x/kustomization.yaml", "resources: [pod.yaml]\n");
    scratch_write("repo/apps/x/pod.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: far}}");
    for (guint i = 0; i < G_N_ELEMENTS(URLS); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strdup_printf("resources: ['%s']\n", URLS[i]);
        scratch_write("k/kustomization.yaml", text);
        g_autoptr(GPtrArray) trees = try_render("k", maps, NULL, &error);
        ck_assert_msg(trees != NULL, "%s: %s", URLS[i], error != NULL ? error->message : "");
        assert_order(trees, "Pod/far");
    }
    g_autoptr(GPtrArray) direct =
        kustomize_render("https://github.com/o/r/apps/x", maps, NULL, NULL);
    ck_assert_ptr_nonnull(direct);
}
END_TEST

START_TEST(a_url_without_a_map_or_with_dots_is_refused)
{
    g_autoptr(GError) error = NULL;
    static const char *const PAIRS[][2] = {{"https://github.com/o/r", "repo"}};
    g_autoptr(GArray) maps = maps_of(PAIRS, 1);
    assert_refused("resources:\n- https://github.com/o/r/x?ref=v1\n", VWIRE_ERROR_INVALID,
                   "k/kustomization.yaml:2:3: found the remote base "
                   "\"https://github.com/o/r/x?ref=v1\"; expected --map PREFIX=DIR");
    scratch_write("k/kustomization.yaml", "resources: [https://github.com/o/rest/x]\n");
    ck_assert_ptr_null(try_render("k", maps, NULL, &error));
    check_error(&error, VWIRE_ERROR_INVALID, "expected --map PREFIX=DIR");
    scratch_write("k/kustomization.yaml", "resources: [https://github.com/o/r/../../etc]\n");
    ck_assert_ptr_null(try_render("k", maps, NULL, &error));
    check_error(&error, VWIRE_ERROR_INVALID, "expected a URL without \"..\"");
}
END_TEST

START_TEST(a_map_is_split_at_its_last_equals_sign)
{
    g_autoptr(GError) error = NULL;
    ManifestMap map;
    ck_assert(manifest_map_parse("https://x/?a=b=dir", &map, NULL));
    ck_assert_str_eq(map.prefix, "https://x/?a=b");
    ck_assert_str_eq(map.directory, "dir");
    manifest_map_clear(&map);
    ck_assert(!manifest_map_parse("https://x", &map, &error));
    check_error(&error, VWIRE_ERROR_PARSE, "expected PREFIX=DIR");
    ck_assert(!manifest_map_parse("=dir", &map, NULL));
    ck_assert(!manifest_map_parse("x=", &map, NULL));
}
END_TEST

/* ------ found by fuzzing ------ */

START_TEST(the_fuzzers_corpus_is_rendered_or_refused)
{
    static const char CORPUS[] = "tests/fuzz/corpus/kustomize";
    g_autoptr(GDir) dir = g_dir_open(CORPUS, 0, NULL);
    ck_assert_ptr_nonnull(dir);
    guint n = 0;
    for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename(CORPUS, name, NULL);
        g_autofree char *text = NULL;
        gsize length = 0;
        g_autoptr(GError) error = NULL;
        ck_assert(g_file_get_contents(path, &text, &length, NULL));
        g_autoptr(GPtrArray) trees = case_render(text, length, &error);
        ck_assert((trees == NULL) == (error != NULL));
        n++;
    }
    ck_assert_uint_gt(n, 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        items_merge_by_key_and_those_of_the_patch_come_first,
        null_in_a_patch_deletes_and_is_not_added,
        directives_delete_replace_and_retain,
        lists_of_plain_values_merge_where_kubernetes_says_so,
        a_custom_resource_is_patched_as_json,
        a_patch_that_does_not_fit_is_refused_at_its_mark,
        patched_objects_keep_the_marks_of_what_they_came_from,
        a_patch_must_find_its_object,
        targets_select_by_pattern_and_label,
        a_target_that_selects_nothing_gives_a_warning,
        a_target_that_cannot_be_read_is_refused,
        every_operation_of_rfc_6902_works,
        operations_that_make_no_sense_are_refused_at_their_mark,
        a_patch_that_doubles_its_object_again_and_again_is_refused,
        a_patch_must_leave_an_object,
        generated_names_carry_kustomizes_hash_and_references_follow,
        generators_read_literals_files_and_env_files,
        generators_merge_with_and_replace_what_is_there,
        generators_that_cannot_work_are_refused_at_their_mark,
        prefixes_and_suffixes_rename_objects_and_their_references,
        a_namespace_reaches_objects_subjects_and_webhooks_but_no_cluster_scoped_object,
        references_stay_within_their_copy_of_a_base,
        labels_reach_metadata_templates_and_selectors_as_asked,
        images_and_replicas_are_set_by_name,
        unknown_and_unsupported_fields_are_refused_at_their_key,
        missing_resources_are_refused_where_they_are_named,
        objects_without_identity_are_refused,
        duplicate_objects_are_refused_at_the_second_with_the_place_of_the_first,
        cycles_of_bases_are_refused,
        bases_that_multiply_without_end_are_refused,
        components_change_the_objects_of_who_includes_them,
        fifo_keeps_the_order_and_local_objects_are_dropped,
        a_kustomization_reads_yes_and_on_as_strings_as_kustomize_5_does,
        a_kustomization_file_stands_for_its_directory,
        a_directory_without_kustomization_gives_its_files_in_name_order,
        paths_that_lead_nowhere_are_refused,
        files_outside_the_kustomization_give_a_warning_as_kubectl_refuses_them,
        a_url_is_read_below_the_directory_of_its_longest_prefix,
        a_url_without_a_map_or_with_dots_is_refused,
        a_map_is_split_at_its_last_equals_sign,
        the_fuzzers_corpus_is_rendered_or_refused,
    };
    return scratch_run("kustomize", tests, G_N_ELEMENTS(tests));
}
