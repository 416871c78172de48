// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "declared/keys.hpp"
#include "declared/service.hpp"
#include "declared/unit_file.hpp"

namespace sctr::declared {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> texts_of(const std::vector<Problem>& problems) {
    std::vector<std::string> texts;
    for (const Problem& problem : problems) {
        texts.push_back(to_string(problem));
    }
    return texts;
}

TEST(UnitFile, IsRead) {
    std::vector<Problem> problems;
    const auto entries = parse_unit_file("\xef\xbb\xbf# comment\n"
                                         "; another\n\n"
                                         "[Container]\n"
                                         "  Exec = sh -c \\\n"
                                         "# in between\n"
                                         "   'a b' \n"
                                         "Empty=\n"
                                         "[Service]\r\n"
                                         "Restart=always\r\n"
                                         "Last=x\\",
                                         "f",
                                         problems);
    EXPECT_THAT(problems, IsEmpty());
    EXPECT_THAT(entries,
                ElementsAre(Entry{"Container", "Exec", "sh -c  'a b'", {"f", 5}},
                            Entry{"Container", "Empty", "", {"f", 8}},
                            Entry{"Service", "Restart", "always", {"f", 10}},
                            Entry{"Service", "Last", "x", {"f", 11}}));
}

TEST(UnitFile, TellsWhatIsWrongAndWhere) {
    std::vector<Problem> problems;
    const auto entries = parse_unit_file("Early=1\n[Unit\n[]\n[Unit]\nnonsense\n=x\nA=\xff\nB=1\n",
                                         "/etc/sctr/x.container",
                                         problems);
    EXPECT_THAT(texts_of(problems),
                ElementsAre(HasSubstr("/etc/sctr/x.container:1: there is no section"),
                            HasSubstr(":2: a section is written"),
                            HasSubstr(":3: a section is written"),
                            HasSubstr(":5: a line is Key=value"),
                            HasSubstr(":6: a line is Key=value"),
                            HasSubstr(":7: the line is not UTF-8")));
    EXPECT_THAT(entries, ElementsAre(Entry{"Unit", "B", "1", {"/etc/sctr/x.container", 8}}));
}

TEST(Words, AreSplitAsSystemdDoes) {
    struct Case {
        const char* text;
        std::vector<std::string> words;
    };

    const std::vector<Case> cases = {
        {"", {}},
        {"  a\tb  ", {"a", "b"}},
        {R"("a b" 'c d'e)", {"a b", "c de"}},
        {R"("" '')", {"", ""}},
        {R"(a\sb "\t\n\\\"\'")", {"a b", "\t\n\\\"'"}},
        {R"(\x41\101\u00e9\U0001f600)", {"AA\xc3\xa9\xf0\x9f\x98\x80"}},
        {R"(\q \x4 \x00 \)", {"\\q", "\\x4", "\\x00", "\\"}},
        {"%n $HOME ${A} ;", {"%n", "$HOME", "${A}", ";"}},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(split_words(each.text), each.words) << each.text;
    }
    for (const char* open : {"\"a", "a 'b", R"("a\")"}) {
        EXPECT_EQ(split_words(open), std::nullopt) << open;
    }
}

TEST(Words, ComeBackFromTheirQuotes) {
    for (const char* word : {"",
                             "plain",
                             "a b",
                             "\"",
                             "\\",
                             "'",
                             "a\nb\t\x01",
                             "ü",
                             "\xff",
                             ";",
                             "%n",
                             "$X",
                             "--env=A=b c",
                             "[\"CMD\", \"x\"]"}) {
        EXPECT_EQ(split_words(quote_word(word)), std::vector<std::string>{word}) << word;
    }
    EXPECT_EQ(quote_word("--env=A=1"), "--env=A=1");
    EXPECT_EQ(quote_word(";"), "\";\""); // alone, it would end the command
}

Service service_of(const std::string& text, const std::string& path = "/etc/sctr/web.container") {
    return make_service({{.path = path, .text = text}}, "/usr/bin/sctr");
}

std::string exec_start(const Service& service) {
    const auto begin = service.text.find("\nExecStart=") + 11;
    return service.text.substr(begin, service.text.find('\n', begin) - begin);
}

constexpr const char* begin_of_line = "/usr/bin/sctr run --service %n --name=web --rootfs=/r ";

