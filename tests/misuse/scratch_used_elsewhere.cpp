#include <allot/structure/scratch.hpp>
#include <thread>

int main() {
    allot::scratch work;
    std::thread([&work] { (void)work.allocate(100); }).join();
}
