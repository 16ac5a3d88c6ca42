#include "phases/export.h"

#include "app_cut.h"
#include "app_slices.h"
#include "bills_of_materials.h"
#include "layer_reasons.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "classic_app.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <sys/stat.h>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;
namespace fs = std::filesystem;

constexpr const char* launcher_path = "/cnb/lifecycle/launcher";
constexpr std::size_t most_processes = 256;

// Everything the group said, in its order. Later buildpacks replace processes of the same type; of
// those that name a set, the last speaks alone.
class Processes {
  public:
    explicit Processes(Reporter& report) : report_(report) {}

    void add(const BuiltMember& member) {
        const auto& set = member.built.process_set;
        if (!set.empty())
            std::erase_if(named_, [&](const auto& entry) { return entry.second.set == set; });
        for (const auto& process : member.built.processes)
            add({{process, member.buildpack->info().id}, set});
    }

    // By type; the default one is marked.
    std::vector<NamedProcess> result() const {
        if (named_.size() > most_processes)
            throw Error(ErrorKind::buildpack_failed,
                        "the buildpacks define " + std::to_string(named_.size()) +
                            " process types; an image may have " + std::to_string(most_processes));
        std::vector<NamedProcess> list;
        for (const auto& [type, entry] : named_) {
            list.push_back(entry.named);
            list.back().process.is_default = type == default_;
        }
        return list;
    }

  private:
    struct Entry {
        NamedProcess named;
        std::string set;
    };

    // The last that says so is the default, unless its type is defined anew by one that does not.
    void add(Entry entry) {
        const auto& process = entry.named.process;
        if (process.is_default) {
            default_ = process.type;
        } else if (process.type == default_) {
            default_.clear();
            report_.body("Warning: the default process " + process.type +
                         " was defined anew and is the default no more.");
        }
        named_.insert_or_assign(process.type, std::move(entry));
    }

    Reporter& report_;
    std::map<std::string, Entry> named_;
    std::string default_;
};

BuildMetadata gather(const std::vector<BuiltMember>& built, Reporter& report) {
    BuildMetadata metadata;
    Processes processes(report);
    for (const auto& member : built) {
        metadata.group.push_back(member.buildpack);
        processes.add(member);
        metadata.labels.insert(metadata.labels.end(), member.built.labels.begin(),
                               member.built.labels.end());
        metadata.slices.insert(metadata.slices.end(), member.built.slices.begin(),
                               member.built.slices.end());
    }
    metadata.processes = processes.result();
    return metadata;
}

// In its place when it is there already.
void set_variable(std::vector<std::string>& environment, const std::string& name,
                  const std::string& value) {
    for (auto& entry : environment)
        if (entry.starts_with(name + "=")) {
            entry = name + "=" + value;
            return;
        }
    environment.push_back(name + "=" + value);
}

std::string find_variable(const std::vector<std::string>& environment, const std::string& name) {
    for (const auto& entry : environment)
        if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    return {};
}

// A layer of the previous image that is used again without its content.
image::Layer reuse(const ExportInput& input, const buildpacks::Info& info,
                   const std::string& name) {
    const auto missing = [&]() -> Error {
        return Error(ErrorKind::buildpack_failed,
                     info.full_name() + " wants the layer \"" + base::printable(name) +
                         "\" of the previous image, which has no such layer");
    };
    const auto* record = input.previous ? input.previous->metadata.find(info.id) : nullptr;
    if (!record || !record->layers.contains(name)) throw missing();
    const auto& diff_id = record->layers.at(name).diff_id;
    for (const auto& layer : input.previous->image.layers())
        if (layer.diff_id.render() == diff_id) return layer;
    throw missing();
}

class ImageExport {
  public:
    ImageExport(const ExportInput& input, Reporter& report, const base::Stop& stop)
        : input_(input), report_(report), stop_(stop), owner_{input.user.uid, input.user.gid},
          build_(gather(input.built, report)), app_(app_directory_of(input.built)) {}

    Exported run() {
        link_direct_processes(input_.built, build_.processes, input_.workspace);
        for (const auto& member : input_.built) add_member(member);
        add_bills();
        add_app();
        add_launcher();
        const auto* previous =
            input_.previous && input_.trust_previous ? &input_.previous->image : nullptr;
        auto exported =
            export_layers(plan_, {input_.target, previous, input_.index, input_.sparse}, stop_);
        for (std::size_t i = 0; i < plan_.size(); ++i)
            told_[i](exported.layers[i].diff_id.render());
        return finish(std::move(exported));
    }

  private:
    std::string app_directory() const {
        return app_ == buildpacks::AppDirectory::app ? "app" : "workspace";
    }

    // Gets a layer's diff id once it is known.
    using Told = std::function<void(const std::string& diff_id)>;

