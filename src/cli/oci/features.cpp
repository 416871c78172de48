// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/flags.hpp"
#include "cli/oci/engine.hpp"
#include "cli/record_json.hpp"
#include "plan/capabilities.hpp"
#include "plan/mounts.hpp"

/// features: what this runtime supports, whatever the host does (runtime-spec, features.md).
namespace sctr::cli::engine {
namespace {

using nlohmann::ordered_json;

ordered_json enabled(bool value) {
    return {{"enabled", value}};
}

ordered_json seccomp_features() {
    return {{"enabled", true},
            {"actions",
             {"SCMP_ACT_ALLOW",
              "SCMP_ACT_ERRNO",
              "SCMP_ACT_KILL",
              "SCMP_ACT_KILL_PROCESS",
              "SCMP_ACT_KILL_THREAD",
              "SCMP_ACT_LOG",
              "SCMP_ACT_NOTIFY",
              "SCMP_ACT_TRACE",
              "SCMP_ACT_TRAP"}},
            {"operators",
             {"SCMP_CMP_EQ",
              "SCMP_CMP_GE",
              "SCMP_CMP_GT",
              "SCMP_CMP_LE",
              "SCMP_CMP_LT",
              "SCMP_CMP_MASKED_EQ",
              "SCMP_CMP_NE"}},
            {"archs", {"SCMP_ARCH_AARCH64",     "SCMP_ARCH_ARM",    "SCMP_ARCH_LOONGARCH64",
                       "SCMP_ARCH_M68K",        "SCMP_ARCH_MIPS",   "SCMP_ARCH_MIPS64",
                       "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
                       "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
                       "SCMP_ARCH_PPC",         "SCMP_ARCH_PPC64",  "SCMP_ARCH_PPC64LE",
                       "SCMP_ARCH_RISCV64",     "SCMP_ARCH_S390",   "SCMP_ARCH_S390X",
                       "SCMP_ARCH_SH",          "SCMP_ARCH_SHEB",   "SCMP_ARCH_X32",
                       "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64"}},
            {"knownFlags",
             {"SECCOMP_FILTER_FLAG_LOG",
              "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
              "SECCOMP_FILTER_FLAG_TSYNC",
              "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}},
            {"supportedFlags", {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"}}};
}

ordered_json linux_features() {
    constexpr std::uint64_t whatever_is_known = 63;
    return {
        {"namespaces", {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}},
        {"capabilities", plan::all_capabilities(whatever_is_known)},
        {"cgroup",
         {{"v1", false}, {"v2", true}, {"systemd", true}, {"systemdUser", false}, {"rdma", false}}},
        {"seccomp", seccomp_features()},
        {"apparmor", enabled(true)},
        {"selinux", enabled(true)},
        {"intelRdt", enabled(false)},
        {"mountExtensions", {{"idmap", enabled(true)}}},
        {"netDevices", enabled(true)},
        {"memoryPolicy", enabled(true)}};
}

} // namespace

int features_verb(const Globals& /*globals*/, const Words& words) {
    CLI::App app("Prints what this runtime supports, as JSON.", "sctr-oci features");
    describe(app, "", {"sctr-oci features"});
    parse_flags(app, words);
    const ordered_json features{{"ociVersionMin", "1.0.0"},
                                {"ociVersionMax", "1.3.0"},
                                {"hooks",
                                 {"prestart",
                                  "createRuntime",
                                  "createContainer",
                                  "startContainer",
                                  "poststart",
                                  "poststop"}},
                                {"mountOptions", plan::mount_option_names()},
                                {"linux", linux_features()},
                                {"annotations",
                                 {{"io.sctr.version", SCTR_VERSION},
                                  {"org.opencontainers.runc.checkpoint.enabled", "true"}}},
                                {"potentiallyUnsafeConfigAnnotations",
                                 {"org.criu.config",
                                  "org.systemd.property.",
                                  "run.oci.delegate-cgroup",
                                  "run.oci.hooks.",
                                  "run.oci.keep_original_groups",
                                  "run.oci.seccomp.receiver",
                                  "run.oci.systemd.subgroup"}}};
    std::puts(json_text(features).c_str());
    return 0;
}

} // namespace sctr::cli::engine
