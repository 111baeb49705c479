/* The keys of the executor video: the film, its compression, its qualities, and who watches it. */
#include "base/quantity.h"
#include "models/document.h"
#include "models/scenario_parts.h"

#define MAX_VIEWERS 10000 /* all rates are shared out at each change: work grows as the square */
#define MAX_PIECES 1e9    /* fetched by all viewers together */
#define DEFAULT_FRAGMENT (5 * NSEC_PER_SEC)

/* What the testbed's streaming service makes of a film, as its thesis lists it; kbit/s. */
static const struct {
    const char *name;
    int64_t rate;
} default_renditions[] = {
    {"1280x720", 2628}, {"854x480", 1128}, {"640x360", 878}, {"426x240", 528}, {"426x240", 264},
};

/* A mapping with these keys; NULL with an error when it is absent or something else. */
static const TreeNode *
require_mapping(const TreeNode *entry, const char *key, const char *const *keys, GError **error)
{
    const TreeNode *node = document_require(entry, key, "the video", error);
    return node != NULL && tree_expect(node, TREE_MAPPING, key, error) &&
                   tree_check_keys(node, keys, key, error)
               ? node
               : NULL;
}

static bool
read_file(const TreeNode *entry, TrafficVideo *out, GError **error)
{
    static const char *const KEYS[] = {"size", "duration", NULL};
    const TreeNode *file = require_mapping(entry, "file", KEYS, error);
    return file != NULL && document_require(file, "size", "file", error) != NULL &&
           document_require(file, "duration", "file", error) != NULL &&
           scenario_read_size(tree_get(file, "size"), "size", 1, SCENARIO_MAX_SIZE, &out->file_size,
                              error) &&
           scenario_read_time(tree_get(file, "duration"), "duration", &out->file_duration, error);
}

/* ------ renditions ------ */

static bool
read_rendition(const TreeNode *node, VideoRendition *out, GError **error)
{
    static const char *const KEYS[] = {"name", "rate", NULL};
    if (!tree_expect(node, TREE_MAPPING, "rendition", error) ||
        !tree_check_keys(node, KEYS, "the rendition", error)) {
        return false;
    }
    const char *name = document_require_string(node, "name", "the rendition", error);
    out->name = g_strdup(name);
    return name != NULL && document_require(node, "rate", "the rendition", error) != NULL &&
           scenario_read_amount(tree_get(node, "rate"), "rate", quantity_parse_rate, &out->rate,
                                error);
}

static void
set_default_renditions(TrafficVideo *out)
{
    out->n_renditions = G_N_ELEMENTS(default_renditions);
    out->renditions = g_new0(VideoRendition, out->n_renditions);
    for (guint i = 0; i < out->n_renditions; i++) {
        out->renditions[i] = (VideoRendition){g_strdup(default_renditions[i].name),
                                              default_renditions[i].rate * 1000};
    }
}

static bool
read_renditions(const TreeNode *node, TrafficVideo *out, GError **error)
{
    if (node == NULL) {
        set_default_renditions(out);
        return true;
    }
    if (!tree_expect(node, TREE_SEQUENCE, "renditions", error)) {
        return false;
    }
    if (tree_size(node) == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "renditions: expected at least one");
    }
    out->renditions = g_new0(VideoRendition, tree_size(node));
    for (guint i = 0; i < tree_size(node); i++) {
        VideoRendition *rendition = &out->renditions[out->n_renditions++];
        if (!read_rendition(tree_item(node, i), rendition, error)) {
            return false;
        }
        if (i > 0 && rendition->rate > rendition[-1].rate) {
            return tree_error(error, tree_item(node, i), VWIRE_ERROR_INVALID,
                              "rendition %s: found a higher rate than that of %s before it; "
                              "expected the best first",
                              rendition->name, rendition[-1].name);
        }
    }
    return true;
}

/* ------ compression ------ */

/* All renditions of the whole film. */
static bool
set_compressed(const TreeNode *at, TrafficVideo *out, GError **error)
{
    double rate = 0;
    for (guint i = 0; i < out->n_renditions; i++) {
        rate += (double)out->renditions[i].rate;
    }
    double bytes = rate * nsec_to_seconds(out->file_duration) / 8;
    if (bytes > (double)SCENARIO_MAX_SIZE) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "compress: the renditions take %g bytes; expected at most 1Ti", bytes);
    }
    out->compressed = MAX((int64_t)bytes, 1);
    return true;
}

/* When the renditions are known. */
static bool
read_compress(const TreeNode *entry, TrafficVideo *out, GError **error)
{
    static const char *const KEYS[] = {"cpu", "size", NULL};
    const TreeNode *compress = require_mapping(entry, "compress", KEYS, error);
    if (compress == NULL || document_require(compress, "cpu", "compress", error) == NULL ||
        !tree_read_duration(tree_get(compress, "cpu"), &out->compress_cpu, error)) {
        return false;
    }
    const TreeNode *size = tree_get(compress, "size");
    return size != NULL
               ? scenario_read_size(size, "size", 1, SCENARIO_MAX_SIZE, &out->compressed, error)
               : set_compressed(compress, out, error);
}

/* ------ viewers ------ */

static bool
read_viewers(const TreeNode *node, TrafficVideo *out, GError **error)
{
    static const char *const KEYS[] = {"count", "spread", "rate", "latency", NULL};
    int64_t count = 1;
    out->viewers = 1;
    if (node == NULL) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "viewers", error) ||
        !tree_check_keys(node, KEYS, "viewers", error)) {
        return false;
    }
    const TreeNode *number = tree_get(node, "count"), *spread = tree_get(node, "spread");
    const TreeNode *latency = tree_get(node, "latency");
    if ((number != NULL && !tree_read_int(number, 1, MAX_VIEWERS, &count, error)) ||
        (spread != NULL && !tree_read_duration(spread, &out->viewer_spread, error)) ||
        (latency != NULL && !tree_read_duration(latency, &out->viewer_latency, error))) {
        return false;
    }
    out->viewers = (int)count;
    return scenario_read_amount(tree_get(node, "rate"), "rate", quantity_parse_rate,
                                &out->viewer_rate, error);
}

static bool
check_pieces(const TreeNode *entry, const TrafficVideo *video, GError **error)
{
    double pieces = (double)video->viewers * (double)video->file_duration / (double)video->fragment;
    return pieces <= MAX_PIECES ||
           tree_error(error, entry, VWIRE_ERROR_INVALID,
                      "fragment: the viewers fetch %g pieces; expected at most %g", pieces,
                      MAX_PIECES);
}

bool
scenario_video_read(const TreeNode *entry, Traffic *out, GError **error)
{
    TrafficVideo *video = out->video = g_new0(TrafficVideo, 1);
    video->fragment = DEFAULT_FRAGMENT;
    return read_file(entry, video, error) &&
           read_renditions(tree_get(entry, "renditions"), video, error) &&
           read_compress(entry, video, error) &&
           scenario_read_time(tree_get(entry, "fragment"), "fragment", &video->fragment, error) &&
           read_viewers(tree_get(entry, "viewers"), video, error) &&
           check_pieces(entry, video, error);
}
