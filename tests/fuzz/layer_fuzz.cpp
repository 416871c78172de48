// SPDX-License-Identifier: LGPL-2.1-or-later
// Layers: whatever an archive has, what is beside the layer's directory stays as it is.
// A recipe gives the archive again.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <string>

#include "base/unique_fd.hpp"
#include "fuzz.hpp"
#include "storage/layer_stream.hpp"
#include "storage/layer_tree.hpp"
#include "storage/unpack.hpp"
#include "storage/unpack_tree.hpp"

namespace {

/// A directory with the layer's in it, and a file beside that which nobody may touch.
class Playground {
  public:
    Playground() {
        std::setlocale(LC_CTYPE, "C.UTF-8");
        if (::mkdtemp(path_.data()) == nullptr) {
            std::abort();
        }
        sctr::UniqueFd file(
            ::open((path_ + "/beside").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        ::fstat(file.get(), &before_);
    }

    ~Playground() { sctr::storage::remove_tree(AT_FDCWD, path_); }

    Playground(const Playground&) = delete;
    Playground& operator=(const Playground&) = delete;
    Playground(Playground&&) = delete;
    Playground& operator=(Playground&&) = delete;

    [[nodiscard]] std::string layer() const { return file("diff"); }

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

    /// If there is one, it gives what the blob has.
    void check_recipe() const {
        using sctr::storage::LayerStream;
        if (::access(file("recipe").c_str(), F_OK) < 0) {
            return;
        }
        const auto blob = LayerStream::of_blob(file("blob"));
        const auto again = LayerStream::of_recipe(file("recipe"));
        blob->drain();
        again->drain();
        sctr::fuzz::check(blob->diff_digest() == again->diff_digest(),
                          "a recipe gives the archive again");
    }

    void check() const {
        struct stat now{};
        sctr::fuzz::check(::lstat((path_ + "/beside").c_str(), &now) == 0 &&
                              now.st_ino == before_.st_ino && now.st_mode == before_.st_mode &&
                              now.st_size == 0 && now.st_nlink == 1,
                          "nothing outside the layer changes");
    }

  private:
    std::string path_ = "/tmp/sctr-fuzz-XXXXXX";
    struct stat before_{};
};

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sctr;
    static const Playground playground;
    const UniqueFd blob(
        ::open(playground.file("blob").c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
    if (::write(blob.get(), data, size) != static_cast<ssize_t>(size)) {
        return 0;
    }
    ::mkdir(playground.layer().c_str(), 0755);
    fuzz::accepts([&] {
        (void)storage::unpack_layer(
            {.blob = playground.file("blob"), .recipe = playground.file("recipe")},
            playground.layer(),
            {.members = 1000, .bytes = 1 << 20},
            false);
        playground.check_recipe();
    });
    ::unlink(playground.file("recipe").c_str());
    // The same as a tree of files, onto what is there already.
    fuzz::accepts([&] {
        storage::CopyJournal journal;
        storage::unpack_tree({.archive = playground.file("blob"), .keep_owners = false},
                             journal,
                             [&](bool is_directory) -> storage::TreeTarget {
                                 return {.directory = playground.layer(),
                                         .top = is_directory ? "top" : ""};
                             });
    });
    playground.check();
    storage::remove_tree(AT_FDCWD, playground.layer());
    return 0;
}
