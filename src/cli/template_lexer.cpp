// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <optional>

#include "base/strings.hpp"
#include "cli/template_tree.hpp"

/// The text of a template, cut into text and tokens. Source: Go, text/template and its lexer.
namespace sctr::cli::go_template {

Error error_at(std::string_view text, std::size_t at, std::string_view why) {
    constexpr std::size_t shown = 40;
    at = std::min(at, text.size());
    // The action that it is in, or the rest.
    std::size_t begin = text.substr(0, at + 2).rfind("{{");
    begin = begin == std::string_view::npos ? at : begin;
    const std::string_view rest = text.substr(begin);
    const std::size_t close = rest.find("}}");
    std::string part(rest.substr(0, close == std::string_view::npos ? close : close + 2));
    if (part.size() > shown) {
        part = valid_utf8(part.substr(0, shown)) + "...";
    }
    return Error("wrong template")
        .at("--format, character " + std::to_string(at + 1) +
            (part.empty() ? "" : ", in '" + escape_controls(part) + "'"))
        .because(why);
}

namespace {

constexpr std::string_view blanks = " \t\r\n";

bool is_blank(char letter) {
    return blanks.contains(letter);
}

bool is_letter(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
           static_cast<unsigned char>(letter) >= 0x80;
}

bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

/// Reads the inside of an action, up to and with its "}}".
class ActionLexer {
  public:
    ActionLexer(std::string_view text, std::size_t begin) : text_(text), at_(begin) {}

    std::vector<Token> tokens() {
        std::vector<Token> tokens;
        for (;;) {
            const std::size_t before = at_;
            at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size());
            if (at_end(before)) {
                tokens.push_back({.kind = Token::Kind::end, .at = at_});
                return tokens;
            }
            tokens.push_back(next());
            tokens.back().spaced = tokens.back().at != before;
        }
    }

    /// Where the text goes on.
    [[nodiscard]] std::size_t end() const { return end_; }

    [[nodiscard]] bool trims() const { return trims_; }

  private:
    bool at_end(std::size_t before) {
        if (at_ == text_.size()) {
            throw error_at(text_, at_, "an action has no '}}'");
        }
        trims_ = text_.substr(at_).starts_with("-}}") && before != at_;
        const std::size_t mark = trims_ ? 3 : 2;
        end_ = at_ + mark;
        return trims_ || text_.substr(at_).starts_with("}}");
    }

