/* Max-min fair rates (sim/maxmin.h): cases worked by hand; random changes, after each of which the
 * rates are those of filling from nothing, and every flow has a bottleneck or its cap. */
#include "sim/maxmin.h"

#include "base/random.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>

#define CLOSE 1e-9 /* relative */

static Maxmin *sys;

static void
setup(void)
{
    sys = maxmin_new();
}

static void
teardown(void)
{
    maxmin_free(sys);
}

static bool
is_close(double a, double b)
{
    return fabs(a - b) <= CLOSE * fmax(fabs(a), fabs(b));
}

static void
solve(void)
{
    maxmin_solve(sys, NULL, NULL);
}

static void
check_rate(MaxminFlow flow, double expected)
{
    double found = maxmin_rate(sys, flow);
    ck_assert_msg(is_close(found, expected), "flow %u has rate %.17g instead of %.17g", flow, found,
                  expected);
}

/* A flow over one, two or three links (MAXMIN_NONE: no link). */
static MaxminFlow
flow_over(MaxminResource a, MaxminResource b, MaxminResource c)
{
    MaxminUse uses[] = {{a, 1}, {b, 1}, {c, 1}};
    guint n = a == MAXMIN_NONE ? 0 : b == MAXMIN_NONE ? 1 : c == MAXMIN_NONE ? 2 : 3;
    return maxmin_add_flow(sys, INFINITY, uses, n);
}

static MaxminFlow
flow_on(MaxminResource link)
{
    return flow_over(link, MAXMIN_NONE, MAXMIN_NONE);
}

/* ---- by hand ---- */

START_TEST(flows_on_one_link_share_it_equally)
{
    MaxminResource link = maxmin_add_resource(sys, 12e9);
    MaxminFlow flows[7];
    for (int n = 1; n <= 7; n++) {
        flows[n - 1] = flow_on(link);
        solve();
        for (int i = 0; i < n; i++) {
            check_rate(flows[i], 12e9 / n);
            ck_assert_uint_eq(maxmin_bottleneck(sys, flows[i]), link);
        }
        ck_assert_double_eq_tol(maxmin_usage(sys, link), 12e9, 1);
    }
}
END_TEST

/* Bertsekas and Gallager, section 6.5.2: one flow along a line of links, one more on each. */
START_TEST(a_long_flow_along_n_links_gets_as_much_as_a_short_one)
{
    MaxminUse uses[10];
    MaxminFlow shorts[10];
    for (int i = 0; i < 10; i++) {
        uses[i] = (MaxminUse){maxmin_add_resource(sys, 100), 1};
        shorts[i] = flow_on(uses[i].resource);
    }
    MaxminFlow lengthy = maxmin_add_flow(sys, INFINITY, uses, 10);
    solve();
    check_rate(lengthy, 50);
    for (int i = 0; i < 10; i++) {
        check_rate(shorts[i], 50);
    }
    maxmin_set_capacity(sys, uses[4].resource, 20);
    solve();
    check_rate(lengthy, 10);
    check_rate(shorts[3], 90);
    check_rate(shorts[4], 10);
    ck_assert_uint_eq(maxmin_bottleneck(sys, lengthy), uses[4].resource);
}
END_TEST

/* Bertsekas and Gallager, figure 6.14, arcs of capacity 1: (2,3) is the bottleneck of sessions 2, 3
 * and 5; 5 goes on over (3,5), where 1 gets the rest; 4 has (4,5) for itself. */
START_TEST(the_example_of_bertsekas_and_gallager)
{
    MaxminResource arc_23 = maxmin_add_resource(sys, 1);
    MaxminResource arc_35 = maxmin_add_resource(sys, 1);
    MaxminResource arc_45 = maxmin_add_resource(sys, 1);
    MaxminFlow one = flow_on(arc_35), two = flow_on(arc_23), three = flow_on(arc_23);
    MaxminFlow four = flow_on(arc_45), five = flow_over(arc_23, arc_35, MAXMIN_NONE);
    solve();
    check_rate(one, 2.0 / 3);
    check_rate(two, 1.0 / 3);
    check_rate(three, 1.0 / 3);
    check_rate(four, 1);
    check_rate(five, 1.0 / 3);
    ck_assert_uint_eq(maxmin_bottleneck(sys, one), arc_35);
    ck_assert_uint_eq(maxmin_bottleneck(sys, five), arc_23);
}
END_TEST

