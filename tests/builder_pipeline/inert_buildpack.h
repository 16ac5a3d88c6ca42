// A buildpack that has a name and a place, and does nothing.
#pragma once

#include "buildpacks/buildpack.h"

struct InertBuildpack final : buildpacks::Buildpack {
    explicit InertBuildpack(std::string id, std::filesystem::path directory = {},
                            std::string source = {})
        : directory_(std::move(directory)) {
        info_.id = std::move(id);
        info_.version = "1.0";
        info_.source = std::move(source);
    }
    const buildpacks::Info& info() const override { return info_; }
    const std::filesystem::path& directory() const override { return directory_; }
    std::string mount_point() const override { return "/cnb/inert"; }
    engine::Invocation detect(const buildpacks::Places&, const std::string&,
                              buildpacks::Environment) const override {
        return {};
    }
    buildpacks::Detection read_detection(base::ExitStatus, std::string,
                                         const std::filesystem::path&) const override {
        return {};
    }
    engine::Invocation build(const buildpacks::Places&, const std::vector<buildpacks::PlanEntry>&,
                             const std::filesystem::path&, const std::string&,
                             buildpacks::Environment) const override {
        return {};
    }
    buildpacks::Built read_build(const buildpacks::HostPlaces&) const override { return {}; }

  private:
    buildpacks::Info info_;
    std::filesystem::path directory_;
};
