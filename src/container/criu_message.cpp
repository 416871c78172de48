// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/criu_message.hpp"

#include <utility>

#include "base/strings.hpp"

namespace sctr::container::criu {

namespace {

/// Wire types of the encoding. Source: protobuf.dev, Encoding.
enum WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr unsigned type_bits = 3;

class Writer {
  public:
    void number(unsigned field, std::uint64_t value) {
        put(std::uint64_t{field} << type_bits | varint);
        put(value);
    }

    /// Left out where it is false.
    void flag(unsigned field, bool value) {
        if (value) {
            number(field, 1);
        }
    }

    /// Left out where it is empty.
    void text(unsigned field, std::string_view value) {
        if (!value.empty()) {
            block(field, value);
        }
    }

    void block(unsigned field, std::string_view value) {
        put(std::uint64_t{field} << type_bits | bytes);
        put(value.size());
        bytes_ += value;
    }

    [[nodiscard]] const std::string& get() const { return bytes_; }

  private:
    void put(std::uint64_t value) {
        constexpr std::uint64_t more = 0x80;
        for (; value >= more; value >>= 7U) {
            bytes_ += static_cast<char>((value & 0x7fU) | more);
        }
        bytes_ += static_cast<char>(value);
    }

    std::string bytes_;
};

std::string pair_message(const std::string& first, const std::string& second) {
    Writer writer;
    writer.block(1, first);
    writer.block(2, second);
    return writer.get();
}

void write_lists(Writer& writer, const Options& options) {
    for (const auto& [key, value] : options.external_mounts) {
        writer.block(23, pair_message(key, value));
    }
    if (!options.cgroup_root.empty()) {
        writer.block(25, pair_message("", options.cgroup_root)); // no controller: cgroup v2
    }
    for (const auto& [key, fd] : options.inherited) {
        Writer inherited;
        inherited.block(1, key);
        inherited.number(2, static_cast<std::uint64_t>(fd));
        writer.block(27, inherited.get());
    }
    for (const std::string& each : options.external) {
        writer.block(37, each);
    }
    for (const auto& [type, path] : options.joined_namespaces) {
        writer.block(39, pair_message(type, path));
    }
}

void write_page_server(Writer& writer, const Options& options) {
    if (options.page_server_address.empty()) {
        return;
    }
    Writer server;
    server.block(1, options.page_server_address);
    server.number(2, static_cast<std::uint64_t>(options.page_server_port));
    writer.block(11, server.get());
}

std::string encode_options(const Options& options) {
    constexpr std::uint64_t log_level = 4;
    Writer writer;
    writer.number(1, static_cast<std::uint64_t>(options.images_fd));
    if (options.pid != 0) {
        writer.number(2, static_cast<std::uint64_t>(options.pid));
    }
    writer.flag(3, options.leave_running);
    writer.flag(4, options.external_unix_sockets);
    writer.flag(5, options.tcp_established);
    writer.flag(6, options.evasive_devices);
    writer.flag(7, options.shell_job);
    writer.flag(8, options.file_locks);
    writer.number(9, log_level);
    writer.text(10, options.log_file);
    write_page_server(writer, options);
    writer.flag(12, true); // notifications
    writer.text(13, options.root);
    writer.text(14, options.parent_images);
    writer.flag(15, options.track_memory);
    writer.flag(16, options.auto_dedup);
    if (options.work_fd >= 0) {
        writer.number(17, static_cast<std::uint64_t>(options.work_fd));
    }
    writer.flag(24, true); // cgroups, by the mode below
    writer.flag(26, options.restore_sibling);
    writer.number(34, static_cast<std::uint64_t>(options.cgroup_mode));
    if (options.empty_namespaces != 0) {
        writer.number(38, options.empty_namespaces);
    }
    writer.text(44, options.freeze_cgroup);
    writer.flag(48, options.lazy_pages);
    writer.flag(50, true); // a terminal whose master is elsewhere is ours to hand on
    writer.text(51, options.config_file);
    writer.text(53, options.lsm_profile);
    writer.text(63, options.lsm_mount_context);
    write_lists(writer, options);
    return writer.get();
}

class Reader {
  public:
    struct Field {
        std::uint64_t number = 0;
        std::uint64_t value = 0; ///< of a varint
        std::string_view block;
    };

