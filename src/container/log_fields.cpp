// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/log_fields.hpp"

namespace sctr::container {

std::string image_name(const oci::Spec& spec) {
    for (const char* key : {"io.sctr.image",
                            "io.kubernetes.cri.image-name",  // containerd
                            "io.kubernetes.cri-o.ImageName", // CRI-O
                            "org.opencontainers.image.ref.name"}) {
        if (const auto found = spec.annotations.find(key); found != spec.annotations.end()) {
            return found->second;
        }
    }
    return "";
}

} // namespace sctr::container
