// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/image_change.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::oci {

namespace {

using nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& line, std::string_view why, std::string_view form) {
    throw Error("invalid value '" + escape_controls(valid_utf8(line)) + "'")
        .at("--change")
        .because(why)
        .mend(form);
}

/// A line, its value, and what it changes.
struct ChangeLine {
    const std::string& text;
    std::string value;
    ordered_json& config;
};

/// Blanks part words, but for those after a backslash or in quotes. Nothing: a quote is not closed.
std::optional<std::vector<std::string>> quoted_words(std::string_view text) {
    std::vector<std::string> words;
    bool in_word = false;
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char letter = text[i];
        if (quote == '\0' && (letter == ' ' || letter == '\t')) {
            in_word = false;
            continue;
        }
        if (!in_word) {
            words.emplace_back();
            in_word = true;
        }
        if (letter == quote) {
            quote = '\0';
        } else if (quote == '\0' && (letter == '"' || letter == '\'')) {
            quote = letter;
        } else if (letter == '\\' && quote != '\'' && i + 1 < text.size()) {
            words.back() += text[++i];
        } else {
            words.back() += letter;
        }
    }
    return quote == '\0' ? std::optional(words) : std::nullopt;
}

/// The words of a JSON array of strings; nothing where the value is none.
std::optional<std::vector<std::string>> array_of(const std::string& value) {
    const auto json = ordered_json::parse(value, nullptr, false);
    const auto is_text = [](const ordered_json& each) { return each.is_string(); };
    return json.is_array() && std::ranges::all_of(json, is_text)
               ? std::optional(json.get<std::vector<std::string>>())
               : std::nullopt;
}

/// What is no array is for the shell.
ordered_json command_of(const std::string& value) {
    const auto words = array_of(value);
    return words ? ordered_json(*words) : ordered_json{"/bin/sh", "-c", value};
}

void set_or_erase(ordered_json& config, const char* member, ordered_json value) {
    if (value.empty()) {
        config.erase(member);
    } else {
        config[member] = std::move(value);
    }
}

void change_cmd(const ChangeLine& line) {
    set_or_erase(line.config, "Cmd", command_of(line.value));
}

void change_entrypoint(const ChangeLine& line) {
    set_or_erase(line.config, "Entrypoint", command_of(line.value));
}

/// KEY=VALUE words, or a key and all that follows.
std::vector<std::pair<std::string, std::string>> pairs_of(const ChangeLine& line) {
    constexpr const char* form = R"(KEY=VALUE, more than once, with "quotes" around blanks)";
    const auto words = quoted_words(line.value);
    if (!words) {
        refuse(line.text, "a quote is not closed", form);
    }
    if (!words->front().contains('=')) {
        const auto blank = line.value.find_first_of(" \t");
        const auto rest = line.value.find_first_not_of(" \t", blank);
        if (rest == std::string::npos) {
            refuse(line.text, "it has no value", form);
        }
        return {{line.value.substr(0, blank), line.value.substr(rest)}};
    }
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& word : *words) {
        auto [key, value] = split_once(word, '=');
        if (key.empty() || !value) {
            refuse(line.text, "'" + word + "' is no pair", form);
        }
        pairs.emplace_back(std::move(key), std::move(*value));
    }
    return pairs;
}

void change_env(const ChangeLine& line) {
    auto env = line.config.value("Env", std::vector<std::string>());
    for (const auto& [key, value] : pairs_of(line)) {
        const std::string start = key + "=";
        const auto known = std::ranges::find_if(
            env, [&](const std::string& each) { return each.starts_with(start); });
        if (known != env.end()) {
            *known = start + value;
        } else {
            env.push_back(start + value);
        }
    }
    line.config["Env"] = env;
}

void change_label(const ChangeLine& line) {
    for (const auto& [key, value] : pairs_of(line)) {
        line.config["Labels"][key] = value;
    }
}

bool is_port(std::string_view text) {
    constexpr std::uint64_t highest = 65535;
    const auto number = parse_uint(text);
    return number && *number > 0 && *number <= highest;
}