    explicit Reader(std::string_view message) : rest_(message) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    /// Nothing when the message is damaged.
    std::optional<Field> next() {
        const auto tag = take_varint();
        if (!tag) {
            return std::nullopt;
        }
        Field field{.number = *tag >> type_bits};
        std::optional<std::uint64_t> size;
        switch (*tag & 7U) {
        case varint:
            size = take_varint();
            field.value = size.value_or(0);
            return size ? std::optional(field) : std::nullopt;
        case fixed64:
            size = 8;
            break;
        case bytes:
            size = take_varint();
            break;
        case fixed32:
            size = 4;
            break;
        default:
            return std::nullopt;
        }
        if (!size || *size > rest_.size()) {
            return std::nullopt;
        }
        field.block = rest_.substr(0, *size);
        rest_.remove_prefix(*size);
        return field;
    }

  private:
    std::optional<std::uint64_t> take_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= (byte & std::uint64_t{0x7f}) << shift;
            if ((byte & 0x80U) == 0) {
                return value;
            }
        }
        return std::nullopt;
    }

    std::string_view rest_;
};

/// Calls `take` with every field; false when the message is damaged.
template <typename Take> bool read_fields(std::string_view message, Take take) {
    Reader reader(message);
    while (!reader.at_end()) {
        const auto field = reader.next();
        if (!field || !take(*field)) {
            return false;
        }
    }
    return true;
}

bool read_notification(std::string_view message, Answer& answer) {
    return read_fields(message, [&answer](const Reader::Field& field) {
        if (field.number == 1) {
            answer.script = field.block;
        } else if (field.number == 2) {
            answer.script_pid = static_cast<pid_t>(field.value);
        }
        return true;
    });
}

bool read_restored(std::string_view message, Answer& answer) {
    return read_fields(message, [&answer](const Reader::Field& field) {
        if (field.number == 1) {
            answer.restored = static_cast<pid_t>(field.value);
        }
        return true;
    });
}

bool read_features(std::string_view message, Answer& answer) {
    return read_fields(message, [&answer](const Reader::Field& field) {
        if (field.number == 1) {
            answer.can_track_memory = field.value != 0;
        } else if (field.number == 2) {
            answer.can_fetch_lazily = field.value != 0;
        }
        return true;
    });
}

} // namespace

std::string encode_request(RequestKind kind, const Options& options) {
    Writer request;
    request.number(1, static_cast<std::uint64_t>(kind));
    request.block(2, encode_options(options));
    return request.get();
}

std::string encode_feature_check() {
    Writer features;
    features.flag(1, true);
    features.flag(2, true);
    Writer request;
    request.number(1, static_cast<std::uint64_t>(RequestKind::feature_check));
    request.block(5, features.get());
    return request.get();
}

std::string encode_notified() {
    Writer request;
    request.number(1, static_cast<std::uint64_t>(RequestKind::notify));
    request.flag(3, true);
    return request.get();
}

std::optional<Answer> decode_answer(std::string_view message) {
    Answer answer;
    const bool is_whole = read_fields(message, [&answer](const Reader::Field& field) {
        switch (field.number) {
        case 1:
            answer.kind = field.value;
            break;
        case 2:
            answer.success = field.value != 0;
            break;
        case 4:
            return read_restored(field.block, answer);
        case 5:
            return read_notification(field.block, answer);
        case 7:
            answer.error_number = static_cast<std::int32_t>(field.value);
            break;
        case 8:
            return read_features(field.block, answer);
        case 9:
            answer.error_text = field.block;
            break;
        default:
            break;
        }
        return true;
    });
    return is_whole && answer.kind != 0 ? std::optional(answer) : std::nullopt;
}

std::string failure_in_log(std::string_view log) {
    std::string found;
    for (const std::string& line : split(log, '\n')) {
        // "(00.001441) Error (criu/cr-dump.c:2111): Dumping FAILED." comes last and says nothing.
        const auto start = line.find("Error (");
        const auto text = start == std::string::npos ? start : line.find("): ", start);
        if (text != std::string::npos && line.find("FAILED") == std::string::npos) {
            found = line.substr(text + 3);
        }
    }
    return found;
}

} // namespace sctr::container::criu
