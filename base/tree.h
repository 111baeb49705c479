/* YAML documents as trees of nodes that remember where they stood.
 *
 * A node is a scalar, a sequence or a mapping.  Every node carries its mark (file, line, column,
 * both counted from 1), so that any later reader can say precisely what was wrong where.
 * Mappings keep the order of their keys.  Aliases are expanded into copies on reading, within
 * limits (TREE_MAX_NODES, TREE_MAX_DEPTH): an alias bomb is an error, not a full memory.
 * Duplicate keys in a mapping, text that is not UTF-8 and truncated documents are errors.
 *
 * Ownership: a tree is owned by its root; `take` parameters pass ownership on; getters borrow. */
#pragma once

#include "base/error.h"
#include "base/nsec.h"

#define TREE_MAX_NODES 1000000
#define TREE_MAX_DEPTH 100

typedef enum TreeKind { TREE_SCALAR, TREE_SEQUENCE, TREE_MAPPING } TreeKind;

/* What a scalar is under YAML 1.1 core rules as Kubernetes reads them (sigs.k8s.io/yaml):
 * quoted text is always a string, plain text may be null, a bool, an integer or a float. */
typedef enum TreeScalar {
    TREE_STRING,
    TREE_NULL,
    TREE_BOOL,
    TREE_INT,
    TREE_FLOAT,
} TreeScalar;

typedef struct TreeMark {
    GRefString *file; /* as the user named it; NULL for nodes made by the program */
    int line;
    int column;
} TreeMark;

typedef struct TreeNode TreeNode;

struct TreeNode {
    TreeKind kind;
    TreeScalar scalar; /* scalars only */
    TreeMark mark;
    TreeMark key_mark; /* where this node's key stands, when it is a mapping's value */
    char *text;        /* scalars only: the decoded text, NUL-terminated UTF-8 */
    GPtrArray *items;  /* sequences: nodes; mappings: values, parallel to keys */
    GPtrArray *keys;   /* mappings: char *, in order */
    GHashTable *index; /* large mappings: key to position + 1, kept by tree_set and tree_remove */
};

/* What plain (unquoted) text is.  Go's yaml.v2, which Kubernetes reads with, decides: resolve.go.
 * `.inf` and `.nan` are strings here, as JSON and so Kubernetes have no such numbers. */
TreeScalar tree_resolve_plain(const char *text);

/* The value of a TREE_INT's text, decimal, hexadecimal, octal or binary. */
void tree_integer(const char *text, bool *negative, uint64_t *magnitude);

/* Reading.  `file` is the name for marks.  Returns an array of roots (one per document, empty
 * documents left out) that frees them, or NULL with an error "file:line:column: ...". */
GPtrArray *tree_parse_text(const char *text, size_t length, const char *file, GError **error);
GPtrArray *tree_parse_file(const char *path, GError **error);

/* The same for text that stands within a file: `at` is where its first character stands. */
GPtrArray *tree_parse_inline(const char *text, size_t length, const TreeMark *at, GError **error);

/* Making. */
TreeNode *tree_new_scalar(TreeScalar scalar, const char *text);
TreeNode *tree_new_string(const char *text);
TreeNode *tree_new_mapping(void);
TreeNode *tree_new_sequence(void);
TreeNode *tree_copy(const TreeNode *node);
void tree_set_mark(TreeNode *node, const TreeNode *from); /* both marks become from's */
void tree_free(TreeNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TreeNode, tree_free)

/* Mappings.  `tree_get` answers NULL when the key is absent or the node is no mapping (or NULL),
 * so look-ups can be chained.  `tree_set` replaces or appends. */
TreeNode *tree_get(const TreeNode *node, const char *key);
TreeNode *tree_get_path(const TreeNode *node, ...) G_GNUC_NULL_TERMINATED;
void tree_set(TreeNode *mapping, const char *key, TreeNode *take);
bool tree_remove(TreeNode *mapping, const char *key);
void tree_remove_all(TreeNode *mapping, GHashTable *keys); /* a set of char *; in one pass */
TreeNode *tree_steal(TreeNode *mapping, const char *key);

/* Sequences; for mappings `tree_item` answers the value and `tree_key` the key at an index.
 * `tree_size` is 0 for scalars and NULL. */
guint tree_size(const TreeNode *node);
TreeNode *tree_item(const TreeNode *node, guint index);
const char *tree_key(const TreeNode *mapping, guint index);
void tree_append(TreeNode *sequence, TreeNode *take);
void tree_insert(TreeNode *sequence, guint index, TreeNode *take);
void tree_remove_item(TreeNode *sequence, guint index);

/* Scalars.  `tree_text` is NULL for anything but a scalar. */
const char *tree_text(const TreeNode *node);
bool tree_is_null(const TreeNode *node); /* NULL itself counts as null */

/* Deep equality by kind, scalar type and text; mappings compare regardless of key order. */
bool tree_equal(const TreeNode *a, const TreeNode *b);

/* How many nodes a tree has, counted up to `limit`: a guard for whatever multiplies trees. */
guint tree_count(const TreeNode *node, guint limit);
guint tree_depth(const TreeNode *node); /* levels of collections; 0 for a scalar or NULL */

/* YAML text of a tree (block style, strings quoted where plain text would be read as something
 * else) and JSON text (`sort_keys` as encoding/json does); free with g_free. */
char *tree_to_yaml(const TreeNode *node);
char *tree_to_json(const TreeNode *node, bool sort_keys);

/* "file:line:column: message", code as given; returns false.  With a mark that has no file only
 * the message is set. */
bool tree_error(GError **error, const TreeNode *at, VwireError code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
bool tree_error_mark(GError **error, const TreeMark *mark, VwireError code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* Typed readers: false with an error at the node's mark that says what was found and what was
 * expected.  The node must not be NULL. */
bool tree_read_string(const TreeNode *node, const char **out, GError **error);
bool tree_read_bool(const TreeNode *node, bool *out, GError **error);
bool tree_read_int(const TreeNode *node, int64_t min, int64_t max, int64_t *out, GError **error);
bool tree_read_double(const TreeNode *node, double *out, GError **error);
bool tree_read_duration(const TreeNode *node, nsec_t *out, GError **error); /* refuses negatives */
bool tree_expect(const TreeNode *node, TreeKind kind, const char *what, GError **error);

/* Refuses keys of a mapping that are not in the NULL-terminated list, at the key's mark, with a
 * "did you mean" where one is near. */
bool tree_check_keys(const TreeNode *mapping, const char *const *allowed, const char *what,
                     GError **error);

/* The word of the NULL-terminated list that `word` may be a slip of; NULL: none is near. */
const char *tree_nearest(const char *word, const char *const *allowed);
