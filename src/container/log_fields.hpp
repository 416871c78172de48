// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/spec.hpp"

/// What sctr writes into the journal of containers, beside systemd.journal-fields(7). CONTAINER_*
/// and IMAGE_NAME are as docker's and podman's journal drivers have them.
namespace sctr::container {

namespace field {
inline constexpr const char* name = "CONTAINER_NAME";
inline constexpr const char* id = "CONTAINER_ID";
inline constexpr const char* image = "IMAGE_NAME";
inline constexpr const char* stream = "CONTAINER_STREAM"; ///< stdout or stderr; of output alone
inline constexpr const char* prefix = "CONTAINER_PREFIX"; ///< "<3>": cut off, now the PRIORITY
inline constexpr const char* partial = "CONTAINER_PARTIAL_MESSAGE"; ///< "true": no newline followed
inline constexpr const char* run = "SCTR_RUN";     ///< tells apart the containers that had a name
inline constexpr const char* event = "SCTR_EVENT"; ///< one for each that the entry tells of
inline constexpr const char* unit = "SCTR_UNIT";
inline constexpr const char* log = "SCTR_LOG"; ///< of create: journal, caller or engine
inline constexpr const char* exit_status = "SCTR_EXIT_STATUS";
inline constexpr const char* command = "SCTR_COMMAND"; ///< of exec
inline constexpr const char* health = "SCTR_HEALTH";   ///< of health_status
} // namespace field

/// Of each entry about an event.
inline constexpr const char* event_message_id = "6c2f0e1d94b84c0fa7f0be5b0f2d7c31";

/// The name of the image that a container was made from, by the annotations that tools leave in
/// its configuration; empty where none does.
std::string image_name(const oci::Spec& spec);

} // namespace sctr::container
