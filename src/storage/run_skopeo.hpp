// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "storage/skopeo.hpp"

namespace sctr::storage {

class SkopeoFailed : public Error {
  public:
    using Error::Error;
};

/// The same failure as people know it: `what` and `where` are their words, `name` is the full name
/// of the image at the registry, of which it is said what can be done.
SkopeoFailed transfer_failed(const char* what,
                             const std::string& where,
                             const std::string& name,
                             const SkopeoFailed& failure);

/// Throws SkopeoFailed with its last words.
void run_skopeo(std::vector<std::string> words, bool quiet);

/// The same; returns what it prints.
std::string ask_skopeo(std::vector<std::string> words);

/// "src-" or "dest-": which side of a copy is the registry; empty for what has one side.
void add_access(std::vector<std::string>& words,
                const TransferOptions& options,
                const std::string& side);

} // namespace sctr::storage
