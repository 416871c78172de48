// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/unpack.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "storage/layer_looks.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"
#include "storage/recipe.hpp"
#include "storage/unpacker.hpp"

namespace sctr::storage {

namespace {

void check_digest(const std::string& found, const std::string& wanted, const char* what) {
    if (!wanted.empty() && found != wanted) {
        throw Error(what).at("sha256:" + wanted).because("it is sha256:" + found);
    }
}

void finish_reading(LayerStream& stream, const LayerSource& source) {
    stream.drain();
    if (!stream.is_made_again()) { // else the link is the proof
        check_digest(
            stream.digest(), source.digest, "the layer's blob is not what its digest says");
    }
    check_digest(stream.diff_digest(),
                 source.diff_digest,
                 "the unpacked layer is not what the image's config says");
}

bool saves_disk(const LayerSource& source) {
    struct stat blob{};
    struct stat recipe{};
    // Whole blocks, which is what a disk has.
    constexpr off_t block = 4096;
    return ::stat(source.blob.c_str(), &blob) == 0 && ::stat(source.recipe.c_str(), &recipe) == 0 &&
           (recipe.st_size + block - 1) / block <= (blob.st_size + block - 1) / block;
}

} // namespace

UnpackedLayer unpack_layer(const LayerSource& source,
                           const std::string& directory,
                           const LayerBounds& bounds,
                           bool rootless) {
    const auto stream = LayerStream::of_blob(source.blob);
    LayerTree tree(directory, rootless);
    UnpackedLayer layer;
    std::optional<RecipeWriter> recipe;
    if (!source.recipe.empty()) {
        recipe.emplace(source.recipe, directory, bounds.bytes);
        stream->watch([&](std::string_view bytes) { recipe->saw(bytes); });
    }
    Unpacker unpacker(*stream, bounds, recipe ? &*recipe : nullptr);
    while (const auto member = unpacker.next()) {
        unpacker.write(*member, tree, Meaning::layer);
    }
    tree.finish();
    layer.bytes = unpacker.bytes();
    layer.implied = tree.implied();
    layer.opaque = tree.opaque();
    finish_reading(*stream, source);
    layer.archive = stream->size();
    if (recipe && (!recipe->finish() || !saves_disk(source))) {
        ::unlink(source.recipe.c_str());
    }
    return layer;
}

void verify_layer(const LayerSource& source) {
    finish_reading(*LayerStream::of_blob(source.blob), source);
}

void check_layer(const std::string& archive,
                 const std::string& diff_digest,
                 const std::string& tree,
                 bool rootless) {
    const auto stream = archive.ends_with(".recipe") ? LayerStream::of_recipe(archive, tree)
                                                     : LayerStream::of_blob(archive);
    LayerLooks looks(rootless);
    try {
        Unpacker unpacker(*stream, {});
        while (const auto member = unpacker.next()) {
            looks.add(*member, unpacker.size());
        }
        stream->drain();
    } catch (const Error&) {
        if (const std::string why = stream->is_made_again() ? stream->failure() : "";
            !why.empty()) {
            throw Error(why);
        }
        throw;
    }
    check_digest(stream->diff_digest(), diff_digest, "the layer has changed");
    if (const auto difference = looks.difference(tree)) {
        throw Error("the layer has changed").at(*difference);
    }
}

} // namespace sctr::storage
