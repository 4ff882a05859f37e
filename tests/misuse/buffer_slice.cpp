#include <allot/structure/buffer.hpp>

int main() {
    allot::buffer message;
    message.append("0123456789");
    return message.slice<char>({.start = 8, .count = 3})[0];
}
