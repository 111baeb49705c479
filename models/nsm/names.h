/* An index of names by substring, for the registry's Find.
 *
 * NSM's registry matches names by strings.Contains (sdk@v1.4.0:pkg/tools/matchutils/utils.go), so
 * that a Find for NetworkService "fire" also answers "firewall".  The index keeps all suffixes of
 * all names in order: a name contains the query exactly when one of its suffixes begins with it.
 * A lookup costs O(log n + matches), a change O(length of the name * log n).
 *
 * Items are borrowed and may share a name.  A pair added twice is in the index twice. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct NameIndex NameIndex;

NameIndex *name_index_new(void);
void name_index_free(NameIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NameIndex, name_index_free)

void name_index_add(NameIndex *index, const char *name, gpointer item);

/* Takes the pair out, the oldest when it is there several times; false when it is not there. */
bool name_index_remove(NameIndex *index, const char *name, gpointer item);

/* The items of all names that contain `query` as a substring, in the order in which they were
 * added; "" is in every name.  The caller frees the array. */
GPtrArray *name_index_lookup(NameIndex *index, const char *query);
