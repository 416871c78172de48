// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/procfs.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init/control.hpp"
#include "linux/syscalls.hpp"

namespace sctr::init {

UniqueFd open_host_proc() noexcept {
    UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct statfs info{};
    require(proc.valid() && ::fstatfs(proc.get(), &info) == 0, "cannot open", "/proc");
    if (info.f_type != PROC_SUPER_MAGIC) {
        fail({.what = "cannot use the host's /proc", .why = "it is not procfs"}, 0);
    }
    return proc;
}

UniqueFd open_below(int proc, const std::string& path, int flags, MagicLinks magic) noexcept {
    if (magic == MagicLinks::last) {
        return UniqueFd(::openat(proc, path.c_str(), flags | O_CLOEXEC));
    }
    return UniqueFd(sys::openat2(proc,
                                 path.c_str(),
                                 static_cast<std::uint64_t>(flags) | O_CLOEXEC,
                                 0,
                                 RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV));
}

bool write_file(int proc, const std::string& path, std::string_view text) noexcept {
    const UniqueFd file = open_below(proc, path, O_WRONLY, MagicLinks::refuse);
    return file.valid() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

} // namespace sctr::init
