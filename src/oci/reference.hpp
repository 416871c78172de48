// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sctr::oci {

/// A name of an image, as people write it: [REGISTRY/]PATH[:TAG][@sha256:DIGEST].
/// Source: distribution's reference grammar; docker's rule for what is a registry.
struct Reference {
    std::string registry; ///< empty: a short name
    std::string path;
    std::string tag;    ///< empty: none was given
    std::string digest; ///< "sha256:..."; empty: none was given

    bool operator==(const Reference&) const = default;

    [[nodiscard]] bool is_short() const { return registry.empty(); }

    /// Registry and path alone.
    [[nodiscard]] std::string repository() const;

    /// The whole name; the tag is "latest" where neither tag nor digest was given.
    [[nodiscard]] std::string full_name() const;
};

/// Throws Error that says what is wrong with the name. A tag beside a digest is dropped, as the
/// digest says it all.
Reference parse_reference(std::string_view text);

/// Whether a person who looks for images means this one by `word`: its name, or the last parts of
/// that, with or without its tag.
bool is_called(std::string_view full_name, std::string_view word);

/// The same in a registry; docker.io has its official images below library/.
Reference in_registry(const Reference& short_name, const std::string& registry);

/// The full names under which an image that is here may be known by what was typed, best first.
std::vector<std::string> local_names(const Reference& reference);

} // namespace sctr::oci
