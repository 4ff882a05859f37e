// pooled: a handle to an object that belongs to a pool of objects, and goes back there with the handle.
//
// object_pool and concurrent_object_pool hand it out; it is one type for both, so that a function can take a
// pooled<parser> and not care whence. To keep the object's value for ever take() it out of the pool.
// Owns the use of the object; borrows the pool, which must outlive the handle.
// Threads: compatible. A handle of a concurrent_object_pool may end on any thread.
// Cost: two words; its end is a virtual call.
//
// object_care says how a pool makes, cleans and judges objects. Derive from it and hide what differs:
//
//     struct parser_care : object_care<parser> {
//         parser make() const { return parser(dialect::strict); }         // default: parser()
//         void clean(parser& used) const { used.forget(); }               // default: clear(), or reset()
//         bool keeps(const parser& used) const { return used.capacity() < 4096; } // default: true
//     };
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace allot {

template <class T>
struct object_care {
    // What the factory throws goes through to who acquires.
    T make() const
        requires std::default_initializable<T>
    {
        return T();
    }
    // Afterwards the object is as good as new but for the memory that it holds. An object whose cleaner
    // throws is discarded.
    void clean(T& used) const {
        if constexpr (requires { used.clear(); })
            used.clear();
        else if constexpr (requires { used.reset(); })
            used.reset();
        else {
            static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>,
                          "object_care: say how an object becomes clean: derive, with a clean() of your own");
            used = T{};
        }
    }
    // False: too much has become of this one; it is discarded. Must not throw.
    bool keeps(const T&) const noexcept { return true; }
};

namespace detail {

// Where a handle brings its object to.
template <class T>
class object_home {
public:
    virtual void take_back(T* object) noexcept = 0;
    // The value was moved out of it: the object goes, and counts as taken.
    virtual void note_taken(T* object) noexcept = 0;

protected:
    // Virtual only because clang warns of a class with virtual functions and another destructor wherever one is
    // destroyed that could be a base, as in a std::optional: nobody destroys an object through its home.
    virtual ~object_home() = default;
};

// False when the call threw.
template <class Call>
bool ran_through(Call&& call) noexcept {
#ifdef __cpp_exceptions
    try {
        call();
        return true;
    } catch (...) {
        return false;
    }
#else
    call();
    return true;
#endif
}

// Whether it is worth keeping, and clean now.
template <class Care, class T>
bool keeps_it_clean(const Care& care, T& used) noexcept {
    if (!care.keeps(std::as_const(used))) [[unlikely]]
        return false;
    if constexpr (noexcept(care.clean(used))) {
        care.clean(used);
        return true;
    } else
        return ran_through([&] { care.clean(used); });
}

} // namespace detail

template <class T>
class [[nodiscard]] pooled {
public:
    pooled() noexcept = default; // empty
    pooled(pooled&& other) noexcept : home_(other.home_), object_(std::exchange(other.object_, nullptr)) {}
    pooled& operator=(pooled&& other) noexcept {
        if (this != &other) {
            give_back();
            home_ = other.home_;
            object_ = std::exchange(other.object_, nullptr);
        }
        return *this;
    }
    ~pooled() { give_back(); }

    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_; }
    T* get() const noexcept { return object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }

    // Now rather than at the handle's end. Does nothing when empty.
    void give_back() noexcept {
        if (object_) home_->take_back(std::exchange(object_, nullptr));
    }
    // The object's value, which is the caller's own from here on; the handle is empty, and the pool's books
    // say `taken`. Expects: not empty. Throws: what moving a T throws; then the handle still has it.
    [[nodiscard]] T take()
        requires std::move_constructible<T>
    {
        T value(std::move(*object_));
        home_->note_taken(std::exchange(object_, nullptr));
        return value;
    }

    // For pools: takes over an object that is out.
    pooled(detail::object_home<T>& home, T* object) noexcept : home_(&home), object_(object) {}

private:
    detail::object_home<T>* home_ = nullptr; // borrowed
    T* object_ = nullptr;
};

} // namespace allot
