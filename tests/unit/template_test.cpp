// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::cli {
namespace {

using testing::HasSubstr;

const nlohmann::ordered_json& data() {
    static const auto json = nlohmann::ordered_json::parse(R"json({
        "id": "web",
        "pid": 42,
        "zero": 0,
        "share": 0.5,
        "status": "running",
        "Status": "Up 3 minutes",
        "paused": false,
        "running": true,
        "nothing": null,
        "empty": "",
        "command": ["sh", "-c", "echo \"x\""],
        "none": [],
        "labels": {"b": "2", "a": "1", "com.x/y-z": "dashed", "Case": "C", "case": "c"},
        "networks": {"front": {"address": "10.0.0.2"}, "back": {"address": "10.1.0.2"}},
        "state": {"exitCode": 0, "health": {"status": "healthy"}},
        "mounts": [{"source": "/a", "rw": true}, {"source": "/b", "rw": false}]
    })json");
    return json;
}

struct Case {
    const char* text;
    const char* shown;
};

void PrintTo(const Case& test, std::ostream* out) {
    *out << test.text;
}

class Renders : public testing::TestWithParam<Case> {};

TEST_P(Renders, As) {
    EXPECT_EQ(Template(GetParam().text).render(data()), GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(Text,
                         Renders,
                         testing::Values(Case{"", ""},
                                         Case{"plain", "plain"},
                                         Case{"a } b }} { c", "a } b }} { c"},
                                         Case{R"({{.id}}\t{{.pid}}\n)", "web\t42\n"},
                                         Case{R"(\\x\q)", R"(\\x\q)"},
                                         Case{"a {{/* nothing */}} b", "a  b"},
                                         Case{"a {{- /* nothing */ -}} b", "ab"},
                                         Case{"a {{- .id -}} b", "awebb"},
                                         Case{"a {{.id -}}\n b", "a webb"},
                                         Case{"a\n{{- .id}} b", "aweb b"},
                                         Case{"{{-3}}", "-3"},
                                         Case{"{{3 -}} x", "3x"}));

INSTANTIATE_TEST_SUITE_P(
    Values,
    Renders,
    testing::Values(Case{"{{.id}}", "web"},
                    Case{"{{ .ID }} {{.Id}} {{.iD}}", "web web web"},
                    Case{"{{.status}} {{.Status}} {{.STATUS}}", "running Up 3 minutes running"},
                    Case{"{{.State.Health.Status}}", "healthy"},
                    Case{"{{(.State).Health.Status}}", "healthy"},
                    Case{"{{.Pid}} {{.Share}} {{.Paused}} {{.Running}}", "42 0.5 false true"},
                    Case{"{{.Nothing}}|{{.Nothing.At.All}}", "|"},
                    Case{"{{.Command}}", "[sh -c echo \"x\"]"},
                    Case{"{{.None}}", "[]"},
                    Case{"{{.State}}", "map[exitCode:0 health:map[status:healthy]]"},
                    Case{"{{.Labels.a}} {{.Labels.A}} {{.Labels.missing}}", "1  "},
                    Case{"{{.Labels.Case}}{{.Labels.case}}", "Cc"},
                    Case{"{{.Networks.front.Address}}|{{.Networks.side.Address}}", "10.0.0.2|"},
                    Case{R"({{.Labels "com.x/y-z"}}|{{.Labels "missing"}})", "dashed|"},
                    Case{R"({{"q\"\\\n\t"}}{{`r\n`}})", "q\"\\\n\tr\\n"},
                    Case{"{{1}} {{-2}} {{1.5}} {{true}} {{nil}}", "1 -2 1.5 true "},
                    Case{"{{$}}",
                         R"(map[Status:Up 3 minutes command:[sh -c echo "x"] empty: )"
                         R"(id:web labels:map[Case:C a:1 b:2 case:c com.x/y-z:dashed] )"
                         R"(mounts:[map[rw:true source:/a] map[rw:false source:/b]] )"
                         R"(networks:map[back:map[address:10.1.0.2] )"
                         R"(front:map[address:10.0.0.2]] none:[] nothing: paused:false )"
                         R"(pid:42 running:true share:0.5 state:map[exitCode:0 )"
                         R"(health:map[status:healthy]] status:running zero:0])"}));

