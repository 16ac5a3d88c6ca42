// Texts of the configuration to values. Each throws Error{invalid_input} that says what it wanted.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace server {

std::uint64_t parse_number(std::string_view text, std::uint64_t least);
double parse_real(std::string_view text);        // not negative
std::uint64_t parse_size(std::string_view text); // "512M", "4G", bytes without a letter
std::string show_size(std::uint64_t bytes);
std::chrono::seconds parse_duration(std::string_view text); // "30s", "10m", "2h", seconds
std::string show_duration(std::chrono::seconds duration);
std::vector<std::string> parse_list(std::string_view text);            // separated by commas
std::map<std::string, std::string> parse_table(std::string_view text); // "K=V K=V"
std::string one_of(std::string_view text, const std::vector<std::string>& words);
std::string join(const std::vector<std::string>& words, std::string_view between);
std::filesystem::path absolute_path(std::string_view text, const std::filesystem::path& base);

struct Address {
    std::string host; // without brackets
    std::uint16_t port = 0;
    std::string render() const; // "[::1]:22"
};
Address parse_address(std::string_view text); // "127.0.0.1:2222", "[::]:2222"
bool is_loopback(const std::string& host);
bool is_everywhere(const std::string& host); // "0.0.0.0", "::"
// "https://builds.example.com" without a slash at its end; empty stays empty.
std::string parse_base_url(std::string_view text);

} // namespace server
