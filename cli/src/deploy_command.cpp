// `slipway deploy`: a directory or an archive becomes a build on the server.
#include "api_client.h"
#include "context.h"
#include "follow.h"
#include "source_archive.h"
#include "terminal.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <unistd.h>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr auto usage = "slipway deploy APP DIR|FILE|-";

struct Deploy {
    std::string ref;
    std::vector<std::string> buildpacks, environment;
    bool detach = false, no_cache = false, dry_run = false, verbose = false;
};

// Standard output is for the log and its result.
void tell(const Context& context, const std::string& line) {
    if (!context.json) std::fprintf(stderr, "%s\n", line.c_str());
}

void spool_standard_input(const fs::path& file, const base::Stop& stop) {
    const auto out = base::open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    char buffer[1 << 16];
    for (;;) {
        if (!stop.wait_for(STDIN_FILENO, POLLIN)) stop.throw_if_over("reading the archive");
        const auto n = base::read_some(STDIN_FILENO, buffer, sizeof buffer);
        if (n == 0) return;
        base::write_all(out.get(), {buffer, n});
    }
}

// A file is sent as it is. The others are put into one first: an upload that breaks can be sent
// again then.
fs::path archive_of(const Context& context, const std::string& what, const fs::path& scratch) {
    if (what != "-" && !fs::exists(what))
        throw Error(ErrorKind::not_found, "there is no file or directory " + base::quoted(what));
    if (what != "-" && !fs::is_directory(what)) return what;
    const auto archive = scratch / "source";
    if (what == "-") {
        spool_standard_input(archive, context.interrupted);
        return archive;
    }
    tell(context, "-----> Packing " + base::printable(what));
    const bool far = context.api().endpoint().is_remote();
    write_source_archive(
        fs::absolute(what), archive, context.interrupted,
        {.root = "source",
         .compression = far ? image::Compression::gzip : image::Compression::none});
    return archive;
}

Value options_of(const Deploy& deploy) {
    auto environment = Value::object();
    for (const auto& text : deploy.environment) {
        const auto [name, value] = read_assignment(text);
        environment[name] = value.reveal();
    }
    return {{"buildpacks", deploy.buildpacks},
            {"environment", environment},
            {"no_cache", deploy.no_cache},
            {"dry_run", deploy.dry_run},
            {"verbose", deploy.verbose}};
}

// Its address on the server.
std::string upload(const Context& context, const fs::path& archive) {
    const auto& api = context.api();
    const auto source = member(api.post(api_path({"sources"}), Value::object()), "source");
    tell(context, "-----> Uploading " + base::human_bytes(fs::file_size(archive)));
    api.put_file(base::json::get_string(source, "upload_url"), archive);
    return base::json::get_string(source, "download_url");
}

void deploy(Context& context, const AppWords& given, const Deploy& wanted) {
    const auto taken = take_app(given, usage, 1, 1);
    const auto& api = context.api();
    // A wrong name or a token that may not is known before anything is packed.
    api.get(api_path({"apps", taken.app}));
    const auto options = options_of(wanted);
    const base::TempDir scratch("slipway-deploy-");
    const auto archive = archive_of(context, taken.words.front(), scratch.path());
    Value build{{"source_url", upload(context, archive)}, {"options", options}};
    if (!wanted.ref.empty()) build["version"] = wanted.ref;
    const auto row =
        member(api.post(api_path({"apps", taken.app, "builds"}), {{"build", build}}), "build");
    end_or_watch(context, row, wanted.detach ? Watch::no : Watch::yes);
}

} // namespace

void add_deploy(CLI::App& root, Context& context) {
    const auto wanted = std::make_shared<Deploy>();
    auto* command = root.add_subcommand(
        "deploy", "build a directory or an archive (tar, tar.gz, tar.zst, tar.xz, zip)");
    const auto given = add_app_words(*command, usage);
    command->add_option("--ref", wanted->ref, "what this version is called");
    command->add_flag("--detach,-d", wanted->detach, "print the build's id and leave");
    command->add_flag("--no-cache", wanted->no_cache, "neither use nor keep a cache");
    command
        ->add_option("--buildpack", wanted->buildpacks,
                     "buildpack to use: id, URL, docker://image (repeatable)")
        ->allow_extra_args(false);
    command
        ->add_option("-e,--env", wanted->environment,
                     "NAME=VALUE for this build alone; NAME=- or NAME=@FILE (repeatable)")
        ->allow_extra_args(false);
    command->add_flag("--dry-run", wanted->dry_run, "stop after detection");
    command->add_flag("--verbose", wanted->verbose, "say more of what happens");
    command->callback([=, &context] { deploy(context, *given, *wanted); });
}

} // namespace cli
