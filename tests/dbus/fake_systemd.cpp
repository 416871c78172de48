// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fake_systemd.hpp"

#include "systemd/bus.hpp"

#include <algorithm>

namespace sctr::test {

namespace {

const sdbus::InterfaceName manager_interface{"org.freedesktop.systemd1.Manager"};
const sdbus::InterfaceName unit_interface{"org.freedesktop.systemd1.Unit"};
const sdbus::InterfaceName scope_interface{"org.freedesktop.systemd1.Scope"};
const sdbus::ObjectPath manager_path{"/org/freedesktop/systemd1"};

using Property = sdbus::Struct<std::string, sdbus::Variant>;

std::vector<SentProperty> read_properties(sdbus::MethodCall& call) {
    std::vector<Property> raw;
    call >> raw;
    std::vector<SentProperty> properties;
    for (const Property& property : raw) {
        properties.push_back(
            {property.get<0>(), property.get<1>().peekValueType(), property.get<1>()});
    }
    return properties;
}

std::string read_unit(sdbus::MethodCall& call) {
    std::string unit;
    call >> unit;
    return unit;
}

template <typename T>
sdbus::PropertyVTableItem property(const char* name, const char* signature, T value) {
    return sdbus::PropertyVTableItem{
        .name = sdbus::PropertyName(name),
        .signature = sdbus::Signature(signature),
        .getter = [value = std::move(value)](sdbus::PropertyGetReply& reply) { reply << value; },
        .setter = {},
        .flags = {}};
}

sdbus::PropertyVTableItem text_property(const char* name, std::string value) {
    return property(name, "s", std::move(value));
}

} // namespace

const SentProperty* StartCall::find(const std::string& name) const {
    const auto found = std::ranges::find(properties, name, &SentProperty::name);
    return found != properties.end() ? &*found : nullptr;
}

std::string StartCall::signature_of(const std::string& name) const {
    const SentProperty* property = find(name);
    return property != nullptr ? property->signature : "";
}

FakeSystemd::FakeSystemd(const std::string& address, OnStart on_start, OnCall on_call)
    : connection_(sdbus::createSessionBusConnectionWithAddress(address)),
      on_start_(std::move(on_start)), on_call_(std::move(on_call)) {
    manager_ = sdbus::createObject(*connection_, manager_path);
    add_manager();
    connection_->requestName(sdbus::ServiceName("org.freedesktop.systemd1"));
    loop_ = std::thread([this] {
        try {
            connection_->enterEventLoop();
        } catch (const sdbus::Error&) { // the test has ended the bus
        }
    });
}

FakeSystemd::~FakeSystemd() {
    connection_->leaveEventLoop();
    loop_.join();
}

sdbus::MethodVTableItem FakeSystemd::method(const std::string& name,
                                            const char* arguments,
                                            const char* result,
                                            std::function<std::string(sdbus::MethodCall&)> read) {
    const bool gives_job = std::string_view(result) == "o";
    return sdbus::MethodVTableItem{
        .name = sdbus::MethodName(name),
        .inputSignature = sdbus::Signature(arguments),
        .inputParamNames = {},
        .outputSignature = sdbus::Signature(result),
        .outputParamNames = {},
        .callbackHandler =
            [this, name, gives_job, read = std::move(read)](sdbus::MethodCall call) {
                const std::string text = name + (call.isEmpty() ? "" : " ") + read(call);
                note(text);
                const auto refused = refused_methods_.find(name);
                if (refused != refused_methods_.end()) {
                    refuse(call, refused->second, name + " refused");
                } else if (gives_job) {
                    reply_job(call);
                } else {
                    call.createReply().send();
                }
                if (on_call_) {
                    on_call_(*this, text);
                }
            },
        .flags = {}};
}

void FakeSystemd::add_manager() {
    const auto unit_only = [](sdbus::MethodCall& call) { return read_unit(call); };
    std::vector<sdbus::VTableItem> table;
    table.emplace_back(sdbus::MethodVTableItem{
        .name = sdbus::MethodName("StartTransientUnit"),
        .inputSignature = sdbus::Signature("ssa(sv)a(sa(sv))"),
        .inputParamNames = {},
        .outputSignature = sdbus::Signature("o"),
        .outputParamNames = {},
        .callbackHandler =
            [this](sdbus::MethodCall call) { start_transient_unit(std::move(call)); },
        .flags = {}});
    table.emplace_back(method("Subscribe", "", "", [](sdbus::MethodCall&) { return ""; }));
    table.emplace_back(method("Unsubscribe", "", "", [](sdbus::MethodCall&) { return ""; }));
    for (const char* name : {"ResetFailedUnit", "FreezeUnit", "ThawUnit", "RefUnit", "UnrefUnit"}) {
        table.emplace_back(method(name, "s", "", unit_only));
    }
    table.emplace_back(method("StopUnit", "ss", "o", [](sdbus::MethodCall& call) {
        const std::string unit = read_unit(call);
        return unit + " " + read_unit(call);
    }));
    table.emplace_back(method("CancelJob", "u", "", [](sdbus::MethodCall& call) {
        std::uint32_t number = 0;
        call >> number;
        return std::to_string(number);
    }));
    table.emplace_back(method("KillUnit", "ssi", "", [](sdbus::MethodCall& call) {
        std::string unit;
        std::string whom;
        std::int32_t signal = 0;
        call >> unit >> whom >> signal;
        return unit + " " + whom + " " + std::to_string(signal);
    }));
    table.emplace_back(method("SetUnitProperties", "sba(sv)", "", [](sdbus::MethodCall& call) {
        std::string text;
        bool runtime = false;
        call >> text >> runtime;
        text += runtime ? " runtime" : " persistent";
        for (const SentProperty& property : read_properties(call)) {
            text += " " + property.name + ":" + property.signature;
        }
        return text;
    }));
    table.emplace_back(method("AttachProcessesToUnit", "ssau", "", [](sdbus::MethodCall& call) {
        std::string unit;
        std::string subcgroup;
        std::vector<std::uint32_t> pids;
        call >> unit >> subcgroup >> pids;
        std::string text = unit + " " + subcgroup;
        for (const std::uint32_t pid : pids) {
            text += " " + std::to_string(pid);
        }
        return text;
    }));
    table.emplace_back(text_property("Version", "257.13-fake"));
    table.emplace_back(text_property("Features", "+PAM -APPARMOR"));
    manager_->addVTable(manager_interface, std::move(table));
}

void FakeSystemd::have_unit(const std::string& unit,
                            const std::string& active_state,
                            const std::string& control_group,
                            const std::string& controller) {
    auto object = sdbus::createObject(*connection_, sdbus::ObjectPath(systemd::unit_path(unit)));
    const bool loaded = active_state != "not-found";
    object->addVTable(
        unit_interface,
        std::vector<sdbus::VTableItem>{
            text_property("LoadState", loaded ? "loaded" : "not-found"),
            text_property("ActiveState", loaded ? active_state : "inactive"),
            text_property("SubState", "running"),
            text_property("FreezerState", "running"),
            property("InvocationID", "ay", std::vector<std::uint8_t>{0x01, 0xfe, 0x20})});
    object->addVTable(scope_interface,
                      std::vector<sdbus::VTableItem>{
                          text_property("Result", "oom-kill"),
                          text_property("ControlGroup", control_group),
                          text_property("Controller", controller),
                          property("MemoryMax", "t", std::uint64_t{1} << 30),
                          property("MemorySwapMax", "t", ~std::uint64_t{0}),
                          property("CPUWeight", "t", ~std::uint64_t{0}),
                          property("IOWeight", "t", std::uint64_t{50}),
                          property("TasksMax", "t", std::uint64_t{9}),
                          property("CPUQuotaPerSecUSec", "t", std::uint64_t{1'500'000}),
                          property("StartupCPUWeight", "t", std::uint64_t{7}),
                          property("AllowedCPUs", "ay", std::vector<std::uint8_t>{0x8f, 0x81})});
    units_[unit] = std::move(object);
}

void FakeSystemd::refuse_method(const std::string& method, const std::string& error) {
    refused_methods_[method] = error;
}

void FakeSystemd::start_transient_unit(sdbus::MethodCall call) {
    StartCall start;
    call >> start.unit >> start.mode;
    start.properties = read_properties(call);
    start.caller = call.getSender();
    {
        const std::lock_guard lock(mutex_);
        starts_.push_back(start);
    }
    on_start_(*this, call, start);
}

void FakeSystemd::reply_job(const sdbus::MethodCall& call) {
    auto reply = call.createReply();
    reply << sdbus::ObjectPath(job);
    reply.send();
}

void FakeSystemd::refuse(const sdbus::MethodCall& call,
                         const std::string& name,
                         const std::string& text) {
    call.createErrorReply(sdbus::Error(sdbus::Error::Name(name), text)).send();
}

void FakeSystemd::job_removed(const std::string& job_path,
                              const std::string& unit,
                              const std::string& result) {
    auto signal = manager_->createSignal(manager_interface, sdbus::SignalName("JobRemoved"));
    signal << std::uint32_t{7} << sdbus::ObjectPath(job_path) << unit << result;
    signal.send();
}

void FakeSystemd::unit_removed(const std::string& unit) {
    auto signal = manager_->createSignal(manager_interface, sdbus::SignalName("UnitRemoved"));
    signal << unit << sdbus::ObjectPath(systemd::unit_path(unit));
    signal.send();
}

void FakeSystemd::request_stop(const std::string& unit, const std::string& to) {
    const auto object =
        sdbus::createObject(*connection_, sdbus::ObjectPath(systemd::unit_path(unit)));
    auto signal = object->createSignal(scope_interface, sdbus::SignalName("RequestStop"));
    signal.setDestination(to);
    signal.send();
}

void FakeSystemd::note(const std::string& call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
}

std::vector<std::string> FakeSystemd::calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
}

std::vector<StartCall> FakeSystemd::starts() {
    const std::lock_guard lock(mutex_);
    return starts_;
}

} // namespace sctr::test
