// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/log.hpp"
#include "cli/made_from.hpp"
#include "cli/output_file.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "container/engine.hpp"
#include "storage/commit.hpp"
#include "storage/helper.hpp"
#include "storage/kept_layers.hpp"

/// The verbs about what a container has written above its image: commit, diff, export.
namespace sctr::cli {
namespace {

using container::RecordStore;
using storage::Store;

/// What a container's files are made of.
struct Layers {
    std::optional<storage::ImageUse> image; ///< nothing: it has none
    std::string upper;                      ///< what it wrote; empty: to its directory itself
    std::vector<std::string> lower;         ///< the uppermost first
    std::optional<plan::KeptIds> kept;
};

Layers layers_of(const Store& store, const std::string& name) {
    const MadeFrom origin = made_from(name);
    if (origin.image_digest.empty() && origin.lower.empty()) {
        return {.lower = {origin.rootfs}};
    }
    Layers layers{.upper = store.root() + "/roots/" + name + "/upper", .kept = origin.kept};
    if (origin.image_digest.empty()) {
        layers.lower = {origin.lower};
    } else {
        layers.image = store.find_by_digest(origin.image_digest);
        if (!layers.image) {
            throw Error("the image of the container is gone").at(name);
        }
        for (const std::string& chain_id : layers.image->image.layers) {
            layers.lower.push_back(storage::layer_tree_for(store, chain_id, origin.kept));
        }
    }
    if (::access(layers.upper.c_str(), F_OK) != 0) {
        throw Error("the container has not run yet, and so changed nothing").at(name);
    }
    return layers;
}

/// Nothing changes while it is copied. Signals that would end us wait until it runs again.
class Pause {
  public:
    Pause(const std::string& name, bool wanted) : records_(RecordStore::default_root()) {
        if (!wanted || !records_.has(name) ||
            container::current_status(records_.load(name)) != container::Status::running) {
            return;
        }
        sigset_t signals;
        ::sigemptyset(&signals);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            ::sigaddset(&signals, signal);
        }
        ::sigprocmask(SIG_BLOCK, &signals, &before_);
        try {
            container::pause(records_, name);
        } catch (Error& error) {
            ::sigprocmask(SIG_SETMASK, &before_, nullptr);
            throw error.mend("copy it as it runs: --pause=false");
        }
        name_ = name;
    }

    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

    ~Pause() {
        if (name_.empty()) {
            return;
        }
        try {
            container::unpause(records_, name_);
        } catch (const Error& error) {
            log(LogLevel::warn, error.what()); // it has ended
        }
        ::sigprocmask(SIG_SETMASK, &before_, nullptr);
    }

  private:
    RecordStore records_;
    std::string name_;
    sigset_t before_{};
};

/// The directories of a container's root, the uppermost first, after a word for sctr-layer.
storage::LayerWork work_on(const char* verb, const Layers& layers) {
    storage::LayerWork work{.words = {verb}, .kept = layers.kept};
    if (!layers.upper.empty()) {
        work.words.push_back(layers.upper);
    }
    work.words.insert(work.words.end(), layers.lower.begin(), layers.lower.end());
    return work;
}

/// What is written above an image is a layer; a directory below has no layers to be above of.
std::string
commit(const Store& store, const Layers& layers, const storage::CommitOptions& options) {
    if (!layers.image) {
        return storage::commit_whole(store, work_on("export", layers), options);
    }
    return storage::commit(store,
                           layers.image->image,
                           {.words = {"pack", layers.upper}, .kept = layers.kept},
                           options);
}

} // namespace

int commit_verb(const Words& words) {
    storage::CommitOptions options;
    std::optional<std::string> author;
    std::optional<std::string> message;
    std::optional<std::string> user;
    std::optional<std::string> workdir;
    bool pause = true;
    CLI::App app("Makes an image of what a container has written above its own.", "sctr commit");
    describe(app,
             "[OPTIONS] CONTAINER [NAME]",
             {"sctr commit web web-with-data",
              "sctr commit --cmd httpd --cmd -f web site:2",
              "sctr commit -c 'CMD [\"httpd\", \"-f\"]' -c 'EXPOSE 80' web site:3"});
    add_text(app, "-a,--author", author, "who made it");
    add_text(app, "-m,--message", message, "comment in the image's history");
    add_texts(app, "--cmd", options.cmd, "a word of its command; more than once");
    add_texts(app, "--entrypoint", options.entrypoint, "a word of its entrypoint; more than once");
    add_texts(app, "-e,--env", options.env, "NAME=VALUE");
    add_text(app, "-u,--user", user, "whose the command is");
    add_text(app, "-w,--workdir", workdir, "where it runs");
    add_texts(app,
              "-c,--change",
              options.changes,
              "line of a Containerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, "
              "VOLUME, WORKDIR; more than once");
    add_switch(app, "-p,--pause", pause, "pause it while it is copied (default: true)");
    const auto names = parse_names(app, words);
    if (names.empty() || names.size() > 2) {
        throw Error("a container is needed, and a name for the image")
            .mend("see 'sctr commit --help'");
    }
    options.author = author.value_or("");
    options.comment = message.value_or("");
    options.user = user.value_or("");
    options.working_dir = workdir.value_or("");
    const std::string name = names.size() == 2 ? local_name(names.back()) : "";
    const Store store = Store::own();
    const Layers layers = layers_of(store, names.front());
    const UniqueFd locked = store.lock(storage::Sharing::shared);
    const std::string digest = [&] {
        const Pause paused(names.front(), pause);
        return as_typed(TypedNames(app, words), [&] { return commit(store, layers, options); });
    }();
    if (!name.empty()) {
        store.set_name(name, digest);
    }
    std::puts(require_image(store, digest).image.id.c_str());
    return 0;
}

int diff_verb(const Words& words) {
    CLI::App app("Shows what a container has changed of its image: A added, C changed, D deleted.",
                 "sctr diff");
    describe(app, "CONTAINER", {"sctr diff web"});
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error("one container is looked at").mend("see 'sctr diff --help'");
    }
    const Store store = Store::own();
    const Layers layers = layers_of(store, names.front());
    if (layers.upper.empty()) {
        throw Error("the container writes to its directory itself")
            .at(layers.lower.front())
            .because("nobody knows what was there before")
            .mend("make it with --rootfs DIR:O, which writes above it");
    }
    std::fputs(storage::LayerProgram(work_on("diff", layers)).finish().c_str(), stdout);
    return 0;
}

int export_verb(const Words& words) {
    std::optional<std::string> output;
    CLI::App app("Writes all files of a container to a tar archive.", "sctr export");
    describe(
        app, "[OPTIONS] CONTAINER", {"sctr export -o web.tar web", "sctr export web | tar -t"});
    add_text(app, "-o,--output", output, "file, or - (default: standard output)");
    const auto names = parse_names(app, words);
    if (names.size() != 1) {
        throw Error("one container is exported").mend("see 'sctr export --help'");
    }
    const Store store = Store::own();
    const Layers layers = layers_of(store, names.front());
    write_output(work_on("export", layers), output);
    return 0;
}

} // namespace sctr::cli
