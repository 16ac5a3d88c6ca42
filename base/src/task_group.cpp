#include "base/task_group.h"

#include "base/guarded.h"

#include <atomic>
#include <exception>
#include <list>
#include <thread>

namespace base {

struct TaskGroup::State {
    struct Task {
        std::atomic<bool> done = false;
        std::thread thread;
    };
    StopSource source;
    Guarded<std::list<Task>> tasks;
    Guarded<std::exception_ptr> failure;

    // Without the lock while it waits: a task may start others.
    void join_all() {
        for (;;) {
            std::list<Task> first;
            {
                auto all = tasks.lock();
                if (all->empty()) return;
                first.splice(first.begin(), *all, all->begin());
            }
            first.front().thread.join();
        }
    }
};

TaskGroup::TaskGroup() : state_(std::make_unique<State>()) {}

TaskGroup::~TaskGroup() {
    request_stop();
    state_->join_all();
}

void TaskGroup::start(std::function<void(const Stop&)> task) {
    auto tasks = state_->tasks.lock();
    tasks->remove_if([](State::Task& ended) {
        if (!ended.done) return false;
        ended.thread.join();
        return true;
    });
    State::Task& slot = tasks->emplace_back();
    const auto run = [state = state_.get(), &slot, task = std::move(task)] {
        try {
            task(state->source.stop());
        } catch (...) {
            auto failure = state->failure.lock();
            if (!*failure) *failure = std::current_exception();
            state->source.request();
        }
        slot.done = true;
    };
    try {
        slot.thread = std::thread(run);
    } catch (...) {
        tasks->pop_back(); // no thread to join later
        throw;
    }
}

void TaskGroup::request_stop() noexcept {
    state_->source.request();
}

Stop TaskGroup::stop() const noexcept {
    return state_->source.stop();
}

void TaskGroup::join() {
    state_->join_all();
    const auto failure = std::exchange(*state_->failure.lock(), nullptr);
    if (failure) std::rethrow_exception(failure);
}

} // namespace base
