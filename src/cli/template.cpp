// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/strings.hpp"
#include "cli/template_functions.hpp"
#include "cli/template_tree.hpp"

namespace sctr::cli {

namespace go_template {
namespace {

/// Members whose keys are not names of ours but data: case counts, and what is not there is
/// nothing.
constexpr std::array<std::string_view, 13> maps = {"annotations",
                                                   "attributes",
                                                   "environment",
                                                   "containers",
                                                   "exposedports",
                                                   "labels",
                                                   "label",
                                                   "limits",
                                                   "networks",
                                                   "options",
                                                   "ports",
                                                   "sysctl",
                                                   "volumes"};

struct Value {
    /// What keeps it: the data, or what a function has made.
    std::shared_ptr<const Json> json;
    bool is_map = false;

    const Json& operator*() const { return *json; }
};

Value made(Json json) {
    return {std::make_shared<const Json>(std::move(json))};
}

Value part_of(const Value& whole, const Json& part, bool is_map = false) {
    return {std::shared_ptr<const Json>(whole.json, &part), is_map};
}

/// The member that is meant: that name, or else one that differs in case only.
Json::const_iterator find_member(const Json& object, const std::string& name) {
    if (const auto exact = object.find(name); exact != object.end()) {
        return exact;
    }
    const std::string lower = to_lower(name);
    auto found = object.begin();
    while (found != object.end() && to_lower(found.key()) != lower) {
        ++found;
    }
    return found;
}

class Evaluator {
  public:
    Evaluator(std::string_view text, const Json& data, Template::Output output)
        : text_(text), output_(output) {
        // The caller's, who outlives this.
        root_ = {std::shared_ptr<const Json>(std::shared_ptr<const Json>(), &data)};
    }

    std::string all(const std::vector<Node>& nodes) {
        walk(nodes, root_);
        return std::move(out_);
    }

  private:
    /// Far above what anybody wants to read, and far below what hurts.
    static constexpr std::size_t longest = 16UL << 20U;
    static constexpr std::size_t most_steps = 1'000'000;

    void step(std::size_t at) {
        if (++steps_ > most_steps) {
            throw error_at(text_, at, "this takes more than a million steps");
        }
    }

    /// Counts what has been made of text, so that nothing doubles itself until memory ends.
    void charge(std::size_t bytes, std::size_t at) {
        charged_ += bytes;
        if (charged_ > longest) {
            throw error_at(text_, at, "this makes more than 16 MiB of text");
        }
    }

    void walk(const std::vector<Node>& nodes, const Value& dot) {
        const std::size_t known = variables_.size();
        for (const Node& node : nodes) {
            step(node.pipeline.at);
            switch (node.kind) {
            case Node::Kind::text:
                charge(node.text.size(), node.pipeline.at);
                out_ += node.text;
                break;
            case Node::Kind::action:
                show(node.pipeline, dot);
                break;
            case Node::Kind::condition:
            case Node::Kind::with:
                choose(node, dot);
                break;
            case Node::Kind::range:
                repeat(node, dot);
                break;
            }
        }
        variables_.resize(known);
    }

    void show(const Pipeline& pipeline, const Value& dot) {
        const Value value = evaluate(pipeline, dot);
        set_variables(pipeline, value);
        if (!pipeline.variables.empty()) {
            return;
        }
        const std::string text = text_of(*value);
        charge(text.size(), pipeline.at);
        out_ += output_ == Template::Output::terminal ? harmless(text) : text;
    }

    /// What strangers have written into labels and the like does nothing to a terminal.
    static std::string harmless(const std::string& text) {
        std::string result;
        std::size_t begin = 0;
        while (begin <= text.size()) {
            const std::size_t end = std::min(text.find_first_of("\n\t", begin), text.size());
            result += escape_controls(std::string_view(text).substr(begin, end - begin));
            if (end < text.size()) {
                result += text[end];
            }
            begin = end + 1;
        }
        return result;
    }

