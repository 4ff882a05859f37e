// allowance: who may take how many bytes. A budget is one; budgeted_source and caches take one.
//
// Use it where memory is to be limited by somebody else's rule. Charges are bytes by good_size; every charge
// is refunded once, in full or in parts, with the same sum.
// Threads: any, unless the implementation says otherwise.
//
//     if (!budget.try_charge(bytes)) return nullptr;         // last_refusal() says who
//     …
//     budget.refund(bytes);
#pragma once

#include <cstdint>

namespace allot {

class allowance {
public:
    // False: nothing is charged, and note_refusal() was called.
    [[nodiscard]] virtual bool try_charge(std::uint64_t bytes) noexcept = 0;
    virtual void refund(std::uint64_t bytes) noexcept = 0;

protected:
    ~allowance() = default;
};

} // namespace allot
