// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/unpack_tree.hpp"

#include <sys/stat.h>

#include <limits>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "storage/copy_tree.hpp"
#include "storage/layer_stream.hpp"
#include "storage/shown_path.hpp"
#include "storage/stop.hpp"
#include "storage/unpacker.hpp"

namespace sctr::storage {

namespace {

/// Devices are root's to make, and then only as what they are. In a user namespace anybody makes
/// one that is none (0:0).
bool is_left_out(const LayerMember& member, const TreeSource& source) {
    const bool is_device = !member.is_hard_link && (S_ISBLK(member.mode) || S_ISCHR(member.mode));
    return is_device && (!source.keep_owners || (source.rootless && member.device != 0));
}

/// False for what shall not be root's.
bool give_to_root(LayerMember& member) {
    if (!member.is_hard_link && (S_ISCHR(member.mode) || S_ISBLK(member.mode))) {
        return false;
    }
    member.uid = 0;
    member.gid = 0;
    member.mode &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
    std::erase_if(member.xattrs,
                  [](const auto& xattr) { return xattr.first == "security.capability"; });
    return true;
}

/// A path whose first part is another; without it where `top` is empty.
std::string with_top(const std::string& path, const std::string& top) {
    const auto slash = path.find('/');
    const std::string rest = slash == std::string::npos ? "" : path.substr(slash + 1);
    return top.empty() || rest.empty() ? top + rest : top + "/" + rest;
}

/// Makes a member what it is to be there; false where it is left out.
bool adapt(LayerMember& member, const TreeSource& source, const TreeTarget& target, bool is_only) {
    if (is_only && is_left_out(member, source)) {
        throw Error(source.what)
            .at("/" + escape_controls(with_top(member.path, target.top.value_or(member.path))))
            .because("a device is not copied: " + escape_controls(member.path))
            .mend("as root, --archive copies it as it is");
    }
    if (!source.keep_owners && !give_to_root(member)) {
        return false;
    }
    if (target.top) {
        member.path = with_top(member.path, *target.top);
        member.link = member.is_hard_link ? with_top(member.link, *target.top) : member.link;
    }
    return !member.path.empty() || !target.top;
}

/// The same error, said of what the user has typed.
Error shown(const Error& error, const TreeSource& source, const TreeTarget& target) {
    std::string path = error.where();
    path = path == source.archive || path.empty() ? "" : path.substr(1);
    if (target.shows_top) {
        path = with_top(path, "");
    }
    Error said = error;
    said.because(stop_requested != 0   ? "it was ended by a signal"
                 : error.why().empty() ? error.what_failed()
                                       : error.why());
    return said.instead(source.what).at(shown_path(source.shown, path));
}

/// An archive as it comes in.
class Reading {
  public:
    explicit Reading(const TreeSource& source)
        : source_(source), stream_(source.archive),
          unpacker_(stream_, {.bytes = std::numeric_limits<std::uint64_t>::max()}) {}

    Unpacker& unpacker() { return unpacker_; }

    /// Nothing after the last one, when all has been read. Throws Error.
    std::optional<LayerMember> next() {
        auto member = unpacker_.next();
        if (!member && source_.must_be_there && stream_.size() == 0) {
            throw Error(source_.what).because("there is nothing in it");
        }
        if (!member && source_.needs_end_mark && !unpacker_.has_end_mark()) {
            throw Error(source_.what).because("the archive ends too early");
        }
        if (!member) {
            stream_.drain();
        }
        return member;
    }

  private:
    const TreeSource& source_;
    LayerStream stream_;
    Unpacker unpacker_;
};

/// Throws Error as it is shown.
template <typename Act> auto showing(const TreeSource& source, const Act& act) {
    try {
        return act();
    } catch (const Error& error) {
        throw shown(error, source, {});
    }
}

} // namespace

void unpack_tree(const TreeSource& source,
                 CopyJournal& journal,
                 const std::function<TreeTarget(bool is_directory)>& choose) {
    const auto reading = showing(source, [&] { return std::make_unique<Reading>(source); });
    auto member = showing(source, [&] { return reading->next(); });
    if (!member) {
        return;
    }
    const TreeTarget target = choose(S_ISDIR(member->mode));
    const auto tree = showing(source, [&] {
        return std::make_unique<CopyTree>(target.directory, source.rootless, journal);
    });
    const bool is_only = target.top && !S_ISDIR(member->mode); // it is all there is
    std::optional<Error> failure;
    try {
        for (; member; member = reading->next()) {
            if (adapt(*member, source, target, is_only)) {
                reading->unpacker().write(*member, *tree, Meaning::tree);
            }
        }
        tree->finish();
        return;
    } catch (const Error& error) {
        failure = shown(error, source, target);
    } catch (const std::exception& error) {
        failure = Error(source.what).at(source.shown).because(error.what());
    }
    if (const std::size_t left = take_back(journal.text(), tree->root()); left > 0) {
        failure->mend(std::to_string(left) + " names of it could not be removed again");
    }
    throw Error(*failure);
}

} // namespace sctr::storage
