/* YAML trees: what is read how, where errors are placed, and that nothing hostile gets through. */
#include "base/tree.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static GPtrArray *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *roots = tree_parse_text(text, strlen(text), "f.yaml", &error);
    ck_assert_msg(roots != NULL, "%s", error != NULL ? error->message : "");
    return roots;
}

/* The one document of a text. */
static TreeNode *
parse_one(const char *text)
{
    g_autoptr(GPtrArray) roots = parse(text);
    ck_assert_uint_eq(roots->len, 1);
    return g_ptr_array_steal_index(roots, 0);
}

static void
assert_error(GError *error, VwireError code, const char *message)
{
    ck_assert_ptr_nonnull(error);
    ck_assert_str_eq(error->message, message);
    ck_assert(g_error_matches(error, VWIRE_ERROR, (int)code));
}

static void
assert_refused_bytes(const char *text, size_t length, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) roots = tree_parse_text(text, length, "f.yaml", &error);
    ck_assert_msg(roots == NULL, "accepted: %.60s", text);
    assert_error(error, VWIRE_ERROR_PARSE, message);
}

static void
assert_refused(const char *text, const char *message)
{
    assert_refused_bytes(text, strlen(text), message);
}

static void
assert_json(const char *yaml, const char *json)
{
    g_autoptr(TreeNode) node = parse_one(yaml);
    g_autofree char *found = tree_to_json(node, false);
    ck_assert_str_eq(found, json);
}

/* ------ scalars ------ */

