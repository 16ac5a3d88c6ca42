// A base image out of a registry into an empty store of unpacked images, as a build's first phase
// does: for bench/unpack.
//   unpack_image REFERENCE@DIGEST DIRECTORY
// Prints the number of layers and the most memory that was held, in kilobytes.
#include "registry/image_store.h"

#include "base/error.h"
#include "base/fd.h"

#include <cstdlib>
#include <iostream>

namespace {

// Not getrusage's: that one begins with what the parent held.
long peak_kilobytes() {
    const auto status = base::read_file("/proc/self/status");
    const auto at = status.find("VmHWM:");
    return at == std::string::npos ? 0 : std::strtol(status.c_str() + at + 6, nullptr, 10);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: unpack_image REFERENCE@DIGEST DIRECTORY\n";
        return 2;
    }
    try {
        const registry::ImageStore store(argv[2], {});
        const auto image = store.read(image::Reference::parse(argv[1]), {});
        std::cout << store.unpack(image, {}).size() << " " << peak_kilobytes() << "\n";
        return 0;
    } catch (const base::Error& error) {
        std::cerr << error.describe() << "\n" << error.hint() << "\n";
        return 1;
    }
}
