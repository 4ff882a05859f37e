#include <allot/analysis/fixtures/loaded_fixture.hpp>
#include <allot/analysis/sites.hpp>

#include <gtest/gtest.h>

#include <string>

using namespace allot;

TEST(is_allocator_wrapper, tells_helpers_from_the_code_that_wants_memory) {
    EXPECT_TRUE(is_allocator_wrapper("operator new(unsigned long)") && is_allocator_wrapper("_Znwm"));
    EXPECT_TRUE(is_allocator_wrapper("std::vector<int>::push_back(int&&)"));
    EXPECT_TRUE(!is_allocator_wrapper("parse(std::vector<int>&)"));
}

TEST(is_allocator_wrapper, knows_the_names_of_each_world_mangled_or_not) {
    for (
        const char* name :
        {"malloc", "__libc_calloc", "strdup", "vasprintf", "xmalloc", "xmalloc.part.0",
         "x2nrealloc.constprop.0", "xmalloc(unsigned long)", "_Z7xmallocm", "g_malloc0", "PyMem_RawMalloc",
         "_PyObject_GC_New", "sqlite3DbMallocRawNN", "CRYPTO_zalloc", "Perl_safesysrealloc", "jv_mem_alloc",
         "zmalloc_usable",
         // operator new and delete's forms, as symbols and as text
         "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnwmSt11align_val_t",
         "_ZnamSt11align_val_tRKSt9nothrow_t", "operator new[](unsigned long)",
         "operator new(unsigned long, std::align_val_t, std::nothrow_t const&)",
         "arena_object::operator new(unsigned long)", "_ZN12arena_objectnwEm",
         // the standard library's ways down
         "std::allocator<char>::allocate(unsigned long)",
         "std::__new_allocator<int>::allocate(unsigned long, void const*)",
         "__gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*)",
         "std::allocator_traits<std::allocator<int> >::allocate(std::allocator<int>&, unsigned long)",
         "std::_Vector_base<int, std::allocator<int> >::_M_allocate(unsigned long)",
         "_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJiEEEvN9__gnu_cxx17__normal_iteratorIPiS1_EEDpOT_",
         "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_createERmm",
         "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::append(char const*)",
         "std::pmr::(anonymous namespace)::newdel_res_t::do_allocate(unsigned long, unsigned long)",
         "std::__1::vector<int, std::__1::allocator<int> >::push_back(int&&)",
         "std::unique_ptr<int> std::make_unique<int>()",
         // allot's own
         "allot::malloc_source::do_try_allocate(allot::layout)",
         "_ZN5allot13malloc_source15do_try_allocateENS_6layoutE",
         "_ZN5allot6detail14interner_table6insertESt17basic_string_viewIcSt11char_traitsIcEEj",
         "_ZN5allot8slot_mapI6entityLj512EE6insertEOS1_", "allot::slot_map<entity, 512u>::insert(entity&&)",
         "allot_arena_copy_string",
         // Rust
         "__rust_alloc", "__rdl_realloc", "alloc::alloc::exchange_malloc",
         "alloc::raw_vec::RawVec<T,A>::reserve::do_reserve_and_handle",
         "_ZN5alloc7raw_vec11finish_grow17h0123456789abcdefE",
         "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
         "<alloc::vec::Vec<T> as core::iter::traits::collect::FromIterator<T>>::from_iter",
         "<mycrate::Counting as core::alloc::global::GlobalAlloc>::alloc"})
        EXPECT_TRUE(is_allocator_wrapper(name)) << name;
}