START_TEST(plain_text_has_the_type_that_kubernetes_gives_it)
{
    static const struct {
        const char *text;
        TreeScalar scalar;
    } CASES[] = {
        {"~", TREE_NULL},
        {"null", TREE_NULL},
        {"Null", TREE_NULL},
        {"nULL", TREE_STRING},
        {"true", TREE_BOOL},
        {"False", TREE_BOOL},
        {"yes", TREE_BOOL},
        {"Off", TREE_BOOL},
        {"y", TREE_BOOL},
        {"N", TREE_BOOL},
        {"yES", TREE_STRING},
        {"0", TREE_INT},
        {"-1", TREE_INT},
        {"+1", TREE_INT},
        {"0x1F", TREE_INT},
        {"0x", TREE_STRING},
        {"0o17", TREE_INT},
        {"0644", TREE_INT},
        {"0b11", TREE_INT},
        {"1_000", TREE_INT},
        {"08", TREE_FLOAT},
        {"1.5", TREE_FLOAT},
        {"1.", TREE_FLOAT},
        {".5", TREE_FLOAT},
        {"-.5e3", TREE_FLOAT},
        {"1e3", TREE_FLOAT},
        {"1e", TREE_STRING},
        {".", TREE_STRING},
        {"-", TREE_STRING},
        {"1.2.3", TREE_STRING},
        {"1:30", TREE_STRING},
        {".inf", TREE_STRING},
        {".nan", TREE_STRING},
        {"1e400", TREE_STRING},
        {"2020-01-01", TREE_STRING},
        {"100m", TREE_STRING},
        {"18446744073709551615", TREE_INT},
        {"18446744073709551616", TREE_FLOAT},
        {"-9223372036854775808", TREE_INT},
        {"-9223372036854775809", TREE_FLOAT},
        {"_1", TREE_STRING},
        {"", TREE_NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        ck_assert_msg(tree_resolve_plain(CASES[i].text) == CASES[i].scalar, "%s", CASES[i].text);
    }
}
END_TEST

START_TEST(quoted_text_is_a_string_whatever_it_says)
{
    assert_json("['1', \"true\", '~', \"\"]", "[\"1\",\"true\",\"~\",\"\"]");
    assert_json("a: |-\n  5\nb: >-\n  null\n", "{\"a\":\"5\",\"b\":\"null\"}");
}
END_TEST

START_TEST(core_tags_decide_and_others_are_refused)
{
    assert_json("[!!str 5, !!int '5', !!float 5, !!bool 'yes', !!null '', ! 5]",
                "[\"5\",5,5,true,null,\"5\"]");
    assert_refused("a: !secret x", "f.yaml:1:4: found the tag \"!secret\"; expected none or one of "
                                   "YAML's core tags that fits");
    assert_refused("!!int x", "f.yaml:1:1: found the tag \"tag:yaml.org,2002:int\"; expected none "
                              "or one of YAML's core tags that fits");
    assert_refused("!!set {a}",
                   "f.yaml:1:1: found the tag \"tag:yaml.org,2002:set\"; expected none "
                   "or one of YAML's core tags that fits");
}
END_TEST

/* ------ structure and marks ------ */

START_TEST(marks_count_lines_and_columns_from_one)
{
    g_autoptr(TreeNode) root = parse_one("a: 1\nlist:\n  - x\n  - k: {deep: y}\n");
    const TreeNode *list = tree_get(root, "list");
    const TreeNode *deep = tree_get_path(tree_item(list, 1), "k", "deep", NULL);
    ck_assert_str_eq(root->mark.file, "f.yaml");
    ck_assert_int_eq(tree_get(root, "a")->mark.line, 1);
    ck_assert_int_eq(tree_get(root, "a")->mark.column, 4);
    ck_assert_int_eq(tree_get(root, "a")->key_mark.column, 1);
    ck_assert_int_eq(list->key_mark.line, 2);
    ck_assert_int_eq(tree_item(list, 0)->mark.line, 3);
    ck_assert_int_eq(tree_item(list, 0)->mark.column, 5);
    ck_assert_int_eq(deep->mark.line, 4);
    ck_assert_int_eq(deep->mark.column, 15);
    ck_assert_int_eq(deep->key_mark.column, 9);
}
END_TEST

START_TEST(marks_of_inline_text_point_into_its_file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TreeNode) root = parse_one("x: y");
    TreeMark start = {.file = root->mark.file, .line = 10, .column = 5};
    g_autoptr(GPtrArray) roots = tree_parse_inline("a: 1\nb: [", 9, &start, &error);
    ck_assert_ptr_null(roots);
    assert_error(error, VWIRE_ERROR_PARSE,
                 "f.yaml:12:5: did not find expected node content while parsing a flow node (from "
                 "line 12)");
    roots = tree_parse_inline("a: 1\nb: 2", 9, &start, NULL);
    const TreeNode *b = tree_get(roots->pdata[0], "b");
    ck_assert_int_eq(b->mark.line, 11);
    ck_assert_int_eq(b->mark.column, 8);
}
END_TEST

START_TEST(empty_documents_are_left_out)
{
    g_autoptr(GPtrArray) roots = parse("---\n---\na: 1\n---\n# only a comment\n---\n~\n---\n[b]\n");
    ck_assert_uint_eq(roots->len, 2);
    ck_assert_int_eq(tree_get(roots->pdata[0], "a")->mark.line, 3);
    g_autoptr(GPtrArray) none = parse("");
    ck_assert_uint_eq(none->len, 0);
}
END_TEST

START_TEST(byte_order_mark_and_carriage_returns_are_no_part_of_the_text)
{
    g_autoptr(TreeNode) root = parse_one("\xEF\xBB\xBF"
                                         "a: 1\r\nb: |\r\n  x\r\n  y\r\n");
    g_autofree char *json = tree_to_json(root, false);
    ck_assert_str_eq(json, "{\"a\":1,\"b\":\"x\\ny\\n\"}");
    ck_assert_int_eq(tree_get(root, "a")->key_mark.column, 1);
}
END_TEST

START_TEST(aliases_are_copies_with_the_marks_of_the_original)
{
    g_autoptr(TreeNode) root = parse_one("a: &x {k: [1]}\nb: *x\nc: &k name\n*k : 3\n");
    const TreeNode *b = tree_get(root, "b");
    ck_assert(tree_equal(b, tree_get(root, "a")));
    ck_assert_ptr_ne(b, tree_get(root, "a"));
    ck_assert_int_eq(b->mark.line, 1);
    ck_assert_int_eq(b->key_mark.line, 2);
    ck_assert_str_eq(tree_text(tree_get(root, "name")), "3");
}
END_TEST

