/* vwire: the table of verbs. */
#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const Verb verbs[] = {
    {"validate", "FILE...", "Check scenarios and their manifests", verb_validate, 0},
    {"explain", "FILE",
     "Say which endpoints each chain will take and why, where each Pod goes, "
     "and what it reserves",
     verb_explain, 1},
    {"run", "FILE", "Simulate a scenario in virtual time", verb_run, 1},
    {"test", "PATH...", "Run every scenario below PATH and say which hold (TAP, JUnit)", verb_test,
     0},
};

static void
print_help(FILE *to)
{
    fprintf(to, "Usage: vwire VERB [OPTION...] FILE...\n\n"
                "Simulates service function chains on Kubernetes with Network Service Mesh.\n\n"
                "Verbs:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
        fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    }
    fprintf(to,
            "\nvwire VERB --help tells more of each.  Exit status: 0 pass, 1 a threshold failed "
            "or was\ninconclusive, 2 bad scenario or usage, 3 run-time error.\n");
}

/* What could not be written to standard output was not said: no verb may end well then. */
static int
finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }
    complain("write to standard output: %s", g_strerror(errno));
    return EXIT_RUNTIME;
}

int
main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        print_help(stderr);
        return EXIT_BAD_INPUT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return finish(EXIT_PASS);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("vwire %s\n", VWIRE_VERSION);
        return finish(EXIT_PASS);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return finish(verbs[i].run(&verbs[i], argc - 1, argv + 1));
        }
    }
    complain("%s is no verb (vwire --help lists them)", argv[1]);
    return EXIT_BAD_INPUT;
}
