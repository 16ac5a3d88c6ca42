// claim() against a model of its words: random sequences, equal choices.
#include "contract.h"

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

using namespace contract;

namespace {

struct Row {
    std::string id, app, share;
    int priority = 0;
    bool running = false;
    std::int64_t fence = 0;
};

class Model {
  public:
    void add(Row row) { waiting_.push_back(std::move(row)); }

    // "none" when nothing may start.
    std::string next() const {
        const auto key = [&](const Row& row) {
            return std::tuple(row.priority, count_running(row.share), last_start(row.share),
                              row.id);
        };
        const Row* best = nullptr;
        for (const auto& row : waiting_) {
            const auto same_app = [&](const Row& other) { return other.app == row.app; };
            if (std::any_of(running_.begin(), running_.end(), same_app)) continue;
            if (!best || key(row) < key(*best)) best = &row;
        }
        return best ? best->id : "none";
    }
    void start(const std::string& id) {
        const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                        [&](const Row& row) { return row.id == id; });
        starts_[found->share] = ++clock_;
        running_.push_back(*found);
        waiting_.erase(found);
    }
    Row take_running(std::size_t index) {
        const Row row = running_.at(index);
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
        return row;
    }
    std::size_t running() const { return running_.size(); }
    std::size_t waiting() const { return waiting_.size(); }

  private:
    std::int64_t count_running(const std::string& share) const {
        return std::count_if(running_.begin(), running_.end(),
                             [&](const Row& row) { return row.share == share; });
    }
    std::int64_t last_start(const std::string& share) const {
        const auto found = starts_.find(share);
        return found == starts_.end() ? 0 : found->second;
    }
    std::vector<Row> waiting_, running_;
    std::map<std::string, std::int64_t> starts_;
    std::int64_t clock_ = 0;
};

} // namespace

TEST_CASE("the next build is the one that the rules name, in random sequences") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    const auto seed = GENERATE(1u, 20u, 300u);
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](int limit) { return static_cast<int>(random() % limit); };
    for (int app = 0; app < 12; ++app) // four owners of two, two or three apps, three of nobody's
        store->add_app({"app" + std::to_string(app), 1,
                        app < 9 ? "owner" + std::to_string(app % 4) : std::string()});
    Model model;
    std::map<std::string, apps::Claim> claims;
    int number = 1000, agreed = 0;
    for (int step = 0; step < 250; ++step) {
        const int what = below(10);
        if (what < 5) {
            const int app = below(12);
            Build build = queued("app" + std::to_string(app), "b" + std::to_string(number++));
            build.priority = below(4) == 0 ? 1 : 0;
            store->builds().add(build);
            model.add({build.id, build.app,
                       app < 9 ? "owner" + std::to_string(app % 4) : "alone" + std::to_string(app),
                       build.priority});
        } else if (what < 8) {
            const auto expected = model.next();
            if (expected != "none")
                REQUIRE(store->builds().place(expected).queued ==
                        static_cast<std::int64_t>(model.waiting()));
            auto claim = store->builds().claim("w", std::chrono::minutes(1));
            REQUIRE((claim ? claim->build.id : "none") == expected);
            if (!claim) continue;
            model.start(expected);
            claims.emplace(expected, std::move(*claim));
            ++agreed;
        } else if (model.running() > 0) {
            const auto row = model.take_running(
                static_cast<std::size_t>(below(static_cast<int>(model.running()))));
            end(*store, claims.at(row.id), BuildState::refused);
        }
    }
    CHECK(agreed > 40); // the sequences say something
}
