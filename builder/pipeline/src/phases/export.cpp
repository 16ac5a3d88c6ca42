#include "phases/export.h"

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

// Later buildpacks replace processes of the same type; the last default wins.
std::vector<NamedProcess> merge_processes(const std::vector<BuiltMember>& built) {
    std::vector<NamedProcess> merged;
    std::map<std::string, std::string> last_of_set; // its buildpack
    for (const auto& member : built) {
        if (const auto& set = member.built.process_set; !set.empty()) {
            auto& last = last_of_set[set];
            std::erase_if(
                merged, [&](const NamedProcess& earlier) { return earlier.buildpack_id == last; });
            last = member.buildpack->info().id;
        }
        for (const auto& process : member.built.processes) {
            std::erase_if(merged, [&](const NamedProcess& earlier) {
                return earlier.process.type == process.type;
            });
            if (process.is_default)
                for (auto& earlier : merged) earlier.process.is_default = false;
            merged.push_back({process, member.buildpack->info().id});
        }
    }
    std::sort(merged.begin(), merged.end(), [](const NamedProcess& a, const NamedProcess& b) {
        return a.process.type < b.process.type;
    });
    return merged;
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
          processes_(merge_processes(input.built)), app_(app_directory_of(input.built)) {}

    Exported run() {
        link_direct_processes(input_.built, processes_, input_.workspace);
        for (const auto& member : input_.built) add_member(member);
        metadata_.app.push_back(write(
            "Application Layer",
            [&](image::LayerWriter& writer) {
                writer.add_tree(input_.workspace.app, app_directory(), owner_, until_stopped());
            },
            image::EntryOrder::by_path)); // as the lifecycle orders the application
        metadata_.launcher =
            write("Buildpacks Application Launcher", [&](image::LayerWriter& writer) {
                writer.add_file("cnb/lifecycle/launcher", 0755, {},
                                base::read_file(input_.launcher));
            });
        metadata_.config = write("Buildpacks Launcher Config", [&](image::LayerWriter& writer) {
            writer.add_file("layers/config/metadata.toml", 0644, owner_,
                            render_launch_metadata(group_, processes_));
            // What was built there may name it.
            if (app_ == buildpacks::AppDirectory::app) writer.add_symlink("workspace", "/app", {});
        });
        if (!processes_.empty())
            metadata_.process_types =
                write("Buildpacks Process Types", [&](image::LayerWriter& writer) {
                    for (const auto& named : processes_)
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
        group_.push_back(member.buildpack);
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
            writer.add_tree(input_.workspace.layers / relative, "layers/" + relative, owner_,
                            until_stopped());
        });
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
        std::string path = "/cnb/process:/cnb/lifecycle";
        std::erase_if(config.environment, [&](const std::string& entry) {
            if (entry.starts_with("PATH=")) path += ":" + entry.substr(5);
            return entry.starts_with("PATH=") || entry.starts_with("CNB_LAYERS_DIR=") ||
                   entry.starts_with("CNB_APP_DIR=");
        });
        for (const auto& entry :
             {std::string("CNB_LAYERS_DIR=/layers"), "CNB_APP_DIR=/" + app_directory(),
              std::string("CNB_PLATFORM_API=0.15"), std::string("CNB_DEPRECATION_MODE=quiet"),
              "PATH=" + path})
            config.environment.push_back(entry);
        config.command.clear();
        config.entrypoint = {launcher_path};
        for (const auto& named : processes_)
            if (named.process.is_default)
                config.entrypoint = {"/cnb/process/" + named.process.type};
        config.working_directory = "/" + app_directory();
        add_labels(config.labels);
        return config;
    }

    void add_labels(std::map<std::string, std::string>& labels) const {
        for (const auto& member : input_.built)
            for (const auto& [key, value] : member.built.labels) labels[key] = value;
        auto metadata = metadata_;
        metadata.buildpacks = launch_records();
        metadata.run_image = {input_.run_image.image.layers().empty()
                                  ? ""
                                  : input_.run_image.image.layers().back().diff_id.render(),
                              input_.run_image_name + "@" +
                                  input_.run_image.reference.digest->render(),
                              input_.run_image_name};
        labels[lifecycle_label] = metadata.render();
        labels[build_label] = render_build_metadata(group_, processes_);
        labels["io.buildpacks.rebasable"] = "true";
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
        return {image, std::move(blobs_), std::move(records_), std::move(processes_)};
    }

    const ExportInput& input_;
    Reporter& report_;
    const base::Stop& stop_;
    image::Owner owner_;
    std::vector<NamedProcess> processes_;
    buildpacks::AppDirectory app_;
    std::vector<const buildpacks::Buildpack*> group_;
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