START_TEST(three_links_fill_one_after_the_other)
{
    MaxminResource narrow = maxmin_add_resource(sys, 6);
    MaxminResource middle = maxmin_add_resource(sys, 10);
    MaxminResource wide = maxmin_add_resource(sys, 20);
    MaxminFlow all = flow_over(narrow, middle, wide);
    MaxminFlow two = flow_over(narrow, middle, MAXMIN_NONE);
    MaxminFlow other = flow_over(middle, wide, MAXMIN_NONE);
    MaxminFlow alone = flow_on(wide);
    solve();
    check_rate(all, 3);
    check_rate(two, 3);
    check_rate(other, 4);
    check_rate(alone, 13);
    maxmin_remove_flow(sys, two);
    solve();
    check_rate(all, 5);
    check_rate(other, 5);
    check_rate(alone, 10);
    ck_assert_double_eq_tol(maxmin_usage(sys, narrow), 5, 1e-9);
}
END_TEST

START_TEST(what_a_capped_flow_leaves_goes_to_the_others)
{
    MaxminResource link = maxmin_add_resource(sys, 90);
    MaxminUse use = {link, 1};
    MaxminFlow capped = maxmin_add_flow(sys, 10, &use, 1);
    MaxminFlow open[] = {flow_on(link), flow_on(link)};
    solve();
    check_rate(capped, 10);
    check_rate(open[0], 40);
    check_rate(open[1], 40);
    ck_assert_uint_eq(maxmin_bottleneck(sys, capped), MAXMIN_NONE);
    maxmin_set_cap(sys, capped, 50);
    solve();
    check_rate(capped, 30);
    ck_assert_uint_eq(maxmin_bottleneck(sys, capped), link);
    maxmin_set_cap(sys, capped, 0);
    solve();
    check_rate(capped, 0);
    check_rate(open[1], 45);
    maxmin_set_cap(sys, capped, INFINITY);
    solve();
    check_rate(capped, 30);
}
END_TEST

START_TEST(a_flow_without_resources_has_its_cap)
{
    MaxminFlow flow = maxmin_add_flow(sys, 1e6, NULL, 0);
    ck_assert_uint_eq(maxmin_solve(sys, NULL, NULL), 1);
    check_rate(flow, 1e6);
    ck_assert_uint_eq(maxmin_bottleneck(sys, flow), MAXMIN_NONE);
}
END_TEST

/* Rates are equal, not what they cost: 2 l + l + 0.5 l = 35. */
START_TEST(flows_of_unequal_cost_have_equal_rates)
{
    MaxminResource cpu = maxmin_add_resource(sys, 35);
    const double costs[] = {2, 1, 0.5};
    for (MaxminFlow i = 0; i < 3; i++) {
        MaxminUse use = {cpu, costs[i]};
        ck_assert_uint_eq(maxmin_add_flow(sys, INFINITY, &use, 1), i);
    }
    solve();
    for (MaxminFlow i = 0; i < 3; i++) {
        check_rate(i, 10);
    }
    ck_assert_double_eq_tol(maxmin_usage(sys, cpu), 35, 1e-9);
}
END_TEST

/* 4 cores at 1 ns a bit on the one, a link of 10 Gbit/s on the other. */
START_TEST(a_cpu_in_seconds_a_bit_and_a_link_are_resources_alike)
{
    MaxminResource cpu = maxmin_add_resource(sys, 4);
    MaxminResource link = maxmin_add_resource(sys, 10e9);
    MaxminUse uses[] = {{link, 1}, {cpu, 1e-9}};
    MaxminFlow both = maxmin_add_flow(sys, INFINITY, uses, 2);
    MaxminFlow one = maxmin_add_flow(sys, INFINITY, uses, 1);
    solve();
    check_rate(both, 4e9);
    check_rate(one, 6e9);
    ck_assert_uint_eq(maxmin_bottleneck(sys, both), cpu);
    ck_assert_uint_eq(maxmin_bottleneck(sys, one), link);
    ck_assert_double_eq_tol(maxmin_usage(sys, cpu), 4, 1e-9);
}
END_TEST

