// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "cli/template_views.hpp"

/// JSON of which a part may be missing, and times as docker and podman write them. Pure.
namespace sctr::cli {

/// A member of what may be nothing; nothing where there is none.
TemplateView within(const TemplateView& whole, std::initializer_list<const char*> names);

/// `value`, unless that is nothing.
TemplateView or_else(const TemplateView& value, const TemplateView& otherwise);

/// The text of a member; empty where there is none, or something else.
std::string text_at(const TemplateView& whole, std::initializer_list<const char*> names);

/// Makes members of these names, without a value where they are not there yet.
void know(TemplateView& view, std::initializer_list<const char*> names);

/// Sets a member. `value` is a copy: a new member may move those that are there.
void put(TemplateView& view, const char* name, TemplateView value);

/// "2026-11-22 10:00:00 +0000 UTC", as docker and podman write it.
std::string written_out(const std::string& time);

/// "3 minutes ago"; nothing where the time is none.
std::string ago(const std::string& time, std::int64_t now_usec);

} // namespace sctr::cli
