// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/store_filter.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::cli {
namespace {

TEST(StoreFilter, OfImages) {
    const oci::StoredImage image{.created = "2026-01-02T03:04:05Z",
                                 .config = {.labels = {{"a", "1"}, {"b", "2"}}}};
    const ImageRow named{.image = image, .names = {"localhost/web:2", "docker.io/library/x:1"}};
    const ImageRow dangling{.image = image, .names = {}};

    const struct {
        std::vector<std::string> filters;
        bool takes_named;
        bool takes_dangling;
    } cases[] = {
        {{}, true, true},
        {{"reference=w*"}, true, false},
        {{"reference=w*:1"}, false, false},
        {{"reference=none", "reference=x:[0-9]"}, true, false},
        {{"reference=docker.io/*/x"}, true, false},
        {{"reference=docker.io/*"}, false, false},
        {{"reference=localhost/web:2"}, true, false},
        {{"reference=eb"}, false, false},
        {{"dangling=true"}, false, true},
        {{"dangling=false"}, true, false},
        {{"label=a"}, true, true},
        {{"label=a=1", "label=b=2"}, true, true},
        {{"label=a=1", "label=b=1"}, false, false},
        {{"label!=c", "label!=a=2"}, true, true},
        {{"label!=c", "label!=a"}, false, false},
        {{"before=2026-01-02T03:04:05.5Z"}, true, true},
        {{"before=2026-01-02T03:04:05Z"}, false, false},
        {{"since=2026-01-02T03:04:05Z"}, false, false},
        {{"since=2026-01-02T03:04:04.9Z", "dangling=true"}, false, true},
    };

    for (const auto& each : cases) {
        const auto filter = image_filter(each.filters);
        EXPECT_EQ(filter.takes(named), each.takes_named) << join(each.filters, " ");
        EXPECT_EQ(filter.takes(dangling), each.takes_dangling) << join(each.filters, " ");
    }
    for (const char* text : {"colour=red", "dangling", "dangling=maybe", "label=", "reference"}) {
        EXPECT_THROW(image_filter({text}), Error) << text;
    }
}

TEST(StoreFilter, OfVolumes) {
    const storage::Volume volume{.name = "web-data", .labels = {{"a", "1"}}};
    const VolumeRow mounted{.volume = volume, .is_mounted = true};
    const VolumeRow free{.volume = volume, .is_mounted = false};

    const struct {
        std::vector<std::string> filters;
        bool takes_mounted;
        bool takes_free;
    } cases[] = {
        {{}, true, true},
        {{"name=eb-"}, true, true},
        {{"name=x", "name=data"}, true, true},
        {{"name=x"}, false, false},
        {{"label=a=1"}, true, true},
        {{"label!=a"}, false, false},
        {{"dangling=true"}, false, true},
        {{"dangling=false"}, true, false},
        {{"driver=local"}, true, true},
        {{"driver=nfs"}, false, false},
        {{"name=web", "dangling=true"}, false, true},
    };

    for (const auto& each : cases) {
        const auto filter = volume_filter(each.filters);
        EXPECT_EQ(filter.takes(mounted), each.takes_mounted) << join(each.filters, " ");
        EXPECT_EQ(filter.takes(free), each.takes_free) << join(each.filters, " ");
    }
    for (const char* text : {"colour=red", "name=", "dangling=yes"}) {
        EXPECT_THROW(volume_filter({text}), Error) << text;
    }
}

} // namespace
} // namespace sctr::cli
