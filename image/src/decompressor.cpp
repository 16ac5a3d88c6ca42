#include "decompressor.h"

#include "base/error.h"

#include <cstring>
#include <isa-l/igzip_lib.h>
#include <vector>
#include <zstd.h>

namespace image {
namespace {

[[noreturn]] void damaged(const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      std::string("the compressed data is damaged: ") + why);
}

// Compressed bytes in hand: [begin, end) of a buffer that is filled again when it is used up.
class Input {
  public:
    explicit Input(ByteSource source) : source_(std::move(source)), buffer_(256u << 10) {}

    std::string_view rest() {
        if (begin_ == end_) {
            begin_ = 0;
            end_ = source_(buffer_.data(), buffer_.size());
        }
        return {buffer_.data() + begin_, end_ - begin_};
    }
    void use(std::size_t n) { begin_ += n; }

    // At least four bytes, unless the stream is shorter.
    std::string_view look_ahead() {
        while (end_ - begin_ < 4) {
            const auto n = source_(buffer_.data() + end_, buffer_.size() - end_);
            if (n == 0) break;
            end_ += n;
        }
        return {buffer_.data() + begin_, end_ - begin_};
    }

  private:
    ByteSource source_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;
};

class Gunzip : public Decompressor {
  public:
    explicit Gunzip(Input input) : input_(std::move(input)) { start_member(); }

    std::size_t read(char* buffer, std::size_t size) override {
        state_->next_out = reinterpret_cast<std::uint8_t*>(buffer);
        state_->avail_out = static_cast<std::uint32_t>(size);
        while (state_->avail_out == size) {
            const auto in = input_.rest();
            if (state_->block_state == ISAL_BLOCK_FINISH) {
                if (in.empty()) return 0;
                start_member();
            }
            state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(in.data()));
            state_->avail_in = static_cast<std::uint32_t>(in.size());
            const int result = isal_inflate(state_.get());
            if (result < 0 || result == ISAL_NEED_DICT) damaged("it is not gzip");
            input_.use(in.size() - state_->avail_in);
            if (in.empty() && state_->avail_out == size && state_->block_state != ISAL_BLOCK_FINISH)
                damaged("it ends too early");
        }
        return size - state_->avail_out;
    }

  private:
    void start_member() {
        const auto out = state_->next_out;
        const auto room = state_->avail_out;
        isal_inflate_init(state_.get());
        state_->crc_flag = ISAL_GZIP; // header read, checksum verified
        state_->next_out = out;
        state_->avail_out = room;
    }
    Input input_;
    std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};

class Unzstd : public Decompressor {
  public:
    explicit Unzstd(Input input)
        : input_(std::move(input)), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
        if (!context_) throw std::bad_alloc();
        // The encoder's --ultra levels need it; more would let a few bytes claim gigabytes.
        ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 27);
    }

    std::size_t read(char* buffer, std::size_t size) override {
        ZSTD_outBuffer out{buffer, size, 0};
        while (out.pos == 0) {
            const auto bytes = input_.rest();
            if (bytes.empty() && frame_done_) return 0;
            ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
            const auto left = ZSTD_decompressStream(context_.get(), &out, &in);
            if (ZSTD_isError(left)) damaged(ZSTD_getErrorName(left));
            input_.use(in.pos);
            if (bytes.empty() && out.pos == 0) damaged("it ends too early");
            frame_done_ = left == 0;
        }
        return out.pos;
    }

  private:
    Input input_;
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
    bool frame_done_ = false;
};

class Unchanged : public Decompressor {
  public:
    explicit Unchanged(Input input) : input_(std::move(input)) {}
    std::size_t read(char* buffer, std::size_t size) override {
        const auto bytes = input_.rest().substr(0, size);
        std::memcpy(buffer, bytes.data(), bytes.size());
        input_.use(bytes.size());
        return bytes.size();
    }

  private:
    Input input_;
};

} // namespace

std::unique_ptr<Decompressor> open_decompressor(ByteSource source) {
    Input input(std::move(source));
    const auto magic = input.look_ahead();
    if (magic.starts_with("\x1f\x8b")) return std::make_unique<Gunzip>(std::move(input));
    if (magic.starts_with("\x28\xb5\x2f\xfd")) return std::make_unique<Unzstd>(std::move(input));
    return std::make_unique<Unchanged>(std::move(input));
}

} // namespace image
