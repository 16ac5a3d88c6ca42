#include "compressor.h"

#include "base/buffer.h"
#include "base/error.h"

#include <isa-l.h>
#include <vector>
#include <zstd.h>

namespace image {
namespace {

// ISA-L level 1: 567 MB/s a core at a ratio of 0.419 where level 2 has 495 at 0.414 and level 3
// 284 at 0.408 (docs/performance.md). Levels 1 and 2 give the same bytes with SSE4.2, AVX2 and
// AVX-512 (tried with qemu's Nehalem and Haswell against a real AVX-512 machine); level 3 does
// not, and without SSE4.2 (x86 before 2008) none does. So level 1: the image digest must not
// depend on the machine.
constexpr int gzip_level = 1;
// zstd 1 is as quick and 5 % smaller; level 3 halves the speed for 4 % more.
constexpr int zstd_level = 1;

class Gzip : public Compressor {
  public:
    Gzip()
        : workspace_(base::take_buffer(ISAL_DEF_LVL1_DEFAULT)), out_(base::take_buffer(out_size)) {
        isal_deflate_init(&stream_);
        stream_.level = gzip_level;
        stream_.level_buf = reinterpret_cast<std::uint8_t*>(workspace_.get());
        stream_.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    }

    void feed(std::string_view bytes, bool last, const Sink& sink) override {
        if (!started_) {
            // Written by us: time 0, OS "unknown" (255), so that no library's default shows.
            sink(std::string_view("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10));
            stream_.gzip_flag = IGZIP_GZIP_NO_HDR; // the trailer is still written
            started_ = true;
        }
        stream_.next_in =
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(bytes.data())); // it only reads
        stream_.avail_in = static_cast<std::uint32_t>(bytes.size());
        stream_.end_of_stream = last ? 1 : 0;
        stream_.flush = NO_FLUSH;
        do {
            stream_.next_out = reinterpret_cast<std::uint8_t*>(out_.get());
            stream_.avail_out = out_size;
            if (isal_deflate(&stream_) != COMP_OK)
                throw base::Error(base::ErrorKind::internal, "could not compress a layer");
            sink({out_.get(), out_size - stream_.avail_out});
        } while (stream_.avail_out == 0 || (last && stream_.internal_state.state != ZSTATE_END));
    }

  private:
    static constexpr std::uint32_t out_size = 2u << 20;
    isal_zstream stream_{};
    base::Buffer workspace_, out_; // not zeroed: half of a small layer's time
    bool started_ = false;
};

class Zstd : public Compressor {
  public:
    Zstd() : context_(ZSTD_createCCtx(), ZSTD_freeCCtx), out_(ZSTD_CStreamOutSize()) {
        if (!context_) throw std::bad_alloc();
        check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, zstd_level));
        check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
    }

    void feed(std::string_view bytes, bool last, const Sink& sink) override {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        while (true) {
            ZSTD_outBuffer out{out_.data(), out_.size(), 0};
            const auto left = check(ZSTD_compressStream2(context_.get(), &out, &in,
                                                         last ? ZSTD_e_end : ZSTD_e_continue));
            sink({out_.data(), out.pos});
            if (last ? left == 0 : in.pos == in.size) return;
        }
    }

  private:
    static std::size_t check(std::size_t result) {
        if (ZSTD_isError(result))
            throw base::Error(base::ErrorKind::internal,
                              std::string("could not compress a layer: ") +
                                  ZSTD_getErrorName(result));
        return result;
    }
    std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
    std::vector<char> out_;
};

class Plain : public Compressor {
  public:
    void feed(std::string_view bytes, bool, const Sink& sink) override { sink(bytes); }
};

} // namespace

std::unique_ptr<Compressor> make_compressor(Compression compression) {
    switch (compression) {
    case Compression::gzip:
        return std::make_unique<Gzip>();
    case Compression::zstd:
        return std::make_unique<Zstd>();
    case Compression::none:
        break;
    }
    return std::make_unique<Plain>();
}

std::string_view to_string(Compression compression) noexcept {
    constexpr std::string_view names[] = {"gzip", "zstd", "none"};
    return names[static_cast<std::size_t>(compression)];
}

std::optional<Compression> parse_compression(std::string_view name) noexcept {
    for (const auto compression : {Compression::gzip, Compression::zstd, Compression::none})
        if (name == to_string(compression)) return compression;
    return std::nullopt;
}

std::string compressor_of(Compression compression) {
    switch (compression) {
    case Compression::gzip:
        return "ISA-L " + std::to_string(ISAL_MAJOR_VERSION) + "." +
               std::to_string(ISAL_MINOR_VERSION) + "." + std::to_string(ISAL_PATCH_VERSION) +
               " level " + std::to_string(gzip_level);
    case Compression::zstd:
        return std::string("zstd ") + ZSTD_versionString() + " level " + std::to_string(zstd_level);
    case Compression::none:
        break;
    }
    return {};
}

std::string_view layer_media_type(Compression compression) {
    switch (compression) {
    case Compression::gzip:
        return media_type::layer_gzip;
    case Compression::zstd:
        return media_type::layer_zstd;
    case Compression::none:
        break;
    }
    return media_type::layer_tar;
}

} // namespace image
