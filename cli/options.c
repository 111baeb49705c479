/* Options that several verbs share, and loading a scenario with them. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "vwire: %s\n", text);
}

int
exit_code_of(const GError *error)
{
    bool system = error->domain == VWIRE_ERROR && error->code == VWIRE_ERROR_SYSTEM;
    return system ? EXIT_RUNTIME : EXIT_BAD_INPUT;
}

/* Where an installed or a freshly built vwire finds its scenarios and configurations. */
static char **
find_roots(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self != NULL ? g_path_get_dirname(self) : g_strdup(".");
    char **roots = g_new0(char *, 3);
    roots[0] = g_build_filename(dir, "..", "share", "vwire", NULL);
    roots[1] = g_build_filename(dir, "..", "..", NULL);
    return roots;
}

static bool
parse_maps(CommonOptions *common)
{
    common->parsed_maps = g_array_new(false, true, sizeof(ManifestMap));
    for (char **text = common->maps; text != NULL && *text != NULL; text++) {
        ManifestMap map;
        g_autoptr(GError) error = NULL;
        if (!manifest_map_parse(*text, &map, &error)) {
            complain("--map %s: %s", *text, error->message);
            return false;
        }
        g_array_append_val(common->parsed_maps, map);
    }
    return true;
}

static bool
check_format(CommonOptions *common)
{
    if (common->format == NULL || g_str_equal(common->format, "text")) {
        return true;
    }
    common->json = g_str_equal(common->format, "json");
    if (!common->json) {
        complain("--format %s: expected text or json", common->format);
    }
    return common->json;
}

static GOptionContext *
make_context(const Verb *verb, CommonOptions *common, const GOptionEntry *entries,
             const char *description)
{
    const GOptionEntry shared[] = {
        {"map", 0, 0, G_OPTION_ARG_STRING_ARRAY, &common->maps,
         "Read remote bases whose URL starts with PREFIX below DIR", "PREFIX=DIR"},
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &common->sets,
         "Change a field: of the scenario (duration=2m), the calibration "
         "(calibration.kubelet.qps=50) or a manifest "
         "(daemonset/forwarder-vpp:resources.limits.cpu=1)",
         "PATH=VALUE"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &common->format, "text (default) or json", "FORMAT"},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &common->quiet, "No progress, no warnings", NULL},
        G_OPTION_ENTRY_NULL};
    g_autofree char *parameters = g_strdup(verb->arguments);
    GOptionContext *context = g_option_context_new(parameters);
    g_option_context_set_summary(context, verb->summary);
    g_option_context_set_description(context, description);
    if (entries != NULL) {
        g_option_context_add_main_entries(context, entries, NULL);
    }
    g_option_context_add_main_entries(context, shared, NULL);
    return context;
}

/* Whether a word is a short option with its value glued on: "-n20". */
static bool
is_glued(const GOptionEntry *entries, const char *word)
{
    bool longer = word[0] == '-' && word[1] != '-' && word[1] != '\0' && word[2] != '\0';
    for (const GOptionEntry *e = entries; longer && e != NULL && e->long_name != NULL; e++) {
        if (e->short_name == word[1] && e->arg != G_OPTION_ARG_NONE) {
            return true;
        }
    }
    return false;
}

/* GOption knows short options with a value only as two words: "-n" "20". */
static char **
split_short_options(const GOptionEntry *entries, char **argv)
{
    GPtrArray *words = g_ptr_array_new();
    for (; *argv != NULL; argv++) {
        if (is_glued(entries, *argv)) {
            g_ptr_array_add(words, g_strndup(*argv, 2));
            g_ptr_array_add(words, g_strdup(*argv + 2));
        } else {
            g_ptr_array_add(words, g_strdup(*argv));
        }
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, false);
}

bool
options_parse(const Verb *verb, CommonOptions *common, const GOptionEntry *entries,
              const char *description, int *argc, char ***argv, int *exit_code)
{
    *common = (CommonOptions){0};
    g_autofree char *name = g_strdup_printf("vwire %s", verb->name);
    g_set_prgname(name);
    g_autoptr(GOptionContext) context = make_context(verb, common, entries, description);
    g_autoptr(GError) error = NULL;
    *exit_code = EXIT_BAD_INPUT;
    common->words = split_short_options(entries, *argv);
    bool parsed = g_option_context_parse_strv(context, &common->words, &error);
    *argv = common->words;
    *argc = (int)g_strv_length(common->words);
    if (!parsed) {
        complain("%s: %s (vwire %s --help tells more)", verb->name, error->message, verb->name);
        return false;
    }
    if (*argc < 2) {
        g_autofree char *help = g_option_context_get_help(context, true, NULL);
        complain("%s: no file given", verb->name);
        fputs(help, stderr);
        return false;
    }
    if (verb->max_files > 0 && *argc - 1 > verb->max_files) {
        complain("%s: %s: it takes one file", verb->name, (*argv)[1 + verb->max_files]);
        return false;
    }
    common->roots = find_roots();
    return check_format(common) && parse_maps(common);
}

void
options_clear(CommonOptions *common)
{
    for (guint i = 0; common->parsed_maps != NULL && i < common->parsed_maps->len; i++) {
        manifest_map_clear(&g_array_index(common->parsed_maps, ManifestMap, i));
    }
    g_clear_pointer(&common->parsed_maps, g_array_unref);
    g_clear_pointer(&common->words, g_strfreev);
    g_clear_pointer(&common->maps, g_strfreev);
    g_clear_pointer(&common->sets, g_strfreev);
    g_clear_pointer(&common->roots, g_strfreev);
    g_clear_pointer(&common->format, g_free);
}

char *
options_find(const CommonOptions *common, const char *file)
{
    if (g_file_test(file, G_FILE_TEST_EXISTS) || g_path_is_absolute(file)) {
        return g_strdup(file);
    }
    for (char **root = common->roots; *root != NULL; root++) {
        g_autofree char *path = g_build_filename(*root, file, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
    }
    return g_strdup(file);
}

Scenario *
options_read(const CommonOptions *common, const char *path, GError **error)
{
    ScenarioOptions options = {.maps = common->parsed_maps,
                               .sets = (const char *const *)common->sets,
                               .roots = (const char *const *)common->roots};
    return scenario_load(path, &options, error);
}

Scenario *
options_load(const CommonOptions *common, const char *file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = options_find(common, file);
    Scenario *scenario = options_read(common, path, &error);
    if (scenario == NULL) {
        complain("%s", error->message);
        return NULL;
    }
    for (guint i = 0; !common->quiet && i < scenario->warnings->len; i++) {
        complain("warning: %s", (char *)g_ptr_array_index(scenario->warnings, i));
    }
    return scenario;
}
