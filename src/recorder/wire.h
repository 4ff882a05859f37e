/* wire.h: what the preload library and the collector say to each other, byte by byte.
 *
 * One file, mapped shared by the collector (the parent, `allot run`) and by every observed process. It is the
 * recording's FILE.partial: whoever dies, the counters, the call tree and the undelivered events are in it.
 *
 *     header | process entries | thread entries | source entries | ring headers | ring words | pages
 *
 * Freestanding C, no includes but <stdint.h>. Both sides use the __atomic built-ins on the fields marked (shared);
 * the other fields have one writer, named beside them. Sizes and offsets are in bytes unless a name says otherwise.
 *
 * Order. A ring has one producer. It writes words, then stores `head` with release; the collector loads `head` with
 * acquire, reads, then stores `tail` with release. A node is written before its id is first put into a ring, so a
 * collector that has read an event through `head` may read the node plainly. Blob pages publish through `used`.
 *
 * Time. Every event carries the processor's time stamp counter >> ALLOT_WIRE_STAMP_SHIFT, as a difference to the
 * event before it in the same ring. Rings are merged by it. A free is stamped before the real free, an allocation
 * after the real allocation, so that per address the stamps alternate; where the processor ran ahead they may not,
 * and the collector then resolves by alternation.
 */
#ifndef ALLOT_RECORDER_WIRE_H
#define ALLOT_RECORDER_WIRE_H

#include <stdint.h>

#define ALLOT_WIRE_MAGIC "ALLOTSEG" /* 8 bytes, no terminator */
#define ALLOT_WIRE_VERSION 3u
#define ALLOT_WIRE_ENVIRONMENT "ALLOT_SEGMENT" /* absolute path of the segment file, beside LD_PRELOAD */

enum allot_wire_mode { ALLOT_MODE_COUNT = 1, ALLOT_MODE_FULL = 2 };
enum allot_wire_basis { ALLOT_BASIS_REQUESTED = 0, ALLOT_BASIS_USABLE = 1 };

/* Defaults that the collector uses when it makes a segment; a reader takes the real values from the header. */
enum {
    ALLOT_WIRE_PROCESSES = 512,
    ALLOT_WIRE_THREADS = 16384,
    ALLOT_WIRE_SOURCES = 1024,
    ALLOT_WIRE_RINGS = 64,
    ALLOT_WIRE_RING_WORDS = 1 << 16, /* 512 KiB; a power of two */
    ALLOT_WIRE_PAGE_BYTES = 8192,
    ALLOT_WIRE_NODES_PER_PAGE = 512, /* 16 bytes each; slot 0 is the page's header */
    ALLOT_WIRE_PAGES_MAX = 1 << 15,  /* 256 MiB of address space; backed as the collector raises page_limit */
    ALLOT_WIRE_PAGES_START = 512
};

struct allot_wire_header {
    char magic[8];
    uint32_t version;
    uint32_t mode;          /* enum allot_wire_mode */
    uint64_t segment_bytes; /* apparent size of the file; only the parts below the limits are backed */
    uint64_t process_offset;
    uint32_t process_count;
    uint32_t process_entry_bytes;
    uint64_t thread_offset;
    uint32_t thread_count;
    uint32_t thread_entry_bytes;
    uint64_t ring_offset;
    uint32_t ring_count;
    uint32_t ring_header_bytes; /* ring_count is 0 in count mode */
    uint64_t ring_data_offset;
    uint64_t ring_words; /* ring i's words: ring_data_offset + i * ring_words * 8 */
    uint64_t page_offset;
    uint32_t page_bytes;
    uint32_t page_count_max;
    uint32_t collector_pid;
    uint32_t stop;           /* (shared) collector: 1 = the recording has ended, hooks count nothing more */
    uint64_t heartbeat;      /* (shared) collector: goes up at least every 50 ms while it is alive */
    uint64_t process_serial; /* (shared) processes that ever attached; gives process entries their serial */
    uint64_t processes_lost; /* (shared) processes that found no free entry: they run unobserved */
    uint32_t page_limit;     /* (shared) collector: pages below this are backed by disk or memory */
    uint32_t page_next;      /* (shared) pages below this were handed out once */
    uint64_t page_free;      /* (shared) stack of returned pages: tag << 32 | page index (0 = empty). Only the
                                  collector pushes; the tag goes up at every change */
    int64_t live_bytes; /* (shared) count mode: flushed live bytes of all processes (see `batch_bytes`) */
    int64_t peak_live_bytes;      /* (shared) count mode: highest value seen of the sum */
    uint64_t batch_bytes;         /* count mode: a thread adds to the sums when its own change exceeds this */
    uint64_t started_realtime_ns; /* collector: CLOCK_REALTIME at the start */
    uint64_t collected_offset; /* collector: where its own tables begin, see recorder/collector; 0 = none */
    uint32_t thread_end;  /* (shared) no thread entry from here on was ever claimed: raised before a claim */
    uint32_t thread_hint; /* (shared) where a claim begins to look: set by claims, lowered by the collector */
    uint64_t source_offset;
    uint32_t source_count; /* may be 0: then no source is kept */
    uint32_t source_entry_bytes;
    uint64_t source_reports_lost; /* (shared) reports of sources that found no room: they are in no entry */
};

