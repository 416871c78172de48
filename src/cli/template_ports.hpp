// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

/// Published ports as docker and podman show them, of "127.0.0.1:8080:80/tcp". Pure.
namespace sctr::cli {

/// "0.0.0.0:8080->80/tcp, ..."
std::string ports_in_a_line(const std::vector<std::string>& ports);

/// {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, of a list or nothing.
nlohmann::ordered_json ports_by_name(const nlohmann::ordered_json& ports);

} // namespace sctr::cli