    void add_member(const BuiltMember& member) {
        const auto& info = member.buildpack->info();
        const auto number = records_.size();
        records_.push_back({info.id, info.version, {}, member.built.store_json});
        for (const auto& layer : member.built.layers) {
            records_[number].layers[layer.name] = {{}, layer.metadata_json, layer.types};
            if (layer.types.launch)
                add_launch_layer(info, layer, [this, number, &layer](const std::string& diff_id) {
                    records_[number].layers[layer.name].diff_id = diff_id;
                });
        }
    }

    void add_launch_layer(const buildpacks::Info& info, const buildpacks::BuiltLayer& layer,
                          Told told) {
        LayerSubject subject{"Layer: '" + layer.name +
                                 "', Created by buildpack: " + info.full_name(),
                             info.id, info.version, layer.name, layer.metadata_json};
        if (!layer.has_content)
            return add(std::move(subject), {.old = reuse(input_, info, layer.name)},
                       std::move(told));
        const auto relative = info.escaped_id() + "/" + layer.name;
        const auto& tree = list(input_.workspace.layers / relative, image::EntryOrder::depth_first);
        add_tree(std::move(subject), {tree, select_all(tree), "layers/" + relative, owner_},
                 {"layers", "layers/" + info.escaped_id()}, std::move(told));
    }

    void add_bills() {
        std::vector<LegacyBill> legacy;
        for (const auto& member : input_.built)
            if (!member.built.legacy_bill_json.empty())
                legacy.push_back({member.buildpack->info().id, member.buildpack->info().version,
                                  member.built.legacy_bill_json});
        write_legacy_bill(legacy, input_.workspace);
        const auto& tree = list(input_.workspace.bills / "launch", image::EntryOrder::depth_first);
        add_tree({"Software Bill-of-Materials"},
                 {tree, select_all(tree), "layers/sbom/launch", owner_}, {"layers", "layers/sbom"},
                 [this](const std::string& diff_id) { metadata_.bills = diff_id; });
    }