/* Written by the owner thread only, with single add instructions, so that a signal handler on the same thread cannot
 * tear them; read by anyone. In a process entry the same fields are (shared) and hold the sums of ended threads. */
struct allot_wire_counters {
    uint64_t allocations; /* successful, reallocations of a block included */
    uint64_t frees;       /* of a block, ends by realloc included */
    uint64_t reallocations;
    uint64_t allocated_bytes; /* requested */
    int64_t live_bytes;       /* count mode: allocated minus freed by this thread as of its last flush, in
                                  `live_basis`; may be negative. Now: + live_unflushed_max - live_headroom */
    uint64_t dropped_events;  /* full mode: allocations and frees that did not get into a ring */
    uint64_t dropped_stacks;  /* full mode: allocations whose stack is ALLOT_NODE_DROPPED */
    uint64_t short_stacks;    /* full mode: allocations whose stack does not reach the thread's root */
};

enum allot_wire_state { ALLOT_FREE = 0, ALLOT_CLAIMED = 1, ALLOT_LIVE = 2, ALLOT_ENDED = 3 };

enum allot_wire_reason { /* why a process that loaded the preload library is not observed */
                         ALLOT_REASON_NONE = 0,
                         ALLOT_REASON_OWN_MALLOC = 1, /* the executable defines malloc itself */
                         ALLOT_REASON_SANITIZER = 2   /* a sanitizer's runtime owns malloc */
};

struct allot_wire_process {
    uint32_t state; /* (shared) FREE → CLAIMED → LIVE by the process, → FREE by the collector */
    uint32_t pid;
    uint32_t parent_pid;
    uint32_t reason;      /* enum allot_wire_reason */
    uint64_t serial;      /* 1 + header.process_serial at the claim: unique for the whole recording */
    uint64_t start_stamp; /* tsc >> ALLOT_WIRE_STAMP_SHIFT at attach */
    uint32_t live_basis;  /* enum allot_wire_basis */
    uint32_t forked;      /* 1: attached after a fork without exec (inherits its parent's command) */
    uint32_t exit_known;  /* (shared) 1: exit_code was written by exit, _exit or _Exit */
    int32_t exit_code;
    uint32_t node_page_first;   /* (shared) chain of node pages, 0 = none */
    uint32_t blob_page_first;   /* (shared) chain of blob pages, 0 = none */
    int64_t live_flushed_bytes; /* (shared) count mode: this process's part of header.live_bytes */
    int64_t peak_live_bytes;    /* (shared) count mode */
    uint64_t folded_stacks;     /* (shared) full mode: stacks shortened to bound the call tree */
    struct allot_wire_counters
        ended;                 /* (shared) sums of ended threads, which the collector adds when it frees their
                                  entry, and of threads without an entry, which they add themselves */
    uint32_t own_operator_new; /* 1: the allocator brings its own operator new, which passes malloc by */
    uint32_t source_entries;   /* source entries that it ever tried to claim: raised before each claim */
    uint64_t reserved[7];
};

/* What the sources of one kind and name hold together, in one process, as they reported it (allot/core/client.h).
 * The process writes it under a lock of its own, word by word: a reader may see the new held_bytes beside the old
 * peak. */
struct allot_wire_source {
    uint32_t state;   /* (shared) FREE → CLAIMED → LIVE by the process, → FREE and zeroes by the collector */
    uint32_t process; /* index of the process entry */
    uint64_t process_serial;  /* written first after the claim */
    char kind[16], name[32];  /* each ended by a zero byte; longer ones are cut */
    uint64_t held_bytes;      /* (shared) now, the sum over the sources */
    uint64_t peak_held_bytes; /* (shared) the highest value that the sum had */
    uint64_t held_count;      /* (shared) chunks or slabs now */
    uint64_t source_count;    /* (shared) sources ever */
    uint64_t reserved[4];
};

struct allot_wire_thread {
    uint32_t state; /* (shared) FREE → CLAIMED → LIVE → ENDED by the thread, → FREE by the collector */
    uint32_t tid;
    uint32_t process; /* index of the process entry */
    uint32_t ring;    /* index + 1 of the ring; 0 = shares its process's overflow ring, or count mode */
    uint64_t process_serial;
    uint32_t busy; /* (shared) 1 while a hook of this thread is between its stamp and its head */
    uint32_t reserved0;
    struct allot_wire_counters counters;
    int64_t
        live_headroom_bytes; /* count mode: live_unflushed_max_bytes minus the change of live bytes since the
                                         last flush; so the change is max - headroom. (One subtraction per
                                         allocation then finds a new maximum by its sign.) */
    int64_t live_unflushed_max_bytes; /* count mode: the highest change since the last flush, ≥ 0 */
    uint64_t reserved[14];
};

