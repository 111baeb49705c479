/* jsonget [-k|-t] FILE [KEY...]: the value that the keys (or indices) lead to, for scripts.
 *
 * Texts are printed as they are, everything else as compact JSON; -k prints the keys of an object
 * or the indices of a list, one a line; -t prints the type.  Exit status 1: there is no such value;
 * 2: the file cannot be read or is not JSON and nothing else. */
#include <cjson/cJSON.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
type_of(const cJSON *value)
{
    return cJSON_IsObject(value)   ? "object"
           : cJSON_IsArray(value)  ? "array"
           : cJSON_IsString(value) ? "string"
           : cJSON_IsNumber(value) ? "number"
           : cJSON_IsBool(value)   ? "boolean"
                                   : "null";
}

static void
print_keys(const cJSON *value)
{
    int i = 0;
    const cJSON *member = NULL;
    cJSON_ArrayForEach(member, value)
    {
        if (member->string != NULL) {
            puts(member->string);
        } else {
            printf("%d\n", i++);
        }
    }
}

static void
print_value(const cJSON *value)
{
    if (cJSON_IsString(value)) {
        puts(value->valuestring);
        return;
    }
    char *text = cJSON_PrintUnformatted(value);
    puts(text);
    cJSON_free(text);
}

static const cJSON *
find(const cJSON *value, char **keys)
{
    for (; value != NULL && *keys != NULL; keys++) {
        value = cJSON_IsArray(value) ? cJSON_GetArrayItem(value, atoi(*keys))
                                     : cJSON_GetObjectItemCaseSensitive(value, *keys);
    }
    return value;
}

int
main(int argc, char **argv)
{
    const char *option = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
    char **arguments = argv + (*option != '\0' ? 2 : 1);
    g_autofree char *text = NULL;
    if (argc < 2 || *arguments == NULL || !g_file_get_contents(*arguments, &text, NULL, NULL)) {
        fprintf(stderr, "jsonget: cannot read the file\n");
        return 2;
    }
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithOpts(text, &end, true);
    if (root == NULL) {
        fprintf(stderr, "jsonget: %s is not JSON at byte %d\n", *arguments,
                end != NULL ? (int)(end - text) : 0);
        return 2;
    }
    const cJSON *value = find(root, arguments + 1);
    if (value == NULL) {
        cJSON_Delete(root);
        return 1;
    }
    if (strcmp(option, "-k") == 0) {
        print_keys(value);
    } else if (strcmp(option, "-t") == 0) {
        puts(type_of(value));
    } else {
        print_value(value);
    }
    cJSON_Delete(root);
    return 0;
}
