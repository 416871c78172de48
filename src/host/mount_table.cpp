// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/mount_table.hpp"

#include <dlfcn.h>
#include <libmount.h>

#include <cstdio>
#include <memory>

#include "base/strings.hpp"

namespace sctr::host {

namespace {

/// The functions of libmount that are used, found by name.
class LibMount {
  public:
    LibMount() : library_(::dlopen("libmount.so.1", RTLD_NOW | RTLD_LOCAL)) {
        ok_ = library_ && find(new_table, "mnt_new_table") &&
              find(unref_table, "mnt_unref_table") &&
              find(parse_stream, "mnt_table_parse_stream") && find(new_iter, "mnt_new_iter") &&
              find(free_iter, "mnt_free_iter") && find(next_fs, "mnt_table_next_fs") &&
              find(get_target, "mnt_fs_get_target") && find(get_fstype, "mnt_fs_get_fstype") &&
              find(get_options, "mnt_fs_get_fs_options");
    }

    [[nodiscard]] bool ok() const { return ok_; }

    decltype(&::mnt_new_table) new_table = nullptr;
    decltype(&::mnt_unref_table) unref_table = nullptr;
    decltype(&::mnt_table_parse_stream) parse_stream = nullptr;
    decltype(&::mnt_new_iter) new_iter = nullptr;
    decltype(&::mnt_free_iter) free_iter = nullptr;
    decltype(&::mnt_table_next_fs) next_fs = nullptr;
    decltype(&::mnt_fs_get_target) get_target = nullptr;
    decltype(&::mnt_fs_get_fstype) get_fstype = nullptr;
    decltype(&::mnt_fs_get_fs_options) get_options = nullptr;

  private:
    struct Closer {
        void operator()(void* library) const { ::dlclose(library); }
    };

    template <typename Function> bool find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(::dlsym(library_.get(), name));
        return function != nullptr;
    }

    std::unique_ptr<void, Closer> library_;
    bool ok_ = false;
};

std::string text_or_empty(const char* text) {
    return text != nullptr ? text : "";
}

} // namespace

std::optional<std::vector<MountEntry>> parse_mountinfo(const std::string& text) {
    const LibMount mount;
    if (!mount.ok() || text.empty()) {
        return std::nullopt;
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(
        ::fmemopen(const_cast<char*>(text.data()), text.size(), "r"), &std::fclose);
    const std::unique_ptr<libmnt_table, void (*)(libmnt_table*)> table(mount.new_table(),
                                                                       mount.unref_table);
    if (!stream || !table ||
        mount.parse_stream(table.get(), stream.get(), "/proc/self/mountinfo") != 0) {
        return std::nullopt;
    }
    const std::unique_ptr<libmnt_iter, void (*)(libmnt_iter*)> iterator(
        mount.new_iter(MNT_ITER_FORWARD), mount.free_iter);
    std::vector<MountEntry> entries;
    libmnt_fs* entry = nullptr;
    while (iterator && mount.next_fs(table.get(), iterator.get(), &entry) == 0) {
        entries.push_back({.target = text_or_empty(mount.get_target(entry)),
                           .type = text_or_empty(mount.get_fstype(entry)),
                           .options = split(text_or_empty(mount.get_options(entry)), ',')});
    }
    return entries;
}

} // namespace sctr::host
