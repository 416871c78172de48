// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oci/place.hpp"
#include "oci/spec.hpp"

/// What the parts of validate() share.
namespace sctr::oci {

using Words = std::span<const std::string_view>;

/// Throws the Error of validate(): what is wrong at this place, and what is valid.
[[noreturn]] void reject(const Place& place, const std::string& why);

void require(bool holds, const Place& place, const std::string& why);
void require_one_of(const Place& place, const std::string& value, Words valid);
void require_each_of(const Place& place, const std::vector<std::string>& values, Words valid);
void require_range(const Place& place,
                   std::int64_t value,
                   std::int64_t lowest,
                   std::int64_t highest);
void require_absolute(const Place& place, const std::string& path);
void require_absolute(const Place& place, const std::vector<std::string>& paths);
/// An empty list is fine: it is the same as an absent one.
void require_cpu_list(const Place& place, const std::string& list);

/// Mappings of one kind (uid or gid): no empty, overflowing or overlapping range.
void check_id_mappings(const Place& place, const std::vector<IdMapping>& mappings);

/// The namespace entry of this type; null if the container stays in the runtime's.
const Namespace* find_namespace(const Linux& linux, NamespaceType type);

void check_process(const Place& place, const Process& process);
void check_resources(const Place& place, const Resources& resources);
void check_seccomp(const Place& place, const Seccomp& seccomp);
void check_sysctl(const Place& place, const Spec& spec);
void check_linux(const Place& place, const Spec& spec);

} // namespace sctr::oci
