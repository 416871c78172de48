// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plan/init_plan.hpp"

/// How plans and messages cross from sctr to sctr-init: host-endian bytes, since both ends are one
/// build on one machine. Header-only and without exceptions, because sctr-init has none.
///
/// Each struct has one `visit_fields`, which writer and reader share, so that they cannot disagree.
namespace sctr::plan::codec {

template <typename T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Writer {
  public:
    template <typename... Fields> void operator()(const Fields&... fields) { (put(fields), ...); }

    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    template <Scalar T> void put(T value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    void put(const std::string& text) {
        put(static_cast<std::uint32_t>(text.size()));
        bytes_ += text;
    }

    template <typename T> void put(const std::vector<T>& items) {
        put(static_cast<std::uint32_t>(items.size()));
        for (const auto& item : items) {
            put(item);
        }
    }

    template <typename T>
        requires std::is_class_v<T>
    void put(const T& record) {
        visit_fields(*this, record);
    }

    std::string bytes_;
};

/// Reads what a Writer wrote. After a short or oversized input `ok()` is false and every value
/// read is empty; nothing is ever read outside the input.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    template <typename... Fields> void operator()(Fields&... fields) { (get(fields), ...); }

    [[nodiscard]] bool ok() const { return ok_; }

    [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }

  private:
    bool has(std::size_t size) {
        ok_ = ok_ && rest_.size() >= size;
        return ok_;
    }

    template <Scalar T> void get(T& value) {
        value = T{};
        if (has(sizeof value)) {
            rest_.copy(reinterpret_cast<char*>(&value), sizeof value);
            rest_.remove_prefix(sizeof value);
        }
    }

    void get(bool& value) {
        std::uint8_t byte = 0;
        get(byte);
        ok_ = ok_ && byte <= 1; // any other is no value of a bool
        value = ok_ && byte == 1;
    }

    void get(std::string& text) {
        std::uint32_t size = 0;
        get(size);
        text.clear();
        if (has(size)) {
            text.assign(rest_.substr(0, size));
            rest_.remove_prefix(size);
        }
    }

    template <typename T> void get(std::vector<T>& items) {
        std::uint32_t count = 0;
        get(count);
        items.clear();
        for (std::uint32_t i = 0; i < count && ok_; ++i) {
            get(items.emplace_back());
        }
    }

    template <typename T>
        requires std::is_class_v<T>
    void get(T& record) {
        visit_fields(*this, record);
    }

    std::string_view rest_;
    bool ok_ = true;
};

/// The same fields for `const T` (writing) and `T` (reading).
template <typename Record, typename T>
concept Is = std::is_same_v<std::remove_const_t<Record>, T>;

template <typename Archive, Is<NamespaceStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.clone_flag, r.join_fd, r.join_path);
}

template <typename Archive, Is<MountStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.kind, r.source, r.target, r.fstype, r.data, r.attr_set, r.attr_clear);
    archive(r.recursive_attr_set, r.recursive_attr_clear, r.propagation, r.recursive);
    archive(r.copy_up, r.copy_symlink, r.cover_symlink, r.from_host);
    archive(r.bind_if_refused, r.tree_fd);
}

template <typename Archive, Is<DeviceStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.path, r.mode, r.device, r.uid, r.gid, r.must_match, r.from_host);
}

template <typename Archive, Is<SymlinkStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.path, r.target);
}

template <typename Archive, Is<SecretStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.target, r.text, r.uid, r.gid, r.mode);
}

template <typename Archive, Is<SysctlStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.path, r.value);
}

template <typename Archive, Is<RlimitStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.name, r.resource, r.soft, r.hard);
}

template <typename Archive, Is<CapabilitySets> R> void visit_fields(Archive& archive, R& r) {
    archive(r.bounding, r.effective, r.inheritable, r.permitted, r.ambient);
}

template <typename Archive, Is<SeccompStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.program, r.flags);
}

template <typename Archive, Is<SchedulerStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.set, r.policy, r.flags, r.nice, r.priority, r.runtime, r.deadline, r.period);
}

template <typename Archive, Is<MemoryPolicyStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.set, r.mode, r.nodes);
}

template <typename Archive, Is<SchedulingStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.scheduler, r.set_io_priority, r.io_priority, r.set_personality, r.personality);
    archive(r.memory_policy, r.cpus);
}

template <typename Archive, Is<ProcessStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.args, r.env, r.cwd, r.create_cwd, r.terminal, r.console_rows, r.console_columns);
    archive(r.uid, r.gid, r.set_groups, r.additional_gids, r.umask, r.capabilities);
    archive(r.no_new_privileges, r.rlimits);
    archive(r.set_oom_score_adj, r.oom_score_adj, r.is_rootless);
    archive(r.apparmor_profile, r.selinux_label, r.seccomp, r.preserved_fds);
    archive(r.die_with_supervisor, r.run_init, r.scheduling);
}

template <typename Archive, Is<OverlayStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.lower, r.upper, r.work, r.user_xattrs, r.is_volatile);
}

template <typename Archive, Is<HookStep> R> void visit_fields(Archive& archive, R& r) {
    archive(r.place, r.path, r.args, r.env, r.timeout_seconds);
}

template <typename Archive, Is<InitPlan> R> void visit_fields(Archive& archive, R& r) {
    archive(r.namespaces, r.fork_after_join, r.fork_flags, r.wait_for_id_maps);
    archive(r.time_offsets, r.rootfs, r.overlay);
    archive(r.rootfs_from_host, r.tree_socket, r.root_propagation, r.readonly_mounts);
    archive(r.root_readonly, r.no_pivot, r.no_new_keyring, r.mounts, r.devices, r.symlinks);
    archive(r.secrets);
    archive(r.masked_paths, r.readonly_paths, r.hostname, r.domainname, r.sysctls);
    archive(r.hold_before_pivot, r.create_container_hooks, r.start_container_hooks);
    archive(r.start_socket, r.process);
}

template <typename Archive, Is<ExecPlan> R> void visit_fields(Archive& archive, R& r) {
    archive(r.init_pidfd, r.namespaces, r.wait_for_scope, r.process);
}

template <typename T> std::string encode(const T& record) {
    Writer writer;
    writer(record);
    return writer.bytes();
}

/// Fills `record` from `bytes`; false when they are not exactly one record.
template <typename T> [[nodiscard]] bool decode(std::string_view bytes, T& record) {
    Reader reader(bytes);
    reader(record);
    return reader.complete();
}

} // namespace sctr::plan::codec