TEST(Container, KeysBecomeFlags) {
    struct Case {
        const char* keys;
        const char* flags; ///< after those that all have
    };

    const std::vector<Case> cases = {
        {"", "--"},
        {"Exec=httpd -f \"a b\"", "-- httpd -f \"a b\""},
        {"Exec=a ; b", "-- a \";\" b"},
        {"Environment=A=1 \"B=x y\"\nEnvironment=C=%n", "--env=A=1 \"--env=B=x y\" --env=C=%n --"},
        {"EnvironmentHost=yes\nHttpProxy=yes\nTimezone=local",
         "--env-host --http-proxy --tz=local --"},
        {"EnvironmentHost=no\nHttpProxy=false", "--"},
        {"Label=a=b \"c=d e\"\nAnnotation=x=y\nGroupAdd=wheel",
         "--label=a=b \"--label=c=d e\" --annotation=x=y --group-add=wheel --"},
        {"Environment=A=1\nEnvironment=\nEnvironment=B=2", "--env=B=2 --"},
        {"EnvironmentFile=env /e/2", "--env-file=/etc/sctr/env --env-file=/e/2 --"},
        {"User=1", "--user=1 --"},
        {"User=www\nGroup=data", "--user=www:data --"},
        {"HostName=a\nHostName=b", "--hostname=b --"},
        {"HostName=a\nHostName=", "--"},
        {"ReadOnly=yes", "--read-only --"},
        {"ReadOnly=no", "--"},
        {"Secret=a,type=env\nSecret=b", "--secret=a,type=env --secret=b --"},
        {"NoNewPrivileges=true", "--security-opt=no-new-privileges --"},
        {"AddCapability=NET_ADMIN SYS_TIME", "--cap-add=NET_ADMIN --cap-add=SYS_TIME --"},
        {"DropCapability=ALL", "--cap-drop=ALL --"},
        {"Volume=/a:/b:ro\nVolume=./c:/d", "--volume=/a:/b:ro --volume=/etc/sctr/c:/d --"},
        {"Volume=%h/data:/d", "--volume=%h/data:/d --"},
        {"Volume=data:/d:ro\nVolume=/anonymous", "--volume=data:/d:ro --volume=/anonymous --"},
        {"Tmpfs=/tmp\nTmpfs=/run:size=1m", "--tmpfs=/tmp --tmpfs=/run:size=1m --"},
        {"Network=host", "--network=host --"},
        {"Network=front:ip=10.5.0.7\nNetwork=back",
         "--network=front:ip=10.5.0.7 --network=back --"},
        {"PublishPort=8080:80\nPublishPort=53:53/udp\nExposeHostPort=90",
         "--publish=8080:80 --publish=53:53/udp --expose=90 --"},
        {"IP=10.5.0.7\nIP6=fd00::7\nNetworkAlias=a\nNetworkAlias=b",
         "--ip=10.5.0.7 --ip6=fd00::7 --network-alias=a --network-alias=b --"},
        {"DNS=9.9.9.9\nDNSSearch=a.example\nDNSOption=rotate\nAddHost=db:10.0.0.9",
         "--dns=9.9.9.9 --dns-search=a.example --dns-option=rotate --add-host=db:10.0.0.9 --"},
        {"SeccompProfile=p.json", "--security-opt=seccomp=/etc/sctr/p.json --"},
        {"SeccompProfile=unconfined", "--security-opt=seccomp=unconfined --"},
        {"Notify=yes", "--sdnotify=container --"},
        {"Notify=healthy\nHealthCmd=curl -f x", "--sdnotify=healthy \"--health-cmd=curl -f x\" --"},
        {"Notify=no", "--"},
        {"LogDriver=journald", "--log-driver=journald --"},
        {"ReadOnly=yes\nReadOnlyTmpfs=yes", "--read-only --read-only-tmpfs --"},
        {"Retry=5\nRetryDelay=2s", "--retry=5 --retry-delay=2s --"},
        {"Memory=64m\nPidsLimit=10", "--pids-limit=10 --memory=64m --"},
        {"SctrArgs=--cpus 1.5 \"-p X=y z\"", "--cpus 1.5 \"-p X=y z\" --"},
        {"X-Other=1", "--"},
    };
    for (const Case& each : cases) {
        const Service service =
            service_of("[Container]\nRootfs=/r\n" + std::string(each.keys) + "\n");
        EXPECT_THAT(service.problems, IsEmpty()) << each.keys;
        EXPECT_EQ(exec_start(service), std::string(begin_of_line) + each.flags) << each.keys;
    }
}

