// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/resource.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace sctr::declared {

namespace {

constexpr std::array kinds = {
    ResourceKind{".volume", "-volume", "Volume", "VolumeName"},
    ResourceKind{".image", "-image", "Image", "Image"},
    ResourceKind{".build", "-build", "Build", "ImageTag"},
    ResourceKind{".network", "-network", "Network", "NetworkName"},
};

constexpr std::string_view container_suffix = ".container";
constexpr std::string_view a_directory = "Volume=/a/directory:/place in [Container]";

constexpr std::array volume_keys = {
    Key{"VolumeName", Kind::elsewhere, ""},
    Key{"Label", Kind::words, "--label="},

    Key{"Copy", Kind::missing, "the option nocopy of Volume= in [Container]"},
    Key{"Device", Kind::missing, a_directory},
    Key{"Driver", Kind::missing, a_directory},
    Key{"Group", Kind::missing, "the option U of Volume= in [Container]"},
    Key{"Image", Kind::missing, "Mount=type=image in [Container]"},
    Key{"Options", Kind::missing, a_directory},
    Key{"Type", Kind::missing, a_directory},
    Key{"User", Kind::missing, "the option U of Volume= in [Container]"},
};

constexpr std::array image_keys = {
    Key{"Image", Kind::elsewhere, ""},
    Key{"OS", Kind::text, "--os="},
    Key{"Arch", Kind::text, "--arch="},
    Key{"Variant", Kind::text, "--variant="},
    Key{"AuthFile", Kind::path, "--authfile="},
    Key{"Creds", Kind::text, "--creds="},
    Key{"TLSVerify", Kind::text, "--tls-verify="},
    Key{"Retry", Kind::text, "--retry="},
    Key{"RetryDelay", Kind::text, "--retry-delay="},

    Key{"AllTags", Kind::missing, "a file for each tag"},
    Key{"CertDir", Kind::missing, "/etc/containers/certs.d"},
    Key{"ImageTag", Kind::missing, "Image= with the tag"},
    Key{"Policy", Kind::missing, "Pull= in [Container]"},
};

/// Flags of buildah.
constexpr std::array build_keys = {
    Key{"ImageTag", Kind::list, "--tag="},
    Key{"File", Kind::path, "--file="},
    Key{"SetWorkingDirectory", Kind::elsewhere, ""},
    Key{"Annotation", Kind::words, "--annotation="},
    Key{"Arch", Kind::text, "--arch="},
    Key{"AuthFile", Kind::path, "--authfile="},
    Key{"BuildArg", Kind::words, "--build-arg="},
    Key{"DNS", Kind::list, "--dns="},
    Key{"DNSOption", Kind::list, "--dns-option="},
    Key{"DNSSearch", Kind::list, "--dns-search="},
    Key{"Environment", Kind::variables, "--env="},
    Key{"ForceRM", Kind::text, "--force-rm="},
    Key{"GroupAdd", Kind::list, "--group-add="},
    Key{"IgnoreFile", Kind::path, "--ignorefile="},
    Key{"Label", Kind::words, "--label="},
    Key{"Network", Kind::list, "--network="},
    Key{"Pull", Kind::text, "--pull="},
    Key{"Secret", Kind::list, "--secret="},
    Key{"Target", Kind::text, "--target="},
    Key{"TLSVerify", Kind::text, "--tls-verify="},
    Key{"Variant", Kind::text, "--variant="},
    Key{"Volume", Kind::list, "--volume="},
    Key{"Retry", Kind::text, "--retry="},
    Key{"RetryDelay", Kind::text, "--retry-delay="},
    Key{"SctrArgs", Kind::arguments, ""},

    Key{"PodmanArgs", Kind::missing, "SctrArgs= with flags of 'buildah build'"},
};

constexpr std::array network_keys = {
    Key{"NetworkName", Kind::elsewhere, ""},
    Key{"DisableDNS", Kind::flag, "--disable-dns"},
    Key{"DNS", Kind::list, "--dns="},
    Key{"Driver", Kind::text, "--driver="},
    Key{"Gateway", Kind::list, "--gateway="},
    Key{"InterfaceName", Kind::text, "--interface-name="},
    Key{"Internal", Kind::flag, "--internal"},
    Key{"IPRange", Kind::list, "--ip-range="},
    Key{"IPv6", Kind::flag, "--ipv6"},
    Key{"Label", Kind::words, "--label="},
    Key{"Options", Kind::words, "--opt="},
    Key{"Subnet", Kind::list, "--subnet="},
    Key{"SctrArgs", Kind::arguments, ""},

    Key{"ContainersConfModule", Kind::missing, "drop-ins of this file"},
    Key{"GlobalArgs", Kind::missing, "SctrArgs= with flags of 'sctr network create'"},
    Key{"IPAMDriver", Kind::missing, "Subnet= and IPRange=: sctr leases the addresses"},
    Key{"NetworkDeleteOnStop", Kind::missing, "'sctr network rm'"},
    Key{"PodmanArgs", Kind::missing, "SctrArgs= with flags of 'sctr network create'"},
    Key{"ServiceName", Kind::missing, "the file's own name"},
};

std::span<const Key> keys_of(const ResourceKind& kind) {
    if (kind.suffix == ".volume") {
        return volume_keys;
    }
    if (kind.suffix == ".network") {
        return network_keys;
    }
    return kind.suffix == ".image" ? std::span<const Key>(image_keys) : build_keys;
}

std::string base_name(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

std::string stem_of(const ResourceKind& kind, std::string_view path) {
    std::string name = base_name(path);
    name.resize(name.size() - kind.suffix.size());
    return name;
}

std::string value_of(const std::vector<Entry>& section, std::string_view key) {
    const Entry* found = last_of(section, key);
    return found != nullptr ? found->value : "";
}

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

/// What files are built from; empty where nothing says it.
std::string context_of(const std::vector<Entry>& section, const std::string& path) {
    const std::string wanted = value_of(section, "SetWorkingDirectory");
    const Entry* file = last_of(section, "File");
    if (wanted == "unit") {
        return directory_of(path);
    }
    if (wanted == "file" || (wanted.empty() && file != nullptr)) {
        return file != nullptr ? directory_of(path_of(file->value, file->place)) : "";
    }
    return wanted.empty() ? "" : path_of(wanted, last_of(section, "SetWorkingDirectory")->place);
}

std::vector<std::string> make_verb(const ResourceKind& kind) {
    if (kind.suffix == ".volume") {
        return {"volume", "create", "--ignore"};
    }
    if (kind.suffix == ".network") {
        return {"network", "create", "--ignore"};
    }
    return {kind.suffix == ".image" ? "pull" : "build"};
}

} // namespace

const ResourceKind* resource_kind(std::string_view path) {
    const auto* const found = std::ranges::find_if(
        kinds, [&](const ResourceKind& kind) { return path.ends_with(kind.suffix); });
    return found == kinds.end() ? nullptr : found;
}

bool is_declared_file(std::string_view path) {
    return path.ends_with(container_suffix) || resource_kind(path) != nullptr;
}

std::string unit_of(const std::string& path) {
    if (const ResourceKind* kind = resource_kind(path)) {
        return stem_of(*kind, path) + std::string(kind->unit_suffix) + ".service";
    }
    std::string name = base_name(path);
    if (name.ends_with(container_suffix)) {
        name.resize(name.size() - container_suffix.size());
    }
    return name + ".service";
}

bool is_fetched(const ResourceKind& kind) {
    return kind.suffix == ".image" || kind.suffix == ".build";
}

std::string resource_description(const ResourceKind& kind, const std::string& name) {
    return (kind.suffix == ".build" ? "Build of image" : std::string(kind.section)) + " " + name;
}

std::string resource_name(const ResourceKind& kind,
                          const std::vector<Entry>& section,
                          const std::string& path) {
    std::string name = value_of(section, kind.name_key);
    return name.empty() && !is_fetched(kind) ? stem_of(kind, path) : name;
}

std::vector<std::string> resource_command(const ResourceKind& kind,
                                          const std::vector<Entry>& section,
                                          const std::string& path,
                                          std::vector<Problem>& problems) {
    const std::string name = resource_name(kind, section, path);
    const auto wrong = [&](const std::string& text) {
        problems.push_back({.place = {path, 0}, .text = text});
    };
    if (section.empty() && is_fetched(kind)) {
        wrong("there is no section [" + std::string(kind.section) + "]");
    } else if (name.empty()) {
        wrong("[" + std::string(kind.section) + "] says no name (give " +
              std::string(kind.name_key) + "=)");
    }
    if (stem_of(kind, path).ends_with('@')) {
        wrong("only a container can be a template");
    }
    std::vector<std::string> words = make_verb(kind);
    const auto flags = flags_of(section, problems, keys_of(kind), kind.section);
    words.insert(words.end(), flags.begin(), flags.end());
    if (kind.suffix == ".build") {
        const std::string context = context_of(section, path);
        if (context.empty()) {
            wrong("[Build] does not say what to build (give File= or SetWorkingDirectory=)");
        }
        words.push_back(context);
    } else {
        words.push_back(name);
    }
    return words;
}

std::vector<std::string> resource_paths(const ResourceKind& kind,
                                        const std::vector<Entry>& section,
                                        const std::string& path) {
    const std::string context = kind.suffix == ".build" ? context_of(section, path) : "";
    return context.starts_with('/') ? std::vector<std::string>{context}
                                    : std::vector<std::string>();
}

} // namespace sctr::declared
