// A few connections for many threads: each is one thread's at a time.
#pragma once

#include "base/guarded.h"

#include "session.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace apps {

class Sessions {
  public:
    using Open = std::function<std::unique_ptr<Session>()>;
    Sessions(std::size_t most, Open open) : open_(std::move(open)) { places_.lock()->resize(most); }

    // Waits for a free place; connects when nobody is connected there. A borrower that met a fault
    // does not give its connection back.
    class Borrowed {
      public:
        explicit Borrowed(Sessions& owner) : owner_(owner) {
            {
                auto places = owner_.places_.lock();
                places.wait([](const auto& free) { return !free.empty(); });
                // The one used last: while little is to be done the others stay unopened.
                session_ = std::move(places->back());
                places->pop_back();
            }
            if (session_) return;
            try {
                session_ = owner_.open_();
            } catch (...) {
                owner_.put_back(nullptr);
                throw;
            }
        }
        ~Borrowed() { owner_.put_back(std::move(session_)); }
        Borrowed(const Borrowed&) = delete;
        Borrowed& operator=(const Borrowed&) = delete;

        Session& operator*() noexcept { return *session_; }
        void drop() noexcept { session_.reset(); }

      private:
        Sessions& owner_;
        std::unique_ptr<Session> session_;
    };

    // A database that was restarted has forgotten all of them.
    void drop_idle() {
        auto places = places_.lock();
        for (auto& session : *places) session.reset();
    }

  private:
    void put_back(std::unique_ptr<Session> session) {
        {
            auto places = places_.lock();
            places->push_back(std::move(session));
        }
        places_.notify_all();
    }

    const Open open_;
    base::Guarded<std::vector<std::unique_ptr<Session>>> places_;
};

} // namespace apps
