// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/notify.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <string>

namespace sctr::systemd {

void notify(const std::string& text) {
    if (!text.empty()) {
        ::sd_notify(0, text.c_str());
    }
}

void notify_ready() {
    notify("READY=1");
}

void notify_starting(std::chrono::microseconds patience) {
    notify("EXTEND_TIMEOUT_USEC=" + std::to_string(patience.count()));
}

void notify_stopping(std::chrono::microseconds patience) {
    notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(patience.count()));
}

void notify_status(std::string_view text) {
    constexpr std::size_t longest = 3000; // systemd drops a message above 4096 bytes
    std::string line(text.substr(0, longest));
    std::ranges::replace(line, '\n', ' ');
    notify("STATUS=" + line);
}

} // namespace sctr::systemd
