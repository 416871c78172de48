// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template_ports.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace sctr::cli {
namespace {

/// The parts of one, as text.
struct PortText {
    std::string address; ///< empty: all of the host's
    std::string host;    ///< "8080" or "8080-8082"
    std::string inside;
    std::string protocol;
};

PortText parts_of_port(const std::string& port) {
    PortText parts;
    const auto [numbers, protocol] = split_once(port, '/');
    parts.protocol = protocol.value_or("tcp");
    const std::size_t last = numbers.rfind(':');
    if (last == std::string::npos) {
        parts.host = parts.inside = numbers;
        return parts;
    }
    parts.inside = numbers.substr(last + 1);
    parts.host = numbers.substr(0, last);
    if (const std::size_t colon = parts.host.rfind(':'); colon != std::string::npos) {
        parts.address = parts.host.substr(0, colon);
        parts.host.erase(0, colon + 1);
    }
    return parts;
}

std::int64_t first_of(const std::string& range) {
    return parse_int(split_once(range, '-').first).value_or(0);
}

std::int64_t count_of(const std::string& range) {
    constexpr std::int64_t most = 65536;
    const auto last = parse_int(split_once(range, '-').second.value_or(""));
    return last ? std::clamp<std::int64_t>(*last - first_of(range) + 1, 1, most) : 1;
}

} // namespace

std::string ports_in_a_line(const std::vector<std::string>& ports) {
    std::vector<std::string> shown;
    for (const std::string& port : ports) {
        const PortText parts = parts_of_port(port);
        shown.push_back((parts.address.empty() ? "0.0.0.0" : parts.address) + ":" + parts.host +
                        "->" + parts.inside + "/" + parts.protocol);
    }
    return join(shown, ", ");
}

nlohmann::ordered_json ports_by_name(const nlohmann::ordered_json& ports) {
    auto all = nlohmann::ordered_json::object();
    for (const auto& port : ports) {
        const PortText parts = parts_of_port(port.get<std::string>());
        for (std::int64_t i = 0; i < count_of(parts.inside); ++i) {
            all[std::to_string(first_of(parts.inside) + i) + "/" + parts.protocol].push_back(
                {{"HostIp", parts.address},
                 {"HostPort", std::to_string(first_of(parts.host) + i)}});
        }
    }
    return all;
}

} // namespace sctr::cli
