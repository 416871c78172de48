// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.hpp"
#include "cli/values.hpp"

/// `--filter KEY=VALUE` of the verbs that list things, as docker and podman have it. Pure.
namespace sctr::cli {

template <typename Row> struct FilterKey {
    std::string_view name;
    bool (*fits)(const Row& row, const std::string& value);
    std::string_view values; ///< with blanks between and around them; empty: any
    /// Throws Error about the whole filter where its value can fit no row.
    void (*check)(const std::string& filter, std::string_view value) = nullptr;
};

/// One of the values of a key must fit, of `label` and `label!` all.
template <typename Row> class Filter {
  public:
    /// `keys` outlive it. Throws Error that names --filter.
    Filter(const std::vector<std::string>& texts, std::span<const FilterKey<Row>> keys)
        : keys_(keys) {
        for (const std::string& text : texts) {
            const auto [name, value] = split_once(text, '=');
            const auto key = std::ranges::find(keys_, name, &FilterKey<Row>::name);
            if (key == keys_.end() || !value || value->empty()) {
                std::string known;
                for (const FilterKey<Row>& each : keys_) {
                    known.append(known.empty() ? "" : ", ").append(each.name);
                }
                throw bad_value("--filter", text, "", "KEY=VALUE with a KEY of " + known);
            }
            if (!key->values.empty() && !key->values.contains(" " + *value + " ")) {
                const std::string known(key->values.substr(0, key->values.size() - 1));
                throw bad_value("--filter", text, "", "one of" + known);
            }
            if (key->check != nullptr) {
                key->check(text, *value);
            }
            values_[name].push_back(*value);
        }
    }

    /// None: nothing is asked for by that key.
    [[nodiscard]] std::vector<std::string> values(const std::string& key) const {
        const auto found = values_.find(key);
        return found == values_.end() ? std::vector<std::string>() : found->second;
    }

    [[nodiscard]] bool takes(const Row& row) const {
        return std::ranges::all_of(values_, [&](const auto& asked) {
            const auto& [name, values] = asked;
            const auto fits = [&](const std::string& value) {
                return std::ranges::find(keys_, name, &FilterKey<Row>::name)->fits(row, value);
            };
            return name.starts_with("label") ? std::ranges::all_of(values, fits)
                                             : std::ranges::any_of(values, fits);
        });
    }

  private:
    std::span<const FilterKey<Row>> keys_;
    std::map<std::string, std::vector<std::string>> values_; ///< by key
};

/// KEY or KEY=VALUE.
inline bool has_such_label(const std::map<std::string, std::string>& labels,
                           const std::string& asked) {
    const auto [name, wanted] = split_once(asked, '=');
    const auto found = labels.find(name);
    return found != labels.end() && (!wanted || found->second == *wanted);
}

} // namespace sctr::cli
