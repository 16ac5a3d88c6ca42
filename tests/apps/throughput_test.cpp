// Not run by default: apps_tests "[measure]".
#include "apps/store.h"

#include "base/task_group.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <iostream>

TEST_CASE("writes of 16 threads on a real disk", "[.][measure]") {
    const std::filesystem::path directory =
        "/var/tmp/slipway-measure-" + apps::new_build_id().substr(1);
    std::filesystem::create_directory(directory);
    {
        const auto store = apps::open_sqlite_store(directory / "slipway.db");
        const auto start = std::chrono::steady_clock::now();
        base::TaskGroup writers;
        for (int thread = 0; thread < 16; ++thread)
            writers.start([&, thread](const base::Stop&) {
                for (int i = 0; i < 200; ++i)
                    store->set_setting("s" + std::to_string(thread), std::to_string(i));
            });
        writers.join();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        std::cout << "16 threads: " << 16 * 200 / taken.count() << " durable writes/s\n";
        CHECK(store->find_setting("s7") == std::string("199"));
    }
    std::filesystem::remove_all(directory);
}
