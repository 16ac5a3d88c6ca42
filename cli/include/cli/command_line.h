// The whole of the program `slipway`: parses, asks the server, prints, returns the exit code.
// main's thread.
#pragma once

#include <string>

namespace cli {

int run(int argc, char** argv, const std::string& version);

} // namespace cli
