"""GDB shows arenas and pools of allot by their books: `source allot_printers.py`, then `print request`.

    arena 'request': 3 blocks of 131 bytes live, 4096 bytes held in 1 chunks = {
      [0] = 4096 bytes at 0x555555583300, 184 used }
    pool 'sessions': 2 of 62 slots of 64 bytes live, 4216 bytes held in 1 slabs = {
      [0] = 62 slots at 0x555555583300, 3 handed out once }
    concurrent_bounded_pool 'frames': 3 of 40 slots of 4096 bytes live, 167936 bytes held

The program needs the library's classes in its debug information: g++ -g -femit-class-debug-always, clang
-g -fstandalone-debug, or a library built with -g.
Reads the program's memory and calls nothing in it, so that it works on a core file as well.
"""
import gdb
import gdb.printing


def text(name):
    return name["text_"].string()


def count(value):
    return int(value)


def atomic(value):
    """The word itself: each standard library names it differently."""
    return int(value.address.cast(gdb.lookup_type("unsigned long").pointer()).dereference())


class Pool:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        pool = self.value
        listed = count(pool["entered_count_"]) - count(pool["left_count_"])
        live = count(pool["cut_count_"]) - listed - (count(pool["newest_"]) != 0)
        return (f"pool '{text(pool['name_'])}': {live} of {count(pool['capacity_count_'])} slots of "
                f"{count(pool['slot_']['size'])} bytes live, {count(pool['held_bytes_'])} bytes held in "
                f"{count(pool['slab_count_'])} slabs")

    def children(self):
        pool = self.value
        for i in range(count(pool["slab_count_"])):
            slab = pool["keys_"][i]["slab"]
            yield (f"[{i}]", f"{count(slab['count'])} slots at {count(slab['base']):#x}, "
                             f"{count(slab['cut'])} handed out once")


class BoundedPool:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        pool = self.value
        free = sum(bin(atomic(pool["words_"][i]["state"]) & 0xFFFFFFFF).count("1")
                   for i in range(count(pool["word_count_"])))
        slots = count(pool["slot_count_"])
        return (f"concurrent_bounded_pool '{text(pool['name_'])}': {slots - free} of {slots} slots of "
                f"{count(pool['slot_']['size'])} bytes live, {count(pool['held_bytes_'])} bytes held")


class TypedPool(Pool):
    def __init__(self, value):
        super().__init__(value["pool_"])


class BoundedTypedPool(BoundedPool):
    def __init__(self, value):
        super().__init__(value["pool_"])


class Arena:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        arena = self.value
        tally = count(arena["tally_"].cast(gdb.lookup_type("unsigned long")))
        live = count(arena["total_count_"]) + (tally >> 40) - atomic(arena["gone_count_"])
        live_bytes = count(arena["total_bytes_"]) + (tally & ((1 << 40) - 1)) - atomic(arena["gone_bytes_"])
        return (f"arena '{text(arena['options_']['name'])}': {live} blocks of {live_bytes} bytes live, "
                f"{count(arena['held_bytes_'])} bytes held in {count(arena['held_count_'])} chunks")

    def children(self):
        arena = self.value
        position = 0
        for first, spare in (("current_", False), ("spare_", True)):
            chunk = arena[first]
            while chunk != 0:
                begin = count(chunk) + chunk.dereference().type.sizeof
                end = arena["cursor_"] if first == "current_" and position == 0 else chunk["used_end"]
                used = "spare" if spare else f"{count(end) - begin} used"
                yield f"[{position}]", f"{count(chunk['size'])} bytes at {count(chunk):#x}, {used}"
                chunk = chunk["older"]
                position += 1


def printers():
    found = gdb.printing.RegexpCollectionPrettyPrinter("allot")
    found.add_printer("arena", "^allot::arena$", Arena)
    found.add_printer("pool", "^allot::pool$", Pool)
    found.add_printer("typed_pool", "^allot::typed_pool<.*>$", TypedPool)
    found.add_printer("concurrent_bounded_pool", "^allot::concurrent_bounded_pool$", BoundedPool)
    found.add_printer("concurrent_bounded_typed_pool", "^allot::concurrent_bounded_typed_pool<.*>$", BoundedTypedPool)
    return found


gdb.printing.register_pretty_printer(None, printers(), replace=True)