TEST(Container, ProblemsNameFileLineAndWhatToDo) {
    struct Case {
        const char* line;
        const char* said;
    };

    const std::vector<Case> cases = {
        {"Imag=x", "unknown key 'Imag' in [Container]: did you mean 'Image'?"},
        {"Qqqqqqqq=x", "unknown key 'Qqqqqqqq' in [Container]"},
        {"Image=docker.io/x", "Image=: Rootfs= is there too"},
        {"Network=web.network", "Network=: there is no file web.network"},
        {"Network=web.container", "Network=: 'web.container' is not supported yet (use container:"},
        {"Pod=a.pod", "Pod=: not supported yet (use Network=container:NAME"},
        {"Volume=data.volume:/data", "Volume=: there is no file data.volume"},
        {"AddDevice=-/dev/x", "AddDevice=: a device that may be missing"},
        {"ReadOnly=perhaps", "ReadOnly=: bad value 'perhaps' (give yes or no)"},
        {"Notify=soon", "Notify=: bad value 'soon' (give yes, no or healthy)"},
        {"Environment=A", "Environment=: 'A' has no value"},
        {"Environment=\"A=1", "Environment=: a quote is not closed"},
        {"Exec='a", "Exec=: a quote is not closed"},
        {"Group=1", "Group=: there is no User="},
        {"PodmanArgs=-x", "PodmanArgs=: not supported yet (use SctrArgs="},
        {"[Service]\nExecStart=x", "ExecStart= in [Service]: it is made of [Container]"},
        {"[Service]\nUser=x", "User= in [Service]"},
        {"[Service]\nType=forking", "Type= in [Service]: give notify"},
        {"[Service]\nKillMode=none", "KillMode= in [Service]"},
        {"[Install]\nWantedBy=../../x.target", "WantedBy=: '../../x.target' is no unit"},
        {"[Install]\nAlias=x.target", "Alias=: 'x.target' is no service"},
        {"[Install]\nAlso=x.service", "unknown key 'Also' in [Install]"},
        {"[Pod]\nX=1", "unknown section [Pod]"},
        {"[Quadlet]\nX=1", "unknown key 'X' in [Quadlet]"},
    };
    for (const Case& each : cases) {
        const Service service = service_of("[Container]\nRootfs=/r\n" + std::string(each.line));
        const int line = std::string_view(each.line).contains('\n') ? 4 : 3;
        const std::string where = "/etc/sctr/web.container:" + std::to_string(line) + ": ";
        EXPECT_THAT(texts_of(service.problems), ElementsAre(HasSubstr(where + each.said)))
            << each.line;
    }
    EXPECT_THAT(texts_of(service_of("[Unit]\nDescription=x\n").problems),
                ElementsAre(HasSubstr("no section [Container]")));
    EXPECT_THAT(texts_of(service_of("[Container]\nExec=x\n").problems),
                ElementsAre(HasSubstr("give Image=")));
    EXPECT_THAT(texts_of(service_of("[Container]\nImage=web.image\n").problems),
                ElementsAre(HasSubstr("Image=: there is no file web.image")));
}

TEST(Container, AnImageIsTheFirstWord) {
    const Service service =
        service_of("[Container]\nImage=docker.io/library/x:1\nPull=always\nExec=a \"b c\"\n");
    EXPECT_THAT(service.problems, IsEmpty());
    EXPECT_EQ(exec_start(service),
              "/usr/bin/sctr run --service %n --name=web --pull=always -- docker.io/library/x:1 a "
              "\"b c\"");
}

Service resource_of(const char* path, const std::string& text) {
    return make_service({{.path = path, .text = text}}, "/usr/bin/sctr");
}

