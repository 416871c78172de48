// SPDX-License-Identifier: LGPL-2.1-or-later
// Plans and messages as bytes: any input is refused or is exactly one record.
#include <string>

#include "fuzz.hpp"
#include "plan/codec.hpp"
#include "plan/protocol.hpp"

namespace sctr::fuzz {
namespace {

/// Fills a record's fields from the input, so that real plans are met at once.
class Filler {
  public:
    explicit Filler(std::string_view input) : rest_(input) {}

    template <typename... Fields> void operator()(Fields&... fields) { (fill(fields), ...); }

  private:
    std::uint8_t next() {
        if (rest_.empty()) {
            return 0;
        }
        const auto byte = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return byte;
    }

    void fill(bool& value) { value = (next() & 1U) != 0; }

    template <plan::codec::Scalar T> void fill(T& value) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < sizeof value; ++i) {
            bits = bits << 8U | next();
        }
        value = static_cast<T>(bits);
    }

    void fill(std::string& text) {
        text = rest_.substr(0, next());
        rest_.remove_prefix(text.size());
    }

    template <typename T> void fill(std::vector<T>& items) {
        items.resize(next() % 8U);
        for (T& item : items) {
            fill(item);
        }
    }

    template <typename T>
        requires std::is_class_v<T>
    void fill(T& record) {
        using plan::codec::visit_fields; // beside the one of a message
        visit_fields(*this, record);
    }

    std::string_view rest_;
};

template <typename Record> void refuse_or_read(std::string_view bytes) {
    Record record;
    if (plan::codec::decode(bytes, record)) {
        check(plan::codec::encode(record) == bytes, "what is read is what was there");
    }
}

template <typename Record> void round_trip(std::string_view input) {
    Record record;
    Filler filler(input);
    filler(record);
    const std::string bytes = plan::codec::encode(record);
    Record again;
    check(plan::codec::decode(bytes, again), "what is written can be read");
    check(plan::codec::encode(again) == bytes, "what is read back is the same");
    check(!plan::codec::decode(bytes + '\0', again), "a record has an end");
    check(!plan::codec::decode(std::string_view(bytes).substr(0, bytes.size() - 1), again),
          "a record is whole");
}

template <typename... Records> void run(std::string_view input) {
    (refuse_or_read<Records>(input), ...);
    (round_trip<Records>(input), ...);
}

} // namespace
} // namespace sctr::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sctr;
    fuzz::run<plan::InitPlan, plan::ExecPlan, plan::protocol::Message>(fuzz::text_of(data, size));
    return 0;
}
