// allot.hpp: the whole library in one include.
//
// Use it to begin with. Where compile time counts include what you use: <allot/structure/arena.hpp>; every header
// stands alone. What only tests need (a source that fails on command, one that audits) is not here: see
// <allot/testing/…>. Which of these is the right one for a need: docs/choosing.md.
#pragma once

#include <allot/core/allowance.hpp>
#include <allot/core/bulk_observer.hpp>
#include <allot/core/byte_store.hpp>
#include <allot/core/bytes.hpp>
#include <allot/core/checked_bytes.hpp>
#include <allot/core/checks.hpp>
#include <allot/core/client.h>
#include <allot/core/contract.hpp>
#include <allot/core/layout.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/core/poison.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/core/result.hpp>
#include <allot/core/source_factory.hpp>
#include <allot/core/usage.hpp>
#include <allot/governance/account.hpp>
#include <allot/governance/budget.hpp>
#include <allot/governance/budgeted_source.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/listed_source.hpp>
#include <allot/governance/malloc_factory.hpp>
#include <allot/governance/placement.hpp>
#include <allot/governance/report.hpp>
#include <allot/governance/tag.hpp>
#include <allot/governance/tagged_heap.hpp>
#include <allot/governance/tracked_source.hpp>
#include <allot/platform/call_stack.hpp>
#include <allot/platform/clock.hpp>
#include <allot/platform/fork.hpp>
#include <allot/platform/mapped_file.hpp>
#include <allot/platform/pages.hpp>
#include <allot/platform/process_memory.hpp>
#include <allot/platform/threads.hpp>
#include <allot/platform/whole_file.hpp>
#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/fallback_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/null_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/source/pmr_source.hpp>
#include <allot/source/region.hpp>
#include <allot/source/synchronized_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/arena_pool.hpp>
#include <allot/structure/concurrent_bounded_pool.hpp>
#include <allot/structure/demand.hpp>
#include <allot/structure/object_pool.hpp>
#include <allot/structure/pool.hpp>
#include <allot/structure/pooled.hpp>
#include <allot/structure/scratch.hpp>
#include <allot/structure/slot_handle.hpp>
#include <allot/structure/slot_map.hpp>
#include <allot/structure/typed_pool.hpp>