TEST(Resource, BecomesAServiceThatMakesIt) {
    struct Case {
        const char* path;
        const char* text;
        const char* unit;
        const char* start;
    };

    const std::vector<Case> cases = {
        {"/etc/sctr/data.volume", "", "data-volume.service", "volume create --ignore data"},
        {"/etc/sctr/data.volume",
         "[Volume]\nVolumeName=other\nLabel=a=b \"c=d e\"\n",
         "data-volume.service",
         "volume create --ignore --label=a=b \"--label=c=d e\" other"},
        {"/x/arm.image",
         "[Image]\nImage=x\nOS=linux\nVariant=v7\n",
         "arm-image.service",
         "pull --os=linux --variant=v7 x"},
        {"/x/web.image",
         "[Image]\nImage=quay.io/x:1\nAuthFile=./"
         "auth\nArch=arm64\nVariant=v8\nRetry=3\nRetryDelay=1s\n",
         "web-image.service",
         "pull --arch=arm64 --variant=v8 --authfile=/x/auth --retry=3 --retry-delay=1s "
         "quay.io/x:1"},
        {"/x/web.build",
         "[Build]\nImageTag=localhost/web\nFile=sub/Containerfile\nPull=never\n",
         "web-build.service",
         "build --tag=localhost/web --file=/x/sub/Containerfile --pull=never /x/sub"},
        {"/x/web.build",
         "[Build]\nImageTag=web\nSetWorkingDirectory=unit\nBuildArg=A=1 B=2\n",
         "web-build.service",
         "build --tag=web --build-arg=A=1 --build-arg=B=2 /x"},
        {"/x/front.network", "", "front-network.service", "network create --ignore front"},
        {"/x/front.network",
         "[Network]\nNetworkName=other\nSubnet=10.5.0.0/24\nGateway=10.5.0.9\n"
         "IPRange=10.5.0.128/25\nIPv6=yes\nInternal=true\nDriver=bridge\nDisableDNS=yes\n"
         "DNS=192.0.2.1\nOptions=mtu=1400 isolate=true\nLabel=a=b\nInterfaceName=br7\n",
         "front-network.service",
         "network create --ignore --disable-dns --dns=192.0.2.1 --driver=bridge "
         "--gateway=10.5.0.9 --interface-name=br7 --internal --ip-range=10.5.0.128/25 --ipv6 "
         "--label=a=b --opt=mtu=1400 --opt=isolate=true --subnet=10.5.0.0/24 other"},
    };
    for (const Case& each : cases) {
        const Service service = resource_of(each.path, each.text);
        EXPECT_THAT(texts_of(service.problems), IsEmpty()) << each.text;
        EXPECT_EQ(service.unit, each.unit);
        EXPECT_THAT(service.text,
                    HasSubstr("\nExecStart=/usr/bin/sctr " + std::string(each.start) + "\n"));
        EXPECT_THAT(service.text, HasSubstr("\nType=oneshot\nRemainAfterExit=yes\n"));
        EXPECT_EQ(service.container, "");
    }
}

TEST(Resource, SaysWhatIsWrong) {
    const std::vector<std::array<const char*, 3>> cases = {
        {"/x/a.image", "", "no section [Image]"},
        {"/x/a.image", "[Image]\nOS=linux\n", "give Image="},
        {"/x/a.build", "[Build]\nImageTag=x\n", "give File= or SetWorkingDirectory="},
        {"/x/a.build", "[Build]\nFile=/x/y\n", "give ImageTag="},
        {"/x/a.volume", "[Volume]\nDriver=nfs\n", "Driver=: not supported yet (use Volume="},
        {"/x/a.volume", "[Volume]\nVolumeNam=b\n", "did you mean 'VolumeName'?"},
        {"/x/a.volume", "[Container]\nImage=b\n", "unknown section [Container]"},
        {"/x/a@.volume", "", "only a container"},
        {"/x/a.network", "[Network]\nIPAMDriver=dhcp\n", "IPAMDriver=: not supported yet (use"},
        {"/x/a.network", "[Network]\nSubnets=10.0.0.0/8\n", "did you mean 'Subnet'?"},
        {"/x/a.network", "[Network]\nIPv6=perhaps\n", "give yes or no"},
        {"/x/a.volume", "[Service]\nType=simple\n", "Type= in [Service]"},
    };
    for (const auto& [path, text, said] : cases) {
        EXPECT_THAT(texts_of(resource_of(path, text).problems), Contains(HasSubstr(said))) << text;
    }
}

TEST(Resource, ComesBeforeTheContainer) {
    const std::vector<std::vector<Source>> all = {
        {{.path = "/x/data.volume", .text = "[Volume]\nVolumeName=other\n"}},
        {{.path = "/x/front.network", .text = ""}},
        {{.path = "/x/back.network", .text = "[Network]\nNetworkName=behind\n"}},
        {{.path = "/x/web.build", .text = "[Build]\nImageTag=localhost/web\nFile=./c\n"}}};
    const Service service =
        make_service({{.path = "/x/web.container",
                       .text = "[Container]\nImage=web.build\nVolume=data.volume:/d:ro\n"
                               "Network=front.network\nNetwork=back.network:alias=db\n"
                               "[Unit]\nAfter=b.image\n"}},
                     "/usr/bin/sctr",
                     names_of(all));
    EXPECT_THAT(texts_of(service.problems), IsEmpty());
    for (const char* line : {"\nRequires=data-volume.service\nAfter=data-volume.service\n",
                             "\nRequires=web-build.service\nAfter=web-build.service\n",
                             "\nAfter=b-image.service\n",
                             "\nRequires=front-network.service\nAfter=front-network.service\n",
                             "\nRequires=back-network.service\nAfter=back-network.service\n",
                             " --volume=other:/d:ro --network=front --network=behind:alias=db "
                             "-- localhost/web\n"}) {
        EXPECT_THAT(service.text, HasSubstr(line));
    }
}

