// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sctr::cli {

/// Mount options as people write them, in the spec's words. Of options that exclude each other (ro
/// and rw, exec and noexec, private and shared) the last one stays.
class MountOptions {
  public:
    explicit MountOptions(std::vector<std::string> defaults) : words_(std::move(defaults)) {}

    /// Adds a word without "="; false when it is not a mount option of that kind.
    bool add(std::string_view word);
    /// Adds "name=value".
    void add_value(std::string_view name, std::string_view value);

    [[nodiscard]] const std::vector<std::string>& words() const { return words_; }

  private:
    std::vector<std::string> words_;
};

} // namespace sctr::cli