struct allot_wire_ring {
    uint64_t head; /* (shared) words ever written; producer */
    uint64_t reserved0[7];
    uint64_t tail; /* (shared) words ever read; collector. Also the futex a full producer waits on */
    uint64_t reserved1[7];
    uint32_t state; /* (shared) FREE → CLAIMED → LIVE → ENDED by the producer, → FREE by the collector
                                  when drained: head and tail go on from where they are */
    uint32_t process; /* index of the process entry */
    uint64_t process_serial;
    uint32_t thread; /* index + 1 of the thread entry; 0 = overflow ring, shared by the process's threads */
    uint32_t reserved2;
    uint64_t base_stamp; /* stamp that the first event's difference counts from, set at each claim */
    uint64_t reserved3[4];
};

/* Pages. Node pages: slot 0 is a page header, slots 1 … 511 are nodes; a node's id is page * 512 + slot. */
struct allot_wire_page {
    uint32_t next; /* (shared) next page of the same chain, 0 = last */
    uint32_t used; /* (shared) node page: slots in use, header included; blob page: bytes in use after
                                  this header */
    uint64_t process_serial;
};
struct allot_wire_node {
    uint64_t return_address;
    uint32_t parent; /* id of the caller's node, or one of the roots below */
    uint32_t module; /* id of the module record, 0 = none known (code made at run time) */
};
enum {
    ALLOT_NODE_ROOT = 0,    /* as parent: the stack is complete, this node is the thread's outermost frame */
    ALLOT_NODE_UNKNOWN = 1, /* as parent: what is further out is not known; as a node: nothing is known */
    ALLOT_NODE_DROPPED = 2, /* as a node: the stack was dropped for want of room */
    ALLOT_NODE_FIRST = ALLOT_WIRE_NODES_PER_PAGE /* page 0 is never handed out */
};

/* Blob pages hold records one after another, each padded to 8 bytes, none across two pages. */
enum allot_wire_blob { ALLOT_BLOB_COMMAND = 1, ALLOT_BLOB_MODULE = 2, ALLOT_BLOB_EXECUTABLE = 3 };
struct allot_wire_record { /* header of each */
    uint16_t kind;         /* enum allot_wire_blob */
    uint16_t bytes;        /* whole record with this header, before padding */
    uint32_t flags;        /* COMMAND: 1 = cut, more arguments or text than fit */
};
struct allot_wire_module { /* ALLOT_BLOB_MODULE */
    struct allot_wire_record record;
    uint32_t id;             /* 1, 2, 3 … in the process; a module loaded again gets a new id */
    uint32_t build_id_bytes; /* ≤ 64 */
    uint64_t start, end;     /* mapped addresses [start, end) */
    uint64_t bias;           /* address = bias + offset; the offset is an ELF virtual address */
    /* build id, then the path without terminator up to record.bytes; the vdso has the path "[vdso]" */
};
/* ALLOT_BLOB_COMMAND and ALLOT_BLOB_EXECUTABLE: the header, then the arguments, each ended by a zero byte; or the
 * executable's path. */

/* Events: one to three words.
 *
 *     word 0   63..60 kind   59..44 stamp difference   43..0 address >> 3
 *     word 1   63..38 node   37..0 size                (allocations only; size field all ones: word 2 is the size)
 *
 * A difference that does not fit is preceded by a STAMP word: 63..60 kind, 59..0 stamp; the next difference counts
 * from it. PAD fills the words before the ring's end where an event would wrap (events never wrap). */
#define ALLOT_WIRE_STAMP_SHIFT 3
enum allot_wire_event {
    ALLOT_EVENT_PAD = 0,
    ALLOT_EVENT_ALLOCATE = 1,
    ALLOT_EVENT_FREE = 2,
    ALLOT_EVENT_REALLOCATE_FREE = 3,     /* the old block, before the real realloc */
    ALLOT_EVENT_REALLOCATE_ALLOCATE = 4, /* the new block, after it; counts as a reallocation */
    ALLOT_EVENT_REALLOCATE_FAILED = 5,   /* the old block is live again, as if nothing had happened */
    ALLOT_EVENT_STAMP = 6
};
#define ALLOT_WIRE_SIZE_BITS 38
#define ALLOT_WIRE_SIZE_FIELD ((1ull << ALLOT_WIRE_SIZE_BITS) - 1)
#define ALLOT_WIRE_ADDRESS_FIELD ((1ull << 44) - 1)

#endif
