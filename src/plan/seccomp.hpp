// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

/// System call filters (runtime-spec, config-linux, Seccomp; seccomp(2)). An instruction is one
/// number, laid out in memory as struct sock_filter of a little-endian machine:
/// code | jt << 16 | jf << 24 | k << 32.
namespace sctr::plan {

/// How a program finds the rule of a system call. A tree takes libseccomp half as long again to
/// make, and the kernel half as long to load.
enum class FilterLayout { list, tree };

/// Compiles a filter for the native architecture and those that it names.
///
/// Names of system calls that libseccomp does not know are skipped, as the spec allows. Where the
/// default is an errno, system calls newer than every one that the filter names give ENOSYS
/// instead, so that programs fall back to older ones. The result depends on the filter alone, not
/// on the running kernel. Throws Error with the JSON pointer below /linux/seccomp on an action,
/// architecture, operator or flag that does not exist. A filter that notifies has
/// SECCOMP_FILTER_FLAG_NEW_LISTENER in its flags; that it can is for oci::validate to say.
SeccompStep compile_seccomp(const oci::Seccomp& seccomp, FilterLayout layout = FilterLayout::list);

/// Turns a filter into its program: compile_seccomp, or what remembers its results.
using SeccompCompiler = std::function<SeccompStep(const oci::Seccomp&)>;

/// Everything that the result of compile_seccomp(seccomp, layout) depends on, as bytes: equal keys,
/// equal programs, whichever build of sctr and whichever libseccomp made them.
std::string seccomp_key(const oci::Seccomp& seccomp, FilterLayout layout);

/// The instructions that give ENOSYS for what is newer than `seccomp`; they go before its filter,
/// and fall through to it. Empty where the default action already says what happens.
std::vector<std::uint64_t> newer_syscall_guard(const oci::Seccomp& seccomp);

/// The architecture of this machine in the spec's words, "SCMP_ARCH_X86_64".
std::string native_architecture();

/// The profile of a container with these capabilities when nothing else is asked: as strict as
/// podman's and, for AF_VSOCK sockets, as docker's.
oci::Seccomp default_seccomp(const std::vector<std::string>& capabilities);

/// The compiled default_seccomp(default_capabilities()), a tree, made at build time: libseccomp
/// needs milliseconds for it, too long for each start.
const SeccompStep& default_seccomp_program();

} // namespace sctr::plan
