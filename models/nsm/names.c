/* Sorted suffixes in a list of short sorted arrays ("blocks"), each split in two when full.
 *
 * Two levels do what a balanced tree would, with fewer cache misses and no pointers per suffix;
 * the first eight bytes of each suffix stand in its slot, so that most comparisons stay there. */
#include "models/nsm/names.h"

#include <stdint.h>
#include <string.h>

/* A name in the index. */
typedef struct Name {
    char *text;
    uint64_t id;      /* order of arrival; breaks ties between equal suffixes */
    uint64_t visited; /* the last lookup that has met this name */
    GArray *entries;  /* Entry, in order of arrival */
    GList link;       /* in NameIndex.names */
} Name;

/* An item under its name. */
typedef struct Entry {
    uint64_t id; /* order of arrival among all items */
    gpointer item;
} Entry;

typedef struct Suffix {
    uint64_t head;    /* the first eight bytes, most significant first, zeros behind the end */
    const char *text; /* points into name->text, or is a query */
    Name *name;       /* NULL for a query, which sorts before equal suffixes */
} Suffix;

#define BLOCK_SIZE 256

typedef struct Block {
    guint n; /* never 0 while in the list */
    Suffix items[BLOCK_SIZE];
} Block;

struct NameIndex {
    GPtrArray *blocks;   /* Block, in order */
    GHashTable *by_name; /* text -> Name; for exact look-up only, never iterated */
    GQueue names;        /* Name, in order of arrival */
    uint64_t next_id;
    uint64_t n_lookups;
};

static uint64_t
head_of(const char *text)
{
    uint64_t head = 0;
    int n = 0;
    for (; n < 8 && text[n]; n++) {
        head = head << 8 | (unsigned char)text[n];
    }
    return n == 0 ? 0 : head << 8 * (8 - n);
}

static int
compare(const Suffix *a, const Suffix *b)
{
    if (a->head != b->head) {
        return a->head < b->head ? -1 : 1;
    }
    if (a->head & 0xff) { /* both go on */
        int order = strcmp(a->text + 8, b->text + 8);
        if (order != 0) {
            return order;
        }
    }
    uint64_t a_id = a->name ? a->name->id : 0;
    uint64_t b_id = b->name ? b->name->id : 0;
    return a_id < b_id ? -1 : a_id > b_id;
}

