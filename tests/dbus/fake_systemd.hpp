// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sctr::test {

/// A property of a call, as it came over the bus.
struct SentProperty {
    std::string name;
    std::string signature;
    sdbus::Variant value;
};

/// A call of StartTransientUnit.
struct StartCall {
    std::string unit;
    std::string mode;
    std::vector<SentProperty> properties;
    std::string caller; ///< its unique bus name

    [[nodiscard]] const SentProperty* find(const std::string& name) const;
    [[nodiscard]] std::string signature_of(const std::string& name) const; ///< empty if not sent
};

/// An org.freedesktop.systemd1 that does what a test tells it, in a thread of its own.
class FakeSystemd {
  public:
    /// Answers a StartTransientUnit: with reply_job(), refuse(), signals, or not at all.
    using OnStart = std::function<void(FakeSystemd&, const sdbus::MethodCall&, const StartCall&)>;
    /// Called after a method that only notes its arguments.
    using OnCall = std::function<void(FakeSystemd&, const std::string& call)>;

    static constexpr const char* job = "/org/freedesktop/systemd1/job/7";

    FakeSystemd(const std::string& address, OnStart on_start, OnCall on_call = {});
    ~FakeSystemd();
    FakeSystemd(const FakeSystemd&) = delete;
    FakeSystemd& operator=(const FakeSystemd&) = delete;

    /// To be set before the test connects.
    void have_unit(const std::string& unit,
                   const std::string& active_state,
                   const std::string& control_group,
                   const std::string& controller = "");
    void refuse_method(const std::string& method, const std::string& error);

    void reply_job(const sdbus::MethodCall& call);
    void refuse(const sdbus::MethodCall& call, const std::string& name, const std::string& text);
    void
    job_removed(const std::string& job_path, const std::string& unit, const std::string& result);
    void unit_removed(const std::string& unit);
    void request_stop(const std::string& unit, const std::string& to);

    /// The calls so far, as "KillUnit a.scope all 9".
    [[nodiscard]] std::vector<std::string> calls();
    [[nodiscard]] std::vector<StartCall> starts();

  private:
    void note(const std::string& call);
    void add_manager();
    sdbus::MethodVTableItem method(const std::string& name,
                                   const char* arguments,
                                   const char* result,
                                   std::function<std::string(sdbus::MethodCall&)> read);
    void start_transient_unit(sdbus::MethodCall call);

    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<sdbus::IObject> manager_;
    std::map<std::string, std::unique_ptr<sdbus::IObject>> units_;
    std::map<std::string, std::string> refused_methods_;
    OnStart on_start_;
    OnCall on_call_;
    std::mutex mutex_; ///< of what the test's thread reads
    std::vector<std::string> calls_;
    std::vector<StartCall> starts_;
    std::thread loop_;
};

} // namespace sctr::test
