// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/reference.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"

namespace sctr::oci {

namespace {

constexpr const char* docker_hub = "docker.io";
constexpr std::string_view digest_prefix = "sha256:";
constexpr std::size_t longest_name = 240; // it becomes a file name

Error bad_name(std::string_view text, const std::string& why) {
    Error error("invalid image name");
    error.at(escape_controls(text)).because(why).mend("as in docker.io/library/debian:13");
    return error;
}

bool is_lower_or_digit(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

bool is_word(char letter) {
    return is_lower_or_digit(letter) || (letter >= 'A' && letter <= 'Z') || letter == '_';
}

/// Lower-case letters and digits, with '.', '_', '-' between them.
bool is_path_part(std::string_view part) {
    return !part.empty() && is_lower_or_digit(part.front()) && is_lower_or_digit(part.back()) &&
           std::ranges::all_of(part, [](char letter) {
               return is_lower_or_digit(letter) || letter == '.' || letter == '_' || letter == '-';
           });
}

bool is_tag(std::string_view tag) {
    return !tag.empty() && tag.size() <= 128 && is_word(tag.front()) &&
           std::ranges::all_of(
               tag, [](char letter) { return is_word(letter) || letter == '.' || letter == '-'; });
}

bool is_letter_or_digit(char letter) {
    return is_word(letter) && letter != '_';
}

bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           std::ranges::all_of(text, [](char letter) { return letter >= '0' && letter <= '9'; });
}

/// Letters and digits, with '-' between them.
bool is_host_label(std::string_view label) {
    return !label.empty() && is_letter_or_digit(label.front()) &&
           is_letter_or_digit(label.back()) && std::ranges::all_of(label, [](char letter) {
               return is_letter_or_digit(letter) || letter == '-';
           });
}

bool is_ipv6(std::string_view text) {
    return text.size() > 2 && text.size() <= 41 && text.starts_with('[') && text.ends_with(']') &&
           text.substr(1, text.size() - 2).find_first_not_of("0123456789abcdefABCDEF:") ==
               std::string_view::npos;
}

/// HOST[:PORT]: a host's name, or an address of IPv6 in brackets. Source: github.com/distribution/
/// reference.
bool is_registry(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos && !text.ends_with(']')) {
        if (!is_port(text.substr(colon + 1))) {
            return false;
        }
        text = text.substr(0, colon);
    }
    return is_ipv6(text) || std::ranges::all_of(split(text, '.'), is_host_label);
}

/// The first part of a name is a registry if no path could look like it.
bool looks_like_registry(std::string_view part) {
    return part == "localhost" || part.contains('.') || part.contains(':') ||
           std::ranges::any_of(part, [](char letter) { return letter >= 'A' && letter <= 'Z'; });
}

} // namespace

std::string Reference::repository() const {
    return registry.empty() ? path : registry + "/" + path;
}

std::string Reference::full_name() const {
    if (!digest.empty()) {
        return repository() + "@" + digest;
    }
    return repository() + ":" + (tag.empty() ? "latest" : tag);
}

Reference in_registry(const Reference& short_name, const std::string& registry) {
    Reference full = short_name;
    full.registry = registry == "index.docker.io" ? docker_hub : registry;
    if (full.registry == docker_hub && !full.path.contains('/')) {
        full.path = "library/" + full.path;
    }
    return full;
}

Reference parse_reference(std::string_view text) {
    Reference reference;
    std::string name(text);
    if (const auto at = name.find('@'); at != std::string::npos) {
        reference.digest = name.substr(at + 1);
        name.resize(at);
        if (!reference.digest.starts_with(digest_prefix) ||
            !is_sha256(std::string_view(reference.digest).substr(digest_prefix.size()))) {
            throw bad_name(text, "the part after '@' is no digest by SHA-256");
        }
    }
    const auto slash = name.rfind('/');
    const auto colon = name.rfind(':');
    if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
        reference.tag = name.substr(colon + 1);
        name.resize(colon);
        if (!is_tag(reference.tag)) {
            throw bad_name(text, "'" + escape_controls(reference.tag) + "' is no tag");
        }
    }
    if (!reference.digest.empty()) {
        reference.tag.clear();
    }
    const auto [first, rest] = split_once(name, '/');
    reference.path = name;
    if (rest && looks_like_registry(first)) {
        if (!is_registry(first)) {
            throw bad_name(text, "'" + escape_controls(first) + "' is no registry");
        }
        reference.path = *rest;
    }
    for (const std::string& part : split(reference.path, '/')) {
        if (!is_path_part(part)) {
            throw bad_name(text,
                           "'" + escape_controls(part) +
                               "' is no part of a name: lower-case letters, digits, and "
                               "'.', '_', '-' between them");
        }
    }
    if (rest && looks_like_registry(first)) {
        reference = in_registry(reference, first);
    }
    if (reference.full_name().size() > longest_name) {
        throw bad_name(text.substr(0, 40), "longer than 240 bytes");
    }
    return reference;
}

std::vector<std::string> local_names(const Reference& reference) {
    if (!reference.is_short()) {
        return {reference.full_name()};
    }
    return {in_registry(reference, "localhost").full_name(),
            in_registry(reference, docker_hub).full_name()};
}

bool is_called(std::string_view full_name, std::string_view word) {
    const auto ends_so = [word](std::string_view name) {
        return name.ends_with(word) &&
               (name.size() == word.size() || name[name.size() - word.size() - 1] == '/');
    };
    const auto last = full_name.rfind('/') + 1; // of npos: 0
    const auto tag = full_name.find_first_of("@:", last);
    return !word.empty() && (ends_so(full_name) || ends_so(full_name.substr(0, tag)));
}

} // namespace sctr::oci
