// `slipway completion SHELL`: a script that completes commands and options, made from the commands
// themselves.
#include "context.h"

#include "base/error.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace cli {
namespace {

// What may follow "slipway NOUN VERB": one line for each place in the tree.
struct Place {
    std::string path;               // "", "config", "config set"
    std::vector<std::string> words; // subcommands, then options
    bool is_leaf = true;            // files may follow
};

void collect(const CLI::App& command, const std::string& path, std::vector<Place>& places) {
    const auto below = command.get_subcommands([](const CLI::App*) { return true; });
    Place place{path, {}, below.empty()};
    for (const auto* child : below) place.words.push_back(child->get_name());
    for (const auto* option : command.get_options())
        for (const auto& name : option->get_lnames()) place.words.push_back("--" + name);
    places.push_back(place);
    for (const auto* child : below)
        collect(*child, path + (path.empty() ? "" : " ") + child->get_name(), places);
}

std::string bash_script(const std::vector<Place>& places) {
    std::string script = "_slipway() {\n"
                         "    local place= word i\n"
                         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                         "        word=${COMP_WORDS[i]}\n"
                         "        case \"${place:+$place }$word\" in\n";
    for (const auto& place : places)
        if (!place.path.empty())
            script += "        '" + place.path + "') place='" + place.path + "' ;;\n";
    script += "        esac\n"
              "    done\n"
              "    local words=\n"
              "    case \"$place\" in\n";
    for (const auto& place : places)
        script += "    '" + place.path + "') words='" + join(place.words, " ") + "' ;;\n";
    return script + "    esac\n"
                    "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
                    "}\n"
                    "complete -o default -F _slipway slipway\n";
}

// zsh reads bash's completions through its own adapter.
std::string zsh_script(const std::vector<Place>& places) {
    return "#compdef slipway\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(places);
}

std::string fish_script(const std::vector<Place>& places) {
    std::string script = "function __slipway_path\n"
                         "    set -l path\n"
                         "    for word in (commandline -opc)[2..-1]\n"
                         "        set -l next (string join -- ' ' $path $word)\n"
                         "        switch \"$next\"\n"
                         "            case";
    for (const auto& place : places)
        if (!place.path.empty()) script += " '" + place.path + "'";
    script += "\n                set path (string split ' ' $next)\n"
              "        end\n"
              "    end\n"
              "    string join -- ' ' $path\n"
              "end\n";
    for (const auto& place : places)
        script += "complete -c slipway" + std::string(place.is_leaf ? "" : " -f") +
                  " -n 'test (__slipway_path | string collect -a) = \"" + place.path + "\"' -a '" +
                  join(place.words, " ") + "'\n";
    return script;
}

void print_script(const CLI::App& root, const std::string& shell) {
    std::vector<Place> places;
    collect(root, "", places);
    const auto script = shell == "bash"  ? bash_script(places)
                        : shell == "zsh" ? zsh_script(places)
                                         : fish_script(places);
    print_line(std::string_view(script).substr(0, script.size() - 1));
}

} // namespace

void add_completion(CLI::App& root, Context&) {
    const auto shell = std::make_shared<std::string>();
    auto* command = root.add_subcommand("completion",
                                        "a script for a shell: source <(slipway completion bash)");
    command->add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->callback([&root, shell] { print_script(root, *shell); });
}

} // namespace cli
