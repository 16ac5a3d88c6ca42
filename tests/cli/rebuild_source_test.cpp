#include "rebuild_source.h"

#include "scoped_variable.h"
#include "skip.h"

#include "base/fd.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <catch2/catch.hpp>

namespace {

namespace fs = std::filesystem;

std::string git(const fs::path& repository, const std::vector<std::string>& arguments) {
    base::Command command{.argv = {"git", "-C", repository.string(), "-c", "user.name=Somebody",
                                   "-c", "user.email=somebody@example.com"},
                          .environment = base::minimal_environment()};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    const auto result = base::run(std::move(command), {});
    INFO(result.error);
    REQUIRE(result.status.ok());
    return std::string(base::trim(result.output));
}

} // namespace

// As the variables of a hook, an alias or `git rebase --exec` name one.
TEST_CASE("a commit is fetched into its own repository, whatever repository git's variables name") {
    if (is_missing("git")) return;
    const base::TempDir clone("clone"), another("another"), scratch("scratch");
    git(clone.path(), {"init", "--quiet"});
    git(clone.path(), {"commit", "--quiet", "--allow-empty", "-m", "first"});
    git(another.path(), {"init", "--quiet", "--bare", "hook.git"});
    const auto commit = git(clone.path(), {"rev-parse", "HEAD"});
    const proof::Provenance provenance{
        .app = "hello",
        .source = {"git", "", "", commit},
        .dependencies = {{.role = "source", .digest = {{"gitCommit", commit}}}}};
    const auto of_another = another.path() / "hook.git";
    const ScopedVariable repository("GIT_DIR", of_another.string()),
        tree("GIT_WORK_TREE", another.path().string()),
        objects("GIT_OBJECT_DIRECTORY", (of_another / "objects").string()),
        index("GIT_INDEX_FILE", (another.path() / "index").string());
    const cli::Context context;
    const auto source =
        cli::bring_source(provenance, clone.path().string(), scratch.path(), context);
    const auto& fetched = std::get<builder::GitTree>(source);
    CHECK(fetched.repository == scratch.path() / "source.git");
    CHECK(git(fetched.repository, {"cat-file", "-t", commit}) == "commit");
    CHECK(git(of_another, {"count-objects"}).starts_with("0 objects"));
}
