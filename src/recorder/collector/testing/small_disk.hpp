// small_disk: a file system of a few bytes, seen by this process alone, to run out of space on.
//
// Where neither root nor user namespaces are at hand (some containers) it does not work: ask ok() and skip
// the test.
// Owns the mount, which ends with it. Threads: one.
#pragma once

#include <cstddef>
#include <recorder/collector/testing/scratch.hpp>
#include <sched.h>
#include <string>
#include <sys/mount.h>

namespace allot::recorder::testing {

class small_disk {
public:
    explicit small_disk(std::size_t bytes) {
        if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return;
        (void)::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        ok_ = ::mount("tmpfs", files_.path("").c_str(), "tmpfs", 0,
                      ("size=" + std::to_string(bytes)).c_str()) == 0;
    }
    ~small_disk() {
        if (ok_) ::umount2(files_.path("").c_str(), MNT_DETACH);
    }
    small_disk(const small_disk&) = delete;
    small_disk& operator=(const small_disk&) = delete;

    bool ok() const { return ok_; }
    std::string path(const std::string& name) const { return files_.path(name); }

private:
    scratch files_;
    bool ok_ = false;
};

} // namespace allot::recorder::testing
