#include <allot/analysis/demangle.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

using allot::demangle;
using allot::short_function_name;

TEST(demangle, reads_cpp_and_rust_names_and_shortens_them) {
    EXPECT_EQ(demangle("_ZNSt6vectorIiSaIiEE9push_backEOi"),
              "std::vector<int, std::allocator<int> >::push_back(int&&)");
#if ALLOT_TEST_LIBIBERTY
    EXPECT_EQ(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
#endif
    EXPECT_EQ(short_function_name("std::vector<int, std::allocator<int> >::push_back(int&&)"),
              "std::vector::push_back");
}

TEST(demangle, returns_what_is_not_mangled_or_not_readable_as_it_is) {
    for (const std::string name :
         {"", "main", "_start", "_Z", "_R", "_ZN", "_Znonsense", "_RNonsense", "a.b"})
        EXPECT_EQ(demangle(name), name);
}

#if ALLOT_TEST_LIBIBERTY
TEST(demangle, drops_the_hash_of_rust_names_in_both_manglings) {
    EXPECT_EQ(demangle("_ZN5alloc5alloc15exchange_malloc17h0123456789abcdefE"),
              "alloc::alloc::exchange_malloc");
    EXPECT_EQ(
        demangle("_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE"),
        "<alloc::string::String as core::fmt::Display>::fmt");
    // v0 (RFC 2603): an implementation of a trait for a type with a generic argument.
    EXPECT_EQ(demangle("_RNvXs_CshGpAVYOtgW1_1cINtB4_3FooNtB4_3BarENtB4_5Trait3run"),
              "<c::Foo<c::Bar> as c::Trait>::run");
}
#endif

TEST(demangle, survives_a_name_that_nests_without_end) {
    const std::string deep = "_Z1f" + std::string(100'000, 'P') + "i";
    EXPECT_FALSE(demangle(deep).empty());
}

TEST(short_function_name, drops_arguments_parameters_and_return_types_only) {
    const std::pair<const char*, const char*> cases[] = {
        {"main", "main"},
        {"xmalloc(unsigned long)", "xmalloc"},
        {"void ns::f<std::vector<int> >(int (*)(char)) const", "ns::f"},
        {"std::pair<int, int> make<(kind)1>(int)", "make"},
        {"operator new(unsigned long, std::align_val_t)", "operator new"},
        {"widget::operator new[](unsigned long)", "widget::operator new[]"},
        {"ns::set::operator()(int) const", "ns::set::operator()"},
        {"std::ostream& std::operator<< <char>(std::ostream&, char)", "std::operator<<"},
        {"text std::operator+<char, std::allocator<char> >(char const*, text&&)", "std::operator+"},
        {"bool operator==<int>(box<int> const&, box<int> const&)", "operator=="},
        {"bool operator< <int>(box<int> const&, box<int> const&)", "operator<"},
        {"ns::value::operator->() const", "ns::value::operator->"},
        {"ns::value::operator std::vector<int>() const", "ns::value::operator std::vector<int>"},
        {"(anonymous namespace)::load(char const*)", "(anonymous namespace)::load"},
        {"ns::(anonymous namespace)::load(char const*)", "ns::(anonymous namespace)::load"},
        {"outer(int)::{lambda(char)#1}::operator()(char) const", "outer::{lambda(char)#1}::operator()"},
        {"outer(int) const::local::run()", "outer::local::run"},
        {"f(int) [clone .part.0]", "f"},
        {"ns::f[abi:cxx11](int)", "ns::f"},
        {"<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop",
         "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop"},
        {"alloc::vec::Vec<T,A>::push", "alloc::vec::Vec::push"},
        {"core::iter::Iterator::collect::<alloc::vec::Vec<u8>>", "core::iter::Iterator::collect"},
        {"mycrate::run::{{closure}}", "mycrate::run::{{closure}}"},
        {"", ""},
        {"f(((", "f"},
        {">>>)", ">>>)"},
    };
    for (const auto& [name, expected] : cases) EXPECT_EQ(short_function_name(name), expected) << name;
}
