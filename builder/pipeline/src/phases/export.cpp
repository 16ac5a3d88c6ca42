#include "phases/export.h"

#include "app_slices.h"
#include "bills_of_materials.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "classic_app.h"
#include "image/layer_writer.h"

#include <algorithm>
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
        metadata_.launcher =
            write("Buildpacks Application Launcher", [&](image::LayerWriter& writer) {
                writer.add_file("cnb/lifecycle/launcher", 0755, {},
                                base::read_file(input_.launcher));
            });
        metadata_.config = write("Buildpacks Launcher Config", [&](image::LayerWriter& writer) {
            add_own_directories(writer, {"layers", "layers/config"});
            writer.add_file("layers/config/metadata.toml", 0644, owner_,
                            render_build_metadata(build_));
            // What was built there may name it.
            if (app_ == buildpacks::AppDirectory::app) writer.add_symlink("workspace", "/app", {});
        });
        if (!build_.processes.empty())
            metadata_.process_types =
                write("Buildpacks Process Types", [&](image::LayerWriter& writer) {
                    for (const auto& named : build_.processes)
                        writer.add_symlink("cnb/process/" + named.process.type, launcher_path, {},
                                           0755);
                });
        return finish();
    }

  private:
    std::string app_directory() const {
        return app_ == buildpacks::AppDirectory::app ? "app" : "workspace";
    }

    void add_member(const BuiltMember& member) {
        const auto& info = member.buildpack->info();
        BuildpackRecord record{info.id, info.version, {}, member.built.store_json};
        for (const auto& layer : member.built.layers) {
            LayerRecord entry{{}, layer.metadata_json, layer.types};
            if (layer.types.launch) entry.diff_id = add_launch_layer(info, layer);
            record.layers.emplace(layer.name, std::move(entry));
        }
        records_.push_back(std::move(record));
    }

    std::string add_launch_layer(const buildpacks::Info& info,
                                 const buildpacks::BuiltLayer& layer) {
        const auto made_by =
            "Layer: '" + layer.name + "', Created by buildpack: " + info.full_name();
        const auto relative = info.escaped_id() + "/" + layer.name;
        if (!layer.has_content) {
            const auto reused = reuse(input_, info, layer.name);
            layers_.push_back(reused);
            history_.push_back({made_by});
            return reused.diff_id.render();
        }
        return write(made_by, [&](image::LayerWriter& writer) {
            add_own_directories(writer, {"layers", "layers/" + info.escaped_id()});
            writer.add_tree(input_.workspace.layers / relative, "layers/" + relative, owner_,
                            until_stopped());
        });
    }

    // <layers> belongs to the build's user, as everything in it.
    void add_own_directories(image::LayerWriter& writer,
                             const std::vector<std::string>& names) const {
        for (const auto& name : names) writer.add_directory(name, 0755, owner_);
    }

    void add_bills() {
        std::vector<LegacyBill> legacy;
        for (const auto& member : input_.built)
            if (!member.built.legacy_bill_json.empty())
                legacy.push_back({member.buildpack->info().id, member.buildpack->info().version,
                                  member.built.legacy_bill_json});
        write_legacy_bill(legacy, input_.workspace);
        metadata_.bills = write("Software Bill-of-Materials", [&](image::LayerWriter& writer) {
            add_own_directories(writer, {"layers", "layers/sbom"});
            writer.add_tree(input_.workspace.bills / "launch", "layers/sbom/launch", owner_,
                            until_stopped());
        });
    }

    void add_app() {
        const auto& workspace = input_.workspace;
        if (build_.slices.empty()) {
            metadata_.app.push_back(write_app("Application Layer", until_stopped()));
            return;
        }
        AppSlices slices(workspace.app, workspace.inside.app);
        for (const auto& slice : build_.slices) add_slice(slices.take(slice));
        add_slice(slices.take_rest());
    }

    // A slice that matched nothing is a layer without entries, as the lifecycle's is.
    void add_slice(const std::set<std::string, std::less<>>& names) {
        const auto made_by = "Application Slice: " + std::to_string(metadata_.app.size() + 1);
        if (names.empty()) {
            report_.body("Warning: " + made_by + " has no files.");
            metadata_.app.push_back(write(made_by, [](image::LayerWriter&) {}));
            return;
        }
        const auto alive = until_stopped();
        metadata_.app.push_back(write_app(made_by, [&, alive](std::string_view name) {
            return alive(name) && names.contains(name);
        }));
    }

    std::string write_app(const std::string& made_by,
                          const std::function<bool(std::string_view)>& keep) {
        return write(
            made_by,
            [&](image::LayerWriter& writer) {
                writer.add_tree(input_.workspace.app, app_directory(), owner_, keep);
            },
            image::EntryOrder::by_path); // as the lifecycle orders the application
    }

    // Keeps every file of a tree, but no longer than there is time.
    std::function<bool(std::string_view)> until_stopped() const {
        return [this](std::string_view) {
            stop_.throw_if_over("exporting the image");
            return true;
        };
    }

    // One layer in one pass; answers its diff id.
    template <class Fill>
    std::string write(std::string made_by, Fill fill,
                      image::EntryOrder order = image::EntryOrder::depth_first) {
        stop_.throw_if_over("exporting the image");
        const auto path = input_.workspace.blobs / ("layer-" + std::to_string(layers_.size()));
        image::LayerWriter writer(path, image::Compression::gzip, order);
        fill(writer);
        const auto written = writer.finish();
        layers_.push_back(written.layer);
        history_.push_back({std::move(made_by)});
        blobs_.push_back({written.layer.descriptor, written.path});
        return written.layer.diff_id.render();
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

    Exported finish() {
        const auto image = input_.run_image.image.with_created("1980-01-01T00:00:01Z")
                               .with_layers(layers_, history_)
                               .with_config(configure());
        const auto bytes = image.render_config();
        const auto path = input_.workspace.blobs / "config.json";
        base::write_file(path, bytes);
        blobs_.push_back(
            {{std::string(image::media_type::config), image::Digest::of(bytes), bytes.size()},
             path});
        return {image, std::move(blobs_), std::move(records_), std::move(build_.processes),
                metadata_.bills};
    }

    const ExportInput& input_;
    Reporter& report_;
    const base::Stop& stop_;
    image::Owner owner_;
    BuildMetadata build_;
    buildpacks::AppDirectory app_;
    std::vector<image::Layer> layers_;
    std::vector<image::HistoryEntry> history_;
    std::vector<image::BlobFile> blobs_;
    std::vector<BuildpackRecord> records_;
    LifecycleMetadata metadata_;
};

} // namespace

Exported export_image(const ExportInput& input, Reporter& report, const base::Stop& stop) {
    return ImageExport(input, report, stop).run();
}

} // namespace builder
