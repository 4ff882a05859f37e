// wrapper_names: the list of functions that only pass memory on, each group with its reason.
//
// Data of `sites`; add a name here when a report shows a library's allocation helper as the site of
// everything.
#pragma once

#include <initializer_list>
#include <string_view>

namespace allot::detail {

struct wrapper_group {
    std::string_view reason;
    std::initializer_list<std::string_view> names;
};

// clang-format off: lists, filled line by line.

// C names, and C++ functions with their whole path but without arguments.
inline const wrapper_group wrappers_by_name[] = {
    {"the allocator itself, and the names other allocators give it",
     {"malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "memalign", "posix_memalign",
      "aligned_alloc", "valloc", "pvalloc", "__libc_malloc", "__libc_calloc", "__libc_realloc",
      "__libc_memalign", "__libc_valloc", "__libc_pvalloc", "__libc_reallocarray", "__posix_memalign",
      "je_malloc", "je_calloc", "je_realloc", "je_mallocx", "je_rallocx", "je_posix_memalign",
      "je_aligned_alloc", "tc_malloc", "tc_calloc", "tc_realloc", "tc_new", "mi_malloc", "mi_zalloc",
      "mi_calloc", "mi_realloc", "mi_new", "mi_heap_malloc"}},
    {"libc functions whose result belongs to the caller",
     {"strdup", "__strdup", "strndup", "__strndup", "wcsdup", "asprintf", "vasprintf", "__asprintf",
      "___asprintf", "__vasprintf", "__asprintf_chk", "__vasprintf_chk", "__vasprintf_internal", "getline",
      "getdelim", "__getdelim", "__getline", "realpath", "__realpath", "__realpath_chk",
      "canonicalize_file_name", "getcwd", "__getcwd", "get_current_dir_name", "tempnam"}},
    {"obstacks take chunks for whoever fills them",
     {"_obstack_begin", "_obstack_begin_1", "_obstack_begin_worker", "_obstack_newchunk", "call_chunkfun",
      "rpl_obstack_newchunk"}},
    {"malloc that ends the program on shortage (gnulib, git, GCC, bash and many more)",
     {"xmalloc", "xcalloc", "xrealloc", "xreallocarray", "xstrdup", "xstrndup", "xmemdup", "xmemdup0",
      "xmemdupz", "xmallocz", "xmallocz_gently", "xzalloc", "xizalloc", "ximalloc", "xicalloc", "xirealloc",
      "xnmalloc", "xnrealloc", "xinmalloc", "x2nrealloc", "x2realloc", "xpalloc", "xcharalloc", "xasprintf",
      "xvasprintf", "xstrvfmt", "xstrfmt", "do_xmalloc", "do_xmallocz", "strbuf_grow", "safe_malloc",
      "safe_calloc", "safe_realloc", "emalloc", "ecalloc", "erealloc", "checked_malloc", "checked_calloc",
      "checked_realloc", "ggc_internal_alloc", "ggc_internal_cleared_alloc", "ggc_realloc",
      "va_heap::reserve",
      "xmalloc_failed"}},
    {"GLib",
     {"g_malloc", "g_malloc0", "g_malloc_n", "g_malloc0_n", "g_realloc", "g_realloc_n", "g_try_malloc",
      "g_try_malloc0", "g_try_malloc_n", "g_try_malloc0_n", "g_try_realloc", "g_try_realloc_n",
      "g_aligned_alloc", "g_slice_alloc", "g_slice_alloc0", "g_slice_copy", "g_memdup", "g_memdup2",
      "g_strdup", "g_strndup", "g_strdup_printf", "g_strdup_vprintf", "g_strconcat", "standard_malloc",
      "standard_calloc"}},
    {"Python: its allocator domains, and the makers of an object of any type",
     {"PyMem_Malloc", "PyMem_Calloc", "PyMem_Realloc", "PyMem_RawMalloc", "PyMem_RawCalloc",
      "PyMem_RawRealloc", "_PyMem_RawMalloc", "_PyMem_RawCalloc", "_PyMem_RawRealloc", "_PyMem_RawStrdup",
      "_PyMem_Strdup", "_PyMem_RawWcsdup", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc",
      "_PyObject_Malloc", "_PyObject_Calloc", "_PyObject_Realloc", "pymalloc_alloc", "pymalloc_realloc",
      "allocate_from_new_pool", "new_arena", "_PyMem_DebugRawAlloc", "_PyMem_DebugRawMalloc",
      "_PyMem_DebugMalloc", "_PyMem_DebugCalloc", "_PyMem_DebugRealloc", "_PyObject_New", "_PyObject_NewVar",
      "_PyObject_GC_New", "_PyObject_GC_NewVar", "_PyObject_GC_Malloc", "_PyObject_GC_Calloc",
      "_PyObject_GC_Resize", "gc_alloc", "PyType_GenericAlloc", "_PyType_AllocNoTrack", "PyType_GenericNew"}},
    {"Perl",
     {"Perl_safesysmalloc", "Perl_safesyscalloc", "Perl_safesysrealloc", "Perl_malloc", "Perl_calloc",
      "Perl_realloc", "Perl_savepv", "Perl_savepvn", "Perl_savesvpv", "Perl_sv_grow", "Perl_sv_grow_fresh"}},
    {"Ruby and Lua",
     {"ruby_xmalloc", "ruby_xmalloc2", "ruby_xcalloc", "ruby_xrealloc", "ruby_xrealloc2", "objspace_xmalloc0",
      "objspace_xrealloc", "objspace_xcalloc", "l_alloc", "luaM_malloc_", "luaM_realloc_",
      "luaM_saferealloc_",
      "luaM_growaux_", "luaM_shrinkvector_"}},
    {"SQLite's memory methods and its layers above them",
     {"sqlite3MemMalloc", "sqlite3MemRealloc", "sqlite3Malloc", "sqlite3MallocZero", "sqlite3Realloc",
      "sqlite3_malloc", "sqlite3_malloc64", "sqlite3_realloc", "sqlite3_realloc64", "sqlite3DbMallocRaw",
      "sqlite3DbMallocRawNN", "sqlite3DbMallocZero", "sqlite3DbRealloc", "sqlite3DbReallocOrFree",
      "sqlite3DbStrDup", "sqlite3DbStrNDup", "sqlite3DbSpanDup", "dbMallocRawFinish", "dbReallocFinish",
      "mallocWithAlarm", "pcache1Alloc"}},
    {"OpenSSL",
     {"CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_realloc", "CRYPTO_clear_realloc", "CRYPTO_memdup",
      "CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_secure_malloc", "CRYPTO_secure_zalloc",
      "CRYPTO_aligned_alloc"}},
    {"jq",
     {"jv_mem_alloc", "jv_mem_calloc", "jv_mem_realloc", "jv_mem_strdup", "jv_mem_alloc_unguarded",
      "jv_mem_calloc_unguarded", "jv_mem_strdup_unguarded"}},
    {"Redis",
     {"zmalloc", "zcalloc", "zcalloc_num", "zrealloc", "zstrdup", "zmalloc_usable", "zcalloc_usable",
      "zrealloc_usable", "ztrymalloc", "ztrycalloc", "ztryrealloc", "ztrymalloc_usable", "ztrycalloc_usable",
      "ztryrealloc_usable", "ztrymalloc_usable_internal", "ztrycalloc_usable_internal",
      "ztryrealloc_usable_internal", "extend_to_usable"}},
    {"libxml2, GMP, Qt, LLVM",
     {"xmlMemMalloc", "xmlMallocLoc", "xmlMemRealloc", "xmlMemStrdup", "xmlStrdup", "xmlStrndup",
      "__gmp_default_allocate", "__gmp_default_reallocate", "QArrayData::allocate", "QArrayData::allocate1",
      "QArrayData::allocate2", "QArrayData::reallocateUnaligned", "llvm::safe_malloc", "llvm::safe_calloc",
      "llvm::safe_realloc", "llvm::allocate_buffer", "llvm::SmallVectorBase::grow_pod",
      "llvm::SmallVectorBase::mallocForGrow", "llvm::SmallVectorTemplateBase::grow"}},
    {"Rust: the allocator's entry points",
     {"__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc", "__rg_alloc", "__rg_alloc_zeroed",
      "__rg_realloc", "__rdl_alloc", "__rdl_alloc_zeroed", "__rdl_realloc", "__rustc::__rust_alloc",
      "__rustc::__rust_alloc_zeroed", "__rustc::__rust_realloc", "__rustc::__rdl_alloc",
      "__rustc::__rdl_alloc_zeroed", "__rustc::__rdl_realloc", "__rustc::__rg_alloc",
      "__rustc::__rg_alloc_zeroed", "__rustc::__rg_realloc"}},
    {"allot's C interface",
     {"allot_source_alloc", "allot_arena_alloc", "allot_arena_alloc_aligned", "allot_arena_alloc_array",
      "allot_arena_copy", "allot_arena_copy_string", "allot_arena_copy_view", "allot_scratch_alloc",
      "allot_pool_alloc", "allot_heap_alloc", "allot_buffer_append", "allot_buffer_reserve"}},
    {"C++: one new object for the caller",
     {"std::make_unique", "std::make_unique_for_overwrite", "std::make_shared",
      "std::make_shared_for_overwrite", "std::allocate_shared", "std::get_temporary_buffer",
      "std::__get_temporary_buffer", "std::to_string", "std::__allocate_guarded", "std::__libcpp_allocate",
      "__gnu_cxx::__to_xstring", "std::operator+"}},
};

// C++ and Rust functions whose path (without template arguments and inline namespaces) begins so.
inline const wrapper_group wrappers_by_path[] = {
    {"C++: allocators and what calls them for a container",
     {"std::allocator::", "std::allocator_traits::", "std::__new_allocator::",
      "std::scoped_allocator_adaptor::", "std::__allocation_guard::", "__gnu_cxx::new_allocator::",
      "__gnu_cxx::malloc_allocator::", "__gnu_cxx::__alloc_traits::", "__gnu_cxx::__pool_alloc::",
      "__gnu_cxx::__mt_alloc::"}},
    {"C++: pmr's way to operator new",
     {"std::pmr::memory_resource::", "std::pmr::polymorphic_allocator::",
      "std::pmr::(anonymous namespace)::newdel_res_t::", "std::pmr::__new_delete_memory_resource_imp::"}},
    {"C++: reference counts are made for the owner",
     {"std::shared_ptr::", "std::__shared_ptr::", "std::__shared_count::"}},
    {"C++: a container grows because its user fills it",
     {"std::vector::", "std::_Vector_base::", "std::_Bvector_base::", "std::basic_string::", "std::deque::",
      "std::_Deque_base::", "std::queue::", "std::stack::", "std::priority_queue::", "std::list::",
      "std::_List_base::", "std::forward_list::", "std::_Fwd_list_base::", "std::map::", "std::multimap::",
      "std::set::", "std::multiset::", "std::_Rb_tree::", "std::unordered_map::", "std::unordered_multimap::",
      "std::unordered_set::", "std::unordered_multiset::", "std::_Hashtable::",
      "std::__detail::_Hashtable_alloc::", "std::__detail::_Map_base::", "std::__detail::_Insert::",
      "std::__detail::_Insert_base::", "std::__detail::_AllocNode::", "std::__detail::_ReuseOrAllocNode::",
      "std::__split_buffer::", "std::__hash_table::", "std::__tree::", "std::back_insert_iterator::"}},
    {"allot: sources, and structures that grow because their user fills them",
     {"allot::detail::", "allot::memory_source::", "allot::malloc_source::", "allot::page_source::",
      "allot::chunk_cache_source::", "allot::fallback_source::", "allot::pmr_source::",
      "allot::synchronized_source::", "allot::tracked_source::", "allot::budgeted_source::",
      "allot::placed_source::", "allot::tagged_heap::", "allot::arena::", "allot::arena_pool::",
      "allot::concurrent_arena::", "allot::reap::", "allot::scratch::", "allot::module_arenas::",
      "allot::operation_context::", "allot::pool::", "allot::typed_pool::", "allot::concurrent_pool::",
      "allot::concurrent_typed_pool::", "allot::concurrent_bounded_pool::", "allot::tiered_pool::",
      "allot::bounded_string::", "allot::object_pool::", "allot::concurrent_object_pool::",
      "allot::buffer_pool::", "allot::concurrent_buffer_pool::", "allot::buffer::", "allot::lazy_buffer::",
      "allot::aligned_buffer::", "allot::slot_map::", "allot::soa::", "allot::soa_memory::", "allot::cow::",
      "allot::concurrent_cow::", "allot::interner::", "allot::concurrent_interner::"}},
    {"Rust: the alloc crate is allocators and containers",
     {"alloc::", "hashbrown::raw::", "hashbrown::map::", "__rustc::__r"}},
};

// clang-format on

} // namespace allot::detail
