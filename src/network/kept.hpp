// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>

#include "network/state.hpp"

/// What netavark and aardvark-dns keep of containers, in files: the names that aardvark-dns
/// answers, and the rules that netavark makes again when the firewall has been loaded anew.
namespace sctr::network {

/// Removes from these files what is of no container's network now, and what is of `gone`, which may
/// be written down as attached still; tells aardvark-dns, which ends when it has no names. The
/// caller has netavark's lock. Throws Error.
void forget_kept(const Attachment& gone);

/// A file of aardvark-dns's names without the lines of containers that `is_there` does not know by
/// their id; empty when that leaves no container. Pure.
std::string names_of_those_there(const std::string& text,
                                 const std::function<bool(const std::string& id)>& is_there);

} // namespace sctr::network
