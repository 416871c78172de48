// SPDX-License-Identifier: LGPL-2.1-or-later
#include <seccomp.h>

#include <concepts>
#include <cstdint>

#include "oci/fields.hpp"
#include "plan/seccomp.hpp"

namespace sctr::plan {

namespace {

// A checksum of the sources of compile_seccomp, so that no program outlives the code that made it:
// an update of sctr may mend a filter.
constexpr std::uint64_t compiler =
#include "seccomp_compiler_id.inc" // written by meson
    ;

/// Bytes that differ when the values do: everything of no fixed size has its size before it.
class KeyWriter {
  public:
    template <typename T> void required(std::string_view, const T& value) { put(value); }

    template <typename T> void optional(std::string_view, const T& value) { put(value); }

    void put(std::integral auto value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    void put(std::string_view text) {
        put(text.size());
        bytes_ += text;
    }

    void put(const std::string& text) { put(std::string_view(text)); }

    template <typename T> void put(const std::optional<T>& value) {
        put(value.has_value());
        put(value.value_or(T{}));
    }

    template <typename T> void put(const std::vector<T>& values) {
        put(values.size());
        for (const T& value : values) {
            put(value);
        }
    }

    template <typename T>
        requires std::is_class_v<T>
    void put(const T& value) {
        oci::fields(*this, value);
    }

    [[nodiscard]] std::string take() && { return std::move(bytes_); }

  private:
    std::string bytes_;
};

} // namespace

std::string seccomp_key(const oci::Seccomp& seccomp, FilterLayout layout) {
    const scmp_version* const library = ::seccomp_version();
    KeyWriter key;
    key.put(compiler);
    key.put(library->major);
    key.put(library->minor);
    key.put(library->micro);
    key.put(layout == FilterLayout::tree);
    oci::Seccomp program = seccomp;
    // Where notifications go is the affair of whoever loads the program.
    program.listener_path.clear();
    program.listener_metadata.clear();
    key.put(program);
    return std::move(key).take();
}

} // namespace sctr::plan
