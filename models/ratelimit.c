/* Token buckets: reservations may make the balance negative, which is the queue. */
#include "models/ratelimit.h"

void
rate_limit_init(RateLimit *limit, double qps, double burst)
{
    limit->qps = qps;
    limit->burst = burst;
    limit->tokens = burst;
    limit->last = 0;
}

nsec_t
rate_limit_reserve(RateLimit *limit, nsec_t now)
{
    if (limit->qps <= 0) {
        return 0;
    }
    limit->tokens += nsec_to_seconds(now - limit->last) * limit->qps;
    limit->last = now;
    if (limit->tokens > limit->burst) {
        limit->tokens = limit->burst;
    }
    limit->tokens -= 1;
    return limit->tokens >= 0 ? 0 : nsec_from_seconds(-limit->tokens / limit->qps);
}
