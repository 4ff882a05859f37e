#include <recorder/collector/inspect.hpp>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <memory>
#include <optional>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace allot::recorder {
namespace {

struct descriptor {
    int number = -1;
    explicit descriptor(const std::string& path) : number(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (number >= 0) {
            close(number);
        }
    }
};

struct elf_closer {
    void operator()(Elf* elf) const noexcept { elf_end(elf); }
};
using elf_pointer = std::unique_ptr<Elf, elf_closer>;

bool is_runnable_file(const std::string& path) {
    struct stat info{};
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1); // npos + 1 is 0
}

// The interpreter of a script: `#! interpreter [argument]`. Empty where the file is no script.
std::string script_interpreter(int file) {
    std::array<char, 256> start{}; // the kernel reads as much
    const ssize_t got = pread(file, start.data(), start.size(), 0);
    std::string_view text(start.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (!text.starts_with("#!")) {
        return {};
    }
    text = text.substr(2, text.find('\n') - 2);
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    text.remove_prefix(first);
    return std::string(text.substr(0, text.find_first_of(" \t")));
}

// Whether the kernel will tell the loader that this program runs with more rights than its caller; the loader then
// ignores preloads that are named by path.
std::optional<std::string> raised_rights(const std::string& file) {
    struct stat info{};
    struct statvfs mount{};
    const bool raises = stat(file.c_str(), &info) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 &&
                        !(statvfs(file.c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0);
    const bool set_user = raises && (info.st_mode & S_ISUID) != 0;
    const bool set_group = raises && (info.st_mode & S_ISGID) != 0 && (info.st_mode & S_IXGRP) != 0;
    if ((set_user ? info.st_uid : geteuid()) != getuid()) {
        return "set-user-ID, where the system forbids observing";
    }
    if ((set_group ? info.st_gid : getegid()) != getgid()) {
        return "set-group-ID, where the system forbids observing";
    }
    if (raises && getuid() != 0 && getxattr(file.c_str(), "security.capability", nullptr, 0) > 0) {
        return "given capabilities by its file, where the system forbids observing";
    }
    return std::nullopt;
}

const char* sanitizer_of_library(std::string_view needed) {
    struct pair {
        const char* part;
        const char* name;
    };
    static constexpr std::array<pair, 5> known{{{"asan", "AddressSanitizer"},
                                                {"tsan", "ThreadSanitizer"},
                                                {"lsan", "LeakSanitizer"},
                                                {"msan", "MemorySanitizer"},
                                                {"hwasan", "HWAddressSanitizer"}}};
    for (const auto& [part, name] : known) {
        if (needed.starts_with("lib" + std::string(part) + ".so") ||
            needed.starts_with("libclang_rt." + std::string(part))) {
            return name;
        }
    }
    return nullptr;
}

const char* sanitizer_of_symbol(std::string_view symbol) {
    return symbol == "__asan_init"     ? "AddressSanitizer"
           : symbol == "__tsan_init"   ? "ThreadSanitizer"
           : symbol == "__lsan_init"   ? "LeakSanitizer"
           : symbol == "__msan_init"   ? "MemorySanitizer"
           : symbol == "__hwasan_init" ? "HWAddressSanitizer"
                                       : nullptr;
}

struct linkage {
    bool has_interpreter = false;
    std::string interpreter;
    bool is_library = false; // names itself, as the loader does: ld.so started by hand loads preloads too
    bool is_go = false;
    bool defines_malloc = false;
    const char* sanitizer = nullptr;
};

void read_symbols(Elf_Scn* section, const GElf_Shdr& header, Elf* elf, linkage& found) {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) {
        return;
    }
    const std::size_t count = header.sh_size / header.sh_entsize;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Sym symbol{};
        if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) {
            continue;
        }
        const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name == nullptr) {
            continue;
        }
        found.defines_malloc |= std::strcmp(name, "malloc") == 0 && GELF_ST_TYPE(symbol.st_info) == STT_FUNC;
        if (const char* sanitizer = sanitizer_of_symbol(name)) {
            found.sanitizer = sanitizer;
        }
    }
}

void read_dynamic(Elf_Scn* section, const GElf_Shdr& header, Elf* elf, linkage& found) {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) {
        return;
    }
    const std::size_t count = header.sh_size / header.sh_entsize;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Dyn entry{};
        if (gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr) {
            continue;
        }
        found.is_library |= entry.d_tag == DT_SONAME;
        if (entry.d_tag == DT_NEEDED) {
            const char* needed = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
            const char* sanitizer = needed == nullptr ? nullptr : sanitizer_of_library(needed);
            found.sanitizer = sanitizer == nullptr ? found.sanitizer : sanitizer;
        }
    }
}

