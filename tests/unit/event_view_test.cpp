// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/event_view.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "container/log_fields.hpp"

namespace sctr::cli {
namespace {

using container::Event;

const EventEntry died{.time_usec = 1'000'000,
                      .event = Event::die,
                      .name = "web",
                      .unit = "sctr-web.scope",
                      .run = "7",
                      .image = "debian",
                      .exit_status = 137};

TEST(EventText, IsOneLine) {
    EXPECT_EQ(event_text(died),
              "1970-01-01T00:00:01.000000Z die web (status=137, image=debian, "
              "unit=sctr-web.scope)\n");
    EXPECT_EQ(event_text({.event = Event::exec, .name = "web", .unit = "u", .command = "a\nb"}),
              "1970-01-01T00:00:00.000000Z exec web (command=a\\nb, unit=u)\n");
}

TEST(EventJson, HasWhatIsKnown) {
    EXPECT_EQ(nlohmann::json::parse(event_json(died)),
              (nlohmann::json{{"time", "1970-01-01T00:00:01.000000Z"},
                              {"event", "die"},
                              {"name", "web"},
                              {"unit", "sctr-web.scope"},
                              {"run", "7"},
                              {"image", "debian"},
                              {"exitStatus", 137}}));
}

TEST(EventFilter, WantsOneOfEachKind) {
    struct Case {
        std::vector<const char*> filters;
        bool matches;
    };

    for (const auto& [filters, matches] : {
             Case{{}, true},
             Case{{"container=web"}, true},
             Case{{"container=db"}, false},
             Case{{"container=db", "container=web"}, true},
             Case{{"event=die"}, true},
             Case{{"event=start", "event=stop"}, false},
             Case{{"container=web", "event=die", "image=debian"}, true},
             Case{{"container=web", "event=start"}, false},
             Case{{"image=other"}, false},
         }) {
        EventFilter filter;
        for (const char* text : filters) {
            filter.add(text);
        }
        EXPECT_EQ(filter.matches(died), matches) << testing::PrintToString(filters);
    }
}

TEST(EventFilter, RefusesWhatItDoesNotKnow) {
    for (const char* text : {"", "web", "container=", "event=", "event=born", "label=a"}) {
        EXPECT_THROW(EventFilter().add(text), Error) << text;
    }
}

TEST(Event, HasANameForEach) {
    for (const char* name : {"create",
                             "start",
                             "exec",
                             "pause",
                             "unpause",
                             "oom",
                             "health_status",
                             "stop",
                             "die",
                             "remove"}) {
        const auto event = container::parse_event(name);
        ASSERT_TRUE(event) << name;
        EXPECT_STREQ(container::to_string(*event), name);
    }
}

TEST(ImageName, IsTakenFromTheAnnotationsOfEngines) {
    struct Case {
        std::map<std::string, std::string> annotations;
        const char* image;
    };

    for (const auto& [annotations, image] : {
             Case{{}, ""},
             Case{{{"other", "x"}}, ""},
             Case{{{"io.kubernetes.cri.image-name", "a"}}, "a"},
             Case{{{"io.kubernetes.cri-o.ImageName", "b"}}, "b"},
             Case{{{"org.opencontainers.image.ref.name", "c"}, {"io.sctr.image", "d"}}, "d"},
         }) {
        oci::Spec spec;
        spec.annotations.insert(annotations.begin(), annotations.end());
        EXPECT_EQ(container::image_name(spec), image);
    }
}

} // namespace
} // namespace sctr::cli
