#include "receiver/app_name.h"
#include "receiver/git_request.h"

#include <catch2/catch.hpp>

using namespace receiver;

TEST_CASE("an app's name is found in each path that git clients write") {
    for (const char* path : {"shop", "/shop", "shop.git", "/shop.git"})
        CHECK(parse_app_path(path) == "shop");
    for (const char* path : {"a", "0", "my-shop", "a--b", "v1.2", "shop.gitx", "x-1.y"})
        CHECK(parse_app_path(path) == path);
    CHECK(parse_app_path(std::string(48, 'a')) == std::string(48, 'a'));
}

TEST_CASE("what is not an app's name is not repaired into one") {
    const std::string nul("sho\0p", 5);
    for (const std::string path : {"",
                                   "/",
                                   ".git",
                                   "/.git",
                                   "//shop",
                                   "shop/",
                                   "../shop",
                                   "/../shop",
                                   "shop/../other",
                                   "a/b",
                                   "Shop",
                                   "sh op",
                                   "-shop",
                                   "shop-",
                                   ".shop",
                                   "shop.",
                                   "a..b",
                                   "a.-b",
                                   "a-.b",
                                   "shop.git.git",
                                   "shop.GIT",
                                   "~shop",
                                   "sh'op",
                                   "shop;id",
                                   "$(id)",
                                   "`id`",
                                   "shop\n",
                                   "\xc3\xa9t\xc3\xa9",
                                   "--help"}) {
        CAPTURE(path);
        CHECK_FALSE(parse_app_path(path));
    }
    CHECK_FALSE(parse_app_path(nul));
    CHECK_FALSE(parse_app_path(std::string(49, 'a')));
}

TEST_CASE("git's four commands are understood, quoted or not") {
    struct Row {
        const char* command;
        Service service;
        const char* path;
    };
    for (const auto& row : {
             Row{"git-receive-pack '/shop.git'", Service::receive_pack, "/shop.git"},
             Row{"git receive-pack 'shop'", Service::receive_pack, "shop"},
             Row{"git-upload-pack \"shop.git\"", Service::upload_pack, "shop.git"},
             Row{"git upload-pack shop", Service::upload_pack, "shop"},
             Row{"git-receive-pack '$(id)'", Service::receive_pack, "$(id)"},
         }) {
        CAPTURE(row.command);
        const auto request = parse_git_request(row.command);
        REQUIRE(request);
        CHECK(request->service == row.service);
        CHECK(request->path == row.path);
    }
}

TEST_CASE("every other command is refused") {
    const std::string nul("git-receive-pack 'a\0b'", 22);
    for (const std::string command : {"",
                                      "git",
                                      "git-receive-pack",
                                      "git-receive-pack ",
                                      "git-receive-pack ''",
                                      "git-receive-pack '",
                                      "git-receive-pack 'a' 'b'",
                                      "git-receive-pack 'a'b'",
                                      "git-receive-pack 'a'; id",
                                      "git-receive-pack 'a\"",
                                      "git-receive-pack a\\b",
                                      "git-receive-pack  'a'",
                                      " git-receive-pack 'a'",
                                      "git-receive-pack\t'a'",
                                      "git-receive-pack 'a\n'",
                                      "GIT-RECEIVE-PACK 'a'",
                                      "git-receive-packs 'a'",
                                      "git-upload-archive 'a'",
                                      "git-lfs-authenticate 'a'",
                                      "sh -c id",
                                      "git-receive-pack 'caf\xc3\xa9'"}) {
        CAPTURE(command);
        CHECK_FALSE(parse_git_request(command));
    }
    CHECK_FALSE(parse_git_request(nul));
    CHECK_FALSE(parse_git_request("git-receive-pack '" + std::string(1000, 'a') + "'"));
}

TEST_CASE("GIT_PROTOCOL is one of three values") {
    for (const char* value : {"version=0", "version=1", "version=2"}) CHECK(is_git_protocol(value));
    for (const char* value : {"", "version=", "version=3", "version=22", "version=2:x", "VERSION=2",
                              "version=2\n", " version=2"})
        CHECK_FALSE(is_git_protocol(value));
}
