// The peer of our fluid flows: two nodes on one point-to-point link in ns-3 (3.37, libns3-dev).
//
//   ns3_wire tcp  RATE DELAY MTU SECONDS           one bulk TCP transfer
//   ns3_wire ping RATE DELAY MTU COUNT INTERVAL SIZE   ICMP echoes with SIZE bytes of data
//
// RATE and DELAY (one way) are ns-3's own words ("1Gbps", "150us"); INTERVAL is in seconds.  Prints
// one line of key=value: what was measured, the events that it took and the wall time of the run
// without set-up.
//
// TCP is set up so that ns-3 is as fast as it can be at the full rate without losses: no
// timestamps, so that a segment carries MTU - 40 bytes; buffers for twice what the link holds and
// 32 segments, which the queue of the device has room for; no SACK, without which ns-3 does not
// search all that is on its way for each segment (several times as slow, the longer the run the
// more).
#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-apps-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr uint16_t PORT = 5001;
constexpr uint32_t HEADERS = 40; // IPv4 and TCP
constexpr uint32_t WRITE = 32;   // segments that the application writes at a time

struct Wire {
    ns3::NodeContainer nodes;
    ns3::Ipv4InterfaceContainer addresses;
};

// No queue discipline between IP and the device: the link alone is what is measured.
Wire
make_wire(const std::string &rate, const std::string &delay, uint16_t mtu)
{
    Wire wire;
    wire.nodes.Create(2);
    ns3::PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", ns3::StringValue(rate));
    link.SetDeviceAttribute("Mtu", ns3::UintegerValue(mtu));
    link.SetChannelAttribute("Delay", ns3::StringValue(delay));
    link.SetQueue("ns3::DropTailQueue", "MaxSize", ns3::StringValue("100000p"));
    link.DisableFlowControl();
    ns3::NetDeviceContainer devices = link.Install(wire.nodes);
    ns3::InternetStackHelper().Install(wire.nodes);
    wire.addresses = ns3::Ipv4AddressHelper("10.0.0.0", "255.255.255.252").Assign(devices);
    return wire;
}

double
run_until(ns3::Time end)
{
    ns3::Simulator::Stop(end);
    auto begun = std::chrono::steady_clock::now();
    ns3::Simulator::Run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

void
print_cost(double wall)
{
    std::printf(" events=%llu wall=%.6f\n",
                static_cast<unsigned long long>(ns3::Simulator::GetEventCount()), wall);
}

void
run_tcp(const Wire &wire, uint16_t mtu, double seconds)
{
    ns3::InetSocketAddress server(wire.addresses.GetAddress(1), PORT);
    ns3::PacketSinkHelper sink_helper("ns3::TcpSocketFactory", server);
    ns3::ApplicationContainer sinks = sink_helper.Install(wire.nodes.Get(1));
    ns3::BulkSendHelper source("ns3::TcpSocketFactory", server);
    source.SetAttribute("SendSize", ns3::UintegerValue(WRITE * (mtu - HEADERS)));
    source.Install(wire.nodes.Get(0));
    double wall = run_until(ns3::Seconds(seconds));
    auto sink = ns3::DynamicCast<ns3::PacketSink>(sinks.Get(0));
    std::printf("mode=tcp seconds=%g goodput=%.0f", seconds, sink->GetTotalRx() * 8.0 / seconds);
    print_cost(wall);
}

struct Echoes {
    uint64_t n = 0;
    double sum = 0; // s
};

void
count_echo(Echoes *echoes, ns3::Time rtt)
{
    echoes->n++;
    echoes->sum += rtt.GetSeconds();
}

// The last echo is sent one interval before the end.
void
run_ping(const Wire &wire, uint32_t n, double interval, uint32_t size)
{
    ns3::V4PingHelper helper(wire.addresses.GetAddress(1));
    helper.SetAttribute("Interval", ns3::TimeValue(ns3::Seconds(interval)));
    helper.SetAttribute("Size", ns3::UintegerValue(size));
    ns3::ApplicationContainer pings = helper.Install(wire.nodes.Get(0));
    Echoes echoes;
    pings.Get(0)->TraceConnectWithoutContext("Rtt", ns3::MakeBoundCallback(&count_echo, &echoes));
    double wall = run_until(n * ns3::Seconds(interval) - ns3::NanoSeconds(1));
    std::printf("mode=ping echoes=%llu mean_rtt=%.9f", static_cast<unsigned long long>(echoes.n),
                echoes.n > 0 ? echoes.sum / echoes.n : 0.0);
    print_cost(wall);
}

void
set_tcp_defaults(const std::string &rate, const std::string &delay, uint16_t mtu)
{
    using ns3::Config::SetDefault;
    double on_link = ns3::DataRate(rate).GetBitRate() / 8.0 * 2 * ns3::Time(delay).GetSeconds();
    uint32_t mss = mtu - HEADERS;
    auto buffer = (static_cast<uint32_t>(2 * on_link / mss) + WRITE) * mss;
    SetDefault("ns3::TcpSocket::SegmentSize", ns3::UintegerValue(mss));
    SetDefault("ns3::TcpSocket::InitialCwnd", ns3::UintegerValue(10));
    SetDefault("ns3::TcpSocket::SndBufSize", ns3::UintegerValue(buffer));
    SetDefault("ns3::TcpSocket::RcvBufSize", ns3::UintegerValue(buffer));
    SetDefault("ns3::TcpSocketBase::Timestamp", ns3::BooleanValue(false));
    SetDefault("ns3::TcpSocketBase::Sack", ns3::BooleanValue(false));
}

} // namespace

int
main(int argc, char **argv)
{
    std::string mode = argc > 1 ? argv[1] : "";
    if (!(mode == "tcp" && argc == 6) && !(mode == "ping" && argc == 8)) {
        std::fprintf(stderr, "usage: ns3_wire tcp RATE DELAY MTU SECONDS\n"
                             "       ns3_wire ping RATE DELAY MTU COUNT INTERVAL SIZE\n");
        return 2;
    }
    auto mtu = static_cast<uint16_t>(std::atoi(argv[4]));
    set_tcp_defaults(argv[2], argv[3], mtu);
    Wire wire = make_wire(argv[2], argv[3], mtu);
    if (mode == "tcp") {
        run_tcp(wire, mtu, std::atof(argv[5]));
    } else {
        run_ping(wire, std::strtoul(argv[5], nullptr, 10), std::atof(argv[6]),
                 std::strtoul(argv[7], nullptr, 10));
    }
    ns3::Simulator::Destroy();
    return 0;
}
