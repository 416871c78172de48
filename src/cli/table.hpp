// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::cli {

/// Lines of columns for people: each as wide as its longest text, two spaces between.
class Table {
  public:
    explicit Table(std::vector<std::string> header);

    void add(std::vector<std::string> line);

    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::vector<std::string>> lines_;
};

} // namespace sctr::cli
