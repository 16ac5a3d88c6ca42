// Every sealed text of the database, whatever table it stands in: for a rotation of the keys. It
// never holds a plain one. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apps {

class Database;

struct SealedText {
    std::string context; // that it was sealed with
    std::string sealed;
    // Where it stands: list() fills these in, replace() reads them.
    std::string table, column, key, name;
};

class SealedTexts {
  public:
    explicit SealedTexts(Database& database) : database_(database) {}
    // What is not a sealed text (empty, or from before such texts were sealed) is left out.
    std::vector<SealedText> list();
    // False: somebody else has changed or removed it since; then nothing happens.
    bool replace(const SealedText& text, std::string_view sealed);

  private:
    Database& database_;
};

} // namespace apps
