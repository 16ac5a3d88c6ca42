#include "apps/database.h"

#include "database_fault.h"

namespace apps {

void Database::read(const Work& work) {
    try {
        run_read(work);
    } catch (const DatabaseFault&) {
        ++faults_;
        throw;
    }
}

void Database::write(const Work& work) {
    try {
        run_write(work);
    } catch (const DatabaseFault&) {
        ++faults_;
        throw;
    }
}

} // namespace apps
