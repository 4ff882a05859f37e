#include <recorder/preload/modules.hpp>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

// Reads other objects' headers in memory. An object's first page holds its ELF header in every file that ld,
// gold, lld and mold make; where it does not, the build id is left out, nothing else.

namespace allot::recorder {
namespace {

struct build_id {
    const unsigned char* bytes = nullptr;
    std::uint32_t length = 0;
};

build_id find_in_notes(const char* at, const char* end) noexcept {
    while (static_cast<std::size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        __builtin_memcpy(&note, at, sizeof note);
        const std::uint64_t name_bytes = (std::uint64_t{note.n_namesz} + 3) & ~std::uint64_t{3};
        const std::uint64_t text_bytes = (std::uint64_t{note.n_descsz} + 3) & ~std::uint64_t{3};
        if (name_bytes + text_bytes > static_cast<std::uint64_t>(end - at) - sizeof note) break;
        const char* name = at + sizeof note;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && __builtin_memcmp(name, "GNU", 4) == 0 &&
            note.n_descsz <= 64)
            return {reinterpret_cast<const unsigned char*>(name + name_bytes), note.n_descsz};
        at = name + name_bytes + text_bytes;
    }
    return {};
}

build_id find_build_id(const char* start, const char* end, std::uint64_t bias) noexcept {
    if (end - start < 4096) return {};
    ElfW(Ehdr) head;
    __builtin_memcpy(&head, start, sizeof head);
    if (__builtin_memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(ElfW(Phdr)))
        return {};
    if (head.e_phoff > 4096 || head.e_phoff + head.e_phnum * sizeof(ElfW(Phdr)) > 4096) return {};
    for (std::size_t i = 0; i < head.e_phnum; ++i) {
        ElfW(Phdr) part;
        __builtin_memcpy(&part, start + head.e_phoff + i * sizeof part, sizeof part);
        if (part.p_type != PT_NOTE) continue;
        const char* notes = reinterpret_cast<const char*>(bias + part.p_vaddr);
        if (notes < start || notes > end || part.p_filesz > static_cast<std::uint64_t>(end - notes)) continue;
        if (const build_id found = find_in_notes(notes, notes + part.p_filesz); found.length != 0)
            return found;
    }
    return {};
}

struct name {
    const char* text;
    std::size_t length;
};

name name_of(const link_map& object, name executable) noexcept {
    const char* text = object.l_name;
    if (text == nullptr || *text == '\0') return executable;
    const std::size_t length = __builtin_strlen(text);
    if (length >= 10 && __builtin_memcmp(text, "linux-vdso", 10) == 0) return {"[vdso]", 6};
    return {text, length};
}

} // namespace

std::uint32_t module_list::find(std::uint64_t address) noexcept {
    if (last_hit_ < count_ && address >= known_[last_hit_].start && address < known_[last_hit_].end)
        return known_[last_hit_].id;
    for (std::uint32_t i = 0; i != count_; ++i)
        if (address >= known_[i].start && address < known_[i].end) return last_hit_ = i, known_[i].id;
    return 0;
}

std::uint32_t module_list::add(std::uint64_t address, const char* executable, std::size_t executable_length,
                               const segment_view& segment, std::uint32_t* blob_first, std::uint64_t serial,
                               page_chain& blobs) noexcept {
    dl_find_object found;
    if (count_ == capacity || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return 0;
    const auto* start = static_cast<const char*>(found.dlfo_map_start);
    const auto* end = static_cast<const char*>(found.dlfo_map_end);
    const std::uint64_t bias = found.dlfo_link_map->l_addr;
    const build_id id = find_build_id(start, end, bias);
    name path = name_of(*found.dlfo_link_map, {executable, executable_length});
    constexpr std::size_t path_bytes_max =
        700; // the record stands on a stack that may be tiny; the end tells more
    if (path.length > path_bytes_max) path = {path.text + path.length - path_bytes_max, path_bytes_max};

    struct {
        allot_wire_module module;
        char text[64 + path_bytes_max];
    } out;
    out.module.record.kind = ALLOT_BLOB_MODULE;
    out.module.record.bytes = static_cast<std::uint16_t>(sizeof out.module + id.length + path.length);
    out.module.record.flags = 0;
    out.module.id = last_id_ + 1;
    out.module.build_id_bytes = id.length;
    out.module.start = reinterpret_cast<std::uint64_t>(start);
    out.module.end = reinterpret_cast<std::uint64_t>(end);
    out.module.bias = bias;
    if (id.length != 0) __builtin_memcpy(out.text, id.bytes, id.length);
    __builtin_memcpy(out.text + id.length, path.text, path.length);
    if (!blobs.add_record(segment, blob_first, serial, &out.module.record)) return 0;

    known_[count_] = {out.module.start, out.module.end, found.dlfo_link_map, ++last_id_};
    last_hit_ = count_++;
    return last_id_;
}

bool module_list::retain_loaded() noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i != count_; ++i) {
        dl_find_object found;
        const bool loaded = _dl_find_object(reinterpret_cast<void*>(known_[i].start), &found) == 0 &&
                            found.dlfo_link_map == known_[i].link_map &&
                            reinterpret_cast<std::uint64_t>(found.dlfo_map_end) == known_[i].end;
        if (loaded) known_[kept++] = known_[i];
    }
    const bool some_gone = kept != count_;
    count_ = kept;
    last_hit_ = 0;
    return some_gone;
}

} // namespace allot::recorder
