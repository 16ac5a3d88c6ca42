#include "engine/sandbox.h"

#include "bundle.h"
#include "cgroup.h"
#include "container.h"
#include "frames.h"
#include "mounts.h"
#include "network.h"

#include "base/error.h"
#include "base/text.h"
#include "launcher/init_protocol.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

// The overlay under the container, and the files of /etc that a build needs to find its way.
class Root {
  public:
    explicit Root(const SandboxSpec& spec) : path_(spec.scratch / "root") {
        for (const char* name : {"root", "upper", "work", "bundle", "etc"})
            if (!fs::create_directory(spec.scratch / name))
                throw base::Error(base::ErrorKind::internal,
                                  "the sandbox's directory is not empty: " + spec.scratch.string());
        mount_overlay(spec.root_layers, spec.scratch / "upper", spec.scratch / "work", path_);
    }
    ~Root() { ::umount2(path_.c_str(), MNT_DETACH); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    const fs::path& path() const noexcept { return path_; }

  private:
    fs::path path_;
};

std::string host_resolver_configuration() {
    try {
        return base::read_file("/etc/resolv.conf");
    } catch (const base::Error&) { // then there is no search domain either
        return "";
    }
}

void write_etc(const SandboxSpec& spec, const fs::path& etc) {
    base::write_file(etc / "resolv.conf",
                     resolver_configuration(spec.network, host_resolver_configuration()));
    base::write_file(etc / "hosts",
                     "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t" + spec.hostname + "\n");
    base::write_file(etc / "hostname", spec.hostname + "\n");
}

// What is known of the commands that were asked for and have not ended.
struct Call {
    std::uint32_t id = 0;
    std::optional<base::ExitStatus> status;
};

// A program that is not there: init answers, and has killed all others before if it is "alone".
Invocation nothing(bool alone) {
    return {
        .argv = {"/slipway/nothing"}, .environment = {}, .working_directory = "/", .alone = alone};
}

class RunningSandbox final : public Sandbox {
  public:
    RunningSandbox(const SandboxSpec& spec, const base::Stop& stop);

    Result run(const Invocation& invocation, const Output& output,
               const base::Stop& stop) override {
        return execute(
                   {invocation}, [&](std::size_t, std::string_view bytes) { output(bytes); }, stop)
            .front();
    }

    std::vector<Result> run_all(const std::vector<Invocation>& invocations,
                                const std::function<void(std::size_t, std::string_view)>& output,
                                const base::Stop& stop) override {
        auto together = invocations;
        for (auto& invocation : together) invocation.alone = false;
        auto results = execute(together, output, stop);
        // Nothing that they left in the background may see what comes next.
        if (usable_)
            execute(
                {nothing(true)}, [](std::size_t, std::string_view) {}, stop);
        return results;
    }

    void end() override {
        usable_ = false;
        container_->end();
    }

  private:
    using IndexedOutput = std::function<void(std::size_t, std::string_view)>;

    std::vector<Result> execute(const std::vector<Invocation>& invocations,
                                const IndexedOutput& output, const base::Stop& stop);
    std::string begin(const std::vector<Invocation>& invocations);
    std::vector<base::ExitStatus> converse(std::string_view requests, const IndexedOutput& output,
                                           const base::Stop& stop);
    FrameReader::Sink sink_for(const IndexedOutput& output);
    bool exchange(std::string_view& requests, const base::Stop& stop);
    bool read_frames();
    void say_hello(const base::Stop& stop);
    std::optional<Cause> cause_since(const Refusals& before) const;
    [[noreturn]] void report_death();

    std::vector<fs::path> cgroups_;
    Root root_;
    NetworkNamespace network_;
    std::optional<Container> container_;
    std::uint32_t next_id_ = 1;
    std::vector<Call> calls_; // of the conversation that goes on
    FrameReader frames_;
    bool usable_ = true;
};

RunningSandbox::RunningSandbox(const SandboxSpec& spec, const base::Stop& stop)
    : cgroups_(spec.cgroups), root_(spec), network_(spec.network, spec.scratch, stop) {
    write_etc(spec, spec.scratch / "etc");
    base::write_file(
        spec.scratch / "bundle" / "config.json",
        render_config(
            spec, {.root = root_.path(), .etc = spec.scratch / "etc", .network = network_.path()}));
    container_.emplace(spec.runtime, spec.scratch, spec.cgroups);
    say_hello(stop);
    container_->remember_init();
}

// Init has no word for "I am up"; that a program is not there is an answer, too.
void RunningSandbox::say_hello(const base::Stop& stop) {
    const auto patience = stop.within(std::chrono::seconds(60));
    const auto request = begin({nothing(false)});
    const auto status = converse(
        request, [](std::size_t, std::string_view) {}, patience);
    if (status.front().code != launcher::status_not_found)
        throw base::Error(base::ErrorKind::internal, "slipway-init answered what it cannot know");
}

void RunningSandbox::report_death() {
    auto words = base::printable(base::trim(container_->last_words()));
    if (words.empty()) words = "it gave no reason";
    throw base::Error(base::ErrorKind::internal, "the sandbox ended: " + words,
                      "run \"slipway doctor\"");
}

FrameReader::Sink RunningSandbox::sink_for(const IndexedOutput& output) {
    // A request that is not ours, or has ended, is somebody's invention: not for the log.
    const auto find = [this](std::uint32_t id) {
        return std::find_if(calls_.begin(), calls_.end(),
                            [id](const Call& call) { return call.id == id && !call.status; });
    };
    return {.output =
                [this, find, &output](std::uint32_t id, std::string_view bytes) {
                    if (const auto call = find(id); call != calls_.end())
                        output(static_cast<std::size_t>(call - calls_.begin()), bytes);
                },
            .exit =
                [this, find](std::uint32_t id, base::ExitStatus status) {
                    if (const auto call = find(id); call != calls_.end()) call->status = status;
                }};
}

bool RunningSandbox::read_frames() {
    char buffer[64 * 1024];
    const ssize_t size = ::read(container_->output(), buffer, sizeof buffer);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size > 0) frames_.feed({buffer, static_cast<std::size_t>(size)});
    return size > 0;
}

