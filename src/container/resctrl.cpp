// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/resctrl.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

/// "/" is the default class, the root itself.
std::string
class_directory(const oci::IntelRdt& rdt, const std::string& id, const std::string& root) {
    return rdt.clos_id == "/" ? root : root + "/" + (rdt.clos_id.empty() ? id : rdt.clos_id);
}

std::string monitoring_directory(const std::string& class_directory, const std::string& id) {
    return class_directory + "/mon_groups/" + id;
}

/// The lines to write, one resource each. memBwSchema wins over what l3CacheSchema says of MB.
std::vector<std::string> schemata_lines(const oci::IntelRdt& rdt) {
    std::vector<std::string> lines;
    for (std::string& line : split(rdt.l3_cache_schema, '\n')) {
        if (!line.empty() && (rdt.mem_bw_schema.empty() || !line.starts_with("MB:"))) {
            lines.push_back(std::move(line));
        }
    }
    if (!rdt.mem_bw_schema.empty()) {
        lines.push_back(rdt.mem_bw_schema);
    }
    lines.insert(lines.end(), rdt.schemata.begin(), rdt.schemata.end());
    return lines;
}

void write_line(const std::string& path, const std::string& line, const char* pointer) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const std::string text = line + "\n";
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        const int error_number = errno;
        throw Error("cannot write '" + line + "' to " + path)
            .at(pointer)
            .because(error_number)
            .mend("see " + std::string(resctrl_root) + "/info/last_cmd_status");
    }
}

/// "L3:0=7f0;1=1f" as {{"L3:0", "7f0"}, {"L3:1", "1f"}}, without the blanks and leading zeros with
/// which the kernel shows it.
void parse_schema(const std::string& line, std::map<std::string, std::string>& values) {
    std::string plain = line;
    std::erase(plain, ' ');
    const auto [resource, domains] = split_once(plain, ':');
    for (const std::string& domain : split(domains.value_or(""), ';')) {
        const auto [number, value] = split_once(domain, '=');
        const std::string digits = value.value_or("");
        std::string key = resource;
        key += ':';
        key += number;
        values[key] = digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
    }
}

/// "runtimes MUST compare [...] value with schemata file, and generate an error if doesn't match"
void require_match(const std::string& directory, const std::vector<std::string>& lines) {
    std::map<std::string, std::string> existing;
    for (const auto& line :
         split(sys::read_small_file(directory + "/schemata").value_or(""), '\n')) {
        parse_schema(line, existing);
    }
    std::map<std::string, std::string> wanted;
    for (const std::string& line : lines) {
        parse_schema(line, wanted);
    }
    for (const auto& [domain, value] : wanted) {
        const auto found = existing.find(domain);
        if (found == existing.end() || found->second != value) {
            const std::string has = found == existing.end() ? "" : found->second;
            throw Error("the class " + directory + " exists with another schema")
                .at("/linux/intelRdt/closID")
                .because(domain + " is '" + has + "', not '" + value + "'");
        }
    }
}

void make_directory(const std::string& path, const char* pointer) {
    if (::mkdir(path.c_str(), 0755) < 0) {
        const int error_number = errno;
        Error error("cannot make " + path);
        error.at(pointer).because(error_number);
        if (error_number == ENOSPC) {
            error.mend("the CPU has no free class; remove one, or share one by closID");
        }
        throw error;
    }
}

void prepare_class(const oci::IntelRdt& rdt, const std::string& directory) {
    const auto lines = schemata_lines(rdt);
    const bool exists = ::access(directory.c_str(), F_OK) == 0;
    if (!rdt.clos_id.empty() && lines.empty()) {
        if (!exists) {
            throw Error("there is no class " + directory).at("/linux/intelRdt/closID");
        }
        return;
    }
    if (!rdt.clos_id.empty() && exists) {
        require_match(directory, lines);
        return;
    }
    if (!exists) {
        make_directory(directory, "/linux/intelRdt");
    }
    for (const std::string& line : lines) {
        write_line(directory + "/schemata", line, "/linux/intelRdt/schemata");
    }
}

} // namespace

void join_resctrl(const oci::IntelRdt& rdt,
                  const std::string& id,
                  pid_t pid,
                  const std::string& root) {
    const std::string directory = class_directory(rdt, id, root);
    prepare_class(rdt, directory);
    write_line(directory + "/tasks", std::to_string(pid), "/linux/intelRdt");
    if (rdt.enable_monitoring) {
        const std::string group = monitoring_directory(directory, id);
        make_directory(group, "/linux/intelRdt/enableMonitoring");
        write_line(group + "/tasks", std::to_string(pid), "/linux/intelRdt/enableMonitoring");
    }
}

void leave_resctrl(const oci::IntelRdt& rdt, const std::string& id, const std::string& root) {
    // The kernel removes a class with the monitoring groups in it.
    const std::string directory = class_directory(rdt, id, root);
    if (rdt.clos_id.empty()) {
        ::rmdir(directory.c_str());
    } else if (rdt.enable_monitoring) {
        ::rmdir(monitoring_directory(directory, id).c_str());
    }
}

} // namespace sctr::container
