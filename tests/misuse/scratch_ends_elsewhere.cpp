// A coroutine that is resumed on another thread than it was suspended on, with a scope open.
#include <allot/structure/scratch.hpp>
#include <coroutine>
#include <thread>

struct task {
    struct promise_type {
        task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
    std::coroutine_handle<promise_type> handle;
};

task operation() {
    allot::scratch work;
    (void)work.allocate(100);
    co_await std::suspend_always();
}

void scratch_ends_elsewhere() {
    const task started = operation();
    std::thread([started] { started.handle.resume(); }).join();
}
