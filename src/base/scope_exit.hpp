// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace sctr {

/// Steps that take back what was done so far; run last step first unless dismissed.
///
/// What a step throws is dropped: another error is on its way.
class UndoList {
  public:
    UndoList() = default;
    UndoList(const UndoList&) = delete;
    UndoList& operator=(const UndoList&) = delete;
    UndoList(UndoList&&) = delete;
    UndoList& operator=(UndoList&&) = delete;

    ~UndoList() { run(); }

    void add(std::function<void()> step) { steps_.push_back(std::move(step)); }

    void dismiss() noexcept { steps_.clear(); }

    void run() noexcept {
        while (!steps_.empty()) {
            auto step = std::move(steps_.back());
            steps_.pop_back();
            try {
                step();
            } catch (...) {
                continue; // the first error is the caller's, and the other steps are still due
            }
        }
    }

  private:
    std::vector<std::function<void()>> steps_;
};

} // namespace sctr
