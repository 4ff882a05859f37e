// parts: the sources, decorators and structures of the library as parts of stacks that tests put together.
//
// Every header of src/allot/source, structure and governance that declares a memory_source has its stem in
// one of the three lists below; matrix_test.cpp fails where one is missing.
//
//     stack tower;
//     for (const part& each : {bases()[0], decorators()[0], structures()[0]}) tower.add(each);
//     void* block = tower.top().allocate(layout{.size = 100});
//     tower.top().deallocate(block, layout{.size = 100});
//     EXPECT_EQ(tower.take_down(), std::vector<std::string>{}); // what its books say is left, from the top
#pragma once

#include <allot/core/bulk_observer.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/testing/source_conformance.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace allot::composition {

class stack;

struct part {
    const char* stem; // of its header
    void (*put)(stack& tower);
};

std::span<const part> bases();      // take memory from the system, or from nowhere
std::span<const part> decorators(); // over any source
std::span<const part> structures(); // over any source, and sources themselves
// These take one block for good, so that they are in no stack in which limits move.
std::span<const part> fixed_structures();

class stack {
public:
    stack() = default;
    // Over a source that somebody else owns.
    explicit stack(memory_source& bottom) : bottom_(&bottom), top_(&bottom) {}
    stack(const stack&) = delete;
    ~stack() { take_down(); }

    void add(const part& next) {
        name_ += (name_.empty() ? "" : " < ") + std::string(next.stem);
        next.put(*this);
        if (!bottom_) bottom_ = top_;
    }

    memory_source& top() { return *top_; }
    // For a part's own needs: not from an arena that resets under it.
    memory_source& bottom() { return *bottom_; }
    const std::string& name() const { return name_; }
    bulk_observer* above() { return &relay_; }

    // A part that is no source. `remains` says what is left when all above it is gone; "" for nothing.
    template <class T, class... Args>
    T& put(std::function<std::string(T&)> remains, Args&&... args) {
        auto made = std::make_shared<T>(std::forward<Args>(args)...);
        T& it = *made;
        parts_.push_back({std::move(made), [remains, &it] { return remains(it); }});
        return it;
    }
    template <class T, class... Args>
    T& put_source(Args&&... args) {
        T& it = put<T>([](T& source) { return live_of(source); }, std::forward<Args>(args)...);
        set_top(it);
        return it;
    }
    void set_top(memory_source& source) {
        top_ = &source;
        if (relay_.is_free()) relay_.tell(dynamic_cast<bulk_observer*>(top_));
    }
    // A structure that ends all of its blocks at once; what is put next above it is told.
    void ends_in_bulk(std::function<void()> end) {
        end_in_bulk_ = std::move(end);
        relay_.open();
    }
    // Whether all blocks of top() can end at once with every book told of it.
    bool can_end_in_bulk() const { return end_in_bulk_ && (relay_.is_free() || relay_.tells()); }
    void end_in_bulk() { end_in_bulk_(); }

    // Destroys the parts from the top. What each had left before.
    std::vector<std::string> take_down();

    conformance_limits limits = {};

    template <class Source>
    static std::string live_of(Source& source) {
        if constexpr (requires { source.usage(); }) // the owner's exact form
            return text_of_live(source.usage());
        else
            return text_of_live(source.describe().usage);
    }
    static std::string text_of_live(const usage& now);

private:
    class relay final : public bulk_observer {
    public:
        void open() { state_ = state::free; }
        bool is_free() const { return state_ == state::free; }
        bool tells() const { return to_ != nullptr; }
        void tell(bulk_observer* to) {
            state_ = state::bound;
            to_ = to;
        }
        void bulk_freed(bulk_free gone) noexcept override {
            if (to_) to_->bulk_freed(gone);
        }

    private:
        enum class state { unused, free, bound };
        state state_ = state::unused;
        bulk_observer* to_ = nullptr;
    };
    struct owned {
        std::shared_ptr<void> it;
        std::function<std::string()> remains;
    };

    std::string name_;
    memory_source* bottom_ = nullptr;
    memory_source* top_ = nullptr;
    relay relay_;
    std::function<void()> end_in_bulk_;
    std::vector<owned> parts_;
};

} // namespace allot::composition

// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
[[gnu::weak]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
[[gnu::weak]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}
