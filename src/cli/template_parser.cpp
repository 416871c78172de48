// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "cli/template_functions.hpp"
#include "cli/template_tree.hpp"

/// The tokens of a template, made into a tree. Source: Go, text/template and its parser.
namespace sctr::cli::go_template {
namespace {

using Kind = Token::Kind;

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text), segments_(read_segments(text)) {}

    std::vector<Node> all() {
        std::vector<Node> nodes = block();
        if (segment_ < segments_.size()) { // "else" or "end"
            throw error_at(
                text_, head().at, "nothing is open that '" + head().text + "' could be about");
        }
        return nodes;
    }

  private:
    /// Deep enough for any that a person writes, and far from the end of the stack.
    static constexpr std::size_t deepest = 50;

    [[nodiscard]] const Token& head() const { return segments_[segment_].tokens.front(); }

    [[nodiscard]] const Token& token() const { return segments_[segment_].tokens[token_]; }

    [[nodiscard]] bool is_word(std::string_view word) const {
        return token().kind == Kind::word && token().text == word;
    }

    [[nodiscard]] bool take(Kind kind) {
        if (token().kind != kind) {
            return false;
        }
        ++token_;
        return true;
    }

    void expect_end() {
        if (token().kind != Kind::end) {
            throw error_at(text_, token().at, "here the action has to end");
        }
        ++segment_;
        token_ = 0;
    }

    void enter(std::size_t at) {
        if (++depth_ > deepest) {
            throw error_at(text_, at, "it is nested more than 50 deep");
        }
    }

    /// Up to "else", "end" or the end of the text.
    std::vector<Node> block() {
        std::vector<Node> nodes;
        const std::size_t known = variables_.size();
        for (; segment_ < segments_.size(); token_ = 0) {
            const Segment& segment = segments_[segment_];
            if (segment.is_text) {
                nodes.push_back({.kind = Node::Kind::text, .text = segment.text});
                ++segment_;
                continue;
            }
            if (is_word("else") || is_word("end")) {
                break;
            }
            nodes.push_back(action());
        }
        variables_.resize(known);
        return nodes;
    }

    Node action() {
        if (is_word("if")) {
            return branch(Node::Kind::condition);
        }
        if (is_word("range")) {
            return branch(Node::Kind::range);
        }
        if (is_word("with")) {
            return branch(Node::Kind::with);
        }
        Node node{.kind = Node::Kind::action, .pipeline = pipeline(Kind::end, 1)};
        expect_end();
        return node;
    }

    /// From behind its first word to behind its "end".
    Node branch(Node::Kind kind) {
        const std::size_t at = token().at;
        const std::string word = token().text;
        enter(at);
        const std::size_t known = variables_.size();
        ++token_;
        Node node{.kind = kind, .pipeline = pipeline(Kind::end, kind == Node::Kind::range ? 2 : 1)};
        expect_end();
        node.body = block();
        require_open(at, word);
        ++token_;
        if (head().text == "else") {
            if (kind == Node::Kind::condition && is_word("if")) {
                node.otherwise.push_back(branch(kind)); // it has the "end" of both
                variables_.resize(known);
                --depth_;
                return node;
            }
            expect_end();
            node.otherwise = block();
            require_open(at, word);
            if (!is_word("end")) {
                throw error_at(text_, head().at, "there was an 'else' already");
            }
            ++token_;
        }
        expect_end();
        variables_.resize(known);
        --depth_;
        return node;
    }

    void require_open(std::size_t at, const std::string& word) {
        if (segment_ == segments_.size()) {
            throw error_at(text_, at, "'" + word + "' has no '{{end}}'");
        }
    }

    /// Up to the token that ends it, which stays.
    Pipeline pipeline(Kind end, std::size_t most_variables) {
        Pipeline result{.at = token().at};
        variables_of(result, most_variables);
        do {
            result.commands.push_back(command(!result.commands.empty()));
        } while (take(Kind::pipe));
        if (token().kind != end) {
            throw error_at(text_,
                           token().at,
                           token().kind == Kind::end ? "a ')' is missing"
                                                     : "this has no place here");
        }
        // Known from here on; "$x := $x" means an earlier one.
        if (result.declares) {
            variables_.insert(variables_.end(), result.variables.begin(), result.variables.end());
        }
        return result;
    }

    [[nodiscard]] bool is_variable(std::size_t ahead) const {
        const auto& tokens = segments_[segment_].tokens;
        return token_ + ahead < tokens.size() && tokens[token_ + ahead].kind == Kind::chain &&
               tokens[token_ + ahead].text.size() > 1 && tokens[token_ + ahead].names.empty();
    }

