#include <allot/core/contract.hpp>
#include <allot/structure/interner_file.hpp>
#include <allot/structure/interner_reading.hpp>

namespace allot::detail {

result<void> interner_reading::save(byte_store& to) const noexcept { return save_texts(table_, to); }

void interner_reading::fatal_symbol(symbol wanted) const noexcept {
    fatal({table_.options().kind, " '", name().view(), "': symbol ", wanted.value(),
           " is not of this interner, or from before clear()"});
}

void interner_reading::expect_room(std::size_t texts, std::size_t symbols) const noexcept {
    ALLOT_EXPECT(symbols >= texts, table_.options().kind, " '", name().view(), "': intern_many of ", texts,
                 " texts into ", symbols, " symbols");
}

} // namespace allot::detail