START_TEST(merge_keys_give_way_to_own_keys_and_to_earlier_mappings)
{
    assert_json(
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 0\n",
        "{\"a\":{\"x\":1,\"y\":1},\"b\":{\"y\":2,\"z\":2},\"c\":{\"x\":0,\"y\":1,\"z\":2}}");
    assert_json("c: {<<: {x: 1}, '<<': text}", "{\"c\":{\"\\u003c\\u003c\":\"text\",\"x\":1}}");
    assert_json("a: {<<: &m {x: 1}}\nb: *m", "{\"a\":{\"x\":1},\"b\":{\"x\":1}}");
    assert_refused("<<: [1]", "f.yaml:1:5: found another value of \"<<\"; expected a mapping or a "
                              "sequence of mappings");
}
END_TEST

/* ------ what is refused ------ */

START_TEST(broken_text_is_refused_at_its_place)
{
    static const struct {
        const char *text;
        const char *message;
    } CASES[] = {
        {"a: [1, 2", "f.yaml:2:1: did not find expected ',' or ']' while parsing a flow sequence "
                     "(from line 1)"},
        {"a: \"x",
         "f.yaml:1:6: found unexpected end of stream while scanning a quoted scalar (from line 1)"},
        {"a: b: c", "f.yaml:1:5: mapping values are not allowed in this context"},
        {"a:\n\t- b", "f.yaml:2:1: found character that cannot start any token while scanning for "
                      "the next token (from line 2)"},
        {"a: 1\nb: 2\na: 3",
         "f.yaml:3:1: found the key \"a\" again (first on line 1); expected it once"},
        {"a: *b", "f.yaml:1:4: found the alias \"*b\"; expected its anchor before it"},
        {"a: &b 1\n---\na: *b",
         "f.yaml:3:4: found the alias \"*b\"; expected its anchor before it"},
        {"a: &x [1, *x]", "f.yaml:1:11: found the alias \"*x\" inside its own anchor"},
        {"&x {a: {b: *x}}", "f.yaml:1:12: found the alias \"*x\" inside its own anchor"},
        {"? [a]\n: b", "f.yaml:1:3: found a collection as a key; expected a scalar"},
        {"&x {a: 1}: b", "f.yaml:1:1: found a collection as a key; expected a scalar"},
        {"a: &x {}\n*x : 1", "f.yaml:2:1: found a collection as a key; expected a scalar"},
        {"%YAML 3.0\n---\na", "f.yaml:1:1: found incompatible YAML document"},
        {"a: \"\\0\"", "f.yaml:1:4: found a NUL character in a string; expected text"},
        {"x: \x01", "f.yaml:1:4: found control characters are not allowed; expected printable "
                    "UTF-8 text"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        assert_refused(CASES[i].text, CASES[i].message);
    }
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_refused_at_their_place)
{
    assert_refused("a: 1\nb: \xC3\xA4\xFF", "f.yaml:2:5: found the byte 0xFF; expected UTF-8 text");
    assert_refused_bytes("a\0b", 3, "f.yaml:1:2: found the byte 0x00; expected UTF-8 text");
    assert_refused("\xFF\xFE"
                   "a",
                   "f.yaml:1:1: found the byte 0xFF; expected UTF-8 text");
}
END_TEST

START_TEST(an_alias_bomb_is_refused)
{
    GString *text = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++) {
        g_string_append_printf(text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++) {
            g_string_append_printf(text, "%s*a%d", j > 0 ? ", " : "", i - 1);
        }
        g_string_append(text, "]\n");
    }
    assert_refused(text->str, "f.yaml:6:45: more than 1000000 nodes after expanding aliases; "
                              "expected fewer");
    g_string_free(text, TRUE);
}
END_TEST

