// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/view_json.hpp"

#include "base/error.hpp"
#include "cli/ps_view.hpp"
#include "cli/time_point.hpp"

namespace sctr::cli {

TemplateView within(const TemplateView& whole, std::initializer_list<const char*> names) {
    const TemplateView* part = &whole;
    for (const char* const name : names) {
        const auto found = part->is_object() ? part->find(name) : part->end();
        if (!part->is_object() || found == part->end()) {
            return nullptr;
        }
        part = &*found;
    }
    return *part;
}

TemplateView or_else(const TemplateView& value, const TemplateView& otherwise) {
    return value.is_null() ? otherwise : value;
}

std::string text_at(const TemplateView& whole, std::initializer_list<const char*> names) {
    const TemplateView found = within(whole, names);
    return found.is_string() ? found.get<std::string>() : "";
}

void know(TemplateView& view, std::initializer_list<const char*> names) {
    for (const char* const name : names) {
        if (!view.contains(name)) {
            view[name] = nullptr;
        }
    }
}

void put(TemplateView& view, const char* name, TemplateView value) {
    view[name] = std::move(value);
}

std::string written_out(const std::string& time) {
    constexpr std::size_t seconds = std::string_view("2026-11-22T10:00:00").size();
    if (time.size() < seconds || !time.ends_with('Z')) {
        return time;
    }
    return time.substr(0, 10) + ' ' + time.substr(11, 8) + " +0000 UTC";
}

std::string ago(const std::string& time, std::int64_t now_usec) {
    try {
        return format_age(now_usec - parse_time_point("", time, now_usec)) + " ago";
    } catch (const Error&) {
        return "";
    }
}

} // namespace sctr::cli
