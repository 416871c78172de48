// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/memfd.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace sctr::sys {

namespace {

UniqueFd create(const char* name, bool executable) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    UniqueFd file(::memfd_create(name, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL)));
    if (!file.valid() && errno == EINVAL) {
        file = UniqueFd(::memfd_create(name, flags)); // before Linux 6.3 every memfd may execute
    }
    return file;
}

} // namespace

UniqueFd sealed_memfd(const char* name, std::string_view bytes, bool executable) {
    UniqueFd file = create(name, executable);
    if (!file.valid()) {
        throw Error("cannot create a memory file").at(name).because(errno);
    }
    while (!bytes.empty()) {
        const ssize_t size = ::write(file.get(), bytes.data(), bytes.size());
        if (size < 0) {
            throw Error("cannot write a memory file").at(name).because(errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (::fcntl(file.get(), F_ADD_SEALS, seals) < 0) {
        throw Error("cannot seal a memory file").at(name).because(errno);
    }
    return file;
}

UniqueFd memory_file(const char* name) {
    UniqueFd file = create(name, false);
    if (!file.valid()) {
        throw Error("cannot create a memory file").at(name).because(errno);
    }
    return file;
}

} // namespace sctr::sys
