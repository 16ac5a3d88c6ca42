// One request of a connection while its handler answers it. Private to the server.
#pragma once

#include "request_reader.h"
#include "stream.h"

#include "http/server.h"

namespace http {

class ServedExchange : public Exchange {
  public:
    // `may_keep_alive`: the server takes a next request on this connection.
    ServedExchange(Stream& stream, RequestReader& reader, const RequestHead& head,
                   bool may_keep_alive);

    const RequestHead& head() const override { return head_; }
    std::size_t read_body(char* buffer, std::size_t size) override;
    void send(const Reply& reply) override;
    void start(int status, const HeaderList& headers) override;
    void write(std::string_view bytes) override;
    void finish() override;
    bool is_started() const override { return status_ != 0; }
    Framing framing() const override;
    std::unique_ptr<Connection> take() override;
    std::unique_ptr<Connection> accept_websocket() override;
    bool peer_left() const override { return taken_ || stream_.peer_left(); }
    int fd() const override { return stream_.fd(); }

    int status() const noexcept { return status_; } // 0 before it was sent
    bool is_finished() const noexcept { return finished_; }
    bool is_taken() const noexcept { return taken_; }
    // After the answer: whether the connection is ready for a next request. Drops what is left of
    // a short body.
    bool settle();

  private:
    void begin();
    std::unique_ptr<Connection> hand_over();

    Stream& stream_;
    RequestReader& reader_;
    const RequestHead& head_;
    const bool may_keep_alive_;
    const bool wants_no_body_; // HEAD
    int status_ = 0;
    int refusal_ = 0; // of a body that could not be read
    bool keeps_alive_ = false;
    bool chunked_ = false;
    bool finished_ = false;
    bool taken_ = false;
};

} // namespace http