    void choose(const Node& node, const Value& dot) {
        const std::size_t known = variables_.size();
        const Value value = evaluate(node.pipeline, dot);
        set_variables(node.pipeline, value);
        if (is_true(*value)) {
            walk(node.body, node.kind == Node::Kind::with ? value : dot);
        } else {
            walk(node.otherwise, dot);
        }
        variables_.resize(known);
    }

    void repeat(const Node& node, const Value& dot) {
        const Value value = evaluate(node.pipeline, dot);
        const std::size_t known = variables_.size();
        const auto one = [&](const Json& key, const Json& each) {
            set_loop(node.pipeline, made(key), part_of(value, each));
            walk(node.body, part_of(value, each));
            if (node.pipeline.declares) {
                variables_.resize(known);
            }
        };
        if ((*value).is_array()) {
            for (std::size_t i = 0; i < (*value).size(); ++i) {
                one(i, (*value)[i]);
            }
        } else if ((*value).is_object()) {
            for (const std::string& key : sorted_keys(*value)) {
                one(key, (*value).at(key));
            }
        } else if (!(*value).is_null()) {
            throw error_at(text_, node.pipeline.at, "there is no range over " + kind_of(*value));
        }
        if ((*value).empty()) {
            walk(node.otherwise, dot);
        }
    }

    void set_variables(const Pipeline& pipeline, const Value& value) {
        for (const std::string& name : pipeline.variables) {
            set(name, pipeline.declares, value);
        }
    }

    void set_loop(const Pipeline& pipeline, const Value& key, const Value& each) {
        const auto& names = pipeline.variables;
        if (names.size() == 2) {
            set(names.front(), pipeline.declares, key);
        }
        if (!names.empty()) {
            set(names.back(), pipeline.declares, each);
        }
    }

    void set(const std::string& name, bool declares, const Value& value) {
        if (declares) {
            variables_.emplace_back(name, value);
        } else {
            find_variable(name) = value;
        }
    }

    /// The innermost; the parser has seen to it that there is one.
    Value& find_variable(const std::string& name) {
        for (auto each = variables_.rbegin(); each != variables_.rend(); ++each) {
            if (each->first == name) {
                return each->second;
            }
        }
        return root_;
    }

    Value evaluate(const Pipeline& pipeline, const Value& dot) {
        std::optional<Value> last;
        for (const Command& command : pipeline.commands) {
            last = run(command, dot, last);
        }
        return *last;
    }

    Value run(const Command& command, const Value& dot, const std::optional<Value>& piped) {
        step(command.at);
        if (command.function.empty() && command.operands.size() == 1) {
            return value_of(command.operands.front(), dot);
        }
        // "and" and "or" look no further than they have to.
        const bool stops = command.function == "and" || command.function == "or";
        std::vector<Value> values;
        for (const Operand& operand : command.operands) {
            values.push_back(value_of(operand, dot));
            if (stops && is_true(*values.back()) == (command.function == "or")) {
                return values.back();
            }
        }
        if (piped) {
            values.push_back(*piped);
        }
        return call(command, values);
    }

    /// A value with more behind it is looked into, as docker's {{.Label "key"}} is.
    Value call(const Command& command, const std::vector<Value>& values) {
        std::vector<const Json*> arguments;
        arguments.reserve(values.size());
        for (const Value& value : values) {
            arguments.push_back(value.json.get());
        }
        try {
            const bool is_call = !command.function.empty();
            const auto* const function = find_function(is_call ? command.function : "index");
            Value result = made(function->call(arguments));
            charge((*result).is_string() ? (*result).get_ref<const std::string&>().size()
                                         : 16 * ((*result).size() + 1),
                   command.at);
            return result;
        } catch (const Refusal& refusal) {
            throw error_at(text_, command.at, refusal.why);
        }
    }

