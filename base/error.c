/* The error domain: messages are composed here, printed only in cli/. */
#include "base/error.h"

G_DEFINE_QUARK(vwire_error, vwire_error)

bool
error_set_errno(GError **error, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VWIRE_ERROR, VWIRE_ERROR_SYSTEM, "%s: %s", what, g_strerror(errnum));
    return false;
}

bool
error_set(GError **error, VwireError code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VWIRE_ERROR, (int)code, message);
    return false;
}
