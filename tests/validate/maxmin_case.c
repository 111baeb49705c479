/* Writes a random system of links and flows with the rates that sim/maxmin.h gives them, for
 * tests/validate/simgrid: `maxmin_case NUMBER`.  Lines:
 *
 *   link CAPACITY                       numbered from 0
 *   flow RATE CAP N LINK COEFFICIENT... N links; CAP may be inf, coefficients are whole
 *
 * The system is the result of several hundred changes, each of them solved. */
#include "sim/maxmin.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LINKS_MAX 40
#define FLOWS_MAX 80
#define USES_MAX 5
#define N_CHANGES 500

typedef struct CaseFlow {
    MaxminFlow number;
    double cap;
    guint n_uses;
    MaxminUse uses[USES_MAX];
} CaseFlow;

typedef struct Case {
    Maxmin *system;
    RandomStream random;
    guint n_links, n_flows;
    double capacities[LINKS_MAX];
    CaseFlow flows[FLOWS_MAX];
} Case;

/* From 1e6 to 1e9. */
static double
draw_capacity(Case *c)
{
    return pow(10, 6 + 3 * random_uniform(&c->random));
}

/* SimGrid's coefficient of a link is how often it is on the route: whole numbers. */
static void
draw_uses(Case *c, CaseFlow *flow)
{
    guint first = (guint)random_below(&c->random, c->n_links);
    flow->n_uses = 1 + (guint)random_below(&c->random, MIN(USES_MAX, c->n_links));
    for (guint i = 0; i < flow->n_uses; i++) {
        flow->uses[i].resource = (first + i * i) % c->n_links;
        flow->uses[i].coefficient = (double)(1 + random_below(&c->random, 3));
    }
}

static void
add_flow(Case *c)
{
    CaseFlow *flow = &c->flows[c->n_flows++];
    draw_uses(c, flow);
    flow->cap = random_below(&c->random, 4) == 0 ? draw_capacity(c) / 10 : INFINITY;
    flow->number = maxmin_add_flow(c->system, flow->cap, flow->uses, flow->n_uses);
}

static void
change(Case *c, guint most)
{
    guint link = (guint)random_below(&c->random, c->n_links);
    guint i = (guint)random_below(&c->random, most);
    if (random_below(&c->random, 10) == 0) {
        c->capacities[link] = draw_capacity(c);
        maxmin_set_capacity(c->system, link, c->capacities[link]);
    } else if (i < c->n_flows) {
        maxmin_remove_flow(c->system, c->flows[i].number);
        c->flows[i] = c->flows[--c->n_flows];
    } else {
        add_flow(c);
    }
    maxmin_solve(c->system, NULL, NULL);
}

static void
print_case(const Case *c)
{
    for (guint i = 0; i < c->n_links; i++) {
        printf("link %.17g\n", c->capacities[i]);
    }
    for (guint i = 0; i < c->n_flows; i++) {
        const CaseFlow *flow = &c->flows[i];
        printf("flow %.17g %.17g %u", maxmin_rate(c->system, flow->number), flow->cap,
               flow->n_uses);
        for (guint j = 0; j < flow->n_uses; j++) {
            printf(" %u %g", flow->uses[j].resource, flow->uses[j].coefficient);
        }
        putchar('\n');
    }
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: maxmin_case NUMBER\n");
        return EXIT_FAILURE;
    }
    Case c = {.system = maxmin_new()};
    random_stream_init(&c.random, 1, (uint32_t)strtoul(argv[1], NULL, 10), "case", "maxmin");
    c.n_links = 2 + (guint)random_below(&c.random, LINKS_MAX - 1);
    guint most = 5 + (guint)random_below(&c.random, FLOWS_MAX - 4);
    for (guint i = 0; i < c.n_links; i++) {
        c.capacities[i] = draw_capacity(&c);
        maxmin_add_resource(c.system, c.capacities[i]);
    }
    for (guint i = 0; i < N_CHANGES || c.n_flows < most / 4; i++) {
        change(&c, most);
    }
    print_case(&c);
    maxmin_free(c.system);
    return EXIT_SUCCESS;
}
