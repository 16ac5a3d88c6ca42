#include "phases/choose.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"
#include "sources/fetcher.h"

#include <algorithm>
#include <fcntl.h>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;
using buildpacks::Catalog;
using buildpacks::OrderElement;
using buildpacks::OrderGroup;

// The app's files may be a stranger's on the machine of whoever builds them.
enum class NamedBy { person, app };

sources::FetcherSettings fetcher_settings(const ChooseInput& input, NamedBy who) {
    const auto& job = input.job;
    sources::FetcherSettings settings{.store = job.sources_directory,
                                      .app = input.workspace.app,
                                      .work = job.work_directory / "buildpacks",
                                      .registry = input.registry};
    // A build without a server's directory keeps nothing.
    if (settings.store.empty()) settings.store = job.work_directory / "sources";
    if (job.source_access.any_folder && who == NamedBy::person)
        settings.folders = sources::FetcherSettings::Folders::any;
    if (job.source_access.any_host) settings.access.hosts = sources::Access::Hosts::any;
    settings.access.allowed_private_hosts = job.source_access.allowed_private_hosts;
    settings.access.submodules = job.source_access.submodules;
    settings.access.ca_file = job.ca_file.string();
    return settings;
}

// What was named is wrong or is not there: whoever named it mends it.
template <class F>
auto choosers(const std::string& what, F&& f) {
    try {
        return f();
    } catch (const Error& error) {
        const bool mendable = error.kind() == ErrorKind::not_found ||
                              error.kind() == ErrorKind::denied ||
                              error.kind() == ErrorKind::invalid_input;
        throw Error(mendable ? ErrorKind::invalid_input : error.kind(),
                    what + ": " + error.message(), error.hint());
    }
}

// As the person wrote it. Of an absolute path the end alone: the worker sees it elsewhere.
std::string written(const sources::Wanted& wanted) {
    const bool moved = wanted.text.starts_with('/');
    return base::quoted(moved ? std::filesystem::path(wanted.text).filename().string()
                              : wanted.text);
}

sources::Fetched fetch_one(sources::Fetcher& fetcher, const sources::Wanted& wanted,
                           const std::string& rule, Catalog& catalog, const base::Stop& stop) {
    return choosers("the buildpack " + written(wanted) + " of " + rule,
                    [&] { return fetcher.fetch(wanted, catalog, stop); });
}

OrderGroup fetch_all(sources::Fetcher& fetcher, const std::vector<sources::Wanted>& wanted,
                     const std::string& rule, Catalog& catalog, Reporter& report,
                     const base::Stop& stop) {
    OrderGroup group;
    for (const auto& one : wanted) {
        const auto element = fetch_one(fetcher, one, rule, catalog, stop).element;
        const auto twice = std::find_if(group.begin(), group.end(), [&](const OrderElement& other) {
            return other.id == element.id;
        });
        if (twice == group.end()) { // as in every group (order.h)
            group.push_back(element);
            continue;
        }
        report.body("Warning: " + base::printable(element.id) +
                    " is named more than once; it builds once" +
                    (twice->version == element.version ? "" : ", as " + twice->version));
    }
    return group;
}

// A Procfile means something whichever buildpacks were chosen.
void add_procfile(OrderGroup& group, const Workspace& workspace, const Catalog& catalog) {
    const bool chosen = std::any_of(group.begin(), group.end(), [](const OrderElement& element) {
        return element.id == procfile_buildpack;
    });
    if (chosen || !catalog.contains({procfile_buildpack, {}, true})) return;
    if (base::open_beneath(workspace.app, "Procfile", O_RDONLY))
        group.push_back({procfile_buildpack, {}, true});
}

void add_around(const OrderGroup& pre, const OrderGroup& post, Catalog& catalog) {
    auto system = catalog.system();
    system.pre.insert(system.pre.end(), pre.begin(), pre.end());
    system.post.insert(system.post.begin(), post.begin(), post.end());
    catalog.set_system(std::move(system));
}

} // namespace

sources::Choice choose_buildpacks(const ChooseInput& input, Catalog& catalog, Reporter& report,
                                  const base::Stop& stop) {
    const auto& job = input.job;
    auto choice = sources::choose({.app = input.workspace.app,
                                   .given = job.buildpacks.uris,
                                   .given_by = job.buildpacks.by,
                                   .environment = job.environment,
                                   .parents_json = input.parents_json});
    if (!choice.automatic()) report.step("Buildpacks: from " + base::printable(choice.rule));
    for (const auto& warning : choice.warnings) report.body("Warning: " + base::printable(warning));
    const bool fetches = !choice.automatic() || !choice.pre.empty() || !choice.post.empty();
    if (fetches) {
        const auto tell = [&](const std::string& line) { report.body(base::printable(line)); };
        sources::Fetcher apps(fetcher_settings(input, NamedBy::app), tell);
        sources::Fetcher persons(fetcher_settings(input, NamedBy::person), tell);
        const auto pre = fetch_all(apps, choice.pre, "project.toml", catalog, report, stop);
        const auto post = fetch_all(apps, choice.post, "project.toml", catalog, report, stop);
        auto group = fetch_all(job.buildpacks.uris.empty() ? apps : persons, choice.buildpacks,
                               choice.rule, catalog, report, stop);
        if (!group.empty()) {
            add_procfile(group, input.workspace, catalog);
            catalog.set_order({std::move(group)});
        }
        add_around(pre, post, catalog);
        choosers(choice.rule, [&] { catalog.check(); });
    }
    if (const auto files = sources::apply_patterns(choice.project, input.workspace.app); files > 0)
        report.body(std::to_string(files) + (files == 1 ? " file" : " files") +
                    " left out, as project.toml says");
    return choice;
}

void merge_environment(const sources::Choice& choice, Job& job) {
    for (const auto& [name, value] : choice.project.build_environment)
        job.environment.emplace(name, value);
}

} // namespace builder