void change_expose(const ChangeLine& line) {
    for (const std::string& word : words_of(line.value)) {
        const auto [ports, protocol] = split_once(word, '/');
        const auto [first, last] = split_once(ports, '-');
        const std::string kind = to_lower(protocol.value_or("tcp"));
        if (!is_port(first) || (last && !is_port(*last)) ||
            !std::ranges::contains(std::array{"tcp", "udp", "sctp"}, kind)) {
            refuse(line.text, "'" + word + "' is no port", "PORT[-LAST][/tcp|udp|sctp]");
        }
        line.config["ExposedPorts"].emplace(ports + "/" + kind, ordered_json::object());
    }
}

void change_volume(const ChangeLine& line) {
    for (const std::string& path : array_of(line.value).value_or(words_of(line.value))) {
        if (!path.starts_with('/')) {
            refuse(line.text, "'" + path + "' is no absolute path", R"(/PATH..., or ["/PATH"])");
        }
        line.config["Volumes"].emplace(path, ordered_json::object());
    }
}

void change_user(const ChangeLine& line) {
    line.config["User"] = line.value;
}

void change_workdir(const ChangeLine& line) {
    std::string path = line.value;
    if (!path.starts_with('/')) {
        path = line.config.value("WorkingDir", "") + "/" + path;
        path.insert(0, path.starts_with('/') ? "" : "/");
    }
    line.config["WorkingDir"] = path;
}

void change_stop_signal(const ChangeLine& line) {
    if (!parse_signal(line.value)) {
        refuse(line.text, "no such signal", "a name or a number: SIGINT");
    }
    line.config["StopSignal"] = line.value;
}

void refuse_health_check(const ChangeLine& line) {
    refuse(line.text, "OCI images have no health check", "give --health-cmd to 'sctr run'");
}

struct Instruction {
    std::string_view name;
    void (*apply)(const ChangeLine& line);
};

constexpr std::array instructions = {
    Instruction{"cmd", change_cmd},
    Instruction{"entrypoint", change_entrypoint},
    Instruction{"env", change_env},
    Instruction{"expose", change_expose},
    Instruction{"healthcheck", refuse_health_check},
    Instruction{"label", change_label},
    Instruction{"stopsignal", change_stop_signal},
    Instruction{"user", change_user},
    Instruction{"volume", change_volume},
    Instruction{"workdir", change_workdir},
};

/// Returns the instruction's name.
std::string_view change_one(ordered_json& config, const std::string& text) {
    constexpr std::string_view blanks = " \t";
    constexpr const char* form = "INSTRUCTION VALUE, with CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
                                 "STOPSIGNAL, USER, VOLUME or WORKDIR";
    if (valid_utf8(text) != text) {
        refuse(text, "it is not UTF-8", form);
    }
    const auto start = std::min(text.find_first_not_of(blanks), text.size());
    const auto end = std::min(text.find_first_of(" \t=", start), text.size());
    const std::string name = to_lower(text.substr(start, end - start));
    const auto* const known = std::ranges::find(instructions, name, &Instruction::name);
    if (known == instructions.end()) {
        refuse(text, "no such instruction", form);
    }
    auto value = std::string_view(text).substr(std::min(end + 1, text.size()));
    value.remove_prefix(std::min(value.find_first_not_of(blanks), value.size()));
    value.remove_suffix(value.size() - (value.find_last_not_of(blanks) + 1));
    if (value.empty()) {
        refuse(text, "it has no value", form);
    }
    known->apply({.text = text, .value = std::string(value), .config = config});
    return known->name;
}

} // namespace

std::string change_config(std::string_view config, const std::vector<std::string>& changes) {
    try {
        auto json = ordered_json::parse(config);
        bool has_cmd = false;
        bool has_entrypoint = false;
        for (const std::string& text : changes) {
            const std::string_view name = change_one(json, text);
            has_cmd = has_cmd || name == "cmd";
            has_entrypoint = has_entrypoint || name == "entrypoint";
        }
        if (has_entrypoint && !has_cmd) {
            json.erase("Cmd"); // made for another program
        }
        return json.dump();
    } catch (const ordered_json::exception& error) {
        throw Error("cannot change the image's config").because(error.what());
    }
}

} // namespace sctr::oci