static char *
repeat(const char *text, guint n)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < n; i++) {
        g_string_append(out, text);
    }
    return g_string_free(out, FALSE);
}

START_TEST(deep_nesting_is_refused_whether_written_or_by_alias)
{
    g_autofree char *flow = repeat("[", 100000);
    g_autofree char *block = repeat("- ", 100000);
    g_autofree char *half = repeat("[", 60);
    g_autofree char *closed = repeat("]", 60);
    g_autofree char *aliased = g_strdup_printf("a: &x %s%s\nb: %s*x%s", half, closed, half, closed);
    assert_refused(flow, "f.yaml:1:101: nested deeper than 100 levels; expected fewer");
    assert_refused(block, "f.yaml:1:201: nested deeper than 100 levels; expected fewer");
    assert_refused(aliased, "f.yaml:2:64: nested deeper than 100 levels; expected fewer");
}
END_TEST

START_TEST(ten_megabytes_are_read_or_refused_quickly)
{
    enum { LINES = 450000 };
    GString *text = g_string_new(NULL);
    for (int i = 0; i < LINES; i++) {
        g_string_append_printf(text, "key%06d: \"some value\"\n", i);
    }
    g_autoptr(TreeNode) root = parse_one(text->str);
    ck_assert_uint_eq(tree_size(root), LINES);
    ck_assert_str_eq(tree_text(tree_get(root, "key449999")), "some value");
    g_string_append(text, "key000000: again\n");
    assert_refused(text->str,
                   "f.yaml:450001:1: found the key \"key000000\" again (first on line 1); expected "
                   "it once");
    g_string_free(text, TRUE);
    g_autofree char *many = repeat("[],", 3000000);
    g_autofree char *flow = g_strconcat("[", many, "]", NULL);
    assert_refused(flow, "f.yaml:1:2999999: more than 1000000 nodes after expanding aliases; "
                         "expected fewer");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_a_system_error)
{
    g_autoptr(GError) error = NULL;
    ck_assert_ptr_null(tree_parse_file("/nonexistent/file.yaml", &error));
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_SYSTEM));
    ck_assert_ptr_nonnull(strstr(error->message, "/nonexistent/file.yaml"));
}
END_TEST

/* ------ changing ------ */

START_TEST(setting_a_key_replaces_in_place_or_appends)
{
    g_autoptr(TreeNode) root = parse_one("{a: 1, b: 2}");
    tree_set(root, "a", tree_new_string("x"));
    tree_set(root, "c", tree_new_sequence());
    ck_assert_uint_eq(tree_size(root), 3);
    ck_assert_str_eq(tree_key(root, 0), "a");
    ck_assert_str_eq(tree_text(tree_item(root, 0)), "x");
    ck_assert_int_eq(tree_item(root, 0)->key_mark.column, 2);
    ck_assert(tree_remove(root, "b"));
    ck_assert(!tree_remove(root, "b"));
    ck_assert_str_eq(tree_key(root, 1), "c");
    ck_assert_ptr_null(tree_get(tree_get(root, "nothing"), "below"));
}
END_TEST

START_TEST(large_mappings_find_their_keys_after_every_change)
{
    enum { N = 200 };
    g_autoptr(TreeNode) root = tree_new_mapping();
    for (int i = 0; i < N; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        tree_set(root, key, tree_new_string(key));
    }
    for (int i = 0; i < N; i += 2) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        g_autoptr(TreeNode) stolen = tree_steal(root, key);
        ck_assert_str_eq(tree_text(stolen), key);
    }
    for (int i = 0; i < N; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        const TreeNode *node = tree_get(root, key);
        ck_assert(i % 2 == 0 ? node == NULL : strcmp(tree_text(node), key) == 0);
    }
    g_autoptr(TreeNode) copy = tree_copy(root);
    ck_assert(tree_equal(copy, root));
    g_autoptr(GHashTable) doomed = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_add(doomed, (char *)"k1");
    g_hash_table_add(doomed, (char *)"k199");
    g_hash_table_add(doomed, (char *)"none");
    tree_remove_all(copy, doomed);
    ck_assert_uint_eq(tree_size(copy), N / 2 - 2);
    ck_assert_str_eq(tree_key(copy, 0), "k3");
    ck_assert_ptr_null(tree_get(copy, "k199"));
    ck_assert_str_eq(tree_text(tree_get(copy, "k197")), "k197");
}
END_TEST

