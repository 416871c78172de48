// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include "storage/store.hpp"

namespace sctr::storage {

/// A directory of the store's for as long as it lives; the sweep removes that of one who was
/// killed. Whoever has one holds the store's lock, shared, so that nothing is swept meanwhile.
class WorkDirectory {
  public:
    /// Throws Error.
    explicit WorkDirectory(const Store& store) : path_(store.make_work_directory()) {}

    ~WorkDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    WorkDirectory(const WorkDirectory&) = delete;
    WorkDirectory& operator=(const WorkDirectory&) = delete;
    WorkDirectory(WorkDirectory&&) = delete;
    WorkDirectory& operator=(WorkDirectory&&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

} // namespace sctr::storage
