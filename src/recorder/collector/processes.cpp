#include <recorder/collector/processes.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <recorder/collector/wire_source.hpp>
#include <sstream>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace allot::recorder {
namespace {

constexpr std::uint64_t programs_interval_ns = 20'000'000;
constexpr std::uint64_t ends_interval_ns = 5'000'000;
constexpr std::uint64_t attach_time_ns = 60'000'000; // from an exec to the new program's entry, generously
constexpr std::size_t command_bytes_max = 64 * 1024;

int open_pidfd(std::uint32_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0u));
}

bool is_gone(std::uint32_t pid) { return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH; }

std::string proc_path(std::uint32_t pid, const std::string& name) {
    return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string read_link(std::uint32_t pid, const std::string& name) {
    char text[4096];
    const ssize_t bytes = ::readlink(proc_path(pid, name).c_str(), text, sizeof text);
    return bytes <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(bytes));
}

const char* reason_text(std::uint32_t reason) {
    switch (reason) {
    case ALLOT_REASON_OWN_MALLOC: return "the program defines malloc itself";
    case ALLOT_REASON_SANITIZER: return "built with a sanitizer, which owns malloc";
    default: return "";
    }
}

} // namespace

std::string read_proc(std::uint32_t pid, const std::string& name, std::size_t limit) {
    std::string text;
    const int file = ::open(proc_path(pid, name).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return text;
    text.resize(limit);
    std::size_t have = 0;
    for (ssize_t got = 1; got > 0 && have < limit; have += got > 0 ? static_cast<std::size_t>(got) : 0)
        got = ::read(file, text.data() + have, limit - have);
    ::close(file);
    text.resize(have);
    return text;
}

processes::processes(segment& file, tables& all, call_tree& tree, process_inspector* inspector)
    : file_(file), all_(all), tree_(tree), inspector_(inspector), by_entry_(file.process_count()) {
    tree.set_module_reader(this);
}

processes::~processes() {
    for (const auto& each : running_)
        if (each->pidfd >= 0) ::close(each->pidfd);
}

bool processes::look(std::uint64_t now_stamp, std::uint64_t now_ns, bool ends_now) {
    bool changed = find_new();
    if (ends_now || now_ns - ends_ns_ >= ends_interval_ns) {
        ends_ns_ = now_ns;
        changed = find_ends(now_stamp) || changed;
    }
    if (now_ns - programs_ns_ >= programs_interval_ns) {
        programs_ns_ = now_ns;
        look_at_programs(now_stamp, now_ns);
    }
    return changed;
}

bool processes::find_new() {
    if (__atomic_load_n(&file_.header().process_serial, __ATOMIC_ACQUIRE) == serials_seen_) return false;
    std::vector<std::uint32_t> fresh;
    for (std::uint32_t entry = 0; entry < file_.process_count(); ++entry)
        if (by_entry_[entry] == nullptr &&
            __atomic_load_n(&file_.process(entry)->state, __ATOMIC_ACQUIRE) == ALLOT_LIVE)
            fresh.push_back(entry);
    std::sort(fresh.begin(), fresh.end(), [&](std::uint32_t a, std::uint32_t b) {
        return file_.process(a)->serial < file_.process(b)->serial;
    });
    for (std::uint32_t entry : fresh) enter(entry);
    return !fresh.empty();
}

void processes::enter(std::uint32_t entry) {
    ++serials_seen_;
    const allot_wire_process& wire = *file_.process(entry);
    for (const auto& old : running_)
        if (old->pid == wire.pid && !old->ended) end_by_exec(*old, wire.start_stamp);
    auto made = std::make_unique<process>();
    made->entry = entry;
    made->serial = wire.serial;
    made->pid = wire.pid;
    made->alive_stamp = wire.start_stamp;
    made->record = all_.processes.add({.serial = wire.serial,
                                       .start_stamp = wire.start_stamp,
                                       .entry = entry,
                                       .pid = wire.pid,
                                       .parent_pid = wire.parent_pid,
                                       .observed = wire.reason == ALLOT_REASON_NONE,
                                       .live_basis = wire.live_basis,
                                       .own_operator_new = wire.own_operator_new});
    if (made->record == none) { // more processes than a recording holds: this one keeps its entry, unread
        by_entry_[entry] = &lost_;
        __atomic_fetch_add(&file_.header().processes_lost, 1u, __ATOMIC_RELAXED);
        return;
    }
    if (wire.reason != ALLOT_REASON_NONE)
        all_.processes[made->record].reason = all_.add_text(reason_text(wire.reason));
    made->blobs = std::make_unique<process_blobs>(file_, entry);
    made->pidfd = open_pidfd(made->pid);
    struct stat status{};
    if (::stat(proc_path(made->pid, "exe").c_str(), &status) == 0) {
        made->device = status.st_dev;
        made->inode = status.st_ino;
    }
    made->comm = read_proc(made->pid, "comm", 64);
    process& entered = *made;
    by_entry_[entry] = made.get();
    running_.push_back(std::move(made));
    read_blobs(entered);
    if (process_record& record = all_.processes[entered.record];
        wire.forked != 0 && record.command.bytes == 0)
        for (std::uint32_t parent = entered.record;
             parent-- != 0;) // the newest program under the parent's pid
            if (all_.processes[parent].pid == wire.parent_pid) {
                record.command = all_.processes[parent].command;
                if (record.executable.bytes == 0) record.executable = all_.processes[parent].executable;
                break;
            }
}

void processes::read_blobs(process& which) {
    if (which.blobs == nullptr) return;
    which.blobs->read([&](const allot_wire_record& head, std::span<const std::byte> rest) {
        process_record& record = all_.processes[which.record];
        if (head.kind == ALLOT_BLOB_COMMAND && record.command.bytes == 0) {
            record.command = all_.add_text(as_text(rest));
        } else if (head.kind == ALLOT_BLOB_EXECUTABLE && record.executable.bytes == 0) {
            which.executable = as_text(rest);
            if (!which.executable.empty() && which.executable.back() == '\0') which.executable.pop_back();
            record.executable = all_.add_text(which.executable);
        } else if (head.kind == ALLOT_BLOB_MODULE && rest.size() >= sizeof(allot_wire_module) - sizeof head) {
            allot_wire_module module{};
            module.record = head;
            std::memcpy(reinterpret_cast<std::byte*>(&module) + sizeof head, rest.data(),
                        sizeof module - sizeof head);
            rest = rest.subspan(sizeof module - sizeof head);
            if (module.build_id_bytes > 64 || module.build_id_bytes > rest.size()) return;
            tree_.add_module(which.record, module, as_text(rest.subspan(module.build_id_bytes)),
                             rest.first(module.build_id_bytes));
        }
    });
}

void processes::read_modules(std::uint32_t record) {
    if (process* which = of_record(record)) read_blobs(*which);
}

bool processes::find_ends(std::uint64_t now_stamp) {
    std::vector<pollfd> asked;
    for (const auto& each : running_)
        if (!each->ended && each->pidfd >= 0) asked.push_back({each->pidfd, POLLIN, 0});
    if (!asked.empty() && ::poll(asked.data(), asked.size(), 0) < 0)
        for (pollfd& each : asked) each.revents = 0;
    std::vector<process*> gone;
    auto answer = asked.begin();
    for (const auto& each : running_) {
        if (each->ended) continue;
        if (each->pidfd >= 0 ? (answer++)->revents != 0 : is_gone(each->pid))
            gone.push_back(each.get());
        else if (each->changed_ns == 0)
            each->alive_stamp = std::max(each->alive_stamp, now_stamp);
    }
    if (gone.empty()) return false;
    // Whatever programs these became since the last look have their entries by now: those ended by exec.
    find_new();
    for (process* each : gone) {
        if (each->ended) continue;
        each->ended = true;
        take_exit(*each);
    }
    return true;
}

void processes::take_exit(process& which) {
    process_record& record = all_.processes[which.record];
    if (which.entry == none) return;
    const allot_wire_process& wire = *file_.process(which.entry);
    if (__atomic_load_n(&wire.exit_known, __ATOMIC_ACQUIRE) == 0) return;
    record.how = static_cast<std::uint32_t>(process_exit::kind::code);
    record.value = wire.exit_code & 0xff;
}

void processes::end_by_exec(process& old, std::uint64_t stamp) {
    old.ended = true;
    old.alive_stamp = stamp;
    take_exit(old); // its pid came around again
    process_record& record = all_.processes[old.record];
    if (record.how == static_cast<std::uint32_t>(process_exit::kind::unknown))
        record.how = static_cast<std::uint32_t>(process_exit::kind::exec);
}

void processes::look_at_programs(std::uint64_t now_stamp, std::uint64_t now_ns) {
    for (std::size_t index = 0, count = running_.size(); index < count; ++index) // one may be added
        if (!running_[index]->ended && running_[index]->entry != none)
            look_at_program(*running_[index], now_stamp, now_ns);
}

void processes::look_at_program(process& which, std::uint64_t now_stamp, std::uint64_t now_ns) {
    struct stat status{};
    bool changed = false;
    if (::stat(proc_path(which.pid, "exe").c_str(), &status) == 0) {
        // Seen first after it had become another program already: then the file it named itself is not this
        // one.
        struct stat named{};
        const bool early = which.changed_ns == 0 && !which.executable.empty() &&
                           ::stat(which.executable.c_str(), &named) == 0 &&
                           (named.st_dev != status.st_dev || named.st_ino != status.st_ino) &&
                           read_link(which.pid, "root") == "/" &&
                           read_link(which.pid, "exe") != which.executable + " (deleted)";
        if (early) { // so that the next look sees the change as well
            which.device = named.st_dev;
            which.inode = named.st_ino;
        }
        changed = status.st_dev != which.device || status.st_ino != which.inode;
    } else if (errno == EACCES) { // a privileged program, or one that only hides itself
        changed = read_proc(which.pid, "comm", 64) != which.comm;
    }
    if (!changed) {
        which.changed_ns = 0;
    } else if (which.changed_ns == 0) {
        which.changed_ns = now_ns;
        which.changed_stamp = now_stamp;
    } else if (now_ns - which.changed_ns >= attach_time_ns && !find_new() && !which.ended) {
        if (maps_segment(which.pid)) { // the same program yet: Valgrind's, say, is not the file it runs
            which.device = status.st_dev;
            which.inode = status.st_ino;
            which.comm = read_proc(which.pid, "comm", 64);
            which.executable.clear();
            which.changed_ns = 0;
        } else {
            became_unobserved(which);
        }
    }
}

// An exec drops all mappings. By inode: the path may be another one in the process's own mount namespace.
bool processes::maps_segment(std::uint32_t pid) const {
    struct stat segment{};
    if (::stat(file_.path().c_str(), &segment) != 0) return false;
    std::ifstream maps(proc_path(pid, "maps"));
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        std::string addresses, rights, offset, device, inode;
        fields >> addresses >> rights >> offset >> device >> inode;
        if (inode == std::to_string(segment.st_ino)) return true;
    }
    return false;
}

