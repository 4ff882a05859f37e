#include <allot/document/template_cache.hpp>

#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/document/json_reader.hpp>

namespace allot {
namespace {

// "template 'NAME': WHAT 'WHICH'REST"
error template_error(std::string_view name, std::string_view what, std::string_view which = {},
                     std::string_view rest = {}) noexcept {
    char said[400];
    char* to = said;
    const auto say = [&](std::string_view text) noexcept {
        constexpr std::size_t part_max = 90;
        for (const char c : text.substr(0, part_max)) *to++ = c;
    };
    say("template '");
    say(name);
    say("': ");
    say(what);
    if (!which.empty()) {
        say(" '");
        say(which);
        say("'");
    }
    say(rest);
    return error(std::string_view(said, static_cast<std::size_t>(to - said)));
}

// "template 'NAME': WHY"
error in_template(std::string_view name, error why) noexcept {
    const error context = template_error(name, "");
    std::string_view said = context.what();
    said.remove_suffix(2);
    return why.during(said);
}

error shortage_of(std::string_view name) noexcept { return in_template(name, shortage_error()); }

// Of "${name}"; else empty.
std::string_view slot_name(value of) noexcept {
    std::string_view text = of.is_text() ? of.as_text() : std::string_view();
    if (text.size() < 4 || !text.starts_with("${") || !text.ends_with('}')) return {};
    text = text.substr(2, text.size() - 3);
    return text.find('}') == text.npos ? text : std::string_view();
}

bool put(document& in, std::span<const std::uint32_t> way, const content& what) noexcept {
    if (way.empty()) return in.set_root(what);
    node here = in.edit();
    for (const std::uint32_t index : way.first(way.size() - 1)) here = here.edit(std::size_t{index});
    return here.set(std::size_t{way.back()}, what);
}

} // namespace

message::message(interner& keys, memory_source* upstream, std::size_t chunk_bytes_min) noexcept
    : memory_({.name = "message", .upstream = upstream, .chunk_bytes_min = chunk_bytes_min}),
      tree_({.name = "message", .upstream = &memory_, .keys = &keys}) {}

void message::reset() noexcept {
    tree_.clear();
    memory_.reset();
}

message template_cache::message_care::make() const noexcept {
    return message(cache->keys_, cache->options_.upstream, cache->options_.message_bytes);
}

template_cache::template_cache(const template_cache_options& options) noexcept
    : options_(options),
      memory_({.name = options.name, .upstream = options.upstream, .limit_bytes = options.limit_bytes}),
      keys_({.name = options.name, .upstream = &memory_}),
      templates_({.name = options.name, .upstream = &memory_, .keys = &keys_}),
      messages_({.name = "messages",
                 .upstream = options.upstream,
                 .kept_count_max = options.kept_count_max,
                 .out_count_max = options.out_count_max},
                message_care{{}, this}) {}

const message_template* template_cache::look_up(std::string_view name) const noexcept {
    const message_template* each = newest_;
    while (each && each->name_ != name) each = each->older_;
    return each;
}

const message_template* template_cache::find(std::string_view name) noexcept {
    const message_template* const found = look_up(name);
    ++(found ? hits_ : misses_);
    return found;
}

result<const message_template*> template_cache::get(std::string_view name, std::string_view text) noexcept {
    if (const message_template* const found = find(name)) return found;
    return add(name, text);
}

result<const message_template*> template_cache::add(std::string_view name, std::string_view text) noexcept {
    // A text that is refused leaves nothing in the templates' arena, keys neither.
    const pooled<message> scratch = messages_.try_acquire();
    if (!scratch) return shortage_of(name);
    document parsed({.name = "template", .upstream = &scratch->memory()});
    if (const result<void> done = read_json(parsed, text); !done) return in_template(name, done.error());
    message_template* const made = keep(name, parsed, scratch->memory());
    if (!made) return shortage_of(name);
    made->older_ = newest_;
    newest_ = made;
    return made;
}

// On the way to be a template's; newest first.
struct template_cache::found_slot {
    slot is;
    found_slot* older;
};

bool template_cache::find_slots(value root, arena& scratch, found_slot*& newest) noexcept {
    struct frame {
        value in;
        std::uint32_t index;
    };
    const std::optional<tree_size> size = measure(root);
    if (!size) return false;
    const std::span<frame> frames = scratch.try_make_span<frame>(size->depth);
    if (!frames.data()) return false;
    const auto note = [&](std::string_view name, std::size_t depth) noexcept {
        auto* const found = scratch.try_make<found_slot>();
        const std::span<std::uint32_t> way = memory_.try_make_span<std::uint32_t>(depth);
        name = memory_.try_copy(name);
        if (!found || !way.data() || !name.data()) return false;
        for (std::size_t level = 0; level != depth; ++level) way[level] = frames[level].index;
        *found = {{name, way}, newest};
        newest = found;
        return true;
    };
    if (const std::string_view name = slot_name(root); !name.empty()) return note(name, 0);
    frames[0] = {root, 0};
    for (std::size_t depth = 1; depth != 0;) {
        frame& inner = frames[depth - 1];
        const value child = inner.in[std::size_t{inner.index}];
        if (is_container(child.type())) {
            frames[depth++] = {child, 0};
            continue;
        }
        if (!child) { // that was the last
            if (--depth != 0) ++frames[depth - 1].index;
            continue;
        }
        if (const std::string_view name = slot_name(child); !name.empty() && !note(name, depth)) return false;
        ++inner.index;
    }
    return true;
}

message_template* template_cache::keep(std::string_view name, document& parsed, arena& scratch) noexcept {
    found_slot* newest = nullptr;
    if (!find_slots(parsed.root(), scratch, newest)) return nullptr;
    std::size_t count = 0;
    for (const found_slot* each = newest; each; each = each->older) ++count;
    auto* const made = memory_.try_make<message_template>();
    const std::span<slot> slots = memory_.try_make_span<slot>(count);
    name = memory_.try_copy(name);
    if (!made || !slots.data() || !name.data()) return nullptr;
    for (const found_slot* each = newest; each; each = each->older) {
        slots[--count] = each->is;
        if (!put(parsed, each->is.way, nullptr)) return nullptr;
    }
    if (!templates_.root() && !templates_.set_root(content::array())) return nullptr;
    const std::size_t index = templates_.root().size();
    if (!templates_.edit().push_back(parsed.root())) return nullptr;
    made->name_ = name;
    made->slots_ = slots;
    made->trees_ = &templates_;
    made->index_ = index;
    return made;
}

result<pooled<message>> template_cache::fill(const message_template& of,
                                             std::span<const slot_content> with) noexcept {
    for (const slot_content& given : with) {
        bool is_known = false;
        for (const slot& each : of.slots_) is_known = is_known || each.name == given.slot;
        if (!is_known) return template_error(of.name_, "there is no slot", given.slot);
    }
    pooled<message> filled = messages_.try_acquire();
    if (!filled || !filled->tree().set_root(of.root())) return shortage_of(of.name_);
    for (const slot& each : of.slots_) {
        const slot_content* given = with.data();
        const slot_content* const end = given + with.size();
        while (given != end && given->slot != each.name) ++given;
        if (given == end) return template_error(of.name_, "slot", each.name, " is not filled");
        if (const std::uint64_t before = refusals_noted(); !put(filled->tree(), each.way, given->what))
            return refusals_noted() != before
                       ? shortage_of(of.name_)
                       : template_error(of.name_, "what is given cannot stand in slot", each.name);
    }
    ++fills_;
    return filled;
}

void template_cache::clear() noexcept {
    const std::uint64_t out_count = messages_.counts().out;
    ALLOT_EXPECT(out_count == 0, "template_cache '", name().view(), "': clear() with ", out_count,
                 " messages out");
    newest_ = nullptr;
    templates_.clear();
    keys_.clear();
    memory_.reset();
}

template_cache_numbers template_cache::numbers() const noexcept {
    return {.hits = hits_,
            .misses = misses_,
            .template_count = templates_.root().size(),
            .template_bytes = memory_.usage().live_bytes,
            .fills = fills_,
            .messages = messages_.counts()};
}

void template_cache::check() const noexcept {
    memory_.check();
    keys_.check();
    templates_.check();
    messages_.check();
}

} // namespace allot
