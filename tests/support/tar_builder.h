// Tars written by hand, so that a test can say what no honest program would. It shares nothing
// with the code under test.
#pragma once

#include <cstdio>
#include <cstring>
#include <string>

class TarBuilder {
  public:
    struct Entry {
        std::string name;
        char type = '0';
        std::string content = {};
        std::string link = {};
        unsigned mode = 0644;
        unsigned uid = 0, gid = 0;
    };

    TarBuilder& add(const Entry& entry) {
        if (entry.name.size() > 100) add_long('L', entry.name);
        if (entry.link.size() > 100) add_long('K', entry.link);
        block(entry, entry.content.size());
        append(entry.content);
        return *this;
    }
    TarBuilder& file(const std::string& name, const std::string& content = "x",
                     unsigned mode = 0644) {
        return add({.name = name, .content = content, .mode = mode});
    }
    TarBuilder& directory(const std::string& name, unsigned mode = 0755) {
        return add({.name = name, .type = '5', .mode = mode});
    }
    TarBuilder& symlink(const std::string& name, const std::string& target) {
        return add({.name = name, .type = '2', .link = target, .mode = 0777});
    }
    TarBuilder& hard_link(const std::string& name, const std::string& target) {
        return add({.name = name, .type = '1', .link = target});
    }
    // A header that announces more content than follows.
    TarBuilder& announce(const std::string& name, unsigned long long size) {
        block({.name = name}, size);
        return *this;
    }
    std::string unfinished() const { return bytes_; }
    std::string finish() const { return bytes_ + std::string(1024, '\0'); }

  private:
    void add_long(char type, const std::string& text) {
        block({.name = "././@LongLink", .type = type}, text.size() + 1);
        append(text + '\0');
    }
    void append(const std::string& content) {
        bytes_ += content;
        bytes_.resize((bytes_.size() + 511) / 512 * 512);
    }
    void block(const Entry& entry, unsigned long long size) {
        char head[512] = {};
        std::strncpy(head, entry.name.c_str(), 100);
        std::snprintf(head + 100, 8, "%07o", entry.mode);
        std::snprintf(head + 108, 8, "%07o", entry.uid);
        std::snprintf(head + 116, 8, "%07o", entry.gid);
        std::snprintf(head + 124, 12, "%011llo", size);
        std::snprintf(head + 136, 12, "%011o", 1000000000u);
        head[156] = entry.type;
        std::strncpy(head + 157, entry.link.c_str(), 100);
        std::memcpy(head + 257, "ustar  ", 8); // GNU: for long names
        std::memset(head + 148, ' ', 8);
        unsigned sum = 0;
        for (const char byte : head) sum += static_cast<unsigned char>(byte);
        std::snprintf(head + 148, 8, "%06o", sum);
        bytes_.append(head, sizeof head);
    }
    std::string bytes_;
};
