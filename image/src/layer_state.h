// What a LayerWriter knows of the layer so far. Private to layer_writer.cpp and write_layer.cpp.
#pragma once

#include "tar_format.h"
#include "tar_stream.h"

#include <string>
#include <unordered_set>

namespace image {

struct LayerWriter::State {
    State(const LayerFormat& format, BlockQueue* blocks)
        : stream(blocks), order(format.order), prefix(format.names == Names::absolute ? "/" : "") {}

    TarStream stream;
    EntryOrder order;
    std::string prefix; // of every name in the tar
    std::string last;
    std::unordered_set<std::string> directories;
    bool is_copy = false; // of a tar with an end of its own

    void check_name(std::string_view name) const;
    bool comes_before(std::string_view a, std::string_view b) const;
    void begin(std::string_view name);
    void add_parents(std::string_view name);
    void write_entry(TarEntry entry);
    TarFacts finish();
};

} // namespace image
