/* Files under a temporary name. */
#include "base/outfile.h"

#include <errno.h>
#include <glib/gstdio.h>

struct OutFile {
    char *path;
    char *temporary;
    FILE *file;
};

static void
out_file_free(OutFile *out)
{
    if (out->file != NULL) {
        fclose(out->file);
    }
    g_free(out->path);
    g_free(out->temporary);
    g_free(out);
}

OutFile *
out_file_open(const char *path, GError **error)
{
    OutFile *out = g_new0(OutFile, 1);
    out->path = g_strdup(path);
    out->temporary = g_strdup_printf("%s.tmp", path);
    out->file = fopen(out->temporary, "we");
    if (out->file == NULL) {
        error_set_errno(error, errno, "write %s", out->temporary);
        out_file_free(out);
        return NULL;
    }
    return out;
}

FILE *
out_file_stream(OutFile *out)
{
    return out->file;
}

void
out_file_discard(OutFile *out)
{
    g_unlink(out->temporary);
    out_file_free(out);
}

bool
out_file_close(OutFile *out, GError **error)
{
    bool failed = ferror(out->file) != 0;
    failed |= fclose(g_steal_pointer(&out->file)) != 0;
    if (failed) {
        error_set_errno(error, errno, "write %s", out->temporary);
        out_file_discard(out);
        return false;
    }
    if (g_rename(out->temporary, out->path) != 0) {
        error_set_errno(error, errno, "rename %s to %s", out->temporary, out->path);
        out_file_discard(out);
        return false;
    }
    out_file_free(out);
    return true;
}
