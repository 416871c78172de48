// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/rootfs_facts.hpp"
#include "cli/run_flags.hpp"
#include "oci/spec.hpp"
#include "plan/request.hpp"

/// From a command line to a request, without looking at the world: equal input, equal request.
/// Every value that a flag does not take throws Error that names flag, value and the valid form.
namespace sctr::cli {

/// The whole request of `sctr run`.
plan::Request build_request(const RunFlags& flags, const RootfsFacts& facts);

// One concern each, in the order in which build_request calls them. -------------------------------

/// Namespaces, id maps, time offsets (request_namespaces.cpp).
void add_namespaces(oci::Spec& spec, const NamespaceFlags& flags, const RootfsFacts& facts);

/// Arguments, environment, user, directory, terminal (request_process.cpp).
void add_process(oci::Spec& spec, const RunFlags& flags, const RootfsFacts& facts);

/// Capabilities, seccomp, labels, masked paths, sysctl (request_privileges.cpp).
void add_privileges(plan::Request& request, const RunFlags& flags, const RootfsFacts& facts);

/// Limits and unit properties (request_limits.cpp).
void add_limits(plan::Request& request, const LimitFlags& flags, const RootfsFacts& facts);

/// Unit properties that only systemd offers (request_systemd.cpp).
void add_systemd(plan::Request& request, const SystemdFlags& flags);

/// Device nodes and the rules for them (request_devices.cpp).
void add_devices(oci::Spec& spec,
                 const MountFlags& flags,
                 bool privileged,
                 const RootfsFacts& facts);

/// In the config: whose the container's anonymous volumes are.
inline constexpr const char* volume_owner_annotation = "io.sctr.volumes.owner";

/// In the config: before the name of a variable that a secret gives, where that comes from:
/// secret:NAME or credential:NAME.
inline constexpr const char* secret_variable_annotation = "io.sctr.secret-variable/";

/// Before the name of a label, which is whatever a stranger wrote, and so stands apart from the
/// annotations that have a meaning.
inline constexpr const char* label_annotation_prefix = "io.sctr.label/";

/// Names of the variables that tell programs of a proxy.
std::vector<std::string> proxy_variables();

/// What the files of --label-file say; of one name the last line counts. Throws Error at file and
/// line.
std::map<std::string, std::string> labels_of_files(const RootfsFacts& facts);

/// The labels among annotations, by their own names.
std::map<std::string, std::string> labels_of(const std::map<std::string, std::string>& annotations);

/// In the config: the directory below the container's root, of --rootfs DIR:O.
inline constexpr const char* lower_annotation = "io.sctr.rootfs.lower";
/// The image that its root is, by the digest of the manifest.
inline constexpr const char* image_digest_annotation = "io.sctr.image.digest";

/// The caller's mounts, with the sources of volumes; those of the image and of --volumes-from come
/// last, where nothing else is (request_callers_mounts.cpp).
std::vector<CallersMount> callers_mounts(const MountFlags& flags, const RootfsFacts& facts);

/// The standard mounts and the caller's (request_mounts.cpp).
void add_mounts(plan::Request& request,
                const MountFlags& flags,
                bool privileged,
                const RootfsFacts& facts);

/// Networks, ports, and the files below /etc that tell of names; after the mounts
/// (request_network.cpp).
void add_network(plan::Request& request, const NetworkFlags& flags, const RootfsFacts& facts);

/// Secrets and credentials (request_secrets.cpp); after the mounts.
void add_secrets(plan::Request& request, const MountFlags& flags, const RootfsFacts& facts);

/// The health check, if there is one (request_health.cpp).
std::optional<plan::HealthCheck> health_check(const RunFlags& flags);

/// What -v ...:z and :Z have relabelled, where there is SELinux (request_callers_mounts.cpp).
void add_relabels(plan::Request& request, const MountFlags& flags, const RootfsFacts& facts);

/// Where the ipc namespace is another container's, its /dev/shm too (request_standard_mounts.cpp).
void share_memory(plan::Request& request, const RunFlags& flags, const RootfsFacts& facts);

// What gather() has to read for a command line, told by the same parsers. -------------------------

/// Absolute host paths of every bind mount, each with the flag that names it.
std::vector<std::pair<std::string, std::string>> bind_sources(const MountFlags& flags,
                                                              const std::string& directory);

/// Names of the images of --mount type=image.
std::set<std::string> mounted_images(const MountFlags& flags);

/// Host paths that --device and the --device-read-bps family name.
std::set<std::string> device_sources(const MountFlags& mounts, const LimitFlags& limits);

/// True for --userns auto: ids are to be found for the container.
bool wants_id_range(const NamespaceFlags& flags);

/// Whom the container of --userns keep-id calls the caller; nothing where that is not asked for.
/// Throws Error for root.
std::optional<plan::KeptIds> kept_ids(const NamespaceFlags& flags, const RootfsFacts& facts);

/// The container of --ipc and --userns container:NAME; empty when there is none.
std::string ipc_container(const NamespaceFlags& flags);
std::string user_container(const NamespaceFlags& flags);

/// Names of containers whose namespaces are to be joined.
std::set<std::string> joined_containers(const NamespaceFlags& flags);

/// The FILE of --security-opt seccomp=FILE; empty when there is none.
std::string seccomp_file(const PrivilegeFlags& flags);

// Shared by run and exec. -------------------------------------------------------------------------

/// The account that --user names, by the texts of passwd(5) and group(5).
struct Account {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> additional_gids; ///< the primary group first (CVE-2022-36109)
    std::string home = "/";
};

/// Reads NAME|UID[:GROUP|GID]. Supplementary groups are the user's in /etc/group, unless a group is
/// named, as docker does. Throws Error for a name that the container does not know.
Account find_account(const std::string& user, const std::string& passwd, const std::string& group);

/// Reads NAME|GID. Throws Error that names `flag` for a name that the container does not know.
gid_t find_group(const char* flag, const std::string& word, const std::string& group);

/// Environment variables in order of first appearance; a later value replaces an earlier one.
class Environment {
  public:
    explicit Environment(const std::vector<std::string>& lines = {});
    void set(const std::string& name, const std::string& value);
    void unset(const std::string& name);
    [[nodiscard]] bool has(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> lines() const;

  private:
    std::vector<std::pair<std::string, std::string>> values_;
};

/// Applies --env-file and --env on top.
void apply_environment(Environment& environment,
                       const ProcessFlags& flags,
                       const RootfsFacts& facts);

/// Names of every capability that the caller can give: what ALL and --privileged mean.
std::vector<std::string> available_capabilities(const RootfsFacts& facts);

/// The capability sets of a process whose container has `bounding`: all of it for root, and for
/// others only what was added by name, which becomes ambient.
oci::Capabilities capability_sets(const std::vector<std::string>& bounding,
                                  const std::vector<std::string>& added_by_name,
                                  uid_t uid);

} // namespace sctr::cli
