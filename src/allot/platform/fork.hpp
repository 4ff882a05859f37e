// fork: what must happen around a fork so that the child finds whole data and free locks.
//
// Use it where other threads may be in the middle of something at the moment of a fork: take the locks in
// `prepare`, free them in `parent` and in `child`. Not for what starts a program anew: exec forgets it all.
// Owns nothing. A registration is for the life of the process.
// Threads: any. The handlers run in the forking thread: prepare in reverse order of registration, the others in
// order. _Fork, vfork and posix_spawn call none.
// Cost: registering allocates in the C library.
//
//     if (!on_fork({.prepare = lock_all, .parent = unlock_all, .child = unlock_all})) …; // no memory
#pragma once

namespace allot {

struct fork_handlers {
    void (*prepare)() = nullptr;
    void (*parent)() = nullptr;
    void (*child)() = nullptr;
};

[[nodiscard]] bool on_fork(fork_handlers handlers) noexcept;

} // namespace allot
