// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "oci/names.hpp"
#include "oci/validate.hpp"

/// Tables of what to change in a valid config, and what validate() says to it.
namespace sctr::oci {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Change = std::function<void(Spec&)>;

struct BadCase {
    Change change;
    const char* pointer;
    const char* why;
};

/// A valid config with a new namespace of every type.
inline Spec valid_spec() {
    Spec spec{.process = Process{.args = {"sh"}}, .root = {.path = "rootfs"}};
    for (const auto type : all_namespace_types) {
        spec.linux.namespaces.push_back({.type = type});
    }
    spec.linux.uid_mappings = {{.container_id = 0, .host_id = 100000, .size = 65536}};
    spec.linux.gid_mappings = {{.container_id = 0, .host_id = 100000, .size = 65536}};
    return spec;
}

inline void drop_namespace(Spec& spec, NamespaceType type) {
    std::erase_if(spec.linux.namespaces, [type](const Namespace& n) { return n.type == type; });
}

inline void join_namespace(Spec& spec, NamespaceType type) {
    for (auto& entry : spec.linux.namespaces) {
        if (entry.type == type) {
            entry.path = "/proc/1/ns/x";
        }
    }
}

inline std::string error_after(const Change& change) {
    auto spec = valid_spec();
    change(spec);
    try {
        validate(spec);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

inline void expect_all_refused(const std::vector<BadCase>& cases) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_THAT(error_after(cases[i].change),
                    AllOf(StartsWith("invalid config: " + std::string(cases[i].pointer) + ": "),
                          HasSubstr(cases[i].why)))
            << "case " << i;
    }
}

inline void expect_all_accepted(const std::vector<Change>& changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        EXPECT_EQ(error_after(changes[i]), "no error") << "case " << i;
    }
}

} // namespace sctr::oci
