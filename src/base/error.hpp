// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>

namespace sctr {

/// Exit statuses that users of docker, podman and runc rely on.
enum class ExitCode : int {
    runtime_error = 125,  ///< sctr itself failed; the command never ran.
    cannot_execute = 126, ///< The command was found and could not be executed.
    not_found = 127,      ///< The command does not exist in the container.
};

/// The one error of sctr: what failed, where, why, and what mends it.
///
/// Reads as `what: where: why (mend)`. Libraries throw it and never print; the
/// two mains print it and exit with `exit_code()`.
///
///     throw Error("cannot open the rootfs").at(path).because(errno);
class Error : public std::exception {
  public:
    explicit Error(std::string what_failed) : what_(std::move(what_failed)) { compose(); }

    /// The place: a path, a JSON pointer, a flag, a unit.
    Error& at(std::string_view where);
    /// The reason, in words; an errno value that was given stays.
    Error& because(std::string_view why);
    /// The reason as an errno value; its text is appended and the value kept.
    Error& because(int error_number);
    /// What the user can do about it.
    Error& mend(std::string_view how);
    Error& exit_with(ExitCode code);
    /// Each part as `change` makes it of what it was: for words that only a caller further out
    /// knows.
    Error& reword(const std::function<std::string(const std::string&)>& change);
    /// Says something else that failed, for who knows what the user has asked for.
    Error& instead(std::string_view what_failed);

    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

    /// What at() was given.
    [[nodiscard]] const std::string& where() const noexcept { return where_; }

    /// What the constructor, because() and mend() were given.
    [[nodiscard]] const std::string& what_failed() const noexcept { return what_; }

    [[nodiscard]] const std::string& why() const noexcept { return why_; }

    [[nodiscard]] const std::string& how_to_mend() const noexcept { return mend_; }

    [[nodiscard]] int error_number() const noexcept { return errno_; }

    [[nodiscard]] ExitCode exit_code() const noexcept { return exit_code_; }

  private:
    void compose();

    std::string what_;
    std::string where_;
    std::string why_;
    std::string mend_;
    std::string text_;
    int errno_ = 0;
    ExitCode exit_code_ = ExitCode::runtime_error;
};

} // namespace sctr
