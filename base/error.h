/* One error domain for the whole program, and the helpers that make its messages.
 *
 * Below cli/ nothing prints and nothing exits: whatever can fail returns false or NULL and sets a
 * GError of this domain.  Codes tell the command line which exit status is honest. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VWIRE_ERROR (vwire_error_quark())
GQuark vwire_error_quark(void);

typedef enum VwireError {
    VWIRE_ERROR_PARSE,       /* text that cannot be read: syntax, encoding, a wrong unit */
    VWIRE_ERROR_INVALID,     /* readable, but it makes no sense: a reference to nothing, a cycle */
    VWIRE_ERROR_SYSTEM,      /* the operating system refused: file, memory, permission */
    VWIRE_ERROR_UNSUPPORTED, /* sensible, but this version does not do it */
} VwireError;

/* Sets "<what>: <strerror(errnum)>" with code SYSTEM; always returns false, so that a caller can
 * `return error_set_errno(error, errno, "read %s", path);`. */
bool error_set_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets a message of this domain; always returns false. */
bool error_set(GError **error, VwireError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