    [[nodiscard]] Kind kind(std::size_t ahead) const {
        const auto& tokens = segments_[segment_].tokens;
        return token_ + ahead < tokens.size() ? tokens[token_ + ahead].kind : Kind::end;
    }

    void variables_of(Pipeline& result, std::size_t most) {
        std::size_t count = 0;
        if (is_variable(0) && (kind(1) == Kind::declare || kind(1) == Kind::assign)) {
            count = 1;
        } else if (is_variable(0) && kind(1) == Kind::comma && is_variable(2)) {
            count = 2;
        }
        if (count > most) {
            throw error_at(text_,
                           token().at,
                           most == 0 ? "no variable is set within ( )"
                                     : "two variables are set by 'range' alone");
        }
        for (std::size_t i = 0; i < count; ++i) {
            result.variables.push_back(token().text);
            token_ += i + 1 < count ? 2 : 1;
        }
        if (count == 0) {
            return;
        }
        result.declares = token().kind == Kind::declare;
        if (!take(Kind::declare) && !take(Kind::assign)) {
            throw error_at(text_, token().at, "':=' is missing");
        }
        for (const std::string& name : result.variables) {
            if (!result.declares) {
                require_variable(name, result.at);
            }
        }
    }

    void require_variable(const std::string& name, std::size_t at) {
        if (name != "$" && !std::ranges::contains(variables_, name)) {
            throw error_at(text_, at, "there is no variable '" + name + "'")
                .mend("make it: {{" + name + " := .}}");
        }
    }

    Command command(bool is_piped) {
        Command result{.at = token().at};
        if (token().kind == Kind::word) {
            result.function = token().text;
            require_function(token());
            ++token_;
        }
        while (is_operand()) {
            result.operands.push_back(operand());
        }
        if (result.function.empty() && result.operands.empty()) {
            throw error_at(text_, token().at, "a value is missing");
        }
        if (!result.function.empty()) {
            check_count(result, is_piped ? 1 : 0);
        } else if (is_piped) {
            throw error_at(text_, result.at, "only a function can follow a '|'");
        }
        return result;
    }

    void require_function(const Token& word) {
        if (find_function(word.text) == nullptr) {
            throw error_at(text_, word.at, "there is no function '" + word.text + "'")
                .mend("there are " + function_names());
        }
    }

    void check_count(const Command& command, std::size_t piped) {
        const Function& function = *find_function(command.function);
        const std::size_t count = command.operands.size() + piped;
        if (count < function.least || count > function.most) {
            const std::size_t bound = count < function.least ? function.least : function.most;
            throw error_at(text_,
                           command.at,
                           "'" + command.function + "' takes " +
                               (count < function.least ? "at least " : "at most ") +
                               std::to_string(bound) + (bound == 1 ? " value" : " values") +
                               ", and there are " + std::to_string(count));
        }
    }

    [[nodiscard]] bool is_operand() const {
        switch (token().kind) {
        case Kind::chain:
        case Kind::word:
        case Kind::literal:
        case Kind::open:
            return true;
        case Kind::close:
        case Kind::pipe:
        case Kind::declare:
        case Kind::assign:
        case Kind::comma:
        case Kind::end:
            break;
        }
        return false;
    }

    Operand operand() {
        const Token& first = token();
        Operand result{.at = first.at};
        ++token_;
        if (first.kind == Kind::chain) {
            result.names = first.names;
            if (!first.text.empty()) {
                result.kind = Operand::Kind::variable;
                result.variable = first.text;
                require_variable(first.text, first.at);
            }
        } else if (first.kind == Kind::word) { // one that needs no value
            result.kind = Operand::Kind::call;
            result.variable = first.text;
            require_function(first);
            check_count({.at = first.at, .function = first.text}, 0);
        } else if (first.kind == Kind::literal) {
            result.kind = Operand::Kind::literal;
            result.literal = first.literal;
        } else {
            group(result);
        }
        return result;
    }

    void group(Operand& result) {
        enter(result.at);
        result.kind = Operand::Kind::group;
        result.group = std::make_shared<const Pipeline>(pipeline(Kind::close, 0));
        ++token_;
        if (token().kind == Kind::chain && !token().spaced && token().text.empty()) {
            result.names = token().names;
            ++token_;
        }
        --depth_;
    }

    std::string_view text_;
    std::vector<Segment> segments_;
    std::vector<std::string> variables_;
    std::size_t segment_ = 0;
    std::size_t token_ = 0;
    std::size_t depth_ = 0;
};

} // namespace

std::vector<Node> parse(std::string_view text) {
    return Parser(text).all();
}

} // namespace sctr::cli::go_template
