#include "apps/hooks.h"

#include "apps/database.h"

#include "checks.h"
#include "notice_rows.h"
#include "query.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

const std::string select_hooks =
    "SELECT id, app, kind, repository, clone_url, api_url, branch, sealed_secret, sealed_token,"
    " sealed_ssh_key, ssh_public_key, known_hosts, options, repository_id, head, created, checked"
    " FROM hooks";

Hook read_hook(const soci::row& row) {
    return {text(row, 0),    text(row, 1),   text(row, 2),  text(row, 3),  text(row, 4),
            text(row, 5),    text(row, 6),   text(row, 7),  text(row, 8),  text(row, 9),
            text(row, 10),   text(row, 11),  text(row, 12), text(row, 13), text(row, 14),
            number(row, 15), number(row, 16)};
}

} // namespace

std::optional<Hook> find_hook(Session& sql, std::string_view id) {
    return Query(sql, select_hooks + " WHERE id = ?", id).first(read_hook);
}

void Hooks::add(const Hook& hook) {
    database_.write([&](Session& sql) {
        require_app(sql, hook.app);
        Query(sql,
              "INSERT INTO hooks (id, app, kind, repository, clone_url, api_url, branch,"
              " sealed_secret, sealed_token, sealed_ssh_key, ssh_public_key, known_hosts, options,"
              " repository_id, head, created, checked) VALUES " +
                  placeholders(17),
              hook.id, hook.app, hook.kind, hook.repository, hook.clone_url, hook.api_url,
              hook.branch, hook.sealed_secret, hook.sealed_token, hook.sealed_ssh_key,
              hook.ssh_public_key, hook.known_hosts, hook.options, hook.repository_id, hook.head,
              hook.created, hook.checked)
            .execute();
    });
}

// Who changes a webhook read its row earlier: a rotation may have sealed its texts anew since, and
// the keys of the old ones are gone by now.
void Hooks::update(const Hook& hook) {
    database_.write([&](Session& sql) {
        if (!Query(sql,
                   "UPDATE hooks SET kind = ?, repository = ?, clone_url = ?, api_url = ?,"
                   " branch = ?, ssh_public_key = ?, known_hosts = ?, options = ?,"
                   " repository_id = ?, head = ?, checked = ? WHERE id = ?",
                   hook.kind, hook.repository, hook.clone_url, hook.api_url, hook.branch,
                   hook.ssh_public_key, hook.known_hosts, hook.options, hook.repository_id,
                   hook.head, hook.checked, hook.id)
                 .changes())
            throw Error(ErrorKind::not_found, "there is no webhook \"" + hook.id + "\"");
    });
}

std::optional<Hook> Hooks::find(std::string_view id) {
    std::optional<Hook> found;
    database_.read([&](Session& sql) { found = find_hook(sql, id); });
    return found;
}

std::vector<Hook> Hooks::list(std::string_view app) {
    std::vector<Hook> hooks;
    database_.read([&](Session& sql) {
        hooks.clear();
        Query query(sql, select_hooks + (app.empty() ? "" : " WHERE app = ?") + " ORDER BY id");
        if (!app.empty()) query.bind(app);
        query.each([&](const soci::row& row) { hooks.push_back(read_hook(row)); });
    });
    return hooks;
}

void Hooks::remove(std::string_view id) {
    database_.write([&](Session& sql) {
        if (!Query(sql, "DELETE FROM hooks WHERE id = ?", id).changes())
            throw Error(ErrorKind::not_found, "there is no webhook \"" + std::string(id) + "\"");
    });
}

} // namespace apps