START_TEST(coefficients_of_a_resource_named_twice_add_up)
{
    MaxminResource cpu = maxmin_add_resource(sys, 12);
    MaxminUse uses[] = {{cpu, 1}, {cpu, 2}};
    MaxminFlow flow = maxmin_add_flow(sys, INFINITY, uses, 2);
    solve();
    check_rate(flow, 4);
    maxmin_remove_flow(sys, flow);
    maxmin_remove_resource(sys, cpu);
}
END_TEST

START_TEST(without_capacity_nothing_flows)
{
    MaxminResource dead = maxmin_add_resource(sys, 0);
    MaxminResource alive = maxmin_add_resource(sys, 10);
    MaxminFlow stuck = flow_over(dead, alive, MAXMIN_NONE);
    MaxminFlow free_one = flow_on(alive);
    ck_assert_uint_eq(maxmin_solve(sys, NULL, NULL), 1); /* 0 is what a new flow has */
    check_rate(stuck, 0);
    check_rate(free_one, 10);
    ck_assert_uint_eq(maxmin_bottleneck(sys, stuck), dead);
    maxmin_set_capacity(sys, dead, 3);
    solve();
    check_rate(stuck, 3);
    check_rate(free_one, 7);
    maxmin_set_capacity(sys, dead, 0);
    solve();
    check_rate(stuck, 0);
    check_rate(free_one, 10);
}
END_TEST

START_TEST(the_last_flow_leaves_nothing_in_use)
{
    MaxminResource link = maxmin_add_resource(sys, 5);
    MaxminFlow flows[] = {flow_on(link), flow_on(link)};
    solve();
    maxmin_remove_flow(sys, flows[0]);
    solve();
    check_rate(flows[1], 5);
    maxmin_remove_flow(sys, flows[1]);
    solve();
    ck_assert_double_eq(maxmin_usage(sys, link), 0);
    check_rate(flow_on(link), 0); /* not solved yet */
    solve();
    ck_assert_double_eq_tol(maxmin_usage(sys, link), 5, 1e-9);
}
END_TEST

START_TEST(numbers_are_given_anew)
{
    MaxminResource link = maxmin_add_resource(sys, 5);
    MaxminFlow flow = flow_on(link);
    solve();
    maxmin_remove_flow(sys, flow);
    ck_assert_uint_eq(flow_on(link), flow);
    solve();
    check_rate(flow, 5);
    maxmin_remove_flow(sys, flow);
    maxmin_remove_resource(sys, link);
    ck_assert_uint_eq(maxmin_add_resource(sys, 7), link);
    flow = flow_on(link);
    solve();
    check_rate(flow, 7);
}
END_TEST

/* ---- what is told ---- */

static void
on_changed(MaxminFlow flow, double rate, void *data)
{
    ck_assert_double_eq(rate, maxmin_rate(sys, flow));
    g_string_append_printf(data, " %u=%g", flow, rate);
}

static void
check_told(const char *expected)
{
    g_autoptr(GString) told = g_string_new(NULL);
    guint n = maxmin_solve(sys, on_changed, told);
    ck_assert_str_eq(told->str, expected);
    guint n_told = 0;
    for (const char *c = told->str; *c != '\0'; c++) {
        n_told += *c == '=';
    }
    ck_assert_uint_eq(n, n_told);
}

START_TEST(only_flows_with_new_rates_are_told_in_the_order_of_their_numbers)
{
    MaxminResource a = maxmin_add_resource(sys, 60), b = maxmin_add_resource(sys, 10);
    flow_on(a);
    flow_on(b);
    flow_on(a);
    check_told(" 0=30 1=10 2=30");
    check_told("");
    maxmin_remove_flow(sys, 0);
    check_told(" 2=60");
    flow_on(a); /* has number 0 */
    flow_on(a);
    check_told(" 0=20 2=20 3=20");
}
END_TEST

START_TEST(what_is_undone_before_solving_is_not_told)
{
    MaxminResource link = maxmin_add_resource(sys, 60);
    flow_on(link);
    check_told(" 0=60");
    maxmin_set_capacity(sys, link, 10);
    maxmin_set_capacity(sys, link, 60);
    maxmin_remove_flow(sys, flow_on(link));
    maxmin_set_cap(sys, 0, 1);
    maxmin_set_cap(sys, 0, INFINITY);
    check_told("");
}
END_TEST

