// What OpenSSL gives, held by the types of C++; for the sources that call it.
#pragma once

#include "base/error.h"

#include <memory>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <string>
#include <string_view>

namespace base::openssl {

template <auto free>
struct Free {
    template <class T>
    void operator()(T* thing) const {
        free(thing);
    }
};
template <class T, auto free>
using Owned = std::unique_ptr<T, Free<free>>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Memory = Owned<BIO, BIO_free_all>;
using Digesting = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

inline void require(bool worked, const char* what) {
    if (!worked) throw Error(ErrorKind::internal, std::string("OpenSSL could not ") + what);
}

inline const unsigned char* as_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

inline std::string written(BIO* memory) {
    char* text = nullptr;
    const auto size = BIO_get_mem_data(memory, &text);
    return {text, static_cast<std::size_t>(size)};
}

// Of a base::PublicKey.
inline EVP_PKEY* pkey(const std::shared_ptr<const void>& key) {
    return static_cast<EVP_PKEY*>(const_cast<void*>(key.get()));
}

} // namespace base::openssl