START_TEST(sequences_take_and_give_items_anywhere)
{
    g_autoptr(TreeNode) list = tree_new_sequence();
    tree_append(list, tree_new_string("b"));
    tree_insert(list, 0, tree_new_string("a"));
    tree_insert(list, 2, tree_new_string("c"));
    tree_remove_item(list, 1);
    g_autofree char *json = tree_to_json(list, false);
    ck_assert_str_eq(json, "[\"a\",\"c\"]");
    ck_assert_uint_eq(tree_count(list, 100), 3);
    ck_assert_uint_eq(tree_depth(list), 1);
}
END_TEST

START_TEST(equality_ignores_the_order_of_keys_but_not_types)
{
    g_autoptr(TreeNode) a = parse_one("{x: 1, y: [a, {b: ~}]}");
    g_autoptr(TreeNode) b = parse_one("y: [a, {b: null}]\nx: 1");
    g_autoptr(TreeNode) c = parse_one("{x: '1', y: [a, {b: ~}]}");
    g_autoptr(TreeNode) d = parse_one("{x: 1, y: [{b: ~}, a]}");
    ck_assert(tree_equal(a, b));
    ck_assert(!tree_equal(a, c));
    ck_assert(!tree_equal(a, d));
    ck_assert(!tree_equal(a, NULL));
}
END_TEST

/* ------ writing ------ */

START_TEST(json_is_that_of_encoding_json)
{
    assert_json("[0x1F, 1_000, 1e3, 1.50, 1e21, 1e-7, 0.1, -0.0, 123456789.125, 1e20]",
                "[31,1000,1000,1.5,1e+21,1e-7,0.1,-0,123456789.125,100000000000000000000]");
    assert_json("[\"<&>\", \"q\\\"\\\\\\n\\r\\t\\b\\f\\x01\", \"\\u2028\\u00e9\\U0001F600\"]",
                "[\"\\u003c\\u0026\\u003e\",\"q\\\"\\\\\\n\\r\\t\\b\\f\\u0001\",\"\\u2028\u00e9"
                "\U0001F600\"]");
    g_autoptr(TreeNode) root = parse_one("{b: 1, a: {d: 1, c: 2}, B: 3}");
    g_autofree char *sorted = tree_to_json(root, true);
    ck_assert_str_eq(sorted, "{\"B\":3,\"a\":{\"c\":2,\"d\":1},\"b\":1}");
}
END_TEST

START_TEST(yaml_that_was_written_reads_back_equal)
{
    static const char *const TEXTS[] = {
        "{a: 1, b: 'yes', c: \"1\", d: ~, e: '', f: [], g: {}, h: '~', i: '-', j: 'a: b'}",
        "[\"a\\nb\", \"a\\nb\\n\", \" a\\n\", \"\\n\", \"a\\t\", \"a \", \" a\", \"a\\rb\", \"#\"]",
        "[\"\\u0085\", \"a\\u2028b\", \"\\x7f\", \"\\U0001F600\", \"\\uFEFF\", \"<<\", \"=\"]",
        "\"<<\": x\n? \"a\\nb\"\n: y\n\"1\": z\n\"\": e\n",
        "a: |\n  line\n    indented\n\n  last\n",
        "'2020-01-01'",
    };
    for (guint i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        g_autoptr(TreeNode) node = parse_one(TEXTS[i]);
        g_autofree char *yaml = tree_to_yaml(node);
        g_autoptr(TreeNode) again = parse_one(yaml);
        ck_assert_msg(tree_equal(node, again), "%s", yaml);
    }
    g_autoptr(TreeNode) nice = parse_one("{name: nginx, list: [a], text: \"x\\ny\\n\", n: '5'}");
    g_autofree char *yaml = tree_to_yaml(nice);
    ck_assert_str_eq(yaml, "name: nginx\nlist:\n- a\ntext: |\n  x\n  y\n'n': '5'\n");
}
END_TEST

