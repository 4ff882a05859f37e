#include <allot/structure/scratch.hpp>
#include <thread>

void scratch_used_elsewhere() {
    allot::scratch work;
    std::thread([&work] { (void)work.allocate(100); }).join();
}
