// The members of a payload that its reader asks for, without the rest: a push of GitHub has some
// hundred, of which a dozen matter. Pure; any thread.
#pragma once

#include "base/json.h"

#include <initializer_list>
#include <memory>
#include <string_view>

namespace receiver {

class PayloadMembers {
  public:
    // "repository.full_name": the names on the way to a member. Arrays on the way are looked
    // through: "commits.id" is that of each.
    PayloadMembers(std::initializer_list<std::string_view> paths);
    ~PayloadMembers();

    // What base::json::parse would give, reduced to these members: the whole text must be JSON, no
    // deeper than it takes. Throws Error{invalid_input} that names `what`. An object at the end of
    // a path is empty.
    base::json::Value read(std::string_view json, std::string_view what) const;

  private:
    struct Node;
    class Reader;
    std::unique_ptr<Node> root_;
};

} // namespace receiver