// One turn of the loop; false when the sandbox has ended.
bool RunningSandbox::exchange(std::string_view& requests, const base::Stop& stop) {
    pollfd fds[] = {{container_->output(), POLLIN, 0},
                    {requests.empty() ? -1 : container_->input(), POLLOUT, 0},
                    {container_->errors(), POLLIN, 0},
                    {stop.fd(), POLLIN, 0}};
    if (::poll(fds, 4, stop.poll_timeout()) < 0 && errno != EINTR) base::throw_errno("poll");
    stop.throw_if_over("the build's command");
    if (fds[2].revents) container_->drain_errors();
    if (fds[1].revents) {
        const ssize_t sent = ::write(container_->input(), requests.data(), requests.size());
        if (sent > 0) requests.remove_prefix(static_cast<std::size_t>(sent));
        if (sent < 0 && errno != EAGAIN && errno != EINTR) requests = {}; // the end is on its way
    }
    return !fds[0].revents || read_frames();
}

// The requests' bytes; throws before anything was sent.
std::string RunningSandbox::begin(const std::vector<Invocation>& invocations) {
    std::string requests;
    calls_.clear();
    for (const auto& invocation : invocations) {
        calls_.push_back({.id = next_id_, .status = {}});
        requests += render_request(next_id_++, invocation);
    }
    return requests;
}

// Sends the requests and attends to the sandbox until each has its exit status.
std::vector<base::ExitStatus> RunningSandbox::converse(std::string_view requests,
                                                       const IndexedOutput& output,
                                                       const base::Stop& stop) {
    frames_.set_sink(sink_for(output));
    const auto running = [this] {
        return std::any_of(calls_.begin(), calls_.end(),
                           [](const Call& call) { return !call.status; });
    };
    while (running())
        if (!exchange(requests, stop)) {
            container_->drain_errors();
            report_death();
        }
    std::vector<base::ExitStatus> statuses;
    for (const auto& call : calls_) statuses.push_back(*call.status);
    return statuses;
}

std::optional<Cause> RunningSandbox::cause_since(const Refusals& before) const {
    const auto now = read_refusals(cgroups_);
    if (now.killed_for_memory > before.killed_for_memory) return Cause::out_of_memory;
    if (now.processes_refused > before.processes_refused) return Cause::too_many_processes;
    return std::nullopt;
}

std::vector<Result> RunningSandbox::execute(const std::vector<Invocation>& invocations,
                                            const IndexedOutput& output, const base::Stop& stop) {
    if (!usable_) throw base::Error(base::ErrorKind::internal, "the sandbox has ended already");
    const auto requests = begin(invocations);
    const auto before = read_refusals(cgroups_);
    std::vector<Result> results(invocations.size());
    try {
        const auto statuses = converse(requests, output, stop);
        for (std::size_t i = 0; i < results.size(); ++i) results[i].status = statuses[i];
    } catch (const base::Error& error) {
        usable_ = false;
        container_->kill();
        if (error.kind() != base::ErrorKind::internal || !cause_since(before)) throw;
        for (std::size_t i = 0; i < results.size(); ++i)
            results[i].status =
                calls_[i].status.value_or(base::ExitStatus{.code = 0, .signal = SIGKILL});
    } catch (...) {
        usable_ = false;
        container_->kill();
        throw;
    }
    const auto cause = cause_since(before);
    for (auto& result : results)
        if (!result.status.ok()) result.cause = cause;
    return results;
}

} // namespace

std::unique_ptr<Sandbox> Sandbox::start(const SandboxSpec& spec, const base::Stop& stop) {
    return std::make_unique<RunningSandbox>(spec, stop);
}

} // namespace engine
