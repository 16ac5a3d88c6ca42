#include "base/crypto.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <sys/stat.h>

using base::Error;
using base::ErrorKind;
using base::KeyRing;

namespace {

template <class F>
ErrorKind kind_of(F&& f) {
    try {
        f();
    } catch (const Error& error) {
        return error.kind();
    }
    return ErrorKind::internal;
}

unsigned mode_of(const std::filesystem::path& file) {
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

struct Directory {
    base::TempDir directory{"crypto"};
    std::filesystem::path file = directory.path() / "secrets.key";
};

} // namespace

TEST_CASE("SHA-256 and HMAC-SHA-256 give the values of their specifications") {
    // FIPS 180-2, appendix B; RFC 4231, test cases 1, 2 and 6.
    CHECK(base::sha256_hex("abc") ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(base::sha256_hex("") ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(base::hmac_sha256_hex(std::string(20, '\x0b'), "Hi There") ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(base::hmac_sha256_hex("Jefe", "what do ya want for nothing?") ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(base::hmac_sha256_hex(std::string(131, '\xaa'),
                                "Test Using Larger Than Block-Size Key - Hash Key First") ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("base64 gives RFC 4648's values and takes them back") {
    const std::pair<const char*, const char*> values[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : values) {
        CHECK(base::base64_encode(plain) == encoded);
        CHECK(base::base64_decode(encoded) == plain);
    }
    CHECK(base::base64url_encode("\xfb\xff\xfe") == "-__-");
    CHECK(base::base64url_encode("f") == "Zg");
    const std::string zeros("\0\0\xff\0", 4);
    CHECK(base::base64_decode(base::base64_encode(zeros)) == zeros);
}

TEST_CASE("what is no base64 is refused") {
    for (const char* text :
         {"Zg", "Zg=", "Z===", "====", "Zg=A", "Zm9v Zm8=", "Zm9v\nZm8=", "????"})
        CHECK(kind_of([&] { base::base64_decode(text); }) == ErrorKind::invalid_input);
}

TEST_CASE("texts are compared whole") {
    CHECK(base::equal_in_constant_time("same", "same"));
    CHECK_FALSE(base::equal_in_constant_time("same", "sane"));
    CHECK_FALSE(base::equal_in_constant_time("same", "same "));
    CHECK(base::equal_in_constant_time("", ""));
}

TEST_CASE("random tokens have letters and digits alone and do not repeat") {
    std::set<std::string> seen;
    std::set<char> letters;
    for (int i = 0; i < 200; ++i) {
        const auto token = base::random_token(40);
        REQUIRE(token.size() == 40);
        seen.insert(token);
        letters.insert(token.begin(), token.end());
    }
    CHECK(seen.size() == 200);
    CHECK(letters.size() == 62); // 8000 letters: one that is missing is a generator's fault
    CHECK(std::all_of(letters.begin(), letters.end(),
                      [](unsigned char c) { return std::isalnum(c) != 0; }));
}

TEST_CASE("a key ring opens what it sealed, also after it was read from its file again") {
    Directory in;
    std::string sealed;
    const std::string value("postgres://u:p@h/db\0with a zero\n", 32);
    {
        const auto ring = KeyRing::open(in.file);
        sealed = ring.seal(value, "app/hello/DATABASE_URL");
        CHECK(ring.unseal(sealed, "app/hello/DATABASE_URL").reveal() == value);
        CHECK(ring.unseal(ring.seal("", "x"), "x").reveal().empty());
    }
    CHECK(KeyRing::open(in.file).unseal(sealed, "app/hello/DATABASE_URL").reveal() == value);
    CHECK(sealed.starts_with("v1:"));
    CHECK(sealed.find("postgres") == std::string::npos);
}

TEST_CASE("a ring opens a text that another AES-256-GCM sealed") {
    // By Python's cryptography 48: AESGCM(bytes(range(32))).encrypt(bytes(range(12)),
    // b"hello", b"v1:fixed:app/hello/GREETING"). It fixes the form of what is stored.
    Directory in;
    base::write_file(in.file, "fixed AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0600);
    CHECK(KeyRing::open(in.file)
              .unseal("v1:fixed:AAECAwQFBgcICQoLL2e6d6rHvYZFl9iKayeyomkq/Esx", "app/hello/GREETING")
              .reveal() == "hello");
}

TEST_CASE("the same text is sealed differently each time") {
    Directory in;
    const auto ring = KeyRing::open(in.file);
    CHECK(ring.seal("value", "context") != ring.seal("value", "context"));
}

TEST_CASE("a sealed text that was moved to another place does not open") {
    Directory in;
    const auto ring = KeyRing::open(in.file);
    const auto sealed = ring.seal("value", "app/hello/TOKEN");
    CHECK(kind_of([&] { ring.unseal(sealed, "app/other/TOKEN"); }) == ErrorKind::denied);
    CHECK(kind_of([&] { ring.unseal(sealed, "app/hello/TOKEN2"); }) == ErrorKind::denied);
}

TEST_CASE("a sealed text does not open once any part of it was changed") {
    Directory in;
    const auto ring = KeyRing::open(in.file);
    const auto sealed = ring.seal("8 bytes!", "context"); // 36 bytes: no padding
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        auto changed = sealed;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        INFO("character " << i);
        CHECK(kind_of([&] { ring.unseal(changed, "context"); }) == ErrorKind::denied);
    }
    for (std::size_t size = 0; size < sealed.size(); ++size)
        CHECK(kind_of([&] { ring.unseal(sealed.substr(0, size), "context"); }) ==
              ErrorKind::denied);
}

TEST_CASE("another server's key does not open a text, and the error names the key") {
    Directory mine, theirs;
    const auto sealed = KeyRing::open(theirs.file).seal("value", "context");
    try {
        KeyRing::open(mine.file).unseal(sealed, "context");
        FAIL("it opened");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::denied);
        CHECK(error.message().find(sealed.substr(3, 8)) != std::string::npos);
    }
}

TEST_CASE("rotation seals by a fresh key, opens what the old one sealed, then forgets it") {
    Directory in;
    auto ring = KeyRing::open(in.file);
    const auto old = ring.seal("value", "context");
    CHECK_FALSE(ring.is_stale(old));
    ring.rotate();
    CHECK(ring.is_stale(old));
    CHECK(ring.unseal(old, "context").reveal() == "value");
    const auto fresh = ring.seal("value", "context");
    CHECK_FALSE(ring.is_stale(fresh));
    CHECK(fresh.substr(0, 11) != old.substr(0, 11));
    // A server that was killed here finds both in the file.
    CHECK(KeyRing::open(in.file).unseal(old, "context").reveal() == "value");
    ring.forget_old();
    CHECK(ring.unseal(fresh, "context").reveal() == "value");
    CHECK(kind_of([&] { ring.unseal(old, "context"); }) == ErrorKind::denied);
    CHECK(kind_of([&] { KeyRing::open(in.file).unseal(old, "context"); }) == ErrorKind::denied);
    CHECK(KeyRing::open(in.file).unseal(fresh, "context").reveal() == "value");
}

TEST_CASE("the key file is its owner's alone, whatever the umask, also after a rotation") {
    Directory in;
    const auto before = ::umask(0);
    auto ring = KeyRing::open(in.file);
    CHECK(mode_of(in.file) == 0600);
    ring.rotate();
    ::umask(before);
    CHECK(mode_of(in.file) == 0600);
    // No draft stays beside it.
    const auto files = std::filesystem::directory_iterator(in.directory.path());
    CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("a key file that others may read or change is refused with the way out") {
    for (const unsigned mode : {0640u, 0604u, 0620u, 0601u}) {
        Directory in;
        KeyRing::open(in.file);
        REQUIRE(::chmod(in.file.c_str(), mode) == 0);
        try {
            KeyRing::open(in.file);
            FAIL("it opened with mode " << mode);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::denied);
            CHECK(error.hint().find("chmod 600") != std::string::npos);
        }
    }
}

TEST_CASE("a key file that was cut off anywhere is refused and left as it is") {
    Directory in;
    {
        auto ring = KeyRing::open(in.file);
        ring.rotate();
    }
    const auto whole = base::read_file(in.file);
    const auto first_line = whole.find('\n') + 1;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        if (size == first_line) continue; // a file with one key
        base::write_file(in.file, std::string_view(whole).substr(0, size), 0600);
        INFO(size << " bytes");
        CHECK(kind_of([&] { KeyRing::open(in.file); }) == ErrorKind::invalid_input);
        CHECK(base::read_file(in.file).size() == size);
    }
}

TEST_CASE("a key file of another form is refused") {
    const std::string good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const std::vector<std::string> wrong{"\n",
                                         "k1\n",
                                         "k1 \n",
                                         " " + good + "\n",
                                         "k:1 " + good + "\n",
                                         "k1 AAAA\n",
                                         "k1 " + good + " \n",
                                         "k1 " + good + "\nk1 " + good + "\n",
                                         "k1 " + good + "\r\n"};
    for (const auto& text : wrong) {
        Directory in;
        base::write_file(in.file, text, 0600);
        INFO(text);
        CHECK(kind_of([&] { KeyRing::open(in.file); }) == ErrorKind::invalid_input);
    }
}

TEST_CASE("a rotation that cannot be written changes nothing") {
    Directory in;
    auto ring = KeyRing::open(in.file);
    const auto sealed = ring.seal("value", "context");
    const auto away = in.directory.path().string() + ".away";
    std::filesystem::rename(in.directory.path(), away);
    CHECK_THROWS_AS(ring.rotate(), Error);
    std::filesystem::rename(away, in.directory.path());
    CHECK_FALSE(ring.is_stale(sealed));
    CHECK(KeyRing::open(in.file).unseal(ring.seal("x", "y"), "y").reveal() == "x");
}
