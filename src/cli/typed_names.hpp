// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace CLI {
class App;
}

/// Many flags have several names, of which the code that finds fault with a value knows one; who
/// typed another looks for that.
namespace sctr::cli {

/// By which of its names each flag of a command line was typed.
class TypedNames {
  public:
    TypedNames() = default;

    /// Of the flags among `words`, as given_flags (cli/flags.hpp) finds them, those that have
    /// several names.
    TypedNames(const CLI::App& app, const std::vector<std::string>& words);

    /// The flag of that long name was typed as `typed`, with this value.
    void add(std::string_view name, std::string_view typed, std::string_view value);

    /// `text` with each flag by the name that was typed, but for what stands in quotes, which is a
    /// user's or a command. Of a flag that was typed by several names: by that of the value which
    /// `context` mentions, or else by the last, as of most flags the last value counts.
    [[nodiscard]] std::string in(const std::string& text, std::string_view context) const;

    /// The error, with each of its parts so.
    void rename(Error& error) const;

  private:
    struct Use {
        std::string name;
        std::string typed;
        std::string value;
    };

    [[nodiscard]] std::string_view typed_for(std::string_view name, std::string_view context) const;

    std::vector<Use> uses_;
};

/// What `act` returns; errors that it throws name flags as they were typed.
template <typename Act> decltype(auto) as_typed(const TypedNames& names, Act&& act) {
    try {
        return std::forward<Act>(act)();
    } catch (Error& error) {
        names.rename(error);
        throw;
    }
}

} // namespace sctr::cli