INSTANTIATE_TEST_SUITE_P(
    Functions,
    Renders,
    testing::Values(
        Case{"{{json .command}}", R"(["sh","-c","echo \"x\""])"},
        Case{"{{json .State}}", R"({"exitCode":0,"health":{"status":"healthy"}})"},
        Case{"{{json .Nothing}}", "null"},
        Case{R"({{index .Labels "com.x/y-z"}})", "dashed"},
        Case{R"({{index .Labels "missing"}}|{{index .Nothing "x"}})", "|"},
        Case{"{{index .Command 0}} {{index .Command 1}}", "sh -c"},
        Case{R"({{index .Networks "front" "address"}})", "10.0.0.2"},
        Case{R"({{(index .Mounts 1).Source}})", "/b"},
        Case{"{{len .Command}} {{len .id}} {{len .Labels}} {{len .Nothing}}", "3 3 5 0"},
        Case{R"({{join .Command ","}})", "sh,-c,echo \"x\""},
        Case{R"({{join (split "a:b:c" ":") " "}}|{{split "" ","}})", "a b c|[]"},
        Case{"{{upper .id}} {{lower \"ABC\"}} {{title \"a few words\"}}", "WEB abc A Few Words"},
        Case{"{{.id | upper | lower | printf \"%s-%s\" .status}}", "running-web"},
        Case{"{{println .id .pid}}|", "web 42\n|"},
        Case{"{{print 1 2 \"x\" 3}}", "1 2x3"},
        Case{R"({{printf "%s %d %v %q %%" .id .pid .command "a\"b\n"}})",
             "web 42 [sh -c echo \"x\"] \"a\\\"b\\n\" %"},
        Case{
            R"({{printf "%-5s|%5s|%05d|%.2s|%.1f|%t|%x|%x" .id .id -42 .id .share true 255 "az"}})",
            "web  |  web|-0042|we|0.5|true|ff|617a"},
        Case{R"({{printf "%.2s|%4s" "äöü" "ä"}})", "äö|   ä"},
        Case{"{{len (printf \"%1000s\" \"\")}}", "1000"}));

INSTANTIATE_TEST_SUITE_P(
    Choices,
    Renders,
    testing::Values(
        Case{"{{if .running}}up{{else}}down{{end}}", "up"},
        Case{"{{if .Paused}}p{{else if .Running}}r{{else}}x{{end}}", "r"},
        Case{"{{if .Paused}}p{{else if .Zero}}r{{else if .Empty}}e{{else}}x{{end}}", "x"},
        Case{"{{if .None}}1{{end}}{{if .Nothing}}2{{end}}{{if .Labels}}3{{end}}", "3"},
        Case{"{{with .State.Health}}{{.Status}} of {{$.id}}{{else}}none{{end}}", "healthy of web"},
        Case{"{{with .Nothing}}x{{else}}{{.id}}{{end}}", "web"},
        Case{R"({{if eq .id "web"}}y{{end}}{{if ne .id "web"}}n{{end}})", "y"},
        Case{R"({{eq .pid 41 42}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1.5 1}} {{lt "a" "b"}})",
             "true true true false true true"},
        Case{"{{eq .Nothing nil}} {{eq .id nil}} {{eq true .Running}}", "true false true"},
        Case{
            "{{and .Running .id}} {{and .Paused .nope}} {{or .id .nope}} {{or .Zero .Empty \"x\"}}",
            "web false web x"},
        Case{"{{not .Paused}} {{not .id}}", "true false"},
        Case{R"({{if and (eq .status "running") (not .Paused)}}ok{{end}})", "ok"}));

INSTANTIATE_TEST_SUITE_P(
    Loops,
    Renders,
    testing::Values(
        Case{"{{range .Command}}<{{.}}>{{end}}", "<sh><-c><echo \"x\">"},
        Case{"{{range .Mounts}}{{.Source}} {{end}}", "/a /b "},
        Case{"{{range .None}}x{{else}}none{{end}}{{range .Nothing}}x{{else}}!{{end}}", "none!"},
        Case{"{{range $i, $c := .Mounts}}{{$i}}={{$c.Source}} {{end}}", "0=/a 1=/b "},
        Case{"{{range $v := .Command}}{{$v}},{{end}}", "sh,-c,echo \"x\","},
        Case{"{{range $k, $v := .Networks}}{{$k}}={{$v.Address}} {{end}}",
             "back=10.1.0.2 front=10.0.0.2 "},
        Case{"{{range .Mounts}}{{if .RW}}{{$.id}}:{{.Source}}{{end}}{{end}}", "web:/a"},
        Case{"{{$x := .id}}{{$x}} {{$x = 1}}{{$x}}", "web 1"},
        Case{"{{$x := 1}}{{range .Command}}{{$x = .}}{{end}}{{$x}}", "echo \"x\""},
        Case{"{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"},
        Case{"{{if $x := .id}}{{$x}}{{end}}{{with $y := .pid}}{{$y}}{{end}}", "web42"}));