TEST(is_allocator_wrapper, leaves_everybody_else_alone) {
    for (const char* name :
         {"",
          "main",
          "parse",
          "allocate_buffers",
          "malloc_statistics",
          "my_malloc_user(int)",
          "load(std::allocator<int>&)",
          "std::thread::_State_impl<std::thread::_Invoker<std::tuple<main::{lambda()#1}> > >::_M_run()",
          "std::_Function_handler<void (), main::{lambda()#1}>::_M_invoke(std::_Any_data const&)",
          "void std::sort<int*>(int*, int*)",
          "operator newton(int)",
          "mylib::vector<int>::push_back(int)",
          "_ZN5mylib6vectorIiE9push_backEi",
          "ns::std::vector<int>::push_back(int)",
          "PyUnicode_New",
          "sqlite3VdbeExec",
          "allocator::run",
          "allot::read_json(allot::document&, std::basic_string_view<char, std::char_traits<char> >)",
          "_ZN5allot9read_jsonERNS_8documentESt17basic_string_viewIcSt11char_traitsIcEE",
          "_ZN7allotted5arena4growEv",
          "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
          "<mycrate::Tree as core::clone::Clone>::clone",
          "_ZN7mycrate4main17h0123456789abcdefE"})
        EXPECT_FALSE(is_allocator_wrapper(name)) << name;
}

TEST(wrapper_functions, are_found_by_the_address_they_return_to) {
    if (!debug_info::is_available()) GTEST_SKIP() << "built without libdw";
    const fixture::loaded_fixture library(ALLOT_FIXTURE);
    const module_row module = library.module();
    wrapper_functions wrappers;
    EXPECT_TRUE(wrappers.contains(module, library.return_address("fixture_xmalloc")));
    EXPECT_FALSE(wrappers.contains(module, library.return_address("fixture_outer")));
    const std::uint64_t start = library.symbol("xmalloc");
    EXPECT_FALSE(wrappers.contains(module, start)); // a call at the very end of the function before
    EXPECT_TRUE(wrappers.contains(module, start + 1));
    EXPECT_FALSE(wrappers.contains(module, 0));
    EXPECT_FALSE(wrappers.contains(module, ~std::uint64_t{0}));
}

TEST(wrapper_functions, has_none_in_a_file_that_is_gone_or_changed) {
    const fixture::loaded_fixture library(ALLOT_FIXTURE);
    const std::uint64_t inside = library.symbol("xmalloc") + 1;
    wrapper_functions wrappers;
    module_row changed = library.module();
    changed.path = ALLOT_OTHER_FIXTURE;
    EXPECT_FALSE(wrappers.contains(changed, inside));
    EXPECT_FALSE(wrappers.contains({"/no/such/file", {}, {}}, inside));
    EXPECT_FALSE(wrappers.contains({"", {}, {}}, inside));
}

TEST(site_frame, is_the_innermost_inlined_function_outside_wrappers) {
    if (!debug_info::is_available()) GTEST_SKIP() << "built without libdw";
    const fixture::loaded_fixture library(ALLOT_FIXTURE);
    debug_info names(std::vector{library.module()});
    EXPECT_EQ(site_frame(names, {0, library.return_address("fixture_outer")}).function,
              "void* fixture::widget::innermost<int>(int)");
    EXPECT_EQ(site_frame(names, {0, library.return_address("fixture_growth")}).function, "fixture_growth");
    EXPECT_EQ(site_frame(names, {0, library.return_address("fixture_xmalloc")}).function, "xmalloc");
}

TEST(missing_names, gives_one_reason_for_each_file_with_sites_but_without_names) {
    if (!debug_info::is_available()) GTEST_SKIP() << "built without libdw";
    const fixture::loaded_fixture library(ALLOT_FIXTURE);
    snapshot shot;
    row_numbers small;
    small.allocations = small.live_bytes_at_peak = 1;
    row_numbers large = small;
    large.live_bytes_at_peak = 2;
    shot.modules = {{"/no/such/small", {}, small},
                    {"/no/such/large", {}, large},
                    {"/no/such/unused", {}, {}},
                    {"[vdso]", {}, small},
                    {"", {}, small},
                    library.module()};
    shot.modules.back().numbers = large;
    debug_info names(shot.modules);
    EXPECT_EQ(missing_names(shot, names),
              (std::vector<std::string>{"large is gone since the recording (/no/such/large)",
                                        "small is gone since the recording (/no/such/small)"}));
}
