// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/check.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/blobs.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
#include "storage/kept_layers.hpp"
#include "storage/work_directory.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

class Checker {
  public:
    Checker(const Store& store, bool repair) : store_(store), repair_(repair) {}

    std::vector<std::string> run() {
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(store_.root() + "/images", none)) {
            check_image(entry.path().filename());
        }
        check_layers();
        for (const auto& [name, digest] : store_.names()) {
            if (!exists(store_.image(digest))) {
                found_.push_back("the name " + name + " leads to no image");
                if (repair_) {
                    store_.remove_name(name);
                }
            }
        }
        return std::move(found_);
    }

  private:
    /// What a layer is compared with: its recipe, or its blob.
    struct Archive {
        std::string path;
        std::string diff; ///< digest; empty: seen already
    };

    void check_image(const std::string& digest) {
        try {
            const auto text = sys::read_small_file(store_.image(digest) + "/image.json");
            oci::StoredImage image = oci::parse_stored_image(text.value_or(""));
            if (image.digest != digest) {
                throw Error("it says that it is another");
            }
            for (const std::string& chain_id : image.layers) {
                if (!exists(store_.layer_tree(chain_id))) {
                    throw Error("the layer " + chain_id.substr(0, 12) + " is missing");
                }
            }
            const auto manifest = sys::read_small_file(store_.manifest(digest));
            if (!manifest || Sha256::of(*manifest) != digest) {
                throw Error("its manifest is missing or damaged");
            }
            check_blob(image.id);
            for (const LayerBlob& layer : layer_blobs(store_, image)) {
                check_blob(layer.blob);
                const auto recipe = recipe_of_layer(store_, layer.chain_id);
                if (recipe) {
                    add_recipe(recipe);
                } else if (sound_blobs_.contains(layer.blob)) {
                    layers_.emplace(layer.chain_id,
                                    Archive{.path = store_.blob(layer.blob), .diff = ""});
                }
            }
            sound_.push_back(std::move(image));
        } catch (const Error& error) {
            found_.push_back("image " + digest.substr(0, 12) + ": " + error.what());
            if (repair_) {
                remove_image(digest);
            }
        }
    }

    /// A container starts without them, but nothing can be saved or sent.
    void check_blob(const std::string& hex) {
        if (!checked_.insert(hex).second) {
            return;
        }
        // Each look may find the other, should a load change the one for the other meanwhile.
        constexpr int most_looks = 10;
        for (int looks = 0; looks < most_looks; ++looks) {
            if (const auto sum = sha256_of_blob(store_, hex)) {
                judge_blob(hex, *sum == hex);
                return;
            }
            if (const auto link = link_of_blob(store_, hex)) {
                add_recipe(link);
                return;
            }
            if (!exists(store_.blob(hex))) {
                found_.push_back("the blob " + hex.substr(0, 12) + " is missing");
                return;
            }
        }
        judge_blob(hex, false); // a link that is none of ours
    }

    void judge_blob(const std::string& hex, bool is_sound) {
        if (is_sound) {
            sound_blobs_.insert(hex);
            return;
        }
        found_.push_back("the blob " + hex.substr(0, 12) + " is damaged");
        if (repair_) {
            ::unlink(store_.blob(hex).c_str());
        }
    }

    void add_recipe(const std::optional<BlobLink>& recipe) {
        if (recipe) {
            layers_.insert_or_assign(recipe->chain_id,
                                     Archive{.path = store_.recipe(recipe->chain_id, recipe->diff),
                                             .diff = recipe->diff});
        }
    }

    /// Those of the layers that do not give their archives any more, which takes the content of
    /// each of their files, or look otherwise than that says: how, by their chain IDs.
    std::map<std::string, std::string> changed(const std::vector<std::string>& layers,
                                               const std::optional<plan::KeptIds>& ids) const {
        std::map<std::string, std::string> chain_ids; // by the tree
        LayerWork work{.words = {"verify"}, .kept = ids};
        for (const std::string& chain_id : layers) {
            const Archive& archive = layers_.at(chain_id);
            const std::string tree = layer_tree_for(store_, chain_id, ids);
            work.text += archive.path + '\0' + archive.diff + '\0' + tree + '\0';
            chain_ids[tree] = chain_id;
        }
        std::map<std::string, std::string> found;
        for (const std::string& line :
             split(layers.empty() ? "" : LayerProgram(work).finish(), '\n')) {
            const auto tab = line.find('\t');
            const auto layer = chain_ids.find(line.substr(0, tab));
            if (tab != std::string::npos && layer != chain_ids.end()) {
                found[layer->second] = line.substr(tab + 1);
            }
        }
        return found;
    }

    void check_layers() {
        const auto all = std::views::keys(layers_) | std::ranges::to<std::vector<std::string>>();
        std::set<std::string> damaged;
        for (const auto& [chain_id, how] : changed(all, std::nullopt)) {
            found_.push_back("layer " + chain_id.substr(0, 12) + ": " + how);
            damaged.insert(chain_id);
        }
        check_copies();
        if (repair_ && !damaged.empty()) {
            remove_layers(damaged);
        }
    }

    /// Of --userns keep-id.
    void check_copies() {
        std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>> copies;
        for (const auto& [chain_id, archive] : layers_) {
            for (const plan::KeptIds& ids : kept_copies(store_, chain_id)) {
                copies[{ids.uid, ids.gid}].push_back(chain_id);
            }
        }
        for (const auto& [id, layers] : copies) {
            const plan::KeptIds ids{.uid = id.first, .gid = id.second};
            for (const auto& [chain_id, how] : changed(layers, ids)) {
                const std::string copy =
                    fs::path(kept_layer_tree(store_, chain_id, ids)).parent_path();
                found_.push_back("layer " + chain_id.substr(0, 12) + " as " +
                                 copy.substr(copy.rfind('/') + 1) + ": " + how);
                if (repair_) {
                    remove_copy(chain_id, copy);
                }
            }
        }
    }

    /// The next container that needs it has it made again.
    void remove_copy(const std::string& chain_id, const std::string& copy) {
        std::vector<UniqueFd> held;
        for (const oci::StoredImage& image : sound_) {
            if (std::ranges::contains(image.layers, chain_id)) {
                auto lock = hold_image(image.digest);
                if (!lock) {
                    return;
                }
                held.push_back(std::move(*lock));
            }
        }
        const std::string gone = store_.make_work_directory();
        if (::rename(copy.c_str(), gone.c_str()) < 0) {
            throw Error("cannot remove the copy of a layer").at(copy).because(errno);
        }
        sys::sync_directory(store_.layer(chain_id));
        remove_trees({gone});
    }

    void remove_layers(const std::set<std::string>& damaged) {
        std::set<std::string> kept;
        std::vector<oci::StoredImage> left;
        for (const oci::StoredImage& image : sound_) {
            const bool is_damaged = std::ranges::any_of(
                image.layers, [&](const auto& layer) { return damaged.contains(layer); });
            if (!is_damaged || !remove_image(image.digest)) {
                kept.insert(image.layers.begin(), image.layers.end());
                left.push_back(image);
            }
        }
        for (const oci::StoredImage& image : left) {
            lead_to_own_layers(store_, image, kept);
        }
        sys::sync_directory(store_.blobs() + "/sha256");
        for (const std::string& chain_id : damaged) {
            // Out of sight first: half a layer must not have the name of a whole one.
            const std::string gone = store_.make_work_directory();
            if (!kept.contains(chain_id) &&
                ::rename(store_.layer(chain_id).c_str(), gone.c_str()) == 0) {
                sys::sync_directory(store_.root() + "/layers");
            }
            remove_trees({gone});
        }
    }

    /// None when a container runs on it, which is a complaint. What is no directory needs no hold.
    std::optional<UniqueFd> hold_image(const std::string& digest) {
        UniqueFd held(::open(store_.image(digest).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (held.valid() && ::flock(held.get(), LOCK_EX | LOCK_NB) < 0) {
            found_.push_back("image " + digest.substr(0, 12) +
                             ": kept, as a container runs on it; stop it and repair again");
            return std::nullopt;
        }
        return held;
    }

    /// False when a container runs on it.
    bool remove_image(const std::string& digest) {
        const std::string path = store_.image(digest);
        const auto held = hold_image(digest);
        if (!held) {
            return false;
        }
        const WorkDirectory gone(store_);
        if (::rename(path.c_str(), gone.file("image").c_str()) < 0) {
            throw Error("cannot remove the image").at(path).because(errno);
        }
        sys::sync_directory(store_.root() + "/images");
        return true;
    }

    const Store& store_;
    bool repair_;
    std::vector<std::string> found_;
    std::set<std::string> checked_;
    std::set<std::string> sound_blobs_;
    std::map<std::string, Archive> layers_; ///< by their chain IDs
    std::vector<oci::StoredImage> sound_;   ///< as far as that is seen without reading layers
};

} // namespace

std::vector<std::string> check_store(const Store& store, bool repair) {
    return Checker(store, repair).run();
}

} // namespace sctr::storage