/// A template that is wrong, and what the error says of it.
struct Wrong {
    const char* text;
    std::vector<const char*> said;
};

void PrintTo(const Wrong& test, std::ostream* out) {
    *out << test.text;
}

class Refuses : public testing::TestWithParam<Wrong> {};

TEST_P(Refuses, WithPlaceAndReason) {
    try {
        const std::string shown = Template(GetParam().text).render(data());
        FAIL() << "gave " << shown;
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("--format, character "));
        EXPECT_EQ(error.exit_code(), ExitCode::runtime_error);
        for (const char* words : GetParam().said) {
            EXPECT_THAT(error.what(), HasSubstr(words));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Text,
                         Refuses,
                         testing::Values(Wrong{"{{", {"character 3", "no '}}'"}},
                                         Wrong{"a {{.id", {"character 8", "'{{.id'", "no '}}'"}},
                                         Wrong{"{{.id}", {"nothing begins with '}'"}},
                                         Wrong{"{{}}", {"a value is missing"}},
                                         Wrong{"{{/* x }}", {"no '*/'"}},
                                         Wrong{"{{/* x */ y}}", {"a comment ends its action"}},
                                         Wrong{"{{\"x}}", {"character 3", "a string has no end"}},
                                         Wrong{"{{`x}}", {"a string has no end"}},
                                         Wrong{R"({{"\q"}})", {"in a string there are"}},
                                         Wrong{"{{\"\\", {"in a string there are"}},
                                         Wrong{"{{3x}}", {"'3x' is no number"}},
                                         Wrong{"{{.a..b}}", {"a name is missing"}},
                                         Wrong{"{{.Labels.my-label}}",
                                               {"no '-'", "{{index .Labels \"my-label\"}}"}},
                                         Wrong{"{{%}}", {"nothing begins with '%'"}},
                                         Wrong{"{{\n\x1b}}", {R"('{{\n\x1b}}')"}}));

INSTANTIATE_TEST_SUITE_P(
    Grammar,
    Refuses,
    testing::Values(Wrong{"{{if .id}}x", {"character 3", "'if' has no '{{end}}'"}},
                    Wrong{"{{range .None}}x{{else}}y", {"'range' has no '{{end}}'"}},
                    Wrong{"{{end}}", {"nothing is open", "'end'"}},
                    Wrong{"{{if .id}}{{end}}{{else}}", {"nothing is open", "'else'"}},
                    Wrong{"{{if .id}}{{else}}{{else}}{{end}}", {"there was an 'else' already"}},
                    Wrong{"{{if}}{{end}}", {"a value is missing"}},
                    Wrong{"{{if .id}}{{end .id}}", {"here the action has to end"}},
                    Wrong{"{{range .None}}{{else if .id}}{{end}}", {"here the action has to end"}},
                    Wrong{"{{nope .id}}",
                          {"no function 'nope'", "there are and, eq, ge, gt, index, join, json"}},
                    Wrong{"{{.id | nope}}", {"character 9", "no function 'nope'"}},
                    Wrong{"{{.id | .pid}}", {"only a function can follow"}},
                    Wrong{"{{.id |}}", {"a value is missing"}},
                    Wrong{"{{(.id}}", {"a ')' is missing"}},
                    Wrong{"{{.id)}}", {"this has no place here"}},
                    Wrong{"{{len}}", {"'len' takes at least 1 value, and there are 0"}},
                    Wrong{"{{json .id .pid}}", {"'json' takes at most 1 value, and there are 2"}},
                    Wrong{"{{not json}}", {"'json' takes at least 1"}},
                    Wrong{"{{$x}}", {"no variable '$x'", "{{$x := .}}"}},
                    Wrong{"{{$x = 1}}", {"no variable '$x'"}},
                    Wrong{"{{if true}}{{$x := 1}}{{end}}{{$x}}", {"no variable '$x'"}},
                    Wrong{"{{$x, $y := .Command}}", {"two variables are set by 'range' alone"}},
                    Wrong{"{{range $x, $y .Command}}{{end}}", {"':=' is missing"}},
                    Wrong{"{{len ($x := .id)}}", {"no variable is set within ( )"}}));

INSTANTIATE_TEST_SUITE_P(
    Values,
    Refuses,
    testing::Values(
        Wrong{"x {{.Nope}}", {"character 5", "'{{.Nope}}'", "no 'Nope'", "there are .id, .pid, "}},
        Wrong{"{{.State.Nope}}", {"no 'Nope'", "there are .exitCode, .health"}},
        Wrong{"{{.id.x}}", {"a string has no names in it, and so no 'x'"}},
        Wrong{"{{range .id}}{{end}}", {"no range over a string"}},
        Wrong{"{{range .pid}}{{end}}", {"no range over a number"}},
        Wrong{"{{index .Command 3}}", {"the list has 3 values", "no 3"}},
        Wrong{"{{index .Command -1}}", {"the list has 3 values"}},
        Wrong{"{{index .Command \"x\"}}", {"a list has numbers for its places, and no string"}},
        Wrong{"{{index .Labels 1}}", {"the key is a number"}},
        Wrong{"{{.id \"x\"}}", {"a string has nothing in it"}},
        Wrong{"{{len .pid}}", {"a number has no length"}},
        Wrong{"{{eq .id 1}}", {"a string and a number cannot be compared"}},
        Wrong{"{{lt .Running .Paused}}", {"a truth value and a truth value cannot be compared"}},
        Wrong{"{{join .id \",\"}}", {"what is to be joined is a string"}},
        Wrong{"{{split .pid \",\"}}", {"what is to be split is a number"}},
        Wrong{"{{split .id \"\"}}", {"what to split at is empty"}},
        Wrong{"{{printf \"%d\" .id}}", {"%d is not for a string"}},
        Wrong{"{{printf \"%z\" .id}}", {"there is no %z", "%s, %v, %q"}},
        Wrong{"{{printf \"%\" .id}}", {"ends in a '%'"}},
        Wrong{"{{printf \"%s %s\" .id}}", {"wants more than the 1 values"}},
        Wrong{"{{printf \"%s\" .id .pid}}", {"wants 1 values, and there are 2"}},
        Wrong{"{{printf \"%1001s\" .id}}", {"a width is at most 1000"}},
        Wrong{"{{printf .pid}}", {"the format is a number"}}));

std::string many(std::size_t count, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

TEST(TemplateBounds, AreAnError) {
    const std::string whole_list = "{{range $.x}}";
    const auto list = nlohmann::ordered_json{{"x", std::vector<int>(100, 1)}};
    for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
             {"{{" + many(51, "(") + "1" + many(51, ")") + "}}", "more than 50 deep"},
             {many(51, "{{if 1}}") + many(51, "{{end}}"), "more than 50 deep"},
             {many(8, whole_list) + "x" + many(8, "{{end}}"), "million steps"},
             {"{{$a := \"0123456789abcdef\"}}" + many(30, "{{$a = printf \"%s%s\" $a $a}}"),
              "16 MiB"},
             {many(3, whole_list) + "{{printf \"%999s\" \"\"}}" + many(3, "{{end}}"), "16 MiB"},
         }) {
        try {
            (void)Template(text).render(list);
            ADD_FAILURE() << text << " is rendered";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(said));
        }
    }
    EXPECT_EQ(Template("{{" + many(50, "(") + "1" + many(50, ")") + "}}").render(list), "1");
}

