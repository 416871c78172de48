// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/run_flags.hpp"

/// The list of the flags of `sctr run`: their names, where each goes, and what --help says.
namespace sctr::cli {

/// Adds flags to `app`: all of them, or of a command line alone those that it may name. CLI11
/// compares each option with all others, which for the flags of run takes a quarter of a
/// millisecond; a start should not pay that.
class Registrar {
  public:
    /// `only`: the words of the command line; nothing: all flags.
    Registrar(CLI::App& app, const std::vector<std::string>* only) : app_(app), only_(only) {}

    void heading(const char* name);
    void text(const char* names, std::optional<std::string>& value, const char* description);
    void texts(const char* names, std::vector<std::string>& values, const char* description);
    void on_off(const char* names, bool& value, const char* description);

  private:
    [[nodiscard]] bool wants(std::string_view names) const;

    CLI::App& app_;
    const std::vector<std::string>* only_;
};

/// Every flag of `sctr run`.
void register_run_flags(Registrar& to, RunFlags& flags);

/// Those of limits; `property_names`: of the flag for any property.
void register_limit_flags(Registrar& to, LimitFlags& flags, const char* property_names);

/// Those that exec has, too.
void register_process_flags(Registrar& to, ProcessFlags& flags);

} // namespace sctr::cli