START_TEST(what_shares_nothing_is_left_alone)
{
    MaxminResource links[50];
    for (int i = 0; i < 50; i++) {
        links[i] = maxmin_add_resource(sys, 10 + i);
        flow_on(links[i]);
        flow_on(links[i]);
    }
    ck_assert_uint_eq(maxmin_solve(sys, NULL, NULL), 100);
    maxmin_set_capacity(sys, links[7], 30);
    check_told(" 14=15 15=15");
}
END_TEST

/* ---- against filling from nothing ---- */

#define RESOURCES_MAX 60
#define FLOWS_MAX 150
#define USES_MAX 5

/* The system as the test keeps it. */
typedef struct ModelFlow {
    MaxminFlow number;
    double cap;
    guint n_uses;
    guint resources[USES_MAX]; /* places in the model */
    double coefficients[USES_MAX];
    double rate; /* found from nothing */
    bool is_fixed;
} ModelFlow;

typedef struct Model {
    RandomStream random;
    guint n_resources;
    MaxminResource numbers[RESOURCES_MAX];
    double capacities[RESOURCES_MAX];
    guint n_flows;
    ModelFlow flows[FLOWS_MAX];
    double spread; /* capacities lie within so many powers of ten */
    bool is_even;  /* few different capacities and one coefficient: many ties */
} Model;

static double
draw_capacity(Model *model)
{
    if (random_below(&model->random, 40) == 0) {
        return 0;
    }
    if (model->is_even) {
        return 12 * (double)(1 + random_below(&model->random, 2));
    }
    return pow(10, -3 + model->spread * random_uniform(&model->random));
}

static double
draw_cap(Model *model)
{
    double part = (double)(1 + random_below(&model->random, 6)) / 12;
    return random_below(&model->random, 4) == 0 ? draw_capacity(model) * part : INFINITY;
}

static double
draw_coefficient(Model *model)
{
    return model->is_even ? 1 : pow(10, random_uniform(&model->random) - 0.5);
}

static void
model_add_flow(Model *model)
{
    ModelFlow *flow = &model->flows[model->n_flows++];
    MaxminUse uses[USES_MAX];
    flow->cap = draw_cap(model);
    flow->n_uses = 1 + (guint)random_below(&model->random, USES_MAX);
    for (guint i = 0; i < flow->n_uses; i++) {
        flow->resources[i] = (guint)random_below(&model->random, model->n_resources);
        flow->coefficients[i] = draw_coefficient(model);
        uses[i] = (MaxminUse){model->numbers[flow->resources[i]], flow->coefficients[i]};
    }
    flow->number = maxmin_add_flow(sys, flow->cap, uses, flow->n_uses);
}

static void
model_remove_flow(Model *model)
{
    guint i = (guint)random_below(&model->random, model->n_flows);
    maxmin_remove_flow(sys, model->flows[i].number);
    model->flows[i] = model->flows[--model->n_flows];
}

static void
model_init(Model *model, uint32_t number)
{
    random_stream_init(&model->random, 1, number, "model", "changes");
    model->is_even = number % 3 == 0;
    model->spread = number % 3 == 1 ? 1.5 : 6;
    model->n_flows = 0;
    model->n_resources = 2 + (guint)random_below(&model->random, RESOURCES_MAX - 1);
    for (guint i = 0; i < model->n_resources; i++) {
        model->capacities[i] = draw_capacity(model);
        model->numbers[i] = maxmin_add_resource(sys, model->capacities[i]);
    }
}

static void
model_change(Model *model, guint target)
{
    guint kind = (guint)random_below(&model->random, 10);
    if (kind == 0) {
        guint i = (guint)random_below(&model->random, model->n_resources);
        model->capacities[i] = draw_capacity(model);
        maxmin_set_capacity(sys, model->numbers[i], model->capacities[i]);
    } else if (kind == 1 && model->n_flows > 0) {
        ModelFlow *flow = &model->flows[random_below(&model->random, model->n_flows)];
        flow->cap = draw_cap(model);
        maxmin_set_cap(sys, flow->number, flow->cap);
    } else if (random_below(&model->random, 2 * target) >= model->n_flows) {
        model_add_flow(model);
    } else {
        model_remove_flow(model);
    }
}

/* Of each resource: what fixed flows take, what the others take for one unit of rate, and the
 * greatest rate of the fixed. */
typedef struct Sums {
    double fixed[RESOURCES_MAX], open[RESOURCES_MAX], highest[RESOURCES_MAX];
} Sums;

