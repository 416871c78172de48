// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/stop.hpp"

#include <sys/prctl.h>

#include <csignal>
#include <initializer_list>

namespace sctr::storage {

void stop_with_caller() {
    struct sigaction action{};
    action.sa_handler = [](int) { stop_requested = 1; };
    ::sigaction(SIGTERM, &action, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    action.sa_handler = SIG_IGN; // a terminal sends these to all; sctr, which gets them, too, acts
    for (const int number : {SIGINT, SIGQUIT, SIGHUP}) {
        ::sigaction(number, &action, nullptr);
    }
}

} // namespace sctr::storage