/* ------ typed readers ------ */

START_TEST(readers_take_what_fits)
{
    g_autoptr(TreeNode) root =
        parse_one("{s: text, b: on, i: -0x10, d: 1e3, t: 1m30s, z: 0, u: 9223372036854775807}");
    const char *text = NULL;
    bool flag = false;
    int64_t integer = 0;
    double number = 0;
    nsec_t duration = 0;
    ck_assert(tree_read_string(tree_get(root, "s"), &text, NULL));
    ck_assert_str_eq(text, "text");
    ck_assert(tree_read_bool(tree_get(root, "b"), &flag, NULL) && flag);
    ck_assert(tree_read_int(tree_get(root, "i"), -16, 0, &integer, NULL));
    ck_assert_int_eq(integer, -16);
    ck_assert(tree_read_int(tree_get(root, "u"), INT64_MIN, INT64_MAX, &integer, NULL));
    ck_assert(integer == INT64_MAX);
    ck_assert(tree_read_double(tree_get(root, "d"), &number, NULL));
    ck_assert(fabs(number - 1000) < 1e-9);
    ck_assert(tree_read_double(tree_get(root, "i"), &number, NULL));
    ck_assert(fabs(number + 16) < 1e-9);
    ck_assert(tree_read_duration(tree_get(root, "t"), &duration, NULL));
    ck_assert_int_eq(duration, 90 * NSEC_PER_SEC);
    ck_assert(tree_read_duration(tree_get(root, "z"), &duration, NULL));
    ck_assert_int_eq(duration, 0);
}
END_TEST

START_TEST(readers_say_what_they_found_and_expected)
{
    g_autoptr(TreeNode) root = parse_one("[1, x, 7, [], -5s, ~, 0b1, {}, true]");
    g_autoptr(GError) error = NULL;
    const char *text = NULL;
    bool flag = false;
    int64_t integer = 3;
    nsec_t duration = 0;
    double number = 0;
    ck_assert(!tree_read_string(tree_item(root, 0), &text, &error));
    assert_error(error, VWIRE_ERROR_PARSE,
                 "f.yaml:1:2: found the integer \"1\"; expected a string (put it in quotes)");
    g_clear_error(&error);
    ck_assert(!tree_read_bool(tree_item(root, 1), &flag, &error));
    assert_error(error, VWIRE_ERROR_PARSE,
                 "f.yaml:1:5: found the string \"x\"; expected true or false");
    g_clear_error(&error);
    ck_assert(!tree_read_int(tree_item(root, 2), 1, 5, &integer, &error));
    assert_error(error, VWIRE_ERROR_PARSE,
                 "f.yaml:1:8: found the integer \"7\"; expected an integer from 1 to 5");
    ck_assert_int_eq(integer, 3);
    g_clear_error(&error);
    ck_assert(!tree_read_double(tree_item(root, 3), &number, &error));
    assert_error(error, VWIRE_ERROR_PARSE, "f.yaml:1:11: found a sequence; expected a number");
    g_clear_error(&error);
    ck_assert(!tree_read_duration(tree_item(root, 4), &duration, &error));
    assert_error(error, VWIRE_ERROR_PARSE,
                 "f.yaml:1:15: found the string \"-5s\"; expected a duration that is not negative");
    g_clear_error(&error);
    ck_assert(!tree_read_string(tree_item(root, 5), &text, &error));
    assert_error(error, VWIRE_ERROR_PARSE, "f.yaml:1:20: found nothing; expected a string");
    g_clear_error(&error);
    ck_assert(!tree_expect(tree_item(root, 7), TREE_SEQUENCE, "list", &error));
    assert_error(error, VWIRE_ERROR_PARSE,
                 "f.yaml:1:28: list: found a mapping; expected a sequence");
}
END_TEST