static void
sums_add(Sums *sums, const ModelFlow *flow)
{
    for (guint i = 0; i < flow->n_uses; i++) {
        guint resource = flow->resources[i];
        if (flow->is_fixed) {
            sums->fixed[resource] += flow->coefficients[i] * flow->rate;
            sums->highest[resource] = fmax(sums->highest[resource], flow->rate);
        } else {
            sums->open[resource] += flow->coefficients[i];
        }
    }
}

static Sums
model_sum(const Model *model)
{
    Sums sums = {0};
    for (guint i = 0; i < model->n_flows; i++) {
        sums_add(&sums, &model->flows[i]);
    }
    return sums;
}

static bool
uses(const ModelFlow *flow, guint resource)
{
    for (guint i = 0; i < flow->n_uses; i++) {
        if (flow->resources[i] == resource) {
            return true;
        }
    }
    return false;
}

static void
model_fix_users(Model *model, guint resource, double rate)
{
    for (guint i = 0; i < model->n_flows; i++) {
        ModelFlow *flow = &model->flows[i];
        if (!flow->is_fixed && uses(flow, resource)) {
            flow->rate = rate;
            flow->is_fixed = true;
        }
    }
}

/* Raises all flows together until one is stopped, fixes what is, and goes on: the algorithm of
 * Bertsekas and Gallager.  False when none is left. */
static bool
model_fill_once(Model *model)
{
    Sums sums = model_sum(model);
    double least = INFINITY;
    guint where = 0;
    ModelFlow *capped = NULL;
    for (guint r = 0; r < model->n_resources; r++) {
        double left = fmax(0, model->capacities[r] - sums.fixed[r]);
        double level = sums.open[r] > 0 ? left / sums.open[r] : INFINITY;
        if (level < least) {
            least = level;
            where = r;
        }
    }
    for (guint i = 0; i < model->n_flows; i++) {
        if (!model->flows[i].is_fixed && model->flows[i].cap < least) {
            capped = &model->flows[i];
            least = capped->cap;
        }
    }
    if (capped != NULL) {
        capped->rate = least;
        capped->is_fixed = true;
    } else {
        model_fix_users(model, where, least);
    }
    return least < INFINITY;
}

static void
model_fill(Model *model)
{
    for (guint i = 0; i < model->n_flows; i++) {
        model->flows[i].is_fixed = false;
    }
    while (model_fill_once(model)) {
    }
}

/* Takes the rates of the system for right. */
static void
model_believe(Model *model)
{
    for (guint i = 0; i < model->n_flows; i++) {
        model->flows[i].rate = maxmin_rate(sys, model->flows[i].number);
        model->flows[i].is_fixed = true;
    }
}

static bool
is_bottleneck(const Model *model, const Sums *sums, const ModelFlow *flow, guint resource)
{
    return uses(flow, resource) && is_close(sums->fixed[resource], model->capacities[resource]) &&
           flow->rate >= sums->highest[resource] * (1 - CLOSE);
}

static void
check_bottleneck(const Model *model, const Sums *sums, const ModelFlow *flow)
{
    MaxminResource bottleneck = maxmin_bottleneck(sys, flow->number);
    if (bottleneck == MAXMIN_NONE) {
        ck_assert_double_eq(flow->rate, flow->cap);
        return;
    }
    guint resource = 0;
    while (model->numbers[resource] != bottleneck) {
        resource++;
    }
    ck_assert(is_bottleneck(model, sums, flow, resource));
}

/* What defines the rates: nothing is overdrawn, every flow has a bottleneck or its cap. */
static void
check_definition(Model *model)
{
    model_believe(model);
    Sums sums = model_sum(model);
    for (guint i = 0; i < model->n_flows; i++) {
        check_bottleneck(model, &sums, &model->flows[i]);
    }
    for (guint r = 0; r < model->n_resources; r++) {
        ck_assert(is_close(maxmin_usage(sys, model->numbers[r]), sums.fixed[r]));
        ck_assert_double_le(sums.fixed[r], model->capacities[r] * (1 + CLOSE));
    }
}

static void
check_model(Model *model)
{
    model_fill(model);
    for (guint i = 0; i < model->n_flows; i++) {
        check_rate(model->flows[i].number, model->flows[i].rate);
    }
    check_definition(model);
}

#define N_MODELS 18
#define N_CHANGES 600

