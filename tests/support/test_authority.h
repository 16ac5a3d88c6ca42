// Certificates and tokens that real servers believe in a test, made by the openssl program in a
// temporary directory. One thread; issue() from any.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <chrono>
#include <string>

class TestAuthority {
  public:
    TestAuthority() : directory_("authority") {
        openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                 "/CN=authority", "-keyout", key(), "-out", certificate()});
    }

    std::string certificate() const { return path("ca.pem"); }
    std::string key() const { return path("ca.key"); }
    std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

    // NAME.pem and NAME.key, signed by the authority. extension: "subjectAltName=...", say.
    void sign(const std::string& name, const std::string& extension) {
        openssl({"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout",
                 path(name + ".key"), "-out", path(name + ".csr")});
        base::write_file(path(name + ".ext"), extension + "\n");
        openssl({"x509", "-req", "-days", "2", "-in", path(name + ".csr"), "-CA", certificate(),
                 "-CAkey", key(), "-CAcreateserial", "-extfile", path(name + ".ext"), "-out",
                 path(name + ".pem")});
    }

    // A token as distribution's specification wants it (JWT, RS256, x5c).
    // access: the JSON list. expires: from now on, may be negative.
    std::string issue(const std::string& access, std::chrono::seconds expires) const {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
        const auto header = R"({"typ":"JWT","alg":"RS256","x5c":[")" + chain() + "\"]}";
        const auto claims = R"({"iss":"test","sub":"me","aud":"registry","jti":"1","nbf":)" +
                            std::to_string(now - 600) + ",\"iat\":" + std::to_string(now - 600) +
                            ",\"exp\":" + std::to_string(now + expires.count()) +
                            ",\"access\":" + access + "}";
        const auto text = for_url(base64(header)) + "." + for_url(base64(claims));
        return text + "." +
               for_url(base64(run({"openssl", "dgst", "-sha256", "-sign", key()}, text)));
    }
    // For docker-registry's configuration.
    std::string token_auth(const std::string& realm) const {
        return "token: {realm: '" + realm +
               "', service: registry, issuer: test, rootcertbundle: " + certificate() + "}";
    }

  private:
    static std::string run(std::vector<std::string> argv, std::string_view input = {}) {
        const auto result = base::run({.argv = argv, .environment = base::minimal_environment()},
                                      base::Stop().within(std::chrono::seconds(60)), input);
        if (!result.status.ok())
            throw base::Error(base::ErrorKind::internal, argv[0] + " failed: " + result.error);
        return result.output;
    }
    static void openssl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "openssl");
        run(std::move(arguments));
    }
    static std::string base64(std::string_view bytes) {
        return run({"openssl", "base64", "-A"}, bytes);
    }
    static std::string for_url(std::string text) {
        while (text.ends_with('=')) text.pop_back();
        for (auto& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
        return text;
    }
    std::string chain() const {
        return base64(run({"openssl", "x509", "-in", certificate(), "-outform", "DER"}));
    }

    base::TempDir directory_;
};
