/* vwire validate: everything that can be said without running. */
#include "cli/cli.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static cJSON *
chain_problems(const Chains *chains)
{
    cJSON *problems = cJSON_CreateArray();
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        if (chain->problem != NULL) {
            cJSON_AddItemToArray(problems, cJSON_CreateString(chain->problem));
        }
    }
    return problems;
}

static guint
count_objects(const Scenario *scenario)
{
    guint n = 0;
    for (guint m = 0; m < scenario->n_manifests; m++) {
        n += scenario->manifests[m].objects->len;
    }
    return n;
}

/* A chain that cannot work is a finding, not an error: a scenario may be about just that. */
static cJSON *
check(const CommonOptions *common, const char *file)
{
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "file", file);
    g_autoptr(Scenario) scenario = options_load(common, file);
    cJSON_AddBoolToObject(result, "valid", scenario != NULL);
    if (scenario == NULL) {
        return result;
    }
    g_autoptr(Chains) chains = chains_find(scenario);
    cJSON_AddNumberToObject(result, "objects", count_objects(scenario));
    cJSON_AddNumberToObject(result, "nodes", scenario->n_nodes);
    cJSON_AddNumberToObject(result, "chains", chains->chains->len);
    cJSON_AddItemToObject(result, "findings", chain_problems(chains));
    return result;
}

static void
print_text(const cJSON *result)
{
    const char *file = cJSON_GetStringValue(cJSON_GetObjectItem(result, "file"));
    if (!cJSON_IsTrue(cJSON_GetObjectItem(result, "valid"))) {
        return; /* the error is on stderr */
    }
    printf("%s: valid: %d nodes, %d objects, %d chain(s)\n", file,
           cJSON_GetObjectItem(result, "nodes")->valueint,
           cJSON_GetObjectItem(result, "objects")->valueint,
           cJSON_GetObjectItem(result, "chains")->valueint);
    const cJSON *finding = NULL;
    cJSON_ArrayForEach(finding, cJSON_GetObjectItem(result, "findings"))
    {
        printf("%s: this chain cannot work: %s\n", file, finding->valuestring);
    }
}

int
verb_validate(const Verb *verb, int argc, char **argv)
{
    CommonOptions common;
    int code = EXIT_PASS;
    if (!options_parse(verb, &common, NULL,
                       "Errors and warnings go to stderr as file:line:column: what was found; what "
                       "was expected.\nA chain that cannot work (no endpoint, a loop) is reported "
                       "but is no error.",
                       &argc, &argv, &code)) {
        options_clear(&common);
        return code;
    }
    code = EXIT_PASS;
    cJSON *results = cJSON_CreateArray();
    for (int i = 1; i < argc; i++) {
        cJSON *result = check(&common, argv[i]);
        cJSON_AddItemToArray(results, result);
        if (!cJSON_IsTrue(cJSON_GetObjectItem(result, "valid"))) {
            code = EXIT_BAD_INPUT;
        }
        if (!common.json) {
            print_text(result);
        }
    }
    if (common.json) {
        char *text = cJSON_Print(results);
        puts(text);
        cJSON_free(text);
    }
    cJSON_Delete(results);
    options_clear(&common);
    return code;
}
