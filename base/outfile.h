/* A file that is there whole or not at all: written to "PATH.tmp", which closing renames. */
#pragma once

#include "base/error.h"

#include <stdio.h>

typedef struct OutFile OutFile;

OutFile *out_file_open(const char *path, GError **error);

/* To write to.  Errors of writing stick: out_file_close finds them. */
FILE *out_file_stream(OutFile *out);

/* Finishes and frees; false with an error when anything could not be written: nothing is left. */
bool out_file_close(OutFile *out, GError **error);

/* Frees and removes the temporary file. */
void out_file_discard(OutFile *out);