void processes::became_unobserved(process& which) {
    end_by_exec(which, which.changed_stamp);
    auto made = std::make_unique<process>();
    made->pid = which.pid;
    made->serial = which.serial;
    made->executable = read_link(which.pid, "exe");
    made->record = all_.processes.add({.serial = which.serial,
                                       .start_stamp = which.changed_stamp,
                                       .pid = which.pid,
                                       .parent_pid = all_.processes[which.record].parent_pid,
                                       .observed = 0});
    if (made->record == none) return;
    process_record& record = all_.processes[made->record];
    record.command = all_.add_text(read_proc(made->pid, "cmdline", command_bytes_max));
    record.executable = all_.add_text(made->executable);
    record.reason = all_.add_text(why_not(made->executable));
    made->pidfd = open_pidfd(made->pid);
    running_.push_back(std::move(made));
}

std::string processes::why_not(const std::string& executable) const {
    return inspector_ != nullptr ? inspector_->reason_not_observed(executable)
                                 : "the program did not load the recorder";
}

std::vector<processes::process*> processes::take_ended() {
    std::vector<process*> ended;
    for (const auto& each : running_)
        if (each->ended && !each->handed_out) {
            each->handed_out = true;
            ended.push_back(each.get());
        }
    return ended;
}

processes::process* processes::at_entry(std::uint32_t entry, std::uint64_t serial) noexcept {
    if (entry >= by_entry_.size() || by_entry_[entry] == nullptr || by_entry_[entry]->serial != serial)
        return nullptr;
    return by_entry_[entry];
}

