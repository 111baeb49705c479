/* A URL is cut from both ends: scheme, query, path; what is left is service and domain. */
#include "models/nsm/nsurl.h"

#include <string.h>

static const char *const mechanism_names[] = {"kernel", "memif", "vfio"};

#define EXPECTED "expected kernel|memif|vfio://service[@domain][/interface][?label=value&...]"

const char *
ns_mechanism_name(NsMechanism mechanism)
{
    return mechanism_names[mechanism];
}

/* Schemes are compared without regard to case, as net/url does. */
static bool
read_mechanism(const char *text, NsMechanism *out, const char **rest, GError **error)
{
    const char *end = strstr(text, "://");
    if (!end) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "network service URL \"%s\": found no \"://\"; " EXPECTED, text);
    }
    g_autofree char *scheme = g_ascii_strdown(text, end - text);
    for (guint i = 0; i < G_N_ELEMENTS(mechanism_names); i++) {
        if (strcmp(scheme, mechanism_names[i]) == 0) {
            *out = (NsMechanism)i;
            *rest = end + 3;
            return true;
        }
    }
    return error_set(error, VWIRE_ERROR_PARSE,
                     "network service URL \"%s\": found mechanism \"%.*s\"; expected kernel, "
                     "memif or vfio",
                     text, (int)(end - text), text);
}

/* Decodes %XX, in queries '+' too; NULL with an error when an escape is broken. */
static char *
unescape(const char *text, const char *part, bool query, GError **error)
{
    g_autofree char *copy = g_strdup(part);
    char *plain = g_uri_unescape_string(query ? g_strdelimit(copy, "+", ' ') : copy, NULL);
    if (!plain) {
        error_set(error, VWIRE_ERROR_PARSE,
                  "network service URL \"%s\": found a broken escape in \"%s\"; expected %% and "
                  "two hexadecimal digits",
                  text, part);
    }
    return plain;
}

static bool
read_label(const char *text, const char *pair, Labels *labels, GError **error)
{
    const char *equals = strchrnul(pair, '=');
    g_autofree char *raw_key = g_strndup(pair, (gsize)(equals - pair));
    g_autofree char *key = unescape(text, raw_key, true, error);
    if (!key) {
        return false;
    }
    g_autofree char *value = unescape(text, *equals ? equals + 1 : "", true, error);
    if (!value) {
        return false;
    }
    if (!*key) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "network service URL \"%s\": found \"%s\" in the query; expected "
                         "label=value",
                         text, pair);
    }
    const char *before = labels_get(labels, key);
    g_autofree char *both = before ? g_strconcat(before, ",", value, NULL) : g_strdup(value);
    labels_set(labels, key, both);
    return true;
}

static bool
read_query(const char *text, const char *query, NsUrl *url, GError **error)
{
    g_auto(GStrv) pairs = g_strsplit(query, "&", -1);
    for (guint i = 0; pairs[i]; i++) {
        if (*pairs[i] && !read_label(text, pairs[i], &url->labels, error)) {
            return false;
        }
    }
    url->sriov_token = g_strdup(labels_get(&url->labels, "sriovToken"));
    return true;
}

static bool
read_authority(const char *text, const char *authority, NsUrl *url, GError **error)
{
    const char *wrong = authority + strcspn(authority, ":[]%# \t\r\n");
    if (*wrong) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "network service URL \"%s\": found \"%c\" in \"%s\"; expected "
                         "service[@domain]",
                         text, *wrong, authority);
    }
    g_auto(GStrv) parts = g_strsplit(authority, "@", -1);
    guint n_parts = g_strv_length(parts);
    if (n_parts == 0 || !*parts[0]) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "network service URL \"%s\": found no service name; " EXPECTED, text);
    }
    if (n_parts > 2 || (n_parts == 2 && !*parts[1])) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "network service URL \"%s\": found \"%s\"; expected service[@domain]",
                         text, authority);
    }
    url->service = g_strdup(parts[0]);
    url->domain = g_strdup(parts[1]);
    return true;
}

static bool
read_interface(const char *text, const char *path, NsUrl *url, GError **error)
{
    const char *slash = strrchr(path, '/');
    if (!slash || !slash[1]) {
        return true;
    }
    url->interface = unescape(text, slash + 1, false, error);
    return url->interface != NULL;
}

bool
ns_url_parse(const char *text, NsUrl *out, GError **error)
{
    NsUrl url = {0};
    const char *rest = text;
    if (!read_mechanism(text, &url.mechanism, &rest, error)) {
        return false;
    }
    const char *query = strchrnul(rest, '?');
    g_autofree char *front = g_strndup(rest, (gsize)(query - rest));
    const char *path = strchrnul(front, '/');
    g_autofree char *authority = g_strndup(front, (gsize)(path - front));
    if (!read_authority(text, authority, &url, error) || !read_interface(text, path, &url, error) ||
        !read_query(text, *query ? query + 1 : "", &url, error)) {
        ns_url_clear(&url);
        return false;
    }
    *out = url;
    return true;
}

void
ns_url_clear(NsUrl *url)
{
    g_free(url->service);
    g_free(url->domain);
    g_free(url->interface);
    g_free(url->sriov_token);
    labels_clear(&url->labels);
    *url = (NsUrl){0};
}

static void
clear_element(gpointer url)
{
    ns_url_clear(url);
}

GArray *
ns_url_parse_list(const char *text, GError **error)
{
    if (!*text) {
        error_set(error, VWIRE_ERROR_PARSE, "network service URL is empty; " EXPECTED);
        return NULL;
    }
    g_autoptr(GArray) urls = g_array_new(FALSE, FALSE, sizeof(NsUrl));
    g_array_set_clear_func(urls, clear_element);
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    for (guint i = 0; parts[i]; i++) {
        NsUrl url;
        if (!ns_url_parse(parts[i], &url, error)) {
            return NULL;
        }
        g_array_append_val(urls, url);
    }
    return g_steal_pointer(&urls);
}
