// Shared mutable data that cannot be reached without its lock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace base {

template <class T>
class Guarded {
  public:
    template <class... Args>
    explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

    class Locked {
      public:
        T* operator->() noexcept { return &owner_.value_; }
        T& operator*() noexcept { return owner_.value_; }

        // Gives the lock up until `ready` holds; whoever changes the value calls notify_all.
        template <class Ready>
        void wait(Ready ready) {
            owner_.changed_.wait(lock_, [&] { return ready(owner_.value_); });
        }

      private:
        friend class Guarded;
        explicit Locked(Guarded& owner) : owner_(owner), lock_(owner.mutex_) {}
        Guarded& owner_;
        std::unique_lock<std::mutex> lock_;
    };

    Locked lock() { return Locked(*this); }
    void notify_all() noexcept { changed_.notify_all(); }

  private:
    T value_;
    std::mutex mutex_;
    std::condition_variable changed_;
};

} // namespace base