processes::process* processes::of_record(std::uint32_t record) noexcept {
    for (const auto& each : running_)
        if (each->record == record) return each.get();
    return nullptr;
}

std::uint32_t processes::others_of(process& which) {
    if (which.others == none) which.others = all_.threads.add({.process = which.record});
    return which.others;
}

void processes::free_pages(std::uint32_t first, std::uint64_t serial) {
    for (std::uint32_t page = first, steps = 0; page != 0 && steps < file_.page_count_max(); ++steps) {
        const allot_wire_page* wire = file_.page(page);
        if (wire == nullptr || wire->process_serial != serial) return;
        const std::uint32_t next = __atomic_load_n(&wire->next, __ATOMIC_ACQUIRE);
        tree_.forget_page(page);
        file_.page(page)->process_serial = 0; // so that a chain with a loop ends here
        file_.return_page(page);
        page = next;
    }
}

void processes::release(process& which) {
    if (which.entry != none) {
        read_blobs(which);
        allot_wire_process& wire = *file_.process(which.entry);
        all_.processes[which.record].folded_stacks = __atomic_load_n(&wire.folded_stacks, __ATOMIC_RELAXED);
        free_pages(__atomic_exchange_n(&wire.node_page_first, 0u, __ATOMIC_ACQ_REL), which.serial);
        free_pages(__atomic_exchange_n(&wire.blob_page_first, 0u, __ATOMIC_ACQ_REL), which.serial);
        const bool reported = __atomic_load_n(&wire.source_entries, __ATOMIC_ACQUIRE) != 0;
        if (reported) keep_sources(file_, all_, which.serial, which.record);
        all_.processes[which.record].entry = none; // from here on the tables are what counts
        if (reported) free_sources(file_, which.serial);
        by_entry_[which.entry] = nullptr;
        wire = {};
        __atomic_store_n(&wire.state, unsigned{ALLOT_FREE}, __ATOMIC_RELEASE);
    }
    tree_.forget_process(which.record);
    if (which.pidfd >= 0) ::close(which.pidfd);
    std::erase_if(running_, [&](const auto& each) { return each.get() == &which; });
}

void processes::finish(std::uint32_t root_pid, int wait_status,
                       const std::vector<std::string>& root_command) {
    std::uint32_t root = none;
    for (std::uint32_t index = 0; index < all_.processes.count(); ++index)
        if (all_.processes[index].pid == root_pid && root_pid != 0) root = index;
    if (root == none && root_pid != 0) { // it never attached
        std::string command;
        for (const std::string& argument : root_command) command.append(argument).append(1, '\0');
        root = all_.processes.add(
            {.pid = root_pid, .parent_pid = static_cast<std::uint32_t>(::getpid()), .observed = 0});
        if (root != none) {
            all_.processes[root].command = all_.add_text(command);
            all_.processes[root].reason = all_.add_text(why_not({}));
        }
    }
    using kind = process_exit::kind;
    if (root != none) {
        process_record& record = all_.processes[root];
        record.how = static_cast<std::uint32_t>(WIFSIGNALED(wait_status) ? kind::signal : kind::code);
        record.value = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    }
    for (const auto& each : running_) {
        if (each->pid == root_pid && root_pid != 0) each->ended = true;
        if (!each->ended) all_.processes[each->record].how = static_cast<std::uint32_t>(kind::running);
    }
}

} // namespace allot::recorder