    std::string word() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) {
            ++at_;
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    std::vector<std::string> names() {
        std::vector<std::string> found;
        while (at_ < text_.size() && text_[at_] == '.') {
            ++at_;
            found.push_back(word());
            if (found.back().empty()) {
                throw error_at(text_, at_, "a name is missing behind the dot");
            }
        }
        refuse_letter_that_names_lack();
        return found;
    }

    /// What people write who have a label or a network with a dash in its name.
    void refuse_letter_that_names_lack() {
        if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '/')) {
            throw error_at(text_, at_, std::string("a name has no '") + text_[at_] + "'")
                .mend("take it from its map: {{index .Labels \"my-label\"}}");
        }
    }

    Token next() {
        Token token{.at = at_};
        const char letter = text_[at_];
        const char following = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        if (letter == '.' && !is_letter(following) && !is_digit(following)) {
            token.kind = Token::Kind::chain;
            ++at_;
        } else if (letter == '.') {
            token.kind = Token::Kind::chain;
            token.names = names();
        } else if (letter == '$') {
            token.kind = Token::Kind::chain;
            ++at_;
            token.text = "$" + word();
            token.names = names();
        } else if (is_letter(letter)) {
            word_or_literal(token);
        } else if (is_digit(letter) || ((letter == '-' || letter == '+') && is_digit(following))) {
            number(token);
        } else if (letter == '"' || letter == '`') {
            token.kind = Token::Kind::literal;
            token.literal = letter == '"' ? quoted() : raw();
        } else {
            mark(token);
        }
        return token;
    }

    void word_or_literal(Token& token) {
        token.text = word();
        token.kind = Token::Kind::literal;
        if (token.text == "true" || token.text == "false") {
            token.literal = token.text == "true";
        } else if (token.text != "nil") {
            token.kind = Token::Kind::word;
        }
    }

    void number(Token& token) {
        std::size_t end = at_ + 1;
        while (end < text_.size() &&
               (is_letter(text_[end]) || is_digit(text_[end]) || text_[end] == '.')) {
            ++end;
        }
        std::string digits(text_.substr(at_, end - at_));
        digits.erase(0, digits.starts_with('+') ? 1 : 0);
        token.kind = Token::Kind::literal;
        token.literal = Json::parse(digits, nullptr, false);
        if (!token.literal.is_number()) {
            throw error_at(text_, at_, "'" + digits + "' is no number");
        }
        at_ = end;
    }

    std::string quoted() {
        std::string value;
        const std::size_t begin = at_++;
        while (at_ < text_.size() && text_[at_] != '\n') {
            const char letter = text_[at_++];
            if (letter == '"') {
                return value;
            }
            value += letter == '\\' ? escaped() : letter;
        }
        throw error_at(text_, begin, "a string has no end");
    }

    char escaped() {
        constexpr std::string_view written = "nrtabfv\\\"'";
        constexpr std::string_view meant = "\n\r\t\a\b\f\v\\\"'";
        const std::size_t which = at_ < text_.size() ? written.find(text_[at_]) : written.npos;
        if (which == std::string_view::npos) {
            throw error_at(
                text_, at_ - 1, R"(in a string there are \n, \t, \r, \a, \b, \f, \v, \\ and \")");
        }
        ++at_;
        return meant[which];
    }

    std::string raw() {
        const std::size_t begin = at_ + 1;
        const std::size_t close = text_.find('`', begin);
        if (close == std::string_view::npos) {
            throw error_at(text_, at_, "a string has no end");
        }
        at_ = close + 1;
        return std::string(text_.substr(begin, close - begin));
    }

    void mark(Token& token) {
        struct Mark {
            std::string_view text;
            Token::Kind kind;
        };

        static constexpr Mark marks[] = {{":=", Token::Kind::declare},
                                         {"=", Token::Kind::assign},
                                         {"|", Token::Kind::pipe},
                                         {"(", Token::Kind::open},
                                         {")", Token::Kind::close},
                                         {",", Token::Kind::comma}};
        const auto* const found = std::ranges::find_if(
            marks, [&](const Mark& each) { return text_.substr(at_).starts_with(each.text); });
        if (found == std::end(marks)) {
            throw error_at(text_, at_, std::string("nothing begins with '") + text_[at_] + "'");
        }
        token.kind = found->kind;
        at_ += found->text.size();
    }

    std::string_view text_;
    std::size_t at_;
    std::size_t end_ = 0;
    bool trims_ = false;
};

/// What stands outside of actions, as docker reads it on a command line.
std::string unescape(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view pair = text.substr(i, 2);
        if (pair == "\\n" || pair == "\\t") {
            result += pair == "\\n" ? '\n' : '\t';
            ++i;
        } else {
            result += text[i];
        }
    }
    return result;
}

/// The end of a comment's action, if one begins at `at`; sets whether it trims what follows.
std::optional<std::size_t> comment_end(std::string_view text, std::size_t at, bool& trims) {
    if (!text.substr(at).starts_with("/*")) {
        return std::nullopt;
    }
    const std::size_t close = text.find("*/", at + 2);
    if (close == std::string_view::npos) {
        throw error_at(text, at, "a comment has no '*/'");
    }
    std::size_t end = std::min(text.find_first_not_of(blanks, close + 2), text.size());
    trims = end != close + 2 && text.substr(end).starts_with("-}}");
    end += trims ? 1 : 0;
    if (!text.substr(end).starts_with("}}")) {
        throw error_at(text, end, "a comment ends its action: '*/}}'");
    }
    return end + 2;
}

} // namespace

std::vector<Segment> read_segments(std::string_view text) {
    std::vector<Segment> segments;
    std::size_t at = 0;
    bool trims_left = false;
    while (at < text.size()) {
        const std::size_t open = std::min(text.find("{{", at), text.size());
        std::string_view plain = text.substr(at, open - at);
        const bool trims_right =
            text.substr(open).size() > 3 && text[open + 2] == '-' && is_blank(text[open + 3]);
        if (trims_left) {
            plain.remove_prefix(std::min(plain.find_first_not_of(blanks), plain.size()));
        }
        if (trims_right) {
            plain = plain.substr(0, plain.find_last_not_of(blanks) + 1);
        }
        segments.push_back({.at = at, .text = unescape(plain)});
        trims_left = false;
        if (open == text.size()) {
            break;
        }
        const std::size_t inside = open + (trims_right ? 4 : 2);
        if (const auto end = comment_end(text, inside, trims_left)) {
            at = *end;
            continue;
        }
        ActionLexer lexer(text, inside);
        segments.push_back({.is_text = false, .at = open, .tokens = lexer.tokens()});
        at = lexer.end();
        trims_left = lexer.trims();
    }
    return segments;
}

} // namespace sctr::cli::go_template
