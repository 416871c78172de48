// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/check.hpp"

#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/files.hpp"
#include "storage/publish.hpp"

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
    void check_image(const std::string& digest) {
        try {
            const auto text = sys::read_small_file(store_.image(digest) + "/image.json");
            const oci::StoredImage image = oci::parse_stored_image(text.value_or(""));
            if (image.digest != digest) {
                throw Error("it says that it is another");
            }
            for (const std::string& chain_id : image.layers) {
                if (!exists(store_.layer_tree(chain_id))) {
                    throw Error("the layer " + chain_id.substr(0, 12) + " is missing");
                }
            }
            check_blobs(image);
        } catch (const Error& error) {
            found_.push_back("image " + digest.substr(0, 12) + ": " + error.what());
            if (repair_) {
                std::error_code ignored;
                fs::remove_all(store_.image(digest), ignored);
                sys::sync_directory(store_.root() + "/images");
            }
        }
    }

    /// A container starts without them, but nothing can be saved or sent.
    void check_blobs(const oci::StoredImage& image) {
        const auto text = sys::read_small_file(store_.manifest(image.digest));
        if (!text || Sha256::of(*text) != image.digest) {
            throw Error("its manifest is missing or damaged");
        }
        std::vector<std::string> blobs{image.id};
        for (const oci::Descriptor& layer : oci::parse_manifest(*text).layers) {
            blobs.push_back(oci::sha256_of_digest(layer.digest, "/layers"));
        }
        for (const std::string& hex : blobs) {
            if (!checked_.insert(hex).second) {
                continue;
            }
            if (!exists(store_.blob(hex))) {
                found_.push_back("the blob " + hex.substr(0, 12) + " is missing");
            } else if (sha256_of_file(store_.blob(hex)) != hex) {
                found_.push_back("the blob " + hex.substr(0, 12) + " is damaged");
                if (repair_) {
                    ::unlink(store_.blob(hex).c_str());
                }
            }
        }
    }

    const Store& store_;
    bool repair_;
    std::vector<std::string> found_;
    std::set<std::string> checked_;
};

} // namespace

std::vector<std::string> check_store(const Store& store, bool repair) {
    return Checker(store, repair).run();
}

} // namespace sctr::storage
