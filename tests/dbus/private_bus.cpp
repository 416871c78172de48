// SPDX-License-Identifier: LGPL-2.1-or-later
#include "private_bus.hpp"

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace sctr::test {

namespace {

std::filesystem::path make_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "sctr-dbus-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("mkdtemp failed");
    }
    return name;
}

void write_config(const std::filesystem::path& path,
                  const std::string& address,
                  const std::string& limits) {
    std::ofstream(path) << "<!DOCTYPE busconfig PUBLIC "
                           "\"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
                           "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                           "<busconfig><auth>EXTERNAL</auth><listen>"
                        << address
                        << "</listen><policy context=\"default\"><allow send_destination=\"*\"/>"
                           "<allow send_type=\"signal\"/><allow receive_sender=\"*\"/>"
                           "<allow own=\"*\"/></policy>"
                        << limits << "</busconfig>\n";
}

} // namespace

PrivateBus::PrivateBus(const std::string& limits) : directory_(make_directory()) {
    address_ = "unix:path=" + (directory_ / "bus").string();
    const std::string config = (directory_ / "bus.conf").string();
    write_config(config, address_, limits);

    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2 failed");
    }
    const UniqueFd ready(ends[0]);
    UniqueFd print(ends[1]);
    constexpr int print_fd = 3;
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, print.get(), print_fd);
    std::string config_option = "--config-file=" + config;
    std::string print_option = "--print-address=" + std::to_string(print_fd);
    std::string name = "dbus-daemon";
    std::string no_fork = "--nofork";
    std::array<char*, 5> argv{
        name.data(), no_fork.data(), config_option.data(), print_option.data(), nullptr};
    const int spawned =
        ::posix_spawnp(&daemon_, name.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    print.reset();
    char first = 0;
    if (spawned != 0 || ::read(ready.get(), &first, 1) != 1) {
        throw std::runtime_error("dbus-daemon does not start");
    }
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address_.c_str(), 1);
}

PrivateBus::~PrivateBus() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void PrivateBus::kill() {
    if (daemon_ > 0) {
        ::kill(daemon_, SIGKILL);
        ::waitpid(daemon_, nullptr, 0);
        daemon_ = -1;
    }
}

} // namespace sctr::test