void read_sections(Elf* elf, GElf_Word wanted, linkage& found) {
    std::size_t names = 0;
    const bool named = elf_getshdrstrndx(elf, &names) == 0;
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
        GElf_Shdr header{};
        if (gelf_getshdr(section, &header) == nullptr) {
            continue;
        }
        const char* name = named ? elf_strptr(elf, names, header.sh_name) : nullptr;
        found.is_go |= name != nullptr && (std::strcmp(name, ".note.go.buildid") == 0 ||
                                           std::strcmp(name, ".go.buildinfo") == 0);
        if (header.sh_type == SHT_DYNAMIC) {
            read_dynamic(section, header, elf, found);
        } else if (header.sh_type == wanted) {
            read_symbols(section, header, elf, found);
        }
    }
}

linkage read_linkage(Elf* elf, int file) {
    linkage found;
    std::size_t count = 0;
    elf_getphdrnum(elf, &count);
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr header{};
        if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr || header.p_type != PT_INTERP) {
            continue;
        }
        found.has_interpreter = true;
        std::array<char, 256> path{};
        const std::size_t bytes = header.p_filesz < path.size() ? header.p_filesz : path.size() - 1;
        if (pread(file, path.data(), bytes, static_cast<off_t>(header.p_offset)) > 0) {
            found.interpreter = path.data();
        }
    }
    read_sections(elf, SHT_DYNSYM, found);
    if (found.defines_malloc && found.sanitizer == nullptr) {
        read_sections(elf, SHT_SYMTAB, found); // a runtime linked statically may show there only
    }
    return found;
}

const char* machine_name(GElf_Half machine) {
    switch (machine) {
    case EM_AARCH64: return "AArch64";
    case EM_ARM: return "ARM";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "POWER";
    case EM_S390: return "S/390";
    default: return "unknown";
    }
}

void refuse(inspection& seen, std::string reason, bool preload) {
    seen.observed = false;
    seen.preload = preload;
    seen.reason = std::move(reason);
}

void judge_program(Elf* elf, int file, inspection& seen) {
    GElf_Ehdr header{};
    if (gelf_getehdr(elf, &header) == nullptr) {
        return; // not for us to judge: exec refuses it
    }
    if (header.e_machine != EM_X86_64 && header.e_machine != EM_386) {
        return refuse(
            seen, std::string("built for another processor (") + machine_name(header.e_machine) + ")", false);
    }
    if (header.e_machine == EM_386 || gelf_getclass(elf) != ELFCLASS64) {
        return refuse(seen, "a 32-bit program", false); // ld.so would complain on the program's own stderr
    }
    if (auto rights = raised_rights(seen.file)) {
        return refuse(seen, *std::move(rights), false);
    }
    const linkage found = read_linkage(elf, file);
    if (found.is_go) {
        // What its C parts allocate is counted where there are any; programs that it starts are followed.
        return refuse(seen, "a Go program, whose own heap can't be seen", true);
    }
    if (!found.has_interpreter && !found.is_library) {
        return refuse(seen, "statically linked", true);
    }
    if (found.has_interpreter && !base_name(found.interpreter).starts_with("ld-linux")) {
        return refuse(seen, "linked to another C library (" + std::string(base_name(found.interpreter)) + ")",
                      false);
    }
    if (found.sanitizer != nullptr) {
        return refuse(seen, std::string("built with ") + found.sanitizer + ", which owns malloc", false);
    }
    if (found.defines_malloc) {
        return refuse(seen, "built with a malloc of its own", true);
    }
}

} // namespace

std::string find_program(std::string_view program, const char* path_list) {
    if (program.empty()) {
        return {};
    }
    if (program.find('/') != std::string_view::npos) {
        return std::string(program);
    }
    std::string_view list = path_list == nullptr ? "/bin:/usr/bin" : path_list;
    for (;;) {
        const auto end = list.find(':');
        const std::string_view folder = list.substr(0, end);
        std::string path(folder.empty() ? "." : folder);
        path.append("/").append(program);
        if (is_runnable_file(path)) {
            return path;
        }
        if (end == std::string_view::npos) {
            return {};
        }
        list.remove_prefix(end + 1);
    }
}

inspection inspect_program(std::string_view program, const char* path_list) {
    inspection seen;
    seen.name = program;
    seen.file = find_program(program, path_list);
    constexpr int interpreters_max = 5; // the kernel follows fewer
    for (int i = 0; i < interpreters_max && is_runnable_file(seen.file); ++i) {
        const descriptor file(seen.file);
        if (file.number < 0) {
            if (auto rights = raised_rights(seen.file)) {
                refuse(seen, *std::move(rights), false);
            }
            return seen; // may be run but not read, so nothing more is known of it
        }
        if (const std::string interpreter = script_interpreter(file.number); !interpreter.empty()) {
            seen.name = seen.file = interpreter;
            continue;
        }
        elf_version(EV_CURRENT);
        const elf_pointer elf(elf_begin(file.number, ELF_C_READ, nullptr));
        if (elf != nullptr && elf_kind(elf.get()) == ELF_K_ELF) {
            judge_program(elf.get(), file.number, seen);
        }
        return seen;
    }
    return seen;
}

} // namespace allot::recorder
