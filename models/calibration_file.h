/* Calibration files as one tree: reads a file and the files it extends, lays them over each other
 * and hashes their text.  Private to calibration.c, which gives the tree its meaning. */
#pragma once

#include "base/tree.h"

typedef struct CalibrationFile {
    char *name;     /* metadata.name of the file itself */
    TreeNode *spec; /* merged; every node with its own file's mark */
    char *hash;     /* SHA-256 over the file's text, then its base's, ...; hexadecimal */
} CalibrationFile;

/* An entry of a file replaces its base's entry of the same name as a whole; a section that only
 * one of them has is kept.  Errors: unreadable file, YAML, envelope, an unknown section, a cycle
 * of `extends`. */
bool calibration_file_read(const char *path, CalibrationFile *out, GError **error);
void calibration_file_clear(CalibrationFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CalibrationFile, calibration_file_clear)
