// Archives made for a test, and their unpacking.
#pragma once

#include "image/unpack.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <vector>

// In odd pieces, as a network gives them.
inline image::ByteSource source_of(const std::string& bytes, std::size_t piece = 777) {
    return [&bytes, piece, at = std::size_t{0}](char* buffer, std::size_t size) mutable {
        const auto n = std::min({size, piece, bytes.size() - at});
        std::memcpy(buffer, bytes.data() + at, n);
        at += n;
        return n;
    };
}

inline image::ByteProducer producer_of(const std::string& bytes, std::size_t piece = 777) {
    return [&bytes, piece](const image::ByteSink& sink) {
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            sink(std::string_view(bytes).substr(at, piece));
    };
}

// On nothing, unless layers lie below.
inline image::UnpackedLayer unpack_layer(const std::string& bytes,
                                         const std::filesystem::path& target,
                                         image::UnpackLimits limits = {},
                                         const image::LayersBelow& below = {}) {
    std::filesystem::create_directories(target);
    auto unpacked = image::unpack_layer(producer_of(bytes), target, below, limits, {});
    REQUIRE(unpacked);
    return *unpacked;
}

inline void unpack_source(const std::string& bytes, const std::filesystem::path& target,
                          image::RootDirectory root = image::RootDirectory::keep,
                          image::UnpackLimits limits = {}) {
    std::filesystem::create_directories(target);
    image::unpack_source(source_of(bytes), target, limits, root, {});
}

inline std::string packed_by(const std::vector<std::string>& argv, const std::string& bytes) {
    auto result =
        base::run({.argv = argv, .environment = base::minimal_environment()}, {}, bytes, 64u << 20);
    INFO(result.error);
    REQUIRE(result.status.ok());
    return std::move(result.output);
}

inline struct stat status_of(const std::filesystem::path& path) {
    struct stat status {};
    INFO(path);
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

struct ZipEntry {
    std::string name;
    unsigned type = AE_IFREG;
    unsigned mode = 0644;
    std::string content = {};
};

inline std::string make_zip(const std::vector<ZipEntry>& entries, const base::TempDir& directory) {
    const auto path = directory.path() / "made.zip";
    archive* writer = archive_write_new();
    archive_write_set_format_zip(writer);
    REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
    for (const auto& made : entries) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, made.name.c_str());
        archive_entry_set_filetype(entry, made.type);
        archive_entry_set_perm(entry, made.mode);
        if (made.type == AE_IFLNK)
            archive_entry_set_symlink(entry, made.content.c_str());
        else
            archive_entry_set_size(entry, static_cast<la_int64_t>(made.content.size()));
        REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
        if (made.type == AE_IFREG)
            archive_write_data(writer, made.content.data(), made.content.size());
        archive_entry_free(entry);
    }
    archive_write_close(writer);
    archive_write_free(writer);
    return base::read_file(path);
}
