/* Aligned columns. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

struct Table {
    GPtrArray *rows; /* char ** */
    guint n_columns;
    bool *right;
};

Table *
table_new(const char *titles)
{
    Table *table = g_new0(Table, 1);
    table->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    char **row = g_strsplit(titles, "|", -1);
    table->n_columns = g_strv_length(row);
    table->right = g_new0(bool, table->n_columns);
    for (guint i = 0; i < table->n_columns; i++) {
        table->right[i] = row[i][0] == '>';
        if (table->right[i]) {
            memmove(row[i], row[i] + 1, strlen(row[i]));
        }
    }
    g_ptr_array_add(table->rows, row);
    return table;
}

void
table_free(Table *table)
{
    g_ptr_array_unref(table->rows);
    g_free(table->right);
    g_free(table);
}

void
table_add(Table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *line = g_strdup_vprintf(format, args);
    va_end(args);
    g_ptr_array_add(table->rows, g_strsplit(line, "|", (gint)table->n_columns));
}

static void
print_cell(const char *text, glong width, bool right, bool last)
{
    glong pad = width - g_utf8_strlen(text, -1);
    pad = MAX(pad, 0);
    if (right) {
        printf("%*s%s%s", (int)pad, "", text, last ? "" : "  ");
    } else {
        printf("%s%*s%s", text, last ? 0 : (int)pad, "", last ? "" : "  ");
    }
}

void
table_print(Table *table)
{
    g_autofree glong *widths = g_new0(glong, table->n_columns);
    for (guint r = 0; r < table->rows->len; r++) {
        char **row = g_ptr_array_index(table->rows, r);
        for (guint c = 0; c < table->n_columns && row[c] != NULL; c++) {
            widths[c] = MAX(widths[c], g_utf8_strlen(row[c], -1));
        }
    }
    for (guint r = 0; r < table->rows->len; r++) {
        char **row = g_ptr_array_index(table->rows, r);
        printf("  ");
        for (guint c = 0; c < table->n_columns && row[c] != NULL; c++) {
            print_cell(row[c], widths[c], table->right[c], c + 1 == table->n_columns);
        }
        printf("\n");
    }
    table_free(table);
}
