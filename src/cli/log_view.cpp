// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/log_view.hpp"

#include "base/strings.hpp"
#include "cli/record_json.hpp"
#include "cli/time_point.hpp"

namespace sctr::cli {

std::string LogText::operator()(const LogEntry& entry) {
    std::string text;
    bool& in_line = in_line_.at(static_cast<std::size_t>(entry.stream));
    if (timestamps_ && !in_line) {
        text = precise_timestamp(entry.time_usec) + ' ';
    }
    in_line = !entry.ends;
    text += entry.prefix;
    text += entry.text;
    if (entry.ends) {
        text += '\n';
    }
    return text;
}

std::string log_json(const LogEntry& entry) {
    nlohmann::ordered_json json{
        {"time", precise_timestamp(entry.time_usec)},
        {"name", entry.name},
        {"run", entry.run},
        {"stream", entry.stream == 1 ? "stdout" : "stderr"},
        {"priority", entry.priority},
    };
    if (!entry.image.empty()) {
        json["image"] = entry.image;
    }
    if (!entry.ends) {
        json["partial"] = true;
    }
    if (valid_utf8(entry.text) == entry.text) {
        json["message"] = entry.text;
    } else {
        auto bytes = nlohmann::ordered_json::array();
        for (const char byte : entry.text) {
            bytes.push_back(static_cast<unsigned char>(byte));
        }
        json["message"] = std::move(bytes);
    }
    return json_line(json) + '\n';
}

bool LineCount::take(int stream, bool ends) {
    bool& seen = seen_.at(static_cast<std::size_t>(stream));
    if (ends || !seen) { // the last of a stream may lack its newline
        if (left_ == 0) {
            return false;
        }
        --left_;
    }
    seen = true;
    return true;
}

} // namespace sctr::cli
