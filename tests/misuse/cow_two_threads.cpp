#include <allot/source/default_source.hpp>
#include <allot/structure/cow.hpp>
#include <string>
#include <thread>

void cow_two_threads() {
    const auto text = allot::cow<std::string>::make(allot::default_source(), "shared");
    std::thread([copy = text] { const auto another = copy; }).join();
}