    void add_app() {
        const auto& tree = list(input_.workspace.app, image::EntryOrder::by_path);
        auto parts = explicit_slices(tree);
        const bool sliced = !parts.empty();
        auto rest = cut_app(tree, sliced ? std::exchange(parts.back(), {}) : select_all(tree));
        if (sliced) parts.pop_back();
        std::move(rest.begin(), rest.end(), std::back_inserter(parts));
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const auto made_by = sliced || parts.size() > 1
                                     ? "Application Slice: " + std::to_string(i + 1)
                                     : std::string("Application Layer");
            if (parts[i].empty()) report_.body("Warning: " + made_by + " has no files.");
            metadata_.app.emplace_back();
            add_tree({made_by}, {tree, std::move(parts[i]), app_directory(), owner_}, {},
                     [this, i](const std::string& diff_id) { metadata_.app[i] = diff_id; });
        }
    }

    // Those that buildpacks asked for, and last what is left; none when nobody asked. A slice that
    // matched nothing is a layer without entries, as the lifecycle's is.
    std::vector<image::Selection> explicit_slices(const image::TreeListing& tree) const {
        std::vector<image::Selection> parts;
        if (build_.slices.empty()) return parts;
        AppSlices slices(input_.workspace.app, input_.workspace.inside.app);
        for (const auto& slice : build_.slices) parts.push_back(select(tree, slices.take(slice)));
        parts.push_back(select(tree, slices.take_rest()));
        return parts;
    }

    static image::Selection select(const image::TreeListing& tree,
                                   const std::set<std::string, std::less<>>& names) {
        image::Selection selected;
        for (std::uint32_t i = 0; i < tree.size(); ++i)
            if (names.contains(tree.path(i))) selected.push_back(i);
        return selected;
    }

    void add_launcher() {
        add_small(
            "Buildpacks Application Launcher",
            [bytes = base::read_file(input_.launcher)](image::LayerWriter& writer) {
                writer.add_file("cnb/lifecycle/launcher", 0755, {}, bytes);
            },
            [this](const std::string& diff_id) { metadata_.launcher = diff_id; });
        add_small(
            "Buildpacks Launcher Config",
            [this](image::LayerWriter& writer) {
                add_own_directories(writer, {"layers", "layers/config"});
                writer.add_file("layers/config/metadata.toml", 0644, owner_,
                                render_build_metadata(build_));
                // What was built there may name it.
                if (app_ == buildpacks::AppDirectory::app)
                    writer.add_symlink("workspace", "/app", {});
            },
            [this](const std::string& diff_id) { metadata_.config = diff_id; });
        if (build_.processes.empty()) return;
        add_small(
            "Buildpacks Process Types",
            [this](image::LayerWriter& writer) {
                for (const auto& named : build_.processes)
                    writer.add_symlink("cnb/process/" + named.process.type, launcher_path, {},
                                       0755);
            },
            [this](const std::string& diff_id) { metadata_.process_types = diff_id; });
    }

    // <layers> belongs to the build's user, as everything in it.
    void add_own_directories(image::LayerWriter& writer,
                             const std::vector<std::string>& names) const {
        for (const auto& name : names) writer.add_directory(name, 0755, owner_);
    }

    const image::TreeListing& list(const fs::path& root, image::EntryOrder order) {
        return trees_.emplace_back(image::TreeListing::read(root, order, {}, stop_));
    }

    // above: directories of ours that hold the tree.
    void add_tree(LayerSubject subject, TreeLayer tree, std::vector<std::string> above, Told told) {
        const image::LayerFormat format{input_.compression, tree.listing.order()};
        LayerPlan plan{.format = format, .key = key_of(tree, format)};
        for (const auto place : tree.selection) plan.size += tree.listing.entry(place).size + 512;
        plan.content = [this, tree = std::move(tree),
                        above = std::move(above)](image::LayerWriter& writer) {
            add_own_directories(writer, above);
            writer.add_listed(tree.listing, tree.selection, tree.name, tree.owner,
                              image::Modes::as_they_are, stop_);
        };
        add(std::move(subject), std::move(plan), std::move(told));
    }

    void add_small(std::string made_by, image::LayerContent content, Told told) {
        add({std::move(made_by)}, {.format = {input_.compression}, .content = std::move(content)},
            std::move(told));
    }

    void add(LayerSubject subject, LayerPlan plan, Told told) {
        plan_.push_back(std::move(plan));
        subjects_.push_back(std::move(subject));
        told_.push_back(std::move(told));
    }

    image::ContainerConfig configure() const {
        auto config = input_.run_image.image.config();
        auto& environment = config.environment;
        set_variable(environment, "CNB_LAYERS_DIR", "/layers");
        set_variable(environment, "CNB_APP_DIR", "/" + app_directory());
        set_variable(environment, "CNB_PLATFORM_API", "0.15");
        set_variable(environment, "CNB_DEPRECATION_MODE", "quiet");
        set_variable(environment, "PATH",
                     "/cnb/process:/cnb/lifecycle:" + find_variable(environment, "PATH"));
        config.command.clear();
        config.entrypoint = {launcher_path};
        for (const auto& named : build_.processes)
            if (named.process.is_default)
                config.entrypoint = {"/cnb/process/" + named.process.type};
        config.working_directory = "/" + app_directory();
        add_labels(config.labels);
        return config;
    }

    void add_labels(std::map<std::string, std::string>& labels) const {
        for (const auto& [key, value] : build_.labels) labels[key] = value;
        auto metadata = metadata_;
        metadata.buildpacks = launch_records();
        metadata.run_image = {input_.run_image.image.layers().empty()
                                  ? ""
                                  : input_.run_image.image.layers().back().diff_id.render(),
                              input_.run_image_name + "@" +
                                  input_.run_image.reference.digest->render(),
                              input_.run_image_name};
        labels[lifecycle_label] = metadata.render();
        labels[build_label] = render_build_label(build_);
        labels[project_label] = input_.project_metadata_json;
        labels[execution_env_label] = "production";
    }

    // The label records launch layers only; the rest never reaches the image.
    std::vector<BuildpackRecord> launch_records() const {
        auto records = records_;
        for (auto& record : records)
            std::erase_if(record.layers,
                          [](const auto& entry) { return !entry.second.types.launch; });
        return records;
    }

    Exported finish(ExportedLayers made) {
        std::set<image::Digest> stored;
        std::vector<image::HistoryEntry> history;
        std::vector<proof::Resource> described;
        for (std::size_t i = 0; i < subjects_.size(); ++i) {
            stored.insert(made.layers[i].descriptor.digest);
            history.push_back({subjects_[i].made_by});
            described.push_back(
                describe_layer(subjects_[i], made.layers[i], made.origins[i], input_.previous));
        }
        const auto image = input_.run_image.image.with_created("1980-01-01T00:00:01Z")
                               .with_layers(std::move(made.layers), std::move(history))
                               .with_config(configure());
        return {image,
                std::move(stored),
                made.sent,
                std::move(records_),
                std::move(build_.processes),
                metadata_.bills,
                std::move(described)};
    }

    const ExportInput& input_;
    Reporter& report_;
    const base::Stop& stop_;
    image::Owner owner_;
    BuildMetadata build_;
    buildpacks::AppDirectory app_;
    std::deque<image::TreeListing> trees_;
    std::vector<LayerPlan> plan_;
    std::vector<Told> told_; // one for each plan, as are the subjects
    std::vector<LayerSubject> subjects_;
    std::vector<BuildpackRecord> records_;
    LifecycleMetadata metadata_;
};

} // namespace

Exported export_image(const ExportInput& input, Reporter& report, const base::Stop& stop) {
    return ImageExport(input, report, stop).run();
}

} // namespace builder
