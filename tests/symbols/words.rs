// A Rust program whose allocations are known; story.cpp says what the marks mean.
use std::hint::black_box;

#[inline(never)]
fn read_words() -> Vec<u8> {
    Vec::with_capacity(black_box(4001)) // site 4001: words::read_words
}

#[inline(never)]
fn boxed<const SIZE: usize>() -> Box<[u8; SIZE]> {
    Box::new(black_box([1u8; SIZE])) // site 4002: words::boxed
}

struct Page {
    bytes: Vec<u8>,
}

trait Fill {
    fn fill(&mut self);
}

impl Fill for Page {
    #[inline(never)]
    fn fill(&mut self) {
        self.bytes.resize(black_box(4003), 0); // site 4003: <words::Page as words::Fill>::fill
    }
}

fn main() {
    let words = read_words(); // frame 4001: words::main
    let block = boxed::<4002>(); // frame 4002: words::main
    let mut page = Page { bytes: Vec::new() };
    page.fill(); // frame 4003: words::main
    black_box((words, block, page.bytes));
}
