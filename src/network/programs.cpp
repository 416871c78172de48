// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/programs.hpp"

#include <unistd.h>

#include <initializer_list>

#include "base/strings.hpp"

namespace sctr::network {

namespace {

std::string find_in(std::initializer_list<const char*> directories, const char* name) {
    for (const char* directory : directories) {
        if (std::string path = std::string(directory) + "/" + name;
            ::access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return {};
}

/// Where distributions put what podman alone calls; containers.conf(5), helper_binaries_dir.
std::string find_helper(const char* name) {
    return find_in({"/usr/local/libexec/podman",
                    "/usr/local/lib/podman",
                    "/usr/libexec/podman",
                    "/usr/lib/podman",
                    "/usr/local/bin",
                    "/usr/bin"},
                   name);
}

} // namespace

Programs find_programs() {
    return {.netavark = find_helper("netavark"),
            .aardvark = find_helper("aardvark-dns"),
            .nft = find_in({"/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}, "nft"),
            .pasta = find_in({"/usr/local/bin", "/usr/bin", "/bin"}, "pasta")};
}

std::string missing_for_bridges(const Programs& programs) {
    std::vector<std::string> missing;
    if (programs.netavark.empty()) {
        missing.emplace_back("netavark");
    }
    if (programs.nft.empty()) {
        missing.emplace_back("nftables");
    }
    return join(missing, " and ");
}

} // namespace sctr::network