    Value value_of(const Operand& operand, const Value& dot) {
        Value value = dot;
        switch (operand.kind) {
        case Operand::Kind::dot:
            break;
        case Operand::Kind::variable:
            value = find_variable(operand.variable);
            break;
        case Operand::Kind::literal:
            value = made(operand.literal);
            break;
        case Operand::Kind::group:
            value = evaluate(*operand.group, dot);
            break;
        case Operand::Kind::call:
            value = call({.at = operand.at, .function = operand.variable}, {});
            break;
        }
        for (const std::string& name : operand.names) {
            step(operand.at);
            value = member(value, name, operand.at);
        }
        return value;
    }

    Value member(const Value& value, const std::string& name, std::size_t at) {
        if ((*value).is_null()) {
            return value;
        }
        if (!(*value).is_object()) {
            throw error_at(
                text_, at, kind_of(*value) + " has no names in it, and so no '" + name + "'");
        }
        const auto found = value.is_map ? (*value).find(name) : find_member(*value, name);
        if (found != (*value).end()) {
            return part_of(value, *found, std::ranges::contains(maps, to_lower(name)));
        }
        if (value.is_map) {
            return made(nullptr);
        }
        throw error_at(text_, at, "there is no '" + name + "'").mend("there are " + known(*value));
    }

    static std::string known(const Json& object) {
        std::vector<std::string> names;
        for (const auto& [key, value] : object.items()) {
            names.push_back("." + escape_controls(key));
        }
        return names.empty() ? "none at all" : sctr::join(names, ", ");
    }

    std::string_view text_;
    Template::Output output_;
    Value root_;
    std::vector<std::pair<std::string, Value>> variables_;
    std::string out_;
    std::size_t steps_ = 0;
    std::size_t charged_ = 0;
};

/// "CreatedAt" becomes "CREATED AT".
std::string heading_of(std::string_view name) {
    std::string text;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto is_capital = [&](std::size_t at) { return name[at] >= 'A' && name[at] <= 'Z'; };
        const bool after_small = i > 0 && is_capital(i) && !is_capital(i - 1);
        const bool before_small = i > 0 && is_capital(i) && i + 1 < name.size() &&
                                  !is_capital(i + 1) && name[i + 1] != 's';
        text += after_small || before_small ? " " : "";
        text += name[i] >= 'a' && name[i] <= 'z' ? static_cast<char>(name[i] - 'a' + 'A') : name[i];
    }
    return text;
}

/// The last name in a pipeline; a key that it is looked up by says more.
std::string last_name(const Pipeline& pipeline) {
    std::string name;
    for (const Command& command : pipeline.commands) {
        const bool looks_up = command.function == "index" ||
                              (command.function.empty() && command.operands.size() > 1);
        for (const Operand& operand : command.operands) {
            if (!operand.names.empty()) {
                name = operand.names.back();
            } else if (operand.group) {
                name = last_name(*operand.group);
            } else if (looks_up && operand.literal.is_string()) {
                name = operand.literal.get<std::string>();
            }
        }
    }
    return name;
}

std::string heading_of(const std::vector<Node>& nodes) {
    std::string text;
    for (const Node& node : nodes) {
        switch (node.kind) {
        case Node::Kind::text:
            text += node.text;
            break;
        case Node::Kind::action:
            text += node.pipeline.variables.empty() ? heading_of(last_name(node.pipeline)) : "";
            break;
        case Node::Kind::condition:
            text += heading_of(node.body);
            break;
        case Node::Kind::range:
        case Node::Kind::with:
            text += heading_of(last_name(node.pipeline));
            break;
        }
    }
    return text;
}

} // namespace
} // namespace go_template

Template::Template(std::string text)
    : text_(std::move(text)),
      nodes_(std::make_shared<const std::vector<go_template::Node>>(go_template::parse(text_))) {}

std::string Template::render(const nlohmann::ordered_json& data, Output output) const {
    return go_template::Evaluator(text_, data, output).all(*nodes_);
}

std::string Template::heading() const {
    return go_template::heading_of(*nodes_);
}

} // namespace sctr::cli
