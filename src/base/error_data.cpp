// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error_data.hpp"

#include <charconv>
#include <vector>

#include "base/strings.hpp"

namespace sctr {

namespace {

constexpr std::size_t parts = 5;

} // namespace

std::string error_data(const Error& error) {
    std::string text(error.what());
    for (const std::string& part : {error.what_failed(),
                                    error.where(),
                                    error.why(),
                                    error.how_to_mend(),
                                    std::to_string(error.error_number())}) {
        // At the first NUL the part would end, and the next one begin.
        text += '\0' + part.substr(0, part.find('\0'));
    }
    return text;
}

std::optional<Error> error_from_data(std::string_view bytes) {
    const auto fields = split(bytes, '\0');
    if (fields.size() <= parts) {
        return std::nullopt;
    }
    const auto first = fields.end() - parts;
    int error_number = 0;
    std::from_chars(first[4].data(), first[4].data() + first[4].size(), error_number);
    Error error(first[0]);
    if (error_number != 0) {
        error.because(error_number);
    }
    error.at(first[1]).because(first[2]).mend(first[3]);
    return error;
}

} // namespace sctr
