// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace sctr::cli::engine {

/// Says what went wrong as engines read it: one line on stderr, and one in the file of --log, as
/// logrus writes text or JSON.
///
/// An engine reads the file's first line (podman) or its last (containerd), so that an error is
/// the only thing ever written there.
class Reporter {
  public:
    /// `path` empty: stderr alone. It is opened when there is something to say; a file that cannot
    /// be opened leaves stderr.
    void write_to(const std::string& path, bool json);

    void error(std::string_view text) const;

  private:
    std::string path_;
    bool json_ = false;
};

} // namespace sctr::cli::engine
