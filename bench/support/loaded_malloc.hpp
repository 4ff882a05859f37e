// loaded_malloc: another malloc as a peer, beside the program's own.
//
// Linking tcmalloc, mimalloc or jemalloc would replace malloc for the whole process, all other peers included. So
// they are loaded at run time, locally, and called through pointers; that the program's malloc is still the C
// library's is checked. A peer that is not installed is not there, and its rows are not measured.
// jemalloc wants more thread-local memory than glibc keeps for what is loaded late: the program then starts itself
// anew with GLIBC_TUNABLES set. So load first thing in main().
// Threads: any, after loading.
//
//     static const auto tcmalloc = allot::bench::load_malloc("tcmalloc");
//     if (tcmalloc) register_rows("tcmalloc", *tcmalloc);
//     void* block = tcmalloc->allocate(64);
//     tcmalloc->release(block);
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace allot::bench {

struct loaded_malloc {
    void* (*allocate)(std::size_t size) = nullptr;
    void (*release)(void* block) = nullptr;
    void* (*reallocate)(void* block, std::size_t size) = nullptr;
    void* (*allocate_aligned)(std::size_t align, std::size_t size) = nullptr; // aligned_alloc's order
};

namespace detail {

struct malloc_library {
    std::string_view name;
    const char* file;
    const char* prefix;
    const char* aligned;
};
inline constexpr malloc_library malloc_libraries[] = {
    {"tcmalloc", "libtcmalloc_minimal.so.4", "tc_", "tc_memalign"},
    {"mimalloc", "libmimalloc.so.2", "mi_", "mi_aligned_alloc"},
    {"jemalloc", "libjemalloc.so.2", "", "aligned_alloc"},
};

inline void expect_malloc_of_libc() {
    Dl_info found{};
    void* const now = dlsym(RTLD_DEFAULT, "malloc");
    if (now && dladdr(now, &found) != 0 && std::strstr(found.dli_fname, "libc.so")) return;
    std::fprintf(stderr, "malloc is not the C library's: %s\n", found.dli_fname ? found.dli_fname : "?");
    std::abort();
}

// Does not come back, unless it was tried already.
inline void start_anew_with_static_tls() {
    const char* const preloaded = std::getenv("LD_PRELOAD");
    const bool in_valgrind = preloaded && std::strstr(preloaded, "vgpreload"); // which starts nothing anew
    if (in_valgrind || std::getenv("GLIBC_TUNABLES")) return;
    std::vector<char> words;
    if (std::FILE* const file = std::fopen("/proc/self/cmdline", "r")) {
        for (int each; (each = std::fgetc(file)) != EOF;) words.push_back(static_cast<char>(each));
        std::fclose(file);
    }
    std::vector<char*> arguments;
    for (std::size_t at = 0; at < words.size(); at += std::strlen(&words[at]) + 1)
        arguments.push_back(&words[at]);
    arguments.push_back(nullptr);
    setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=16384", 0);
    execv("/proc/self/exe", arguments.data());
}

inline void* load_library(const char* file) {
    void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const char* const why = library ? nullptr : dlerror();
    if (why && std::strstr(why, "static TLS")) start_anew_with_static_tls();
    return library;
}

template <class Function>
bool find_function(void* library, const char* prefix, const char* name, Function*& found) {
    char full[64];
    std::snprintf(full, sizeof full, "%s%s", prefix, name);
    found = reinterpret_cast<Function*>(dlsym(library, full));
    return found != nullptr;
}

} // namespace detail

// tcmalloc, mimalloc or jemalloc; empty where that is not installed.
inline std::optional<loaded_malloc> load_malloc(std::string_view name) {
    for (const detail::malloc_library& each : detail::malloc_libraries) {
        if (each.name != name) continue;
        void* const library = detail::load_library(each.file);
        if (!library) break;
        detail::expect_malloc_of_libc();
        loaded_malloc all;
        if (detail::find_function(library, each.prefix, "malloc", all.allocate) &&
            detail::find_function(library, each.prefix, "free", all.release) &&
            detail::find_function(library, each.prefix, "realloc", all.reallocate) &&
            detail::find_function(library, "", each.aligned, all.allocate_aligned))
            return all;
    }
    std::fprintf(stderr, "%.*s is not installed: its rows are not measured\n", static_cast<int>(name.size()),
                 name.data());
    return std::nullopt;
}

} // namespace allot::bench
