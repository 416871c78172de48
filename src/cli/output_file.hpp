// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "storage/helper.hpp"

namespace sctr::cli {

/// A file that the caller has named for what is written, which has a name when it is complete and
/// not before: whoever ends us leaves an old one as it was, and no half of a new one. A device, a
/// pipe or what is open already (/dev/stdout) is written as it goes.
class OutputFile {
  public:
    /// Throws Error.
    explicit OutputFile(const std::string& path);
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    OutputFile(OutputFile&&) = delete;
    OutputFile& operator=(OutputFile&&) = delete;
    ~OutputFile();

    [[nodiscard]] int fd() const { return file_.get(); }

    /// All has been written. Throws Error.
    void finish();

  private:
    void open_old(const UniqueFd& found);
    void open_beside(mode_t mode);
    bool link(const std::string& name);

    std::string path_;
    UniqueFd directory_;   ///< of the name that it gets; invalid: it is written as it goes
    std::string name_;     ///< there
    std::string beside_;   ///< what is in the directory until then; empty: it has no name
    bool is_new_ = false;  ///< nothing is there
    bool is_made_ = false; ///< nothing was there, but where a link leads to
    bool is_finished_ = false;
    UniqueFd file_;
};

/// Runs sctr-layer, with its output to a file of the caller's; nothing or "-": standard output, if
/// that is no terminal. `what` is the question that is asked there. Throws Error.
void write_output(storage::LayerWork work,
                  const std::optional<std::string>& path,
                  const char* question = "where to write the archive?");

} // namespace sctr::cli