START_TEST(after_each_of_many_changes_rates_are_those_of_filling_from_nothing)
{
    Model model;
    model_init(&model, (uint32_t)_i);
    for (guint i = 0; i < N_CHANGES; i++) {
        model_change(&model, _i % 2 == 0 ? 20 : 70);
        solve();
        check_model(&model);
    }
}
END_TEST

START_TEST(changes_may_come_many_at_a_time)
{
    Model model;
    model_init(&model, 100 + (uint32_t)_i);
    for (guint i = 0; i < N_CHANGES / 10; i++) {
        for (guint j = (guint)random_below(&model.random, 30); j > 0; j--) {
            model_change(&model, 50);
        }
        solve();
        check_model(&model);
    }
}
END_TEST

/* Capacities from 1e-3 to 1e12: no reference, whose own rounding would count; but what defines the
 * rates holds. */
START_TEST(capacities_of_fifteen_orders_of_magnitude)
{
    Model model;
    model_init(&model, 2 + 3 * (uint32_t)_i);
    model.spread = 15;
    for (guint i = 0; i < N_CHANGES; i++) {
        model_change(&model, 50);
        solve();
        check_definition(&model);
    }
}
END_TEST

static void
note_rate(MaxminFlow flow, double rate, void *data)
{
    double *rates = data;
    ck_assert_double_ne(rates[flow], rate);
    rates[flow] = rate;
}

START_TEST(who_listens_to_changes_knows_all_rates)
{
    Model model;
    double rates[FLOWS_MAX] = {0};
    model_init(&model, 5);
    for (guint i = 0; i < N_CHANGES; i++) {
        guint n_before = model.n_flows;
        model_change(&model, 50);
        if (model.n_flows > n_before) {
            rates[model.flows[n_before].number] = 0;
        }
        maxmin_solve(sys, note_rate, rates);
        for (guint j = 0; j < model.n_flows; j++) {
            MaxminFlow flow = model.flows[j].number;
            ck_assert_double_eq(rates[flow], maxmin_rate(sys, flow));
        }
    }
}
END_TEST

/* 3,000 access links on one trunk: each that fills moves the trunk's level. */
START_TEST(filling_a_trunk_with_thousands_of_access_links_is_quick)
{
    MaxminResource trunk = maxmin_add_resource(sys, 2.9e6);
    MaxminFlow flows[3000];
    for (guint i = 0; i < 3000; i++) {
        flows[i] = flow_over(trunk, maxmin_add_resource(sys, 900 + 0.05 * (double)i), MAXMIN_NONE);
    }
    gint64 begun = g_get_monotonic_time();
    solve();
    ck_assert_int_lt(g_get_monotonic_time() - begun, 2 * G_USEC_PER_SEC);
    check_rate(flows[0], 900);
    ck_assert_double_eq_tol(maxmin_usage(sys, trunk), 2.9e6, 1e-3);
}
END_TEST

int
main(void)
{
    const TTest *const cases[] = {
        flows_on_one_link_share_it_equally,
        a_long_flow_along_n_links_gets_as_much_as_a_short_one,
        the_example_of_bertsekas_and_gallager,
        three_links_fill_one_after_the_other,
        what_a_capped_flow_leaves_goes_to_the_others,
        a_flow_without_resources_has_its_cap,
        flows_of_unequal_cost_have_equal_rates,
        a_cpu_in_seconds_a_bit_and_a_link_are_resources_alike,
        coefficients_of_a_resource_named_twice_add_up,
        without_capacity_nothing_flows,
        the_last_flow_leaves_nothing_in_use,
        numbers_are_given_anew,
        only_flows_with_new_rates_are_told_in_the_order_of_their_numbers,
        what_is_undone_before_solving_is_not_told,
        what_shares_nothing_is_left_alone,
        who_listens_to_changes_knows_all_rates,
        filling_a_trunk_with_thousands_of_access_links_is_quick,
    };
    Suite *suite = suite_create("maxmin");
    TCase *tcase = tcase_create("maxmin");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        tcase_add_test(tcase, cases[i]);
    }
    tcase_add_loop_test(tcase, after_each_of_many_changes_rates_are_those_of_filling_from_nothing,
                        0, N_MODELS);
    tcase_add_loop_test(tcase, changes_may_come_many_at_a_time, 0, N_MODELS);
    tcase_add_loop_test(tcase, capacities_of_fifteen_orders_of_magnitude, 0, N_MODELS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
