// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/secret_flags.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

constexpr const char* form = "NAME[,type=mount|env][,target=...][,uid=N][,gid=N][,mode=0400]";
constexpr const char* credential_form =
    "NAME[:/PATH][,type=mount|env][,target=...][,uid=N][,gid=N][,mode=0400]";

const char* flag_of(bool is_credential) {
    return is_credential ? "--credential" : "--secret";
}

const char* form_of(bool is_credential) {
    return is_credential ? credential_form : form;
}

std::uint32_t parse_mode(const char* flag, const std::string& text, const std::string& value) {
    std::uint32_t mode = 0;
    const bool is_octal = !value.empty() && value.size() <= 4 &&
                          value.find_first_not_of("01234567") == std::string::npos;
    for (const char digit : is_octal ? value : "") {
        mode = mode * 8 + static_cast<std::uint32_t>(digit - '0');
    }
    if (!is_octal || mode > 0777) {
        throw bad_value(flag, text, "'" + value + "' is no mode of a secret", "0 to 0777");
    }
    return mode;
}

/// One that becomes a path and a word of unit files. Source: systemd.exec(5), LoadCredential=.
bool is_credential_name(const std::string& name) {
    return !name.empty() && name.size() <= 200 && name != "." && name != ".." &&
           std::ranges::all_of(name, [](unsigned char letter) {
               return letter > ' ' && letter < 0x7f && letter != '/' && letter != ':' &&
                      letter != '"' && letter != '\'' && letter != '\\' && letter != '%';
           });
}

void read_source(SecretUse& use, const std::string& text, const std::string& word) {
    if (!use.is_credential) {
        use.name = word;
        return; // the store knows what a name is
    }
    const auto [name, path] = split_once(word, ':');
    use.name = name;
    use.path = path.value_or("");
    const bool is_path =
        use.path.starts_with('/') && std::ranges::none_of(use.path, [](unsigned char letter) {
            return letter < ' ' || letter == 0x7f;
        });
    if (!is_credential_name(name) || (path && !is_path)) {
        throw bad_value("--credential", text, "", credential_form);
    }
}

void read_key(SecretUse& use, const std::string& text, const std::string& word) {
    const char* flag = flag_of(use.is_credential);
    const auto [key, value] = split_once(word, '=');
    constexpr std::int64_t last_id = 4294967294;
    if (!value) {
        throw bad_value(flag, text, "'" + word + "' has no value", form_of(use.is_credential));
    }
    if (key == "type" && (*value == "mount" || *value == "env")) {
        use.is_variable = *value == "env";
    } else if (key == "target") {
        use.target = *value;
    } else if (key == "uid") {
        use.uid = static_cast<std::uint32_t>(parse_in_range(flag, *value, 0, last_id));
    } else if (key == "gid") {
        use.gid = static_cast<std::uint32_t>(parse_in_range(flag, *value, 0, last_id));
    } else if (key == "mode") {
        use.mode = parse_mode(flag, text, *value);
    } else {
        throw bad_value(flag, text, "unknown '" + word + "'", form_of(use.is_credential));
    }
}

void finish_target(SecretUse& use, const std::string& text) {
    const char* flag = flag_of(use.is_credential);
    if (use.target.empty()) {
        use.target = use.name;
    }
    if (use.is_variable) {
        if (use.target.contains('=')) {
            throw bad_value(flag, text, "no name for a variable", "target=NAME");
        }
        return;
    }
    if (!use.target.starts_with('/')) {
        if (use.target.contains('/') || use.target == "." || use.target == "..") {
            throw bad_value(flag, text, "no name for a file", "target=NAME or an absolute path");
        }
        use.target = std::string(secrets_directory) + "/" + use.target;
    }
    use.target = container_path(flag, use.target);
    if (use.target == "/" || use.target == secrets_directory) {
        throw bad_value(flag, text, "that is a directory", "target=NAME or an absolute path");
    }
}

SecretUse parse_secret(const std::string& text, bool is_credential) {
    SecretUse use{.flag = std::string(flag_of(is_credential)) + " " + text,
                  .name = {},
                  .is_credential = is_credential,
                  .path = {},
                  .target = {}};
    const auto words = split(text, ',');
    for (std::size_t i = 1; i < words.size(); ++i) {
        read_key(use, text, words[i]);
    }
    read_source(use, text, words.front());
    finish_target(use, text);
    return use;
}

} // namespace

std::vector<SecretUse> parse_secrets(const MountFlags& flags) {
    std::vector<SecretUse> uses;
    uses.reserve(flags.secrets.size() + flags.credentials.size());
    for (const std::string& text : flags.secrets) {
        uses.push_back(parse_secret(text, false));
    }
    for (const std::string& text : flags.credentials) {
        uses.push_back(parse_secret(text, true));
    }
    return uses;
}

} // namespace sctr::cli