TEST(Container, EveryMissingKeySaysWhatToUse) {
    const Service service = service_of("[Container]\nRootfs=/r\nLogOpt=3\nPod=b\nStopCmd=x\n");
    for (const std::string& text : texts_of(service.problems)) {
        EXPECT_THAT(text, HasSubstr("(use "));
    }
    EXPECT_EQ(service.problems.size(), 3);
}

TEST(Unit, HasWhatItsFileSays) {
    const Service service = service_of("[Unit]\nDescription=The web\nAfter=db.container x.mount\n"
                                       "[Container]\nRootfs=/srv/a b\nReloadSignal=HUP\n"
                                       "Volume=/data:/data\n"
                                       "[Service]\nRestart=always\nMemoryMax=1G\nSlice=my.slice\n"
                                       "CPUAffinity=1\n"
                                       "[Install]\nWantedBy=multi-user.target a.target\n"
                                       "RequiredBy=b.container\nAlias=www.service\n");
    EXPECT_THAT(service.problems, IsEmpty());
    EXPECT_EQ(service.unit, "web.service");
    EXPECT_EQ(service.container, "web");
    EXPECT_EQ(service.description, "The web");
    for (const char* line : {"\nSourcePath=/etc/sctr/web.container\n",
                             "\nDescription=The web\n",
                             "\nAfter=network.target\n",
                             "\nAfter=db.service x.mount\n",
                             "\nRequiresMountsFor=\"/srv/a b\"\n",
                             "\nRequiresMountsFor=/data\n",
                             "\nType=notify\n",
                             "\nRestart=always\n",
                             "\nSlice=my.slice\n",
                             "\nCPUAffinity=1\n",
                             "\nExecStopPost=/usr/bin/sctr supervise --ended --service %n -- web\n",
                             "\nExecReload=/usr/bin/sctr kill --signal HUP web\n"}) {
        EXPECT_THAT(service.text, HasSubstr(line));
    }
    // What limits the service's own processes would not limit the container.
    EXPECT_THAT(service.text, Not(HasSubstr("\nMemoryMax=")));
    EXPECT_THAT(exec_start(service), HasSubstr(" --property=MemoryMax=1G --slice=my.slice "));
    EXPECT_THAT(service.links,
                ElementsAre(Link{"multi-user.target.wants/web.service", "../web.service"},
                            Link{"a.target.wants/web.service", "../web.service"},
                            Link{"b.service.requires/web.service", "../web.service"},
                            Link{"www.service", "web.service"}));
}

TEST(Unit, OfATemplate) {
    const std::string text = "[Container]\nRootfs=/r\n[Install]\nWantedBy=a.target\n";
    const std::string path = "/etc/sctr/web@.container";
    const Service service = service_of(text + "DefaultInstance=1\n", path);
    EXPECT_THAT(service.problems, IsEmpty());
    EXPECT_EQ(service.unit, "web@.service");
    EXPECT_THAT(exec_start(service), HasSubstr(" --name=web-%i "));
    EXPECT_THAT(service.links,
                ElementsAre(Link{"a.target.wants/web@1.service", "../web@.service"}));
    EXPECT_THAT(texts_of(service_of(text, path).problems),
                ElementsAre(HasSubstr("give DefaultInstance=")));
    EXPECT_THAT(texts_of(service_of(text + "DefaultInstance=../x\n", path).problems),
                ElementsAre(HasSubstr("no part of a unit's name")));
}

TEST(Unit, DropInsComeAfterTheFile) {
    const Service service = make_service(
        {{.path = "/etc/sctr/web.container", .text = "[Container]\nRootfs=/r\nUser=1\n"},
         {.path = "/etc/sctr/web.container.d/a.conf",
          .text = "[Container]\nUser=2\nReadOnly=yes\nVolume=./x:/x\n"}},
        "/usr/bin/sctr");
    EXPECT_THAT(service.problems, IsEmpty());
    EXPECT_EQ(exec_start(service),
              std::string(begin_of_line) +
                  "--user=2 --read-only --volume=/etc/sctr/web.container.d/x:/x --");
}

TEST(Unit, WithoutDefaultDependencies) {
    const Service service =
        service_of("[Container]\nRootfs=/r\n[Quadlet]\nDefaultDependencies=no\n");
    EXPECT_THAT(service.problems, IsEmpty());
    EXPECT_THAT(service.text, Not(HasSubstr("network.target")));
}

TEST(Unit, IsNamedAsItsFile) {
    EXPECT_EQ(unit_of("/etc/sctr/web.container"), "web.service");
    EXPECT_EQ(unit_of("web@1.container"), "web@1.service");
}

} // namespace
} // namespace sctr::declared