/* The block in which `suffix` is or belongs: the last that does not begin behind it. */
static guint
find_block(const NameIndex *index, const Suffix *suffix)
{
    guint low = 0;
    guint high = index->blocks->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const Block *block = index->blocks->pdata[middle];
        if (compare(&block->items[0], suffix) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? low - 1 : 0;
}

/* The first slot of the block that is not before `suffix`. */
static guint
find_slot(const Block *block, const Suffix *suffix)
{
    guint low = 0;
    guint high = block->n;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (compare(&block->items[middle], suffix) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
split(NameIndex *index, guint at)
{
    Block *block = index->blocks->pdata[at];
    Block *upper = g_new(Block, 1);
    upper->n = block->n - block->n / 2;
    block->n /= 2;
    memcpy(upper->items, &block->items[block->n], upper->n * sizeof(Suffix));
    g_ptr_array_insert(index->blocks, (int)at + 1, upper);
}

static void
add_suffix(NameIndex *index, const Suffix *suffix)
{
    if (index->blocks->len == 0) {
        g_ptr_array_add(index->blocks, g_new0(Block, 1));
    }
    guint at = find_block(index, suffix);
    Block *block = index->blocks->pdata[at];
    if (block->n == BLOCK_SIZE) {
        split(index, at);
        block = index->blocks->pdata[find_block(index, suffix)];
    }
    guint slot = find_slot(block, suffix);
    memmove(&block->items[slot + 1], &block->items[slot], (block->n - slot) * sizeof(Suffix));
    block->items[slot] = *suffix;
    block->n++;
}

static void
remove_suffix(NameIndex *index, const Suffix *suffix)
{
    guint at = find_block(index, suffix);
    Block *block = index->blocks->pdata[at];
    guint slot = find_slot(block, suffix);
    g_assert(slot < block->n && block->items[slot].text == suffix->text);
    block->n--;
    memmove(&block->items[slot], &block->items[slot + 1], (block->n - slot) * sizeof(Suffix));
    if (block->n == 0) {
        g_ptr_array_remove_index(index->blocks, at);
    }
}

static void
for_each_suffix(NameIndex *index, Name *name,
                void (*change)(NameIndex *index, const Suffix *suffix))
{
    for (const char *p = name->text; *p; p++) {
        Suffix suffix = {head_of(p), p, name};
        change(index, &suffix);
    }
}

static void
free_name(Name *name)
{
    g_free(name->text);
    g_array_unref(name->entries);
    g_free(name);
}

static Name *
new_name(NameIndex *index, const char *text)
{
    Name *name = g_new0(Name, 1);
    name->text = g_strdup(text);
    name->id = ++index->next_id;
    name->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    name->link.data = name;
    g_queue_push_tail_link(&index->names, &name->link);
    g_hash_table_insert(index->by_name, name->text, name);
    for_each_suffix(index, name, add_suffix);
    return name;
}

static void
drop_name(NameIndex *index, Name *name)
{
    for_each_suffix(index, name, remove_suffix);
    g_hash_table_remove(index->by_name, name->text);
    g_queue_unlink(&index->names, &name->link);
    free_name(name);
}

NameIndex *
name_index_new(void)
{
    NameIndex *index = g_new0(NameIndex, 1);
    index->blocks = g_ptr_array_new_with_free_func(g_free);
    index->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return index;
}

void
name_index_free(NameIndex *index)
{
    if (!index) {
        return;
    }
    GList *next = NULL;
    for (GList *l = index->names.head; l; l = next) {
        next = l->next;
        free_name(l->data);
    }
    g_hash_table_unref(index->by_name);
    g_ptr_array_unref(index->blocks);
    g_free(index);
}

void
name_index_add(NameIndex *index, const char *name, gpointer item)
{
    Name *found = g_hash_table_lookup(index->by_name, name);
    if (!found) {
        found = new_name(index, name);
    }
    Entry entry = {++index->next_id, item};
    g_array_append_val(found->entries, entry);
}

bool
name_index_remove(NameIndex *index, const char *name, gpointer item)
{
    Name *found = g_hash_table_lookup(index->by_name, name);
    guint i = 0;
    while (found && i < found->entries->len &&
           g_array_index(found->entries, Entry, i).item != item) {
        i++;
    }
    if (!found || i == found->entries->len) {
        return false;
    }
    g_array_remove_index(found->entries, i);
    if (found->entries->len == 0) {
        drop_name(index, found);
    }
    return true;
}

static void
collect(const Name *name, GArray *entries)
{
    g_array_append_vals(entries, name->entries->data, name->entries->len);
}

/* Collects from a slot on, each name once; false when a suffix does not begin with the query. */
static bool
collect_block(const Block *block, guint slot, const char *query, uint64_t visit, GArray *entries)
{
    size_t length = strlen(query);
    for (; slot < block->n; slot++) {
        Name *name = block->items[slot].name;
        if (strncmp(block->items[slot].text, query, length) != 0) {
            return false;
        }
        if (name->visited != visit) {
            name->visited = visit;
            collect(name, entries);
        }
    }
    return true;
}

/* The suffixes that begin with the query are neighbours, from the query's own place on. */
static void
collect_matches(NameIndex *index, const char *query, GArray *entries)
{
    if (index->blocks->len == 0) {
        return;
    }
    Suffix wanted = {head_of(query), query, NULL};
    uint64_t visit = ++index->n_lookups;
    guint at = find_block(index, &wanted);
    guint slot = find_slot(index->blocks->pdata[at], &wanted);
    while (at < index->blocks->len &&
           collect_block(index->blocks->pdata[at], slot, query, visit, entries)) {
        at++;
        slot = 0;
    }
}

static int
by_arrival(gconstpointer a, gconstpointer b)
{
    const Entry *x = a;
    const Entry *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

GPtrArray *
name_index_lookup(NameIndex *index, const char *query)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    if (*query) {
        collect_matches(index, query, entries);
    } else {
        for (GList *l = index->names.head; l; l = l->next) {
            collect(l->data, entries);
        }
    }
    g_array_sort(entries, by_arrival);
    GPtrArray *items = g_ptr_array_sized_new(entries->len);
    for (guint i = 0; i < entries->len; i++) {
        g_ptr_array_add(items, g_array_index(entries, Entry, i).item);
    }
    return items;
}
