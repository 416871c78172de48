// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/oci/report.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "cli/record_json.hpp"
#include "linux/clock.hpp"

namespace sctr::cli::engine {

namespace {

std::string log_line(std::string_view text, bool as_json) {
    const std::string time = timestamp(sys::now_usec());
    if (as_json) {
        const nlohmann::ordered_json line{
            {"level", "error"}, {"msg", std::string(text)}, {"time", time}};
        return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    }
    const nlohmann::json quoted = std::string(text);
    return "time=\"" + time + "\" level=error msg=" +
           quoted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace

void Reporter::write_to(const std::string& path, bool json) {
    path_ = path;
    json_ = json;
}

void Reporter::error(std::string_view text) const {
    const std::string line = "sctr-oci: " + escape_controls(text) + "\n";
    (void)!::write(STDERR_FILENO, line.data(), line.size());
    const UniqueFd file(
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644));
    if (file.valid()) {
        const std::string entry = log_line(text, json_);
        (void)!::write(file.get(), entry.data(), entry.size());
    }
}

} // namespace sctr::cli::engine
