// Uploaded sources: the rows of old places, and the bytes that neither a row nor a build needs.
#include "retention_parts.h"
#include "uploads.h"

namespace server {

std::vector<PruneItem> prune_uploads(UploadStore& uploads, apps::Uploads& rows,
                                     std::chrono::seconds age, DryRun dry_run) {
    std::vector<PruneItem> items;
    const auto since = before(age);
    if (dry_run == DryRun::no)
        for (const auto& upload : rows.list_before(since)) rows.remove(upload.id);
    auto& spool = uploads.spool();
    for (const auto& digest : spool.list()) {
        const auto bytes = bytes_of(spool.file_of(digest));
        const bool goes = dry_run == DryRun::no
                              ? spool.remove_unless(digest, [&] { return rows.is_used(digest); })
                              : !rows.is_needed(digest, since);
        if (goes) items.push_back({"upload", digest, bytes, older_than(age)});
    }
    return items;
}

} // namespace server
