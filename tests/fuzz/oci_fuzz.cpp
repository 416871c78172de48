// SPDX-License-Identifier: LGPL-2.1-or-later
// A config.json from anywhere: read, judged, planned, and written back.
#include <string>

#include "fuzz.hpp"
#include "oci/parse.hpp"
#include "oci/serialize.hpp"
#include "oci/validate.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::fuzz {
namespace {

void round_trip(const oci::Spec& spec) {
    const std::string text = oci::serialize(spec);
    oci::Spec again;
    check(accepts([&] { again = oci::parse(text); }), "what is written can be read");
    check(oci::serialize(again) == text, "what is read back is the same");
}

void plan_it(const oci::Spec& spec) {
    const plan::Request request{.spec = spec, .id = "fuzz", .description = "fuzz"};
    host::Facts facts{.is_root = true};
    facts.controllers = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"};
    accepts([&] { (void)plan::describe(plan::make(request, facts)); });
}

void run(std::string_view text) {
    oci::Spec spec;
    if (accepts([&] { spec = oci::parse(text); })) {
        round_trip(spec);
        if (accepts([&] { oci::validate(spec); })) {
            plan_it(spec);
        }
    }
    accepts([&] { oci::validate_process(oci::parse_process(text)); });
    accepts([&] { oci::validate_resources(oci::parse_resources(text)); });
}

} // namespace
} // namespace sctr::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    sctr::fuzz::run(sctr::fuzz::text_of(data, size));
    return 0;
}