TEST(TemplateOnATerminal, DoesNothingThatAStrangerWants) {
    const nlohmann::ordered_json hostile{{"labels", {{"x", "a\x1b[2J\nb\tc\u009b"}}}};
    const Template shown("\x1b[1m{{.Labels.x}}");
    EXPECT_EQ(shown.render(hostile, Template::Output::terminal),
              "\x1b[1ma\\x1b[2J\nb\tc\\xc2\\x9b");
    EXPECT_EQ(shown.render(hostile), "\x1b[1ma\x1b[2J\nb\tc\u009b");
}

TEST(TemplateHeading, IsWhatIsNamed) {
    for (const auto& [text, heading] : std::vector<std::pair<const char*, const char*>>{
             {R"({{.ID}}\t{{.Names}})", "ID\tNAMES"},
             {"{{.CreatedAt}}", "CREATED AT"},
             {"{{.NetworkSettings.IPAddress}}", "IP ADDRESS"},
             {"{{.exitCode}} {{json .Labels}} {{.Status | upper}}", "EXIT CODE LABELS STATUS"},
             {R"({{.Label "team"}} {{index .Labels "x.y"}})", "TEAM X.Y"},
             {"{{if .Health}}{{.Health}}{{end}}", "HEALTH"},
             {"{{range .Mounts}}{{.Source}}{{end}}", "MOUNTS"},
             {"{{$x := .A}}{{\"text\"}}", ""},
         }) {
        EXPECT_EQ(Template(text).heading(), heading) << text;
    }
}

} // namespace
} // namespace sctr::cli
