#include "apps/uploads.h"

#include "apps/database.h"

#include "query.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

const std::string select_uploads =
    "SELECT id, secret_hash, owner, digest, size, created, expires FROM uploads";

Upload read_upload(const soci::row& row) {
    return {text(row, 0),
            text(row, 1),
            text(row, 2),
            text(row, 3),
            static_cast<std::uint64_t>(number(row, 4)),
            number(row, 5),
            number(row, 6)};
}

} // namespace

void Uploads::add(const Upload& upload) {
    database_.write([&](Session& sql) {
        Query(sql,
              "INSERT INTO uploads (id, secret_hash, owner, digest, size, created, expires) VALUES"
              " (?, ?, ?, ?, ?, ?, ?)",
              upload.id, upload.secret_hash, upload.owner, upload.digest, upload.size,
              upload.created, upload.expires)
            .execute();
    });
}

std::optional<Upload> Uploads::find(std::string_view id) {
    std::optional<Upload> found;
    database_.read([&](Session& sql) {
        found = Query(sql, select_uploads + " WHERE id = ?", id).first(read_upload);
    });
    return found;
}

void Uploads::complete(std::string_view id, std::string_view digest, std::uint64_t size) {
    database_.write([&](Session& sql) {
        if (!Query(sql, "UPDATE uploads SET digest = ?, size = ? WHERE id = ?", digest, size, id)
                 .changes())
            throw Error(ErrorKind::not_found,
                        "there is no upload \"" + std::string(id) + "\" any more");
    });
}

// A build names its archive by a file or a URL that holds the digest's digits.
bool Uploads::is_used(std::string_view digest) {
    return is_needed(digest, 0);
}

bool Uploads::is_needed(std::string_view digest, std::int64_t since) {
    bool used = false;
    database_.read([&](Session& sql) {
        const auto digits = std::string(digest.substr(digest.find(':') + 1));
        used = Query(sql, "SELECT 1 FROM uploads WHERE digest = ? AND created >= ?", digest, since)
                   .finds() ||
               Query(sql,
                     "SELECT 1 FROM builds WHERE state IN ('received', 'queued', 'running',"
                     " 'exporting') AND source LIKE ?",
                     "%" + digits + "%")
                   .finds();
    });
    return used;
}

std::vector<Upload> Uploads::list_before(std::int64_t time) {
    std::vector<Upload> uploads;
    database_.read([&](Session& sql) {
        uploads.clear();
        Query(sql, select_uploads + " WHERE created < ? ORDER BY created, id", time)
            .each([&](const soci::row& row) { uploads.push_back(read_upload(row)); });
    });
    return uploads;
}

void Uploads::remove(std::string_view id) {
    database_.write(
        [&](Session& sql) { Query(sql, "DELETE FROM uploads WHERE id = ?", id).execute(); });
}

} // namespace apps
