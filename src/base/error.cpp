// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"

#include <cstring>

namespace sctr {

Error& Error::at(std::string_view where) {
    where_ = where;
    compose();
    return *this;
}

Error& Error::because(std::string_view why) {
    why_ = why;
    compose();
    return *this;
}

Error& Error::because(int error_number) {
    errno_ = error_number;
    const char* text = ::strerrordesc_np(error_number);
    return because(std::string_view(text != nullptr ? text : "unknown error"));
}

Error& Error::mend(std::string_view how) {
    mend_ = how;
    compose();
    return *this;
}

Error& Error::exit_with(ExitCode code) {
    exit_code_ = code;
    return *this;
}

Error& Error::reword(const std::function<std::string(const std::string&)>& change) {
    for (std::string* part : {&what_, &where_, &why_, &mend_}) {
        *part = change(*part);
    }
    compose();
    return *this;
}

Error& Error::instead(std::string_view what_failed) {
    what_ = what_failed;
    compose();
    return *this;
}

namespace {

/// What a config or a server says may be as long as it likes, and an error repeats some of it.
std::string shortened(const std::string& text) {
    constexpr std::size_t longest = 2000;
    constexpr std::size_t at_either_end = longest / 2;
    if (text.size() <= longest) {
        return text;
    }
    const auto is_inside_letter = [&](std::size_t at) { // of UTF-8
        return (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
    };
    std::size_t end = at_either_end;
    std::size_t next = text.size() - at_either_end;
    while (end > 0 && is_inside_letter(end)) {
        --end;
    }
    while (next < text.size() && is_inside_letter(next)) {
        ++next;
    }
    return text.substr(0, end) + "..." + text.substr(next);
}

} // namespace

void Error::compose() {
    text_ = shortened(what_);
    if (!where_.empty()) {
        text_ += ": " + shortened(where_);
    }
    if (!why_.empty()) {
        text_ += ": " + shortened(why_);
    }
    if (!mend_.empty()) {
        text_ += " (" + mend_ + ")";
    }
}

} // namespace sctr
