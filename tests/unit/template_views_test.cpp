// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template_views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "cli/output_format.hpp"

namespace sctr::cli {
namespace {

using testing::HasSubstr;
using View = TemplateView;

std::string shown(const char* text, const View& view) {
    return Template(text).render(view);
}

TEST(PsView, TellsHowItIsInDockersWords) {
    struct Case {
        const char* row;
        const char* uptime;
        const char* state;
        const char* status;
    };

    for (
        const Case& test : {
            Case{R"({"status": "running"})", "3 minutes", "running", "Up 3 minutes"},
            Case{R"({"status": "running", "health": "healthy"})",
                 "1 hour",
                 "running",
                 "Up 1 hour (healthy)"},
            Case{R"({"status": "running", "health": "starting"})",
                 "1 hour",
                 "running",
                 "Up 1 hour (health: starting)"},
            Case{R"({"status": "paused"})", "2 days", "paused", "Up 2 days (Paused)"},
            Case{R"({"status": "running"})", "", "running", "Up"}, // of the system's
            Case{R"({"status": "stopped", "exitStatus": 6})", "", "exited", "Exited (6)"},
            Case{
                R"({"status": "stopped", "exitStatus": 0, "finished": "2026-11-22T10:58:00.000000Z"})",
                "",
                "exited",
                "Exited (0) 2 minutes ago"},
            Case{R"({"status": "stopped"})", "", "exited", "Exited"},
            Case{R"({"status": "created"})", "", "created", "Created"},
            Case{R"({"status": "creating"})", "", "created", "Created"},
        }) {
        View row = View::parse(test.row);
        row["id"] = "web";
        const View view =
            ps_view(row, {.uptime = test.uptime, .now_usec = 1'795'345'200'000'000}); // at 11:00
        EXPECT_EQ(view["State"], test.state) << test.row;
        EXPECT_EQ(view["Status"], test.status) << test.row;
        EXPECT_EQ(view["status"], row["status"]);
    }
}

TEST(PsView, HasWhatPeopleAskFor) {
    const View view = ps_view({{"id", "web"},
                               {"status", "running"},
                               {"pid", 7},
                               {"description", "a: b:1: sh -c x"},
                               {"image", "a: b:1"},
                               {"created", "2026-11-22T10:00:00.000000Z"},
                               {"labels", {{"x", "1"}}}},
                              {.ports = {"8080:80/tcp", "127.0.0.1:53:5353/udp", "[::1]:1-2:3-4"},
                               .networks = {"front", "back"},
                               .now_usec = 1'795'345'200'000'000}); // an hour later
    EXPECT_EQ(shown("{{.ID}} {{.Names}} {{.Pid}} {{.ExitCode}}", view), "web web 7 0");
    EXPECT_EQ(shown("{{.Command}}|{{.Image}}", view), "sh -c x|a: b:1");
    EXPECT_EQ(shown("{{.Ports}}", view),
              "0.0.0.0:8080->80/tcp, 127.0.0.1:53->5353/udp, [::1]:1-2->3-4/tcp");
    EXPECT_EQ(shown("{{.CreatedAt}}|{{.RunningFor}}", view),
              "2026-11-22 10:00:00 +0000 UTC|1 hour ago");
    EXPECT_EQ(shown("{{.Networks}} {{.Labels.x}} {{.Label \"y\"}}", view), "front,back 1 ");
    EXPECT_EQ(shown("{{.Health}}{{.Health.Status}}{{.OomKilled}}", view), "");
}

TEST(ContainerView, OfOneThatRuns) {
    const View view = container_view(View::parse(R"json({
        "id": "web", "status": "paused", "pid": 7, "image": "debian", "rootfs": "/r",
        "created": "2026-11-22T10:00:00.000000Z", "labels": {"a.b": "c"},
        "health": {"status": "unhealthy", "failingStreak": 3, "log": []},
        "network": {"networks": {"front": {"addresses": ["fd00::2", "10.0.0.2"], "mac": "02:00"}},
                    "ports": ["8080-8081:80-81/tcp", "[::1]:9:80/tcp"]},
        "definition": {"flags": ["--restart", "always", "--restart=on-failure:3"]},
        "config": {
            "hostname": "h",
            "root": {"path": "/r", "readonly": true},
            "process": {"args": ["sh", "-c"], "env": ["A=1"], "cwd": "/w", "terminal": true,
                        "user": {"uid": 1, "gid": 2}},
            "mounts": [{"type": "proc", "source": "proc", "destination": "/proc"},
                       {"type": "bind", "source": "/run/sctr/web/hosts", "destination": "/etc/hosts"},
                       {"type": "bind", "source": "/var/lib/sctr/volumes/v/data",
                        "destination": "/v", "options": ["rbind"]},
                       {"type": "bind", "source": "/srv", "destination": "/s", "options": ["ro"]}],
            "linux": {"resources": {"memory": {"limit": 64}, "pids": {"limit": 5},
                                    "cpu": {"quota": 150000, "period": 100000}}}
        }
    })json"));
    for (const auto& [text, expected] : std::vector<std::pair<const char*, const char*>>{
             {"{{.Id}} {{.Name}} {{.config.hostname}} {{.Config.Hostname}}", "web web h h"},
             {"{{with .State}}{{.Status}} {{.Running}} {{.Paused}} {{.Pid}} {{.ExitCode}}{{end}}",
              "paused true true 7 0"},
             {"{{.State.StartedAt}} {{.State.FinishedAt}} {{.State.OOMKilled}}",
              "2026-11-22T10:00:00.000000Z 0001-01-01T00:00:00Z false"},
             {"{{.State.Health.Status}} {{.State.Health.FailingStreak}}", "unhealthy 3"},
             {"{{.NetworkSettings.IPAddress}} {{.NetworkSettings.GlobalIPv6Address}}",
              "10.0.0.2 fd00::2"},
             {"{{.NetworkSettings.Networks.front.MacAddress}}|{{.NetworkSettings.Networks.x."
              "IPAddress}}",
              "02:00|"},
             {"{{json .NetworkSettings.Ports}}",
              R"({"80/tcp":[{"HostIp":"","HostPort":"8080"},{"HostIp":"[::1]","HostPort":"9"}],)"
              R"("81/tcp":[{"HostIp":"","HostPort":"8081"}]})"},
             {"{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}",
              "on-failure 3"},
             {"{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "64 1500000000"},
             {"{{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}}", "5 true"},
             {"{{.Config.User}} {{.Config.Tty}} {{.Config.Env}} {{.Config.Cmd}} "
              "{{.Config.WorkingDir}}",
              "1:2 true [A=1] [sh -c] /w"},
             {"{{.Path}} {{.Args}}", "sh [-c]"},
             {"{{range .Mounts}}{{.Type}}:{{.Name}}:{{.Destination}}:{{.RW}} {{end}}",
              "volume:v:/v:true bind::/s:false "},
         }) {
        EXPECT_EQ(shown(text, view), expected) << text;
    }
}

TEST(ContainerView, OfOneOfWhichLittleIsKnown) {
    const View view = container_view({{"id", "web"}, {"status", "created"}});
    for (const auto& [text, expected] : std::vector<std::pair<const char*, const char*>>{
             {"{{.State.Status}} {{.State.Pid}} {{.State.Running}}", "created 0 false"},
             {"{{if .State.Health}}x{{else}}none{{end}}{{.State.Health.Status}}", "none"},
             {"{{.Config.Labels}} {{.Config.Cmd}} {{.Path}}{{.Args}}", "map[] [] []"},
             {"{{.NetworkSettings.IPAddress}}{{json .NetworkSettings.Networks}}", "{}"},
             {"{{.HostConfig.RestartPolicy.Name}} {{len .Mounts}}", "no 0"},
             {"{{.config.root.path}}{{.health.status}}{{.finished}}", ""},
         }) {
        EXPECT_EQ(shown(text, view), expected) << text;
    }
}

TEST(ImageRows, HaveOneForEachName) {
    const View image = View::parse(R"json({
        "id": "0123456789abcdef", "digest": "sha256:ff",
        "names": ["localhost:5000/a/b:1", "docker.io/library/c@sha256:ff", "localhost:5000/d"],
        "created": "2026-11-22T10:00:00Z", "size": 5300000})json");
    std::string text;
    for (const View& row : image_rows(image, 1'795'345'200'000'000)) {
        text += shown("{{.Repository}} {{.Tag}}\\n", row);
    }
    EXPECT_EQ(text, "localhost:5000/a/b 1\ndocker.io/library/c <none>\nlocalhost:5000/d <none>\n");
    const View row = image_rows(image, 1'795'345'200'000'000).front();
    EXPECT_EQ(shown("{{.ID}} {{.id}} {{.Size}} {{.size}}", row),
              "0123456789ab 0123456789abcdef 5.3 MB 5300000");
    EXPECT_EQ(shown("{{.Digest}} {{.CreatedSince}}", row), "sha256:ff 1 hour ago");
    const auto bare =
        image_rows(View::parse(R"({"id": "01", "names": [], "created": "", "size": 1})"), 0);
    ASSERT_EQ(bare.size(), 1U);
    EXPECT_EQ(shown("{{.Repository}}:{{.Tag}}{{.CreatedAt}}{{.CreatedSince}}", bare.front()),
              "<none>:<none>");
}

TEST(ImageView, HasItsConfig) {
    const View view = image_view(View::parse(R"json({
        "id": "01", "digest": "sha256:ff", "names": ["a:1"], "size": 1, "layers": [],
        "config": {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": ["sha256:1"]},
                   "config": {"Cmd": ["sh"], "Labels": {"x": "y"}, "Env": null}}})json"));
    EXPECT_EQ(shown("{{.Id}} {{.Config.Cmd}} {{.Config.Labels.x}} {{.Config.Env}}", view),
              "01 [sh] y []");
    EXPECT_EQ(shown("{{.Config.User}}{{.Config.Entrypoint}}{{.Config.Healthcheck.Test}}", view),
              "[]");
    EXPECT_EQ(shown("{{.RepoTags}} {{.RepoDigests}} {{.Os}}/{{.Architecture}}", view),
              "[a:1] [a@sha256:ff] linux/amd64");
    EXPECT_EQ(shown("{{.RootFS.Layers}} {{.config.config.Cmd}}", view), "[sha256:1] [sh]");
}

TEST(OtherViews, HaveDockersNames) {
    const View volume = volume_view({{"name", "v"},
                                     {"created", "2026-11-22T10:00:00Z"},
                                     {"labels", {{"a", "b"}}},
                                     {"path", "/p"}});
    EXPECT_EQ(
        shown("{{.Name}} {{.Mountpoint}} {{.Driver}} {{.Label \"a\"}} {{.CreatedAt}}", volume),
        "v /p local b 2026-11-22T10:00:00Z");
    const View network = network_view(
        {{"name", "n"},
         {"interface", "br0"},
         {"subnets",
          {{{"subnet", "10.0.0.0/24"}, {"gateway", "10.0.0.1"}}, {{"subnet", "fd00::/64"}}}},
         {"dns", true},
         {"labels", View::object()},
         {"created", "now"}});
    EXPECT_EQ(shown("{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}};{{end}}", network),
              "10.0.0.0/24 10.0.0.1;fd00::/64 ;");
    EXPECT_EQ(shown("{{.NetworkInterface}} {{.IPv6}} {{.DNSEnabled}} {{.CreatedAt}}", network),
              "br0 true true now");
    const View entry = history_view({{"created", "c"}, {"size", 1500000}, {"createdBy", "RUN x"}});
    EXPECT_EQ(shown("{{.ID}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}} {{.size}}", entry),
              "<missing> c RUN x 1.5 MB 1500000");
    const View event = event_view({{"event", "die"}, {"name", "web"}, {"exitStatus", 3}});
    EXPECT_EQ(shown("{{.Status}} {{.Type}} {{.ID}} {{.ContainerExitCode}} {{.Image}}|", event),
              "die container web 3 |");
    EXPECT_EQ(shown("{{.Actor.Attributes.exitCode}}{{.Actor.Attributes.nope}}", event), "3");
}

TEST(OutputFormat, IsOneOfFour) {
    const std::vector<View> views = {{{"id", "a"}, {"text", "x\x1by"}},
                                     {{"id", "longer"}, {"text", ""}}};
    EXPECT_FALSE(OutputFormat(std::nullopt, false).is_json());
    EXPECT_TRUE(OutputFormat(std::nullopt, true).is_json());
    EXPECT_TRUE(OutputFormat("json", false).is_json());
    EXPECT_FALSE(OutputFormat("table", false).is_template());
    EXPECT_EQ(OutputFormat("{{.Id}}", false).lines(views), "a\nlonger\n");
    EXPECT_EQ(OutputFormat(R"(table {{.Id}}\t{{.Text}}!)", false).lines(views),
              "ID      TEXT!\na       x\\x1by!\nlonger  !\n");
    EXPECT_EQ(OutputFormat("table {{.Id}}", false).lines({}), "ID\n");
    for (const auto& [text, json, quiet, said] :
         std::vector<std::tuple<const char*, bool, bool, const char*>>{
             {"xml", false, false, "bad value 'xml': --format"},
             {"", false, false, "bad value ''"},
             {"{{.a}}", true, false, "--json is one, too"},
             {"json", false, true, "--quiet is one, too"},
             {"table {{.a", false, false, "no '}}'"},
         }) {
        try {
            (void)OutputFormat(text, json, quiet);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(said));
        }
    }
}

} // namespace
} // namespace sctr::cli
