// SPDX-License-Identifier: LGPL-2.1-or-later
// Manifests, indexes, configs and names of images, as a registry may send them.
#include "fuzz.hpp"
#include "oci/image.hpp"
#include "oci/reference.hpp"

namespace sctr::fuzz {
namespace {

void read_config(std::string_view text) {
    oci::ImageConfig config;
    if (!accepts([&] { config = oci::parse_image_config(text); })) {
        return;
    }
    check(oci::chain_ids(config.rootfs).size() == config.rootfs.diff_ids.size(),
          "every layer has a chain ID");
    const std::string written = oci::serialize(config);
    check(accepts([&] { config = oci::parse_image_config(written); }),
          "what is written can be read");
    check(oci::serialize(config) == written, "what is read back is the same");
}

void read_stored(std::string_view text) {
    oci::StoredImage image;
    if (accepts([&] { image = oci::parse_stored_image(text); })) {
        check(oci::parse_stored_image(oci::serialize(image)) == image, "a stored image comes back");
    }
}

void read_name(std::string_view text) {
    oci::Reference reference;
    if (accepts([&] { reference = oci::parse_reference(text); })) {
        const std::string full = reference.full_name();
        check(oci::parse_reference(full).full_name() == full, "a full name stays as it is");
        check(full.size() <= 255 && !full.contains("../"), "a full name is a file's");
    }
}

} // namespace
} // namespace sctr::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sctr;
    const std::string_view text = fuzz::text_of(data, size);
    fuzz::accepts([&] { (void)oci::is_index(text); });
    fuzz::accepts([&] { (void)oci::parse_index(text); });
    fuzz::accepts([&] { (void)oci::serialize(oci::parse_manifest(text)); });
    fuzz::read_config(text);
    fuzz::read_stored(text);
    fuzz::read_name(text);
    return 0;
}
