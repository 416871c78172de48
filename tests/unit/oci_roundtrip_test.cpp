// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <typeinfo>
#include <utility>

#include "full_config.hpp"
#include "oci/fields.hpp"
#include "oci/names.hpp"
#include "oci/parse.hpp"
#include "oci/serialize.hpp"

namespace sctr::oci {
namespace {

/// Counts how often each field of each struct was seen with a value other than its default.
class Coverage {
  public:
    template <typename T> void required(const std::string& name, const T& value) {
        seen[struct_ + "." + name] += is_absent(value) ? 0 : 1;
        descend(value);
    }

    template <typename T> void always(const std::string& name, const T& value) {
        required(name, value);
    }

    template <typename T> void optional(const std::string& name, const T& value) {
        required(name, value);
    }

    template <typename T>
    void wrapped(const std::string& outer, const std::string& inner, const T& value) {
        required(outer + "." + inner, value);
    }

    void descend(const auto& value) {
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (requires { fields(*this, value); }) {
            const auto outer = std::exchange(struct_, typeid(T).name());
            fields(*this, value);
            struct_ = outer;
        } else if constexpr (requires { value.value(); }) {
            descend(value.value_or(typename T::value_type{}));
        } else if constexpr (requires { typename T::mapped_type; }) {
            for (const auto& [name, member] : value) {
                descend(member);
            }
        } else if constexpr (!std::same_as<T, std::string> && requires { value.begin(); }) {
            for (const auto& element : value) {
                descend(element);
            }
        }
    }

    std::map<std::string, int> seen;

  private:
    template <typename T> static bool is_absent(const std::optional<T>& value) { return !value; }

    template <typename T> static bool is_absent(const T& value) { return value == T{}; }

    std::string struct_;
};

/// Fills a Spec with random values, of every shape that parse can give.
class Filler {
  public:
    explicit Filler(unsigned seed) : random_(seed) {}

    template <typename T> void required(const char*, T& value) { fill(value); }

    template <typename T> void always(const char*, T& value) { fill(value); }

    template <typename T> void optional(const char*, T& value) { fill(value); }

    template <typename T> void wrapped(const char*, const char*, T& value) { fill(value); }

  private:
    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }

    void fill(bool& value) { value = below(2) == 0; }

    void fill(NamespaceType& value) {
        value = all_namespace_types[below(all_namespace_types.size())];
    }

    void fill(std::string& value) {
        static const std::vector<std::string> pieces = {"a",
                                                        "/",
                                                        "~",
                                                        "\"",
                                                        "\\",
                                                        "\n",
                                                        "\t",
                                                        "\x01",
                                                        "\x7f",
                                                        " ",
                                                        "{",
                                                        "[",
                                                        "ü",
                                                        "漢",
                                                        "😀",
                                                        "p"};
        value.clear();
        for (auto left = below(5); left > 0; --left) {
            value += pieces[below(pieces.size())];
        }
    }

    template <std::integral T> void fill(T& value) {
        using Limits = std::numeric_limits<T>;
        switch (below(4)) {
        case 0:
            value = Limits::min();
            break;
        case 1:
            value = Limits::max();
            break;
        default:
            value = static_cast<T>(random_());
        }
    }

    template <typename T> void fill(std::optional<T>& value) {
        value.reset();
        if (below(2) == 0) {
            fill(value.emplace());
        }
    }

    template <typename T> void fill(std::vector<T>& values) {
        values.resize(below(3));
        for (auto& value : values) {
            fill(value);
        }
    }

    template <typename T> void fill(std::map<std::string, T>& values) {
        values.clear();
        for (auto left = below(3); left > 0; --left) {
            std::string name;
            fill(name);
            fill(values[name]);
        }
    }

    template <typename T>
        requires std::is_class_v<T>

    void fill(T& value) {
        fields(*this, value);
    }

    std::mt19937_64 random_;

  public:
    Spec spec() {
        Spec result;
        fill(result);
        return result;
    }
};

TEST(FullConfig, GivesEveryFieldAValue) {
    const auto spec = parse(full_config);
    Coverage coverage;
    coverage.descend(spec);
    EXPECT_GT(coverage.seen.size(), 150U);
    for (const auto& [name, count] : coverage.seen) {
        EXPECT_GT(count, 0) << name;
    }
}

TEST(FullConfig, IsWrittenUnderTheNamesItWasReadFrom) {
    using nlohmann::json;
    const auto written = json::parse(serialize(parse(full_config)));
    EXPECT_EQ(json::diff(json::parse(full_config), written), json::array());
}

TEST(RoundTrip, GivesBackAnEqualSpec) {
    for (unsigned seed = 0; seed < 500; ++seed) {
        const auto spec = Filler(seed).spec();
        const auto text = serialize(spec);
        ASSERT_EQ(parse(text), spec) << "seed " << seed << ": " << text;
        ASSERT_EQ(serialize(parse(text)), text) << "seed " << seed;
    }
}

TEST(RoundTrip, TellsSpecsApart) {
    EXPECT_NE(Filler(1).spec(), Filler(2).spec());
}

TEST(Serialize, LeavesOutWhatIsAbsent) {
    EXPECT_EQ(serialize({.root = {.path = "rootfs"}}),
              R"({"ociVersion":"1.3.0","root":{"path":"rootfs"}})");
    EXPECT_EQ(serialize({.process = Process{.args = {"sh"}}, .root = {.path = "rootfs"}}),
              R"({"ociVersion":"1.3.0","process":{"user":{"uid":0,"gid":0},"args":["sh"],)"
              R"("cwd":"/"},"root":{"path":"rootfs"}})");
}

TEST(Serialize, KeepsEmptyApartFromAbsent) {
    Spec spec{.root = {.path = "rootfs"}};
    spec.linux.resources.memory.emplace();
    spec.linux.resources.pids_limit = 0;
    EXPECT_EQ(serialize(spec),
              R"({"ociVersion":"1.3.0","root":{"path":"rootfs"},)"
              R"("linux":{"resources":{"memory":{},"pids":{"limit":0}}}})");
}

TEST(Serialize, ReplacesWhatJsonCannotHold) {
    EXPECT_EQ(serialize({.root = {.path = "caf\xe9"}}),
              "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"caf\xef\xbf\xbd\"}}");
}

TEST(MergeResources, ReplacesWhatTheChangeNames) {
    const struct {
        const char* base;
        const char* change;
        const char* merged;
    } cases[] = {
        {R"({"pids": {"limit": 5}})", "{}", R"({"pids": {"limit": 5}})"},
        {"{}", R"({"pids": {"limit": 5}})", R"({"pids": {"limit": 5}})"},
        {R"({"memory": {"limit": 1, "swap": 2}})",
         R"({"memory": {"limit": 3}})",
         R"({"memory": {"limit": 3, "swap": 2}})"},
        {R"({"cpu": {"cpus": "0-1"}})",
         R"({"cpu": {"shares": 3}})",
         R"({"cpu": {"cpus": "0-1", "shares": 3}})"},
        {R"({"unified": {"a": "1", "b": "2"}})",
         R"({"unified": {"b": "3"}})",
         R"({"unified": {"a": "1", "b": "3"}})"},
        {R"({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]})",
         R"({"hugepageLimits": [{"pageSize": "1GB", "limit": 2}]})",
         R"({"hugepageLimits": [{"pageSize": "1GB", "limit": 2}]})"},
    };

    for (const auto& [base, change, merged] : cases) {
        EXPECT_EQ(merge(parse_resources(base), parse_resources(change)), parse_resources(merged))
            << change;
    }
}

} // namespace
} // namespace sctr::oci
