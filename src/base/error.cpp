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

void Error::compose() {
    text_ = what_;
    if (!where_.empty()) {
        text_ += ": " + where_;
    }
    if (!why_.empty()) {
        text_ += ": " + why_;
    }
    if (!mend_.empty()) {
        text_ += " (" + mend_ + ")";
    }
}

} // namespace sctr
