/* The command line: one file per verb, one table of verbs (main.c).  Only here is anything printed
 * or exited: results to stdout, progress and diagnostics to stderr. */
#pragma once

#include "models/chain.h"
#include "models/scenario.h"

#include <glib.h>

/* Exit statuses, the same for every verb. */
typedef enum ExitCode {
    EXIT_PASS = 0,      /* done; every threshold passed */
    EXIT_FAILED = 1,    /* a threshold failed or was inconclusive */
    EXIT_BAD_INPUT = 2, /* scenario, manifest or usage */
    EXIT_RUNTIME = 3,   /* the machine refused, or interrupted */
} ExitCode;

typedef struct Verb {
    const char *name;
    const char *arguments; /* for the help: "FILE..." */
    const char *summary;   /* one line */
    int (*run)(const struct Verb *verb, int argc, char **argv);
    int max_files; /* 0: any number */
} Verb;

int verb_validate(const Verb *verb, int argc, char **argv);
int verb_explain(const Verb *verb, int argc, char **argv);
int verb_run(const Verb *verb, int argc, char **argv);
int verb_test(const Verb *verb, int argc, char **argv);

/* ---- options that several verbs share (options.c) ---- */

typedef struct CommonOptions {
    char **words; /* the verb and what is no option */
    char **maps;  /* --map PREFIX=DIR */
    char **sets;  /* --set PATH=VALUE */
    char *format; /* --format text|json */
    gboolean quiet;
    bool json;
    GArray *parsed_maps;
    char **roots;
} CommonOptions;

/* Parses argv with `entries` and the common ones; files are what is left in argv[1..].  False with
 * the exit code set when the verb should end now (help, usage error). */
bool options_parse(const Verb *verb, CommonOptions *common, const GOptionEntry *entries,
                   const char *description, int *argc, char ***argv, int *exit_code);
void options_clear(CommonOptions *common);

#define MAX_REPLICATIONS 1000000 /* as in the scenario file */

/* Where a file or directory is: as named, or else where vwire is installed; free with g_free. */
char *options_find(const CommonOptions *common, const char *file);

/* Loads a scenario from just there. */
Scenario *options_read(const CommonOptions *common, const char *path, GError **error);

/* Loads a scenario, looking for it in the working directory and where vwire is installed; prints
 * its warnings and, on failure, its error. */
Scenario *options_load(const CommonOptions *common, const char *file);

/* From now on SIGINT and SIGTERM only make what is returned nonzero; a second one ends the program.
 */
const volatile int *catch_signals(void);

/* "vwire: <message>" on stderr. */
void complain(const char *format, ...) G_GNUC_PRINTF(1, 2);
int exit_code_of(const GError *error);

/* ---- tables (table.c) ---- */

typedef struct Table Table;

/* Columns are separated by '|' in `titles`; a title that begins with '>' is right-aligned. */
Table *table_new(const char *titles);
void table_add(Table *table, const char *format, ...) G_GNUC_PRINTF(2, 3); /* '|' separates */
void table_print(Table *table);                                            /* prints and frees */
void table_free(Table *table);
