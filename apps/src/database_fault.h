// What a database throws that is its own fault: Database counts those. An Error like any other to
// everybody else.
#pragma once

#include "base/error.h"

namespace apps {

class DatabaseFault : public base::Error {
  public:
    using Error::Error;
};

} // namespace apps
