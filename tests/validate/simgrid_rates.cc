/* The rates that SimGrid gives the flows of a system in the form of maxmin_case.c (standard input):
 * one line for each flow.
 *
 * Each flow is a communication between two hosts of its own whose route is the flow's links, a link
 * as often as its coefficient says.  The model is CM02 (max-min fair sharing) without latency,
 * cross-traffic, TCP's window or any other factor.  All start together and are too long to end; a
 * rate is what has been carried after one second. */
#include <simgrid/s4u.hpp>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace s4u = simgrid::s4u;

constexpr double SIZE = 1e12; // capacities are at most 1e9

struct Flow {
    double cap;
    std::vector<s4u::LinkInRoute> route;
    s4u::CommPtr comm;
};

struct System {
    s4u::NetZone *zone;
    std::vector<s4u::Link *> links;
    std::vector<Flow> flows;
};

static void configure()
{
    for (const char *setting :
         {"network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0",
          "network/weight-S:0", "network/latency-factor:1", "network/bandwidth-factor:1",
          "network/loopback-lat:0", "maxmin/precision:1e-9", "surf/precision:1e-9"}) {
        s4u::Engine::set_config(setting);
    }
}

static void read_link(System &system, std::istream &words)
{
    double capacity;
    words >> capacity;
    std::string name = "link-" + std::to_string(system.links.size());
    system.links.push_back(system.zone->create_link(name, capacity)->set_latency(0)->seal());
}

static void read_flow(System &system, std::istream &words)
{
    Flow flow;
    std::string rate, cap;
    int n;
    words >> rate >> cap >> n;
    flow.cap = cap == "inf" ? INFINITY : std::stod(cap);
    for (int i = 0; i < n; i++) {
        int link, coefficient;
        words >> link >> coefficient;
        flow.route.insert(flow.route.end(), coefficient, s4u::LinkInRoute(system.links[link]));
    }
    system.flows.push_back(flow);
}

static void read_system(System &system)
{
    std::string line, kind;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        words >> kind;
        if (kind == "link") {
            read_link(system, words);
        } else {
            read_flow(system, words);
        }
    }
}

/* The end never comes; but a sender that were suspended would stop its communication. */
static void send(Flow &flow, s4u::Mailbox *mailbox)
{
    static int payload;
    flow.comm = mailbox->put_init(&payload, static_cast<uint64_t>(SIZE));
    if (std::isfinite(flow.cap)) {
        flow.comm->set_rate(flow.cap);
    }
    flow.comm->vetoable_start();
    flow.comm->wait();
}

static void add_ends(System &system, size_t number)
{
    Flow &flow = system.flows[number];
    std::string name = std::to_string(number);
    s4u::Host *from = system.zone->create_host("from-" + name, 1e9)->seal();
    s4u::Host *to = system.zone->create_host("to-" + name, 1e9)->seal();
    s4u::Mailbox *mailbox = s4u::Mailbox::by_name(name);
    system.zone->add_route(from->get_netpoint(), to->get_netpoint(), nullptr, nullptr, flow.route,
                           false);
    s4u::Actor::create("sender", from, [&flow, mailbox] { send(flow, mailbox); });
    s4u::Actor::create("receiver", to, [mailbox] { mailbox->get<int>(); });
}

static void print_rates(const System &system)
{
    s4u::this_actor::sleep_for(1);
    for (const Flow &flow : system.flows) {
        printf("%.12g\n", SIZE - flow.comm->get_remaining());
    }
    fflush(stdout);
    _exit(0); // nothing else is of interest
}

int main(int argc, char **argv)
{
    s4u::Engine engine(&argc, argv);
    configure();
    System system;
    system.zone = s4u::create_full_zone("zone");
    read_system(system);
    for (size_t i = 0; i < system.flows.size(); i++) {
        add_ends(system, i);
    }
    s4u::Host *clock = system.zone->create_host("clock", 1e9)->seal();
    system.zone->seal();
    s4u::Actor::create("clock", clock, [&system] { print_rates(system); });
    engine.run();
    return 1; // not reached
}
