#include <allot/source/default_source.hpp>
#include <allot/structure/cow.hpp>
#include <string>
#include <thread>

int main() {
    const auto text = allot::cow<std::string>::make(allot::default_source(), "shared");
    std::thread([copy = text] { const auto another = copy; }).join();
}
