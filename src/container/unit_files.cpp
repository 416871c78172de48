// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/unit_files.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "host/caller.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "plan/service.hpp"

namespace sctr::container {

namespace {

namespace fs = std::filesystem;

constexpr const char* drop_in_file = "/50-sctr.conf";
constexpr const char* cannot_write = "cannot write the drop-in of the container's unit";

/// Where units are that outlive a boot: systemd reads them before anything of sctr runs.
std::string units_directory() {
    if (host::caller().is_system) {
        return "/etc/systemd/system";
    }
    const char* home = std::getenv("HOME");
    return std::string(home != nullptr ? home : "") + "/.config/systemd/user";
}

std::string drop_in_directory(const std::string& name) {
    return units_directory() + "/" + plan::service_name(name) + ".d";
}

/// Directories of links to the units that another one wants, systemd.unit(5).
bool is_of_links(const fs::path& path) {
    return path.extension() == ".wants" || path.extension() == ".requires";
}

} // namespace

bool write_drop_in(const std::string& name, const std::string& text) {
    if (text.empty()) {
        return remove_drop_in(name);
    }
    const std::string directory = drop_in_directory(name);
    sys::make_own_directory(directory, 0755, cannot_write);
    UndoList undo;
    undo.add([&] { ::rmdir(directory.c_str()); }); // stays where there is something in it
    sys::replace_file(directory + drop_in_file, text, 0644, sys::Durability::disk, cannot_write);
    undo.dismiss();
    sys::sync_directory(units_directory());
    return true;
}

std::string read_drop_in(const std::string& name) {
    return sys::read_small_file(drop_in_directory(name) + drop_in_file).value_or("");
}

bool remove_drop_in(const std::string& name) {
    const std::string directory = drop_in_directory(name);
    const bool removed = ::unlink((directory + drop_in_file).c_str()) == 0;
    ::unlink((directory + drop_in_file + ".new").c_str()); // of one that was killed
    ::rmdir(directory.c_str()); // stays where the administrator has a drop-in too
    return removed;
}

bool remove_unit_files(const std::string& name) {
    bool removed = remove_drop_in(name);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(units_directory(), none)) {
        if (!is_of_links(entry.path())) {
            continue;
        }
        const fs::path link = entry.path() / plan::service_name(name);
        if (fs::is_symlink(link, none) && fs::remove(link, none)) {
            removed = true;
            ::rmdir(entry.path().c_str()); // as systemctl disable does
        }
    }
    return removed;
}

void sync_boot_links() {
    const std::string units = units_directory();
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(units, none)) {
        if (is_of_links(entry.path())) {
            sys::sync_directory(entry.path());
        }
    }
    sys::sync_directory(units);
}

} // namespace sctr::container
