// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/check.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/blobs.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
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
        if (const auto link = link_of_blob(store_, hex)) {
            add_recipe(link);
        } else if (!exists(store_.blob(hex))) {
            found_.push_back("the blob " + hex.substr(0, 12) + " is missing");
        } else if (sha256_of_file(store_.blob(hex)) != hex) {
            found_.push_back("the blob " + hex.substr(0, 12) + " is damaged");
            if (repair_) {
                ::unlink(store_.blob(hex).c_str());
            }
        } else {
            sound_blobs_.insert(hex);
        }
    }

    void add_recipe(const std::optional<BlobLink>& recipe) {
        if (recipe) {
            layers_.insert_or_assign(recipe->chain_id,
                                     Archive{.path = store_.recipe(recipe->chain_id, recipe->diff),
                                             .diff = recipe->diff});
        }
    }

    /// Whether every layer still gives its archive, which takes the content of each of its files,
    /// and looks as that says.
    void check_layers() {
        std::string fields;
        std::map<std::string, std::string> chain_ids; // by the tree
        for (const auto& [chain_id, archive] : layers_) {
            const std::string tree = store_.layer_tree(chain_id);
            fields += archive.path + '\0' + archive.diff + '\0' + tree + '\0';
            chain_ids[tree] = chain_id;
        }
        std::set<std::string> damaged;
        for (const std::string& line :
             split(fields.empty() ? "" : run_layer_program({"verify"}, fields), '\n')) {
            const auto tab = line.find('\t');
            const auto found = chain_ids.find(line.substr(0, tab));
            if (tab != std::string::npos && found != chain_ids.end()) {
                const std::string& chain_id = found->second;
                found_.push_back("layer " + chain_id.substr(0, 12) + ": " + line.substr(tab + 1));
                damaged.insert(chain_id);
            }
        }
        if (repair_ && !damaged.empty()) {
            remove_layers(damaged);
        }
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

    /// False when a container runs on it.
    bool remove_image(const std::string& digest) {
        const std::string path = store_.image(digest);
        const UniqueFd held(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (held.valid() && ::flock(held.get(), LOCK_EX | LOCK_NB) < 0) {
            found_.push_back("image " + digest.substr(0, 12) +
                             ": kept, as a container runs on it; stop it and repair again");
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
