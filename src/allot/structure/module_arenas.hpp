// module_arenas: an arena for each module (a plug-in, a shared library, a subsystem), released when it goes.
//
// Use it where parts of a program come and go at run time, and what they allocated must go with them, whether
// or not they clean up. For memory of a request take arena or scratch; for numbers and limits of parts that
// stay tagged_heap.
// A module is known by its name and by its key: the handle of dlopen, or the address of any object of it. Its
// arena is released by close(), by a `membership` that ends (a static object of the plug-in: then dlclose
// releases), or by the registry's own end. Who points into the arena from outside holds a lease: while there
// is one, try_close() refuses, and an end that cannot be refused is fatal. A report says what was live. The
// arenas and their code belong to whoever makes the registry: the host, not the plug-in.
// Owns its arenas; borrows upstream and observer. Outlives its memberships and leases.
// Threads: any. Each arena is its module's: one thread at a time. Arenas are released, and the observer is
// told, outside the lock. The registry is whole in the child of a fork.
// Cost: a lock and a walk of the modules for each call; half a KiB a module.
//
//     module_arenas plugins({.name = "plugins"});
//     arena* json = *plugins.try_open({.name = "json"});
//     std::string_view version = json->copy("2.1");
//     {
//         auto lease = plugins.try_lease("json");
//         assert(!plugins.try_close("json")); // somebody still reads `version`
//     }
//     result<module_report> gone = plugins.try_close("json");
//     assert(gone->released.live_count == 1 && !plugins.find("json"));
//
// Fatal:
//     allot: fatal: module_arenas 'NAME': its upstream is not thread_safe
//     allot: fatal: module_arenas 'NAME': module 'NAME' ends with N leases
//     allot: fatal: module_arenas 'NAME': ends with N memberships
#pragma once

#include <allot/core/observer.hpp>
#include <allot/core/result.hpp>
#include <allot/platform/thread_slots.hpp>
#include <allot/structure/arena.hpp>
#include <utility>

namespace allot {

struct module_arenas_options {
    allot::name name = "modules";
    memory_source* upstream = nullptr; // borrowed, thread_safe; nullptr: default_source()
    // Is told event::type::unbalanced of a module that goes with live blocks: what it did not give back
    // itself.
    allot::observer* observer = nullptr; // borrowed
};

struct module_options {
    allot::name name = "module";
    const void* key = nullptr; // compared, never followed
    std::size_t chunk_bytes_min = kibibytes(4);
    std::size_t chunk_bytes_max = kibibytes(256);
    std::uint64_t limit_bytes = usage::unlimited;
};

// What a module left.
struct module_report {
    allot::name name = {};
    usage released = {}; // the arena's numbers just before it went
};

class module_arenas {
public:
    class membership;
    class lease;

    explicit module_arenas(const module_arenas_options& options = {}) noexcept;
    ~module_arenas(); // releases what is left
    module_arenas(const module_arenas&) = delete;
    module_arenas& operator=(const module_arenas&) = delete;

    // A module's arena, made now. An error: one of that name or key is open already, or shortage.
    result<arena*> try_open(const module_options& module) noexcept;
    // The same, closed when the membership ends.
    result<membership> try_join(const module_options& module) noexcept;

    // nullptr where none is open.
    [[nodiscard]] arena* find(std::string_view name) const noexcept;
    [[nodiscard]] arena* find_by_key(const void* key) const noexcept;

    // Destructors of the arena's objects run here, so call it before dlclose. An error: no such module, or
    // leased.
    result<module_report> try_close(std::string_view name) noexcept;
    result<module_report> try_close_by_key(const void* key) noexcept;

    // Empty where no such module is open.
    [[nodiscard]] lease try_lease(std::string_view name) noexcept;

    std::uint64_t open_count() const noexcept;
    std::uint64_t closed_count() const noexcept;
    allot::usage usage() const noexcept; // of all that are open, each as of its last chunk
    const allot::name& name() const noexcept { return options_.name; }

private:
    struct module;

    template <class Is>
    module* find_if(Is is) const noexcept; // under mutex_
    result<module*> try_make(const module_options& how, bool joined) noexcept;
    template <class Is>
    result<module_report> close_if(Is is) noexcept;
    module_report end(module* gone) noexcept; // unlinked already; without mutex_
    void unlink(module* gone) noexcept;       // under mutex_

    const module_arenas_options options_;
    memory_source& upstream_;          // borrowed
    mutable detail::fork_mutex mutex_; // guards all below, and the modules but for their arenas' insides
    module* first_ = nullptr;
    std::uint64_t serials_ = 0;
    std::uint64_t open_count_ = 0;
    std::uint64_t closed_count_ = 0;
    std::uint64_t membership_count_ = 0;
};

// A module's tie to its arena: the end of this object closes the module, if nobody closed it before. As a
// static object of a plug-in it makes dlclose release the arena: keep there what only data lives in, since of
// two static objects the later one is destroyed first.
class [[nodiscard]] module_arenas::membership {
public:
    membership() noexcept = default; // of no module
    membership(membership&& from) noexcept
        : in_(std::exchange(from.in_, nullptr)), arena_(from.arena_), serial_(from.serial_) {}
    membership& operator=(membership&& from) noexcept {
        if (this != &from) {
            end();
            in_ = std::exchange(from.in_, nullptr);
            arena_ = from.arena_;
            serial_ = from.serial_;
        }
        return *this;
    }
    ~membership() { end(); }

    arena& operator*() const noexcept { return *arena_; }
    arena* operator->() const noexcept { return arena_; }
    explicit operator bool() const noexcept { return in_ != nullptr; }
    void end() noexcept;

private:
    friend class module_arenas;
    membership(module_arenas& in, arena& of, std::uint64_t serial) noexcept
        : in_(&in), arena_(&of), serial_(serial) {}

    module_arenas* in_ = nullptr; // borrowed
    arena* arena_ = nullptr;
    std::uint64_t serial_ = 0;
};

class [[nodiscard]] module_arenas::lease {
public:
    lease() noexcept = default; // of nothing
    lease(lease&& from) noexcept : in_(from.in_), of_(std::exchange(from.of_, nullptr)) {}
    lease& operator=(lease&& from) noexcept {
        if (this != &from) {
            end();
            in_ = from.in_;
            of_ = std::exchange(from.of_, nullptr);
        }
        return *this;
    }
    ~lease() { end(); }

    explicit operator bool() const noexcept { return of_ != nullptr; }
    void end() noexcept;

private:
    friend class module_arenas;
    lease(module_arenas& in, module& of) noexcept : in_(&in), of_(&of) {}

    module_arenas* in_ = nullptr; // borrowed
    module* of_ = nullptr;        // lives as long as it is leased
};

} // namespace allot
