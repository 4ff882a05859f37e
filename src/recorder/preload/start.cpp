#include <recorder/preload/attach.hpp>

#include <recorder/preload/kernel.hpp>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>

// The first hook call of a program. It may come from the dynamic linker before any constructor has run, with
// no environ yet, so the arguments and the environment are read where the kernel put them. dlsym may
// allocate: a nested call finds `started` at 1 and goes to libc's own functions. Whatever fails on the way
// leaves the program unobserved and unharmed, without a word: messages are the parent's.

extern "C" {
extern void* __libc_stack_end;
void* __libc_malloc(std::size_t);
// A sanitizer's runtime in the program or beside it.
[[gnu::weak]] void __asan_init();
[[gnu::weak]] void __tsan_init();
[[gnu::weak]] void __msan_init();
[[gnu::weak]] void __hwasan_init();
[[gnu::weak]] void* _Znwm(std::size_t); // operator new
}

namespace allot::recorder {
namespace {

std::uint32_t started; // 0 no, 1 under way, 2 done

constexpr std::size_t command_bytes_max = page_chain::record_bytes_max & ~std::size_t{7};
constexpr std::size_t executable_bytes_max = 4096;

const allot_wire_record* executable_after(const char* command) noexcept {
    return reinterpret_cast<const allot_wire_record*>(command + command_bytes_max);
}

template <class Function>
void find_real(Function& into, const char* name) noexcept {
    into = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// Null members are impossible: libc.so.6 has them all, and this library depends on it.
void find_real_functions(fixed_state& fixed) noexcept {
    find_real(fixed.real.malloc, "malloc");
    find_real(fixed.real.free, "free");
    find_real(fixed.real.calloc, "calloc");
    find_real(fixed.real.realloc, "realloc");
    find_real(fixed.real.reallocarray, "reallocarray");
    find_real(fixed.real.posix_memalign, "posix_memalign");
    find_real(fixed.real.aligned_alloc, "aligned_alloc");
    find_real(fixed.real.memalign, "memalign");
    find_real(fixed.real.valloc, "valloc");
    find_real(fixed.real.pvalloc, "pvalloc");
    find_real(fixed.real.malloc_usable_size, "malloc_usable_size");
    find_real(fixed.real_dlclose, "dlclose");
    find_real(fixed.real_exit, "_exit");
}

const void* object_of(const void* address) noexcept {
    dl_find_object found;
    return _dl_find_object(const_cast<void*>(address), &found) == 0 ? found.dlfo_link_map : nullptr;
}

// Whether calls of malloc reach somebody before us. A program that is linked at a fixed address and takes
// malloc's address has an undefined symbol with a value, which is not its own malloc.
bool has_own_malloc() noexcept {
    void* first = dlsym(RTLD_DEFAULT, "malloc");
    if (first == nullptr || object_of(first) == object_of(reinterpret_cast<const void*>(&start)))
        return false;
    Dl_info info;
    const ElfW(Sym)* symbol = nullptr;
    if (dladdr1(first, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT) ==
        0)
        return true;
    return symbol == nullptr || symbol->st_shndx != SHN_UNDEF;
}

// jemalloc, tcmalloc and mimalloc bring an operator new that calls their insides, not malloc. Sure only where both
// come from one object: a program's own operator new may well call malloc.
bool has_own_operator_new(const fixed_state& fixed) noexcept {
    // dlsym would leave an error for the program's next dlerror() where there is none, and memory that it frees.
    const auto* found = reinterpret_cast<const void*>(&_Znwm);
    return found != nullptr &&
           object_of(found) == object_of(reinterpret_cast<const void*>(fixed.real.malloc));
}

std::uint32_t reason_against() noexcept {
    if (__asan_init != nullptr || __tsan_init != nullptr || __msan_init != nullptr ||
        __hwasan_init != nullptr)
        return ALLOT_REASON_SANITIZER;
    return has_own_malloc() ? ALLOT_REASON_OWN_MALLOC : ALLOT_REASON_NONE;
}

struct initial_stack {
    long count;
    char** arguments;
    char** environment;
};

initial_stack arguments_of_program() noexcept {
    auto* words = static_cast<long*>(__libc_stack_end);
    auto** arguments = reinterpret_cast<char**>(words + 1);
    return {*words, arguments, arguments + *words + 1};
}

const char* value_of(char** environment, const char* name) noexcept {
    const std::size_t length = __builtin_strlen(name);
    for (; *environment != nullptr; ++environment)
        if (__builtin_strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return nullptr;
}

bool map_segment(fixed_state& fixed, const char* path) noexcept {
    const int file = kernel::open_shared(path);
    if (file < 0) return false;
    const std::uint64_t bytes = kernel::file_size(file);
    void* base = bytes >= sizeof(allot_wire_header) ? kernel::map_shared(file, bytes) : nullptr;
    kernel::close(file);
    if (base == nullptr) return false;
    if (fixed.segment.read(base, bytes)) return true;
    kernel::unmap(base, bytes);
    return false;
}

// Both records in private memory, so that a forked child can write them again whatever its parent does to
// argv.
const char* make_records(const initial_stack& stack) noexcept {
    auto* memory =
        static_cast<char*>(kernel::map(command_bytes_max + sizeof(allot_wire_record) + executable_bytes_max));
    if (memory == nullptr) return nullptr;
    auto* command = reinterpret_cast<allot_wire_record*>(memory);
    std::size_t used = sizeof *command;
    command->kind = ALLOT_BLOB_COMMAND;
    for (long i = 0; i < stack.count && stack.arguments[i] != nullptr && command->flags == 0; ++i) {
        std::size_t length = __builtin_strlen(stack.arguments[i]);
        const std::size_t room = command_bytes_max - used;
        if (length + 1 > room) {
            command->flags = 1;
            if (room == 0) break;
            length = room - 1;
        }
        __builtin_memcpy(memory + used, stack.arguments[i], length);
        memory[used + length] = '\0';
        used += length + 1;
    }
    command->bytes = static_cast<std::uint16_t>(used);

    auto* executable = const_cast<allot_wire_record*>(executable_after(memory));
    executable->kind = ALLOT_BLOB_EXECUTABLE;
    const std::size_t length =
        kernel::read_link("/proc/self/exe", reinterpret_cast<char*>(executable + 1), executable_bytes_max);
    executable->bytes = static_cast<std::uint16_t>(sizeof *executable + length);
    return memory;
}

// mmap regions begin at least 128 MiB below the top of the stack, further below where the limit is higher.
stack_bounds bounds_of_main_stack() noexcept {
    const auto end = reinterpret_cast<std::uintptr_t>(__libc_stack_end);
    constexpr std::uintptr_t sure = std::uintptr_t{96} << 20, unlimited = std::uintptr_t{4} << 30;
    std::uintptr_t limit = kernel::stack_limit();
    if (limit > unlimited) limit = unlimited;
    return {end - (limit > sure ? limit : sure), end + 64};
}

// New threads must be told apart after a seccomp filter forbids gettid. glibc keeps the id in its control
// block; where, is taken only if it proves true for this thread.
std::uint32_t find_tid_offset() noexcept {
    constexpr std::uint32_t usual = 720;
    const auto* id =
        reinterpret_cast<const std::uint32_t*>(static_cast<char*>(__builtin_thread_pointer()) + usual);
    return *id == kernel::thread_id() ? usual : 0;
}

bool reserve_private(fixed_state& fixed) noexcept {
    const std::size_t process_bytes = (sizeof(process_state) + 4095) & ~std::size_t{4095};
    const std::size_t wiped_bytes = process_bytes + thread_slot::to_stand_in;
    auto* memory =
        static_cast<char*>(kernel::map(wiped_bytes + thread_slot::to_stand_in + sizeof(allot_wire_thread)));
    if (memory == nullptr || !kernel::wipe_on_fork(memory, wiped_bytes)) return false;
    if (fixed.segment.thread_count > thread_slot::count_max)
        fixed.segment.thread_count = thread_slot::count_max;
    fixed.process = reinterpret_cast<process_state*>(memory);
    fixed.slots = reinterpret_cast<thread_slot*>(memory + process_bytes);
    return true;
}

void choose_hooks(fixed_state& fixed) noexcept {
    const bool glibc = fixed.real.malloc == __libc_malloc;
    fixed.glibc_chunks = glibc;
    if (fixed.mode == ALLOT_MODE_FULL) {
        constexpr std::size_t rules_count = std::size_t{1} << 17;
        if (void* memory = kernel::map(rules_count * 16)) rules.use(memory, rules_count);
        fixed.basis = ALLOT_BASIS_REQUESTED;
        fixed.live_known = 1;
        fixed.call = full_functions();
        return;
    }
    // Another allocator's own function: one that comes with it, not libc's, which would misread its blocks.
    const bool own_sizes = object_of(reinterpret_cast<const void*>(fixed.real.malloc_usable_size)) ==
                           object_of(reinterpret_cast<const void*>(fixed.real.malloc));
    fixed.live_known = glibc || own_sizes;
    fixed.basis = fixed.live_known ? ALLOT_BASIS_USABLE : ALLOT_BASIS_REQUESTED;
    fixed.call = count_functions(glibc, fixed.live_known, fixed.batch_bytes == 256 * 1024);
}

void attach_program(fixed_state& fixed) noexcept {
    const initial_stack stack = arguments_of_program();
    const char* path = value_of(stack.environment, ALLOT_WIRE_ENVIRONMENT);
    if (path == nullptr || *path != '/' || !map_segment(fixed, path)) return;
    fixed.reason = reason_against();
    fixed.own_operator_new = has_own_operator_new(fixed) ? 1 : 0;
    fixed.mode = fixed.segment.header->mode;
    fixed.batch_bytes = fixed.segment.header->batch_bytes;
    fixed.control_block_tid_offset = find_tid_offset();
    fixed.main_stack = bounds_of_main_stack();
    fixed.command = make_records(stack);
    if (fixed.command == nullptr || !reserve_private(fixed)) return void(fixed.mode = 0);
    if (pthread_key_create(&fixed.key, end_thread) != 0) return void(fixed.mode = 0);
    if (fixed.reason == ALLOT_REASON_NONE) choose_hooks(fixed);
    if (ensure_process() == nullptr || fixed.reason != ALLOT_REASON_NONE) fixed.mode = 0;
}

} // namespace

const allot_wire_record* executable_record() noexcept { return executable_after(ALLOT_FIXED.command); }

bool start() noexcept {
    std::uint32_t expected = 0;
    if (!__atomic_compare_exchange_n(&started, &expected, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return expected == 2;
    find_real_functions(ALLOT_FIXED);
    attach_program(ALLOT_FIXED);
    if (ALLOT_FIXED.mode == 0) ALLOT_FIXED.call = ALLOT_FIXED.real;
    kernel::make_read_only(&fixed_storage, sizeof fixed_storage);
    __atomic_store_n(&started, 2, __ATOMIC_RELEASE);
    return true;
}

namespace {

// Registered before the program's own handlers, so it runs after them and sees the last word on the exit
// code.
[[gnu::constructor(101)]] void begin() noexcept {
    start();
    if (ALLOT_FIXED.process != nullptr) on_exit([](int code, void*) { note_exit(code); }, nullptr);
}

} // namespace
} // namespace allot::recorder