START_TEST(an_unknown_key_is_refused_with_the_nearest_known_one)
{
    static const char *const KEYS[] = {"replicas", "image", NULL};
    g_autoptr(TreeNode) root = parse_one("{image: x, replica: 3}");
    g_autoptr(TreeNode) other = parse_one("{zzz: x}");
    g_autoptr(GError) error = NULL;
    ck_assert(!tree_check_keys(root, KEYS, "a workload", &error));
    assert_error(
        error, VWIRE_ERROR_PARSE,
        "f.yaml:1:12: unknown field \"replica\" in a workload; did you mean \"replicas\"?");
    g_clear_error(&error);
    ck_assert(!tree_check_keys(other, KEYS, "a workload", &error));
    assert_error(
        error, VWIRE_ERROR_PARSE,
        "f.yaml:1:2: unknown field \"zzz\" in a workload; expected one of replicas, image");
}
END_TEST

START_TEST(errors_without_a_file_have_only_the_message)
{
    g_autoptr(TreeNode) made = tree_new_string("x");
    g_autoptr(GError) error = NULL;
    ck_assert(!tree_error(&error, made, VWIRE_ERROR_INVALID, "found %d", 5));
    assert_error(error, VWIRE_ERROR_INVALID, "found 5");
}
END_TEST

/* ------ found by fuzzing ------ */

/* Every file that a fuzzer found worth keeping is read, or refused, and what is read writes. */
START_TEST(the_fuzzers_corpus_is_read_or_refused)
{
    g_autoptr(GDir) dir = g_dir_open("tests/fuzz/corpus/tree", 0, NULL);
    ck_assert_ptr_nonnull(dir);
    guint n = 0;
    for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename("tests/fuzz/corpus/tree", name, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) roots = tree_parse_file(path, &error);
        ck_assert((roots == NULL) == (error != NULL));
        for (guint i = 0; roots != NULL && i < roots->len; i++) {
            g_autofree char *yaml = tree_to_yaml(roots->pdata[i]);
            g_autoptr(TreeNode) again = parse_one(yaml);
            ck_assert_msg(tree_equal(again, roots->pdata[i]), "%s", path);
        }
        n++;
    }
    ck_assert_uint_gt(n, 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        plain_text_has_the_type_that_kubernetes_gives_it,
        quoted_text_is_a_string_whatever_it_says,
        core_tags_decide_and_others_are_refused,
        marks_count_lines_and_columns_from_one,
        marks_of_inline_text_point_into_its_file,
        empty_documents_are_left_out,
        byte_order_mark_and_carriage_returns_are_no_part_of_the_text,
        aliases_are_copies_with_the_marks_of_the_original,
        merge_keys_give_way_to_own_keys_and_to_earlier_mappings,
        broken_text_is_refused_at_its_place,
        bytes_that_are_no_utf8_are_refused_at_their_place,
        an_alias_bomb_is_refused,
        deep_nesting_is_refused_whether_written_or_by_alias,
        ten_megabytes_are_read_or_refused_quickly,
        a_file_that_cannot_be_read_is_a_system_error,
        setting_a_key_replaces_in_place_or_appends,
        large_mappings_find_their_keys_after_every_change,
        sequences_take_and_give_items_anywhere,
        equality_ignores_the_order_of_keys_but_not_types,
        json_is_that_of_encoding_json,
        yaml_that_was_written_reads_back_equal,
        readers_take_what_fits,
        readers_say_what_they_found_and_expected,
        an_unknown_key_is_refused_with_the_nearest_known_one,
        errors_without_a_file_have_only_the_message,
        the_fuzzers_corpus_is_read_or_refused,
    };
    Suite *suite = suite_create("tree");
    TCase *tcase = tcase_create("tree");
    tcase_set_timeout(tcase, 60); /* ten megabytes under sanitizers */
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
